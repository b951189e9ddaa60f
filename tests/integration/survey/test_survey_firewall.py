# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The model of the firewall against the kernel: connections are made, and end as it says, or it cannot tell."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.firewall import Probe, inbound
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Firewall
from ansible_collections.dbops.migrations.plugins.module_utils._survey.shape import checked_part
from integration.survey.rule_sets import RULE_SETS, SHARE, RuleSet
from parts import NotOnThisSystem

COLLECTIONS = Path(__file__).parents[3] / ".venv" / "collections"
HERE = {4: "10.99.0.1", 6: "fd99::1"}
THERE = ("10.99.0.2", "10.99.0.3", "fd99::2")
TCP, UDP = (22, 80, 443, 3306, 8080), (53, 161)
PROBES = [
    (protocol, source, port) for protocol, ports in (("tcp", TCP), ("udp", UDP)) for source in THERE for port in ports
]
SERVER = """
import socket, sys, threading
def serve(server):
    while True:
        server.accept()[0].sendall(b"x")
def answer(server):
    while True:
        try:
            server.sendto(b"x", server.recvfrom(9)[1])
        except OSError:
            continue
for protocol, address, port in eval(sys.argv[1]):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if protocol == "tcp":
        server, work = socket.create_server((address, port), family=family, backlog=99), serve
    else:
        server, work = socket.socket(family, socket.SOCK_DGRAM), answer
        server.bind((address, port))
    threading.Thread(target=work, args=(server,), daemon=True).start()
print(flush=True)
sys.stdin.read()
"""
# Prints the result of each probe, all of which run at the same time.
CLIENT = """
import concurrent.futures, json, socket, sys
def tried(probe):
    protocol, source, port, target = probe
    family = socket.AF_INET6 if ":" in source else socket.AF_INET
    kind = socket.SOCK_STREAM if protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as client:
        client.settimeout(2.5)
        client.bind((source, 0))
        try:
            client.connect((target, port))
            if protocol == "udp":
                client.send(b"x")
            client.recv(1)
        except socket.timeout:
            return "drop"
        except OSError:
            return "reject"
        return "accept"
with concurrent.futures.ThreadPoolExecutor(30) as pool:
    print(json.dumps(list(pool.map(tried, eval(sys.argv[1])))))
"""
READER = """
import json
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.firewall import firewall
from ansible_collections.dbops.migrations.plugins.module_utils._survey.shape import plain
rules, unseen = firewall()
print(json.dumps(plain(rules)))
"""


class World:
    """Two network namespaces, of which the first one has the servers and the firewall."""

    def __init__(self, cleanup: contextlib.ExitStack) -> None:
        self._cleanup = cleanup
        self.here, self.there = self._started("unshare", "--net"), self._started("unshare", "--net")
        run = self.run
        run(
            None,
            "ip",
            "link",
            "add",
            "fw0",
            "netns",
            str(self.here),
            "type",
            "veth",
            "peer",
            "name",
            "fw0",
            "netns",
            str(self.there),
        )
        for pid, addresses in ((self.here, [*HERE.values()]), (self.there, [*THERE])):
            for address in addresses:
                width, more = ("64", ["nodad"]) if ":" in address else ("24", [])
                run(pid, "ip", "address", "add", f"{address}/{width}", "dev", "fw0", *more)
            run(pid, "ip", "link", "set", "lo", "up")
            run(pid, "ip", "link", "set", "fw0", "up")
        # No limit of its own to how often the kernel says that something is refused.
        run(
            self.here,
            "sh",
            "-c",
            "echo 0 > /proc/sys/net/ipv4/icmp_ratelimit; echo 0 > /proc/sys/net/ipv6/icmp/ratelimit",
        )
        places = [
            (protocol, address, port)
            for protocol, ports in (("tcp", TCP), ("udp", UDP))
            for address in HERE.values()
            for port in ports
        ]
        self._started(*self._inside(self.here), sys.executable, "-c", SERVER, repr(places))

    def run(self, pid: int | None, *command: str, text: str = "") -> str:
        """Run a command in a namespace, and return its output."""
        environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
        command = (*self._inside(pid), *command) if pid else command
        return subprocess.run(
            command, check=True, input=text, text=True, stdout=subprocess.PIPE, env=environment, timeout=60
        ).stdout

    def clear(self) -> None:
        """Take all rules away, and what the ends have concluded from them about each other."""
        self.run(self.here, "nft", "flush", "ruleset")
        for program in ("iptables-legacy", "ip6tables-legacy"):
            self.run(self.here, program, "-P", "INPUT", "ACCEPT")
            self.run(self.here, program, "-F")
        for pid in (self.here, self.there):
            self.run(pid, "ip", "neighbour", "flush", "dev", "fw0")

    @staticmethod
    def _inside(pid: int) -> list[str]:
        return ["nsenter", f"--net=/proc/{pid}/ns/net"]

    def _started(self, *command: str) -> int:
        if command == ("unshare", "--net"):
            command = (*command, "sh", "-c", "echo; exec cat")
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._cleanup.enter_context(process)
        self._cleanup.callback(process.kill)
        assert process.stdout
        assert process.stdout.readline()
        return process.pid


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    probe = ["unshare", "--net", "sh", "-c", "ip link add fw0 type veth peer name fw1 && nft add table inet probe"]
    if os.geteuid() or subprocess.run(probe, capture_output=True, check=False).returncode:
        raise NotOnThisSystem(
            "Only root can join two network namespaces and set rules there, and not on every machine."
        )
    with contextlib.ExitStack() as cleanup:
        yield World(cleanup)


def _model(world: World) -> Firewall:
    found: Firewall = checked_part(Firewall, world.run(world.here, sys.executable, "-c", READER))
    return found


def _compared(world: World, rules: RuleSet) -> tuple[list[Any], int]:
    """Return where the model is wrong, and how often it cannot tell."""
    if not shutil.which(rules.tool):
        raise NotOnThisSystem(f"There is no {rules.tool}.")
    world.clear()
    world.run(world.here, rules.tool, *(["-f", "-"] if rules.tool == "nft" else []), text=rules.text)
    firewall = _model(world)
    assert firewall.seen
    target = [HERE[6 if ":" in source else 4] for _protocol, source, _port in PROBES]
    probes = [(*probe, there) for probe, there in zip(PROBES, target)]
    happened = json.loads(world.run(world.there, sys.executable, "-c", CLIENT, repr(probes)))
    told = [
        inbound(firewall, Probe(protocol, source, there, port, interface="fw0"))
        for protocol, source, port, there in probes
    ]
    wrong = [
        (*probe, f"the model says {model}, it was {real}")
        for probe, model, real in zip(probes, told, happened)
        if model not in (real, "cannot tell")
    ]
    return wrong, told.count("cannot tell")


@pytest.mark.parametrize("rules", RULE_SETS[:SHARE], ids=lambda rules: rules.name)
def test_the_model_says_what_the_kernel_does(world: World, rules: RuleSet) -> None:
    wrong, unclear = _compared(world, rules)
    assert (wrong, unclear) == ([], rules.unclear)


@pytest.mark.firewalls
@pytest.mark.parametrize("rules", RULE_SETS[SHARE:], ids=lambda rules: rules.name)
def test_the_model_says_what_the_kernel_does_with_rarer_rules(world: World, rules: RuleSet) -> None:
    wrong, unclear = _compared(world, rules)
    assert (wrong, unclear) == ([], rules.unclear)
