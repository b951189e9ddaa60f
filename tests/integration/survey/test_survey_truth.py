# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbook survey against the truth: real programs on hosts of their own, whose connections are written down.

Each host has a Debian and a network of its own, and is reached over SSH. Partners and visitors are outside, and not
looked at.
"""

from __future__ import annotations

import calendar
import contextlib
import json
import random
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import read
from parts import private_folder, survey_system
from parts.ansible import PROGRAMS
from parts.network import CONTROLLER, Host, Network

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

pytestmark = pytest.mark.survey

HERE = Path(__file__).parent / "programs"
ADDRESSES = {
    "web1": "10.99.0.11",
    "app1": "10.99.0.12",
    "db1": "10.99.0.13",
    "cache1": "10.99.0.14",
    "jobs1": "10.99.0.15",
}
HOSTS = {address: host for host, address in ADDRESSES.items()}
CLIENTS = {"web1": "nginx", "app1": "gunicorn", "jobs1": "report"}
DATABASE, REDIS, MEMCACHED, SHOP = 3306, 6379, 11211, 8000
SERVERS = {DATABASE: "mariadbd", REDIS: "redis-server", MEMCACHED: "memcached", SHOP: "gunicorn", 22: "sshd"}
# One for each run, as connections that have ended are still there for a minute: of nginx, of a partner who leaves
# last, and of one who leaves first.
PORTS = [(80, 443, 444), (81, 543, 544), (82, 643, 644)]
SERVERS.update({web: "nginx" for web, _partner, _hasty in PORTS})
PARTNERS, VISITORS = range(1, 100), range(100, 250)
NGINX = """
events { worker_connections 1024; }
http {
  access_log off;
  server {
    listen 80;
    listen 81;
    listen 82;
    location / { proxy_pass http://10.99.0.12:8000; }
  }
}
"""
TRACKED = "table inet track { chain in { type filter hook input priority 0; ct state new counter; }; }"
# A connection this much longer than a second is open at a sample, even if that is a little late.
LONG = 1.1
SEED = 7


class Found(NamedTuple):
    """A flow, as a host tells it or as it was."""

    host: str
    service: str | None
    direction: str
    address: str
    port: int


class Connection(NamedTuple):
    """A connection that was there, at least from one time to another."""

    client: str
    server: str
    port: int
    began: float
    ended: float

    def flows(self) -> Iterator[Found]:
        """Yield what its ends may tell of it, if they are looked at."""
        if self.server in HOSTS:
            yield Found(HOSTS[self.server], SERVERS[self.port], "in", self.client, self.port)
        if self.client in HOSTS:
            yield Found(HOSTS[self.client], CLIENTS[HOSTS[self.client]], "out", self.server, self.port)


@dataclass
class World:
    """The hosts and their programs."""

    hosts: dict[str, Host]
    outside: subprocess.Popen[str]
    network: Network
    visited: list[str] = field(default_factory=list)

    def visit(self, ports: tuple[int, int, int], seconds: float) -> None:
        """Have all visitors come within so many seconds, half of them for a moment only."""
        dice = random.Random(SEED)
        web, partner, hasty = ports
        assert self.outside.stdin
        for number, last in enumerate(VISITORS):
            length = dice.uniform(1.2, 2.5) if number % 2 else dice.uniform(0.01, 0.8)
            plan: list[dict[str, Any]] = []
            if number < len(PARTNERS):
                leaves = number % 4 < 2
                peer = {"kind": "hasty", "port": hasty} if leaves else {"kind": "partner", "port": partner}
                plan.append({**peer, "address": f"203.0.113.{PARTNERS[number]}", "seconds": length})
            if number % 5 == 0:
                plan += [
                    {"kind": "database", "address": ADDRESSES["db1"], "port": DATABASE, "seconds": length},
                    {"kind": "redis", "address": ADDRESSES["cache1"], "port": REDIS, "seconds": length},
                    {"kind": "memcached", "address": ADDRESSES["cache1"], "port": MEMCACHED, "seconds": length},
                ]
            visit = {"address": f"203.0.113.{last}", "port": web, "plan": plan, "stays": number % 4 < 2}
            self.outside.stdin.write(json.dumps(visit) + "\n")
            self.outside.stdin.flush()
            time.sleep(seconds / len(VISITORS))

    def connections(self) -> list[Connection]:
        """Return all that has been written down, and the controller's own."""
        found = [Connection(CONTROLLER, host.address, 22, 0, time.time()) for host in self.hosts.values()]
        for name in ("app1", "jobs1"):
            path = self.hosts[name].path("/var/log/truth")
            for line in path.read_text().splitlines() if path.exists() else []:
                entry = json.loads(line)
                entry.update({end: entry[end] or ADDRESSES[name] for end in ("client", "server")})
                found.append(Connection(**entry))
        entries = [json.loads(line) for line in self.visited]
        assert [entry for entry in entries if "failed" in entry] == []
        return found + [Connection(**entry) for entry in entries]


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    system = survey_system.provide()
    with private_folder("survey") as folder, contextlib.ExitStack() as stack:
        network = stack.enter_context(Network(folder))
        hosts = {name: network.host(name, address, system=system) for name, address in ADDRESSES.items()}
        for name, host in hosts.items():
            # sudo asks for the host's name.
            host.path("/etc/hosts").write_text(f"127.0.0.1 localhost\n{host.address} {name}\n")
            host.path("/etc/resolv.conf").write_text("")
            host.open_door(survey_system.ADMINISTRATOR, survey_system.WATCHER)
        start(hosts)
        last = [*PARTNERS, *VISITORS]
        outside = network.host("outside", *(f"203.0.113.{number}" for number in last))
        process = subprocess.Popen(
            outside.command("/usr/bin/python3", HERE / "outside.py"),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        stack.enter_context(process)
        world = World(hosts, process, network)
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps([port for _web, *partners in PORTS for port in partners]) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        with ThreadPoolExecutor(1) as pool:
            pool.submit(world.visited.extend, process.stdout)
            try:
                yield world
            finally:
                # It ends what is read.
                process.stdin.close()


def start(hosts: dict[str, Host]) -> None:
    """Start the programs, as their packages would."""
    database, cache, application, web, jobs = (hosts[name] for name in ("db1", "cache1", "app1", "web1", "jobs1"))
    account = "CREATE USER 'shop'@'%' IDENTIFIED BY 'not-so-secret';\n"
    database.path("/etc/mysql/accounts.sql").write_text(account)
    options = ["--no-defaults", "--user=mysql", "--skip-name-resolve", "--init-file=/etc/mysql/accounts.sql"]
    database.run("install", "-d", "-o", "mysql", "/run/mysqld")
    database.start("/usr/sbin/mariadbd", *options, "--datadir=/var/lib/mysql", port=DATABASE)
    options = ["--bind", "0.0.0.0", "--protected-mode", "no", "--save", ""]
    cache.start("/usr/bin/redis-server", *options, user="redis", port=REDIS)
    cache.start("/usr/bin/memcached", "-l", "0.0.0.0", user="memcache", port=MEMCACHED)
    application.path("/srv/shop.py").write_text((HERE / "shop.py").read_text())
    application.run("install", "-m", "666", "/dev/null", "/var/log/truth")
    options = ["--chdir", "/srv", "--bind", f"0.0.0.0:{SHOP}", "--threads", "200", "--timeout", "90"]
    application.start("/usr/bin/gunicorn", *options, "shop:application", user="www-data", port=SHOP)
    web.path("/etc/nginx/nginx.conf").write_text(f"user www-data;\nworker_processes 2;\n{NGINX}")
    web.start("/usr/sbin/nginx", "-g", "daemon off;", port=80)
    jobs.path("/usr/local/bin/report").write_text(f"#!/usr/bin/python3\n{(HERE / 'report.py').read_text()}")
    jobs.run("chmod", "755", "/usr/local/bin/report")
    jobs.path("/etc/cron.d/report").write_text("* * * * * root /usr/local/bin/report\n")
    jobs.start("/usr/sbin/cron", "-f")


def survey(
    world: World, playbook: RunPlaybook, ports: tuple[int, int, int], user: str, seconds: int
) -> dict[str, dict[str, Any]]:
    """Run the playbook while the visitors come, and return what each host has shown."""
    hosts = {name: host.variables(user) for name, host in world.hosts.items()}
    inventory = {"all": {"hosts": hosts, "vars": {"ansible_become": user == survey_system.ADMINISTRATOR}}}
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(
            playbook,
            "dbops.migrations.survey",
            inventory,
            "--forks=10",
            extra_vars={"survey_duration": seconds},
            programs=world.network.programs(PROGRAMS),
        )
        world.visit(ports, 28)
        result: PlaybookResult = running.result()
    assert result.rc == 0, result.stdout + result.stderr
    print("\n".join(result.result(next(iter(hosts)), "Show the report")["msg"]))
    surveys = {name: result.result(name, "Survey the host")["survey"] for name in hosts}
    for document in surveys.values():
        read(json.dumps(document))
    return surveys


def flows(surveys: dict[str, dict[str, Any]]) -> set[Found]:
    """Return what the hosts have shown of the network."""
    return {
        Found(host, name(one["service"]), one["direction"], one["remote_address"], one["port"])
        for host, document in surveys.items()
        for one in document["flows"]
    }


def name(service: str | None) -> str | None:
    return service and service.partition("@")[0]


def expected(world: World, surveys: dict[str, dict[str, Any]]) -> tuple[set[Found], set[Found], set[Found]]:
    """Return which flows must have been seen for a second at least, which were there for less, and all others."""
    longest: dict[Found, float] = {}
    others: set[Found] = set()
    for connection in world.connections():
        for flow in connection.flows():
            document = surveys[flow.host]
            # The first sample is in the second in which the run began.
            first = moment(document["started"]) + 1
            overlap = min(connection.ended, first + document["duration"] - 1) - max(connection.began, first)
            if overlap > 0:
                longest[flow] = max(longest.get(flow, 0), overlap)
            else:
                others.add(flow)
    long = {flow for flow, overlap in longest.items() if overlap >= LONG}
    # Those between, and those that were cut by the window, need not count.
    short = {flow for flow in longest.keys() - long if longest[flow] < 0.9}
    return long, short, others | (longest.keys() - long - short)


def moment(text: str) -> float:
    return calendar.timegm(time.strptime(text, "%Y-%m-%dT%H:%M:%SZ"))


def vague(flows: set[Found]) -> set[Found]:
    """Return what is right to say about flows of which less is known."""
    return {flow._replace(service=None, direction=way) for flow in flows for way in (flow.direction, "unknown")}


def told(what: str, long: set[Found], short: set[Found], seen: set[Found]) -> str:
    """Return a line for docs/survey-run.md."""
    vaguely = {flow for flow in short - seen if vague({flow}) & seen}
    return (
        f"{what}: of a second and longer {len(long & seen)} of {len(long)}, shorter {len(short & seen)} of "
        f"{len(short)}, and {len(vaguely)} without their service or their direction"
    )


def test_every_flow_of_a_second_is_found_and_none_is_invented(world: World, playbook: RunPlaybook) -> None:
    surveys = survey(world, playbook, PORTS[0], survey_system.ADMINISTRATOR, 20)
    long, short, others = expected(world, surveys)
    seen = flows(surveys)
    print(told("without connection tracking", long, short, seen))
    assert len(long) > 40
    assert len(short) > 60
    assert long - seen == set()
    # Of one that has ended, the kernel says neither whose it was, nor who began it if nobody waits there.
    assert seen - long - short - others - vague(short | others) == set()
    assert {one["what"] for document in surveys.values() for one in document["unseen"]} == set()
    assert all(document["privileged"] for document in surveys.values())


def test_connection_tracking_shows_the_shorter_ones_too(world: World, playbook: RunPlaybook) -> None:
    """The clock's job runs once a minute for half a second, as it would: nothing is sped up."""
    for host in world.hosts.values():
        host.run("nft", "-f", "-", text=TRACKED)
    surveys = survey(world, playbook, PORTS[1], survey_system.ADMINISTRATOR, 64)
    long, short, others = expected(world, surveys)
    seen = flows(surveys)
    print(told("with connection tracking", long, short, seen))
    assert len(short) > 60
    assert long - seen == set()
    # Of one that only tracking has seen, the service that began it is not known; who began it is.
    assert short - seen - {flow for flow in short if flow._replace(service=None) in seen} == set()
    assert seen - long - short - others - vague(short | others) == set()
    assert Found("jobs1", "report", "out", ADDRESSES["db1"], DATABASE) in short
    schedules = [one["command"] for one in surveys["jobs1"]["schedules"]]
    assert "/usr/local/bin/report" in schedules


def test_without_root_what_is_missing_is_told_and_nothing_is_wrong(world: World, playbook: RunPlaybook) -> None:
    surveys = survey(world, playbook, PORTS[2], survey_system.WATCHER, 20)
    long, short, others = expected(world, surveys)
    seen = flows(surveys)
    print(told("without root", {flow._replace(service=None) for flow in long}, short, seen))
    assert len(long) > 40
    # They are there, with their direction, but not with those services that are another account's.
    assert {flow._replace(service=None) for flow in long} - {flow._replace(service=None) for flow in seen} == set()
    there = long | short | others
    assert seen - there - vague(there) == set()
    for document in surveys.values():
        assert not document["privileged"]
        assert {one["service"] for one in document["flows"]} == {None}
        unseen = {one["what"] for one in document["unseen"]}
        assert {"processes", "firewall", "namespaces"} <= unseen
