# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module host_survey, in two network namespaces between which real programs talk."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import ansible
import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import read
from parts import NotOnThisSystem, private_folder

if TYPE_CHECKING:
    from conftest import RunModule

COLLECTIONS = Path(__file__).parents[3] / ".venv" / "collections"
# The two hosts' addresses. The other one is looked at by nobody.
HERE, THERE = "10.99.0.1", "10.99.0.2"
SERVER = """
import socket, sys, threading
def serve(connection):
    while data := connection.recv(100):
        connection.sendall(data)
family = socket.AF_INET6 if ":" in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], int(sys.argv[2])), family=family, dualstack_ipv6=":" in sys.argv[1])
print(flush=True)
while True:
    threading.Thread(target=serve, args=(server.accept()[0],), daemon=True).start()
"""
# Answers after a while.
LATE = SERVER.replace("    while data", "    import time\n    time.sleep(0.6)\n    while data")
# Talks for as long as it is told, then leaves.
CLIENT = """
import socket, sys, time
sys.stdin.readline()
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    connection.sendall(b"x")
    connection.recv(1)
    time.sleep(float(sys.argv[3]))
"""


class Hosts:
    """Two network namespaces, each of which a process holds open, and the programs in them."""

    def __init__(self, folder: Path, cleanup: contextlib.ExitStack) -> None:
        self.folder = folder
        self._cleanup = cleanup
        self._here, self._there = self._namespace(), self._namespace()
        here, there = str(self._here), str(self._there)
        self._ip("link", "add", "survey0", "netns", here, "type", "veth", "peer", "name", "survey0", "netns", there)
        for pid, address in ((here, HERE), (there, THERE)):
            for command in (
                ["link", "set", "lo", "up"],
                ["address", "add", f"{address}/24", "dev", "survey0"],
                ["link", "set", "survey0", "up"],
            ):
                subprocess.run(["nsenter", f"--net=/proc/{pid}/ns/net", "ip", *command], check=True)

    def command(self, here: bool, *command: str) -> list[str]:
        """Return a command as one that runs on a host."""
        return ["nsenter", f"--net=/proc/{self._here if here else self._there}/ns/net", *command]

    @property
    def there(self) -> str:
        """Return the name of the other host's namespace."""
        return os.readlink(f"/proc/{self._there}/ns/net")

    def nft(self, rules: str) -> None:
        """Set rules on the first host."""
        subprocess.run(self.command(True, "nft", "-f", "-"), input=rules, text=True, check=True)

    def server(self, name: str, here: bool, address: str, port: int, text: str = SERVER) -> None:
        """Start a server and wait until it listens."""
        process = self._program(name, text, here, address, str(port))
        assert process.stdout
        assert process.stdout.readline()

    def client(self, name: str, here: bool, address: str, port: int, seconds: float) -> subprocess.Popen[bytes]:
        """Start a client, which talks once it gets a line."""
        return self._program(name, CLIENT, here, address, str(port), str(seconds))

    def _program(self, name: str, text: str, here: bool, *arguments: str) -> subprocess.Popen[bytes]:
        script = self.folder / f"{name}.py"
        script.write_text(text)
        return self._started(self.command(here, sys.executable, str(script), *arguments))

    def _namespace(self) -> int:
        process = self._started(["unshare", "--net", "sh", "-c", "echo; exec cat"])
        assert process.stdout
        assert process.stdout.readline()
        return process.pid

    def _started(self, command: list[str]) -> subprocess.Popen[bytes]:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._cleanup.enter_context(process)
        self._cleanup.callback(process.kill)
        return process

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    probe = ["unshare", "--net", "ip", "link", "add", "survey0", "type", "veth", "peer", "name", "survey1"]
    if os.geteuid() or subprocess.run(probe, capture_output=True, check=False).returncode:
        raise NotOnThisSystem("Only root can join two network namespaces, and not on every machine.")
    with private_folder("survey") as folder, contextlib.ExitStack() as cleanup:
        yield Hosts(folder, cleanup)


def _looking(hosts: Hosts, options: dict[str, Any], *before: str) -> subprocess.Popen[str]:
    """Start the module on the first host."""
    library = hosts.folder / "library"
    library.mkdir(exist_ok=True)
    (library / "ansible").symlink_to(Path(ansible.__file__).parent)
    module = "ansible_collections.dbops.migrations.plugins.modules.host_survey"
    process = subprocess.Popen(
        hosts.command(True, *before, sys.executable, "-m", module),
        env={**os.environ, "PYTHONPATH": f"{COLLECTIONS}:{library}"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdin
    process.stdin.write(json.dumps({"ANSIBLE_MODULE_ARGS": {**options, "_ansible_remote_tmp": str(library)}}))
    process.stdin.close()
    process.stdin = None
    return process


def _survey(process: subprocess.Popen[str]) -> dict[str, Any]:
    output, _errors = process.communicate(timeout=60)
    result = json.loads(output)
    assert not result["changed"]
    survey: dict[str, Any] = result["survey"]
    # What the module returns is a document.
    read(json.dumps(survey))
    return survey


def _start(clients: list[subprocess.Popen[bytes]]) -> None:
    for client in clients:
        assert client.stdin
        client.stdin.write(b"\n")
        client.stdin.flush()


def _name(service: str | None) -> str | None:
    return service and service.partition("@")[0]


def _own(survey: dict[str, Any]) -> list[dict[str, Any]]:
    return [flow for flow in survey["flows"] if not flow["namespace"]]


def _flows(survey: dict[str, Any], namespace: str | None = None) -> set[tuple[Any, ...]]:
    return {
        (_name(flow["service"]), flow["direction"], flow["remote_address"], flow["port"], _name(flow["peer_service"]))
        for flow in survey["flows"]
        if flow["namespace"] == namespace
    }


def test_every_flow_of_a_second_is_found_and_none_is_invented(hosts: Hosts) -> None:
    hosts.server("web", True, "0.0.0.0", 8080)
    hosts.server("cache", True, "127.0.0.1", 6379)
    hosts.server("mapped", True, "::", 8081)
    # A port that looks like a client's, and is a server's.
    hosts.server("database", False, "0.0.0.0", 45000)
    clients = [
        hosts.client("browser", False, HERE, 8080, 1.1),
        hosts.client("browser2", False, HERE, 8081, 1.1),
        hosts.client("shop", True, THERE, 45000, 1.1),
        hosts.client("worker", True, "127.0.0.1", 6379, 1.1),
        hosts.client("probe", True, HERE, 8080, 1.1),
    ]
    looking = _looking(hosts, {"duration": 5})
    time.sleep(1.5)
    _start(clients)
    survey = _survey(looking)
    assert _flows(survey) == {
        ("web", "in", THERE, 8080, None),
        ("mapped", "in", THERE, 8081, None),
        ("shop", "out", THERE, 45000, None),
        ("worker", "local", "127.0.0.1", 6379, "cache"),
        ("probe", "local", HERE, 8080, "web"),
    }
    assert all(flow["established"] and flow["sources"] == ["netlink"] for flow in _own(survey))
    assert {
        (_name(one["service"]), one["address"], one["port"], one["loopback"])
        for one in survey["listeners"]
        if not one["namespace"]
    } == {
        ("web", "0.0.0.0", 8080, False),
        ("cache", "127.0.0.1", 6379, True),
        ("mapped", "::", 8081, False),
    }
    addresses = {one["name"]: one["addresses"] for one in survey["identity"]["interfaces"]}
    assert f"{HERE}/24" in addresses["survey0"]


def test_what_runs_in_another_network_namespace_is_seen_too(hosts: Hosts) -> None:
    hosts.server("web", True, "0.0.0.0", 8080)
    hosts.server("database", False, "0.0.0.0", 45000)
    clients = [
        hosts.client("browser", False, HERE, 8080, 4),
        hosts.client("shop", True, THERE, 45000, 4),
    ]
    looking = _looking(hosts, {"duration": 4})
    time.sleep(0.8)
    _start(clients)
    survey = _survey(looking)
    assert _flows(survey, hosts.there) == {
        ("browser", "out", HERE, 8080, None),
        ("database", "in", HERE, 45000, None),
    }
    inside = [one for one in survey["listeners"] if one["namespace"] == hosts.there]
    assert [(_name(one["service"]), one["port"]) for one in inside] == [("database", 45000)]
    assert "namespaces" not in {entry["what"] for entry in survey["unseen"]}


def test_connection_tracking_shows_what_is_short_and_what_is_translated(hosts: Hosts) -> None:
    """The rules have the kernel track; the other host does not look."""
    hosts.server("web", True, "0.0.0.0", 8080)
    hosts.server("database", False, "0.0.0.0", 45000)
    hosts.nft(
        "table ip nat { chain out { type nat hook output priority -100;\n"
        f"ip daddr 10.99.0.9 tcp dport 3306 dnat to {THERE}:45000\n}}\n}}\n"
        "table inet track { chain in { type filter hook input priority 0; ct state new counter\n}\n}"
    )
    clients = [
        hosts.client("shop", True, "10.99.0.9", 3306, 3),
        *(hosts.client(f"browser{number}", False, HERE, 8080, 0.01) for number in range(3)),
        hosts.client("probe", True, THERE, 45000, 0.01),
    ]
    looking = _looking(hosts, {"duration": 3})
    time.sleep(0.8)
    _start(clients)
    flows = _own(_survey(looking))
    tracked = {
        (flow["direction"], flow["remote_address"], flow["port"], flow["translated"], flow["established"])
        for flow in flows
        if "conntrack" in flow["sources"]
    }
    assert tracked == {
        ("out", "10.99.0.9", 3306, f"{THERE}:45000", True),
        ("in", THERE, 8080, None, True),
        ("out", THERE, 45000, None, True),
    }
    services = {(flow["direction"], flow["port"]): _name(flow["service"]) for flow in flows}
    assert (services["out", 3306], services["in", 8080]) == ("shop", "web")


def test_tracking_that_begins_midway_does_not_say_who_asked(hosts: Hosts) -> None:
    """It takes whoever speaks first from then on for the one who asked, and here that is the one who was asked."""
    for here in (True, False):
        hosts.server(f"late{here}", here, "0.0.0.0", 7000, LATE)
    clients = [hosts.client("browser", False, HERE, 7000, 1), hosts.client("shop", True, THERE, 7000, 1)]
    _start(clients)
    time.sleep(0.3)
    hosts.nft("table inet track { chain in { type filter hook input priority 0; ct state new counter\n}\n}")
    time.sleep(0.3)
    survey = _survey(_looking(hosts, {"duration": 1}))
    assert {
        (flow["direction"], flow["remote_address"], flow["port"]): "conntrack" in flow["sources"]
        for flow in _own(survey)
    } == {("in", THERE, 7000): True, ("out", THERE, 7000): True}


def test_another_account_is_told_what_it_does_not_see(hosts: Hosts) -> None:
    hosts.server("web", True, "0.0.0.0", 8080)
    client = hosts.client("browser", False, HERE, 8080, 3)
    _start([client])
    survey = _survey(_looking(hosts, {"duration": 2}, "setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"))
    assert not survey["privileged"]
    unseen = {entry["what"]: entry for entry in survey["unseen"]}
    assert {"processes", "firewall", "namespaces"} <= unseen.keys()
    assert "This account may not read the sockets" in unseen["processes"]["why"]
    assert "root" in unseen["processes"]["remedy"]
    # Whose they are is not known, and so is said; what is said is right.
    assert _flows(survey) == {(None, "in", THERE, 8080, None)}
    assert [(one["service"], one["port"]) for one in survey["listeners"]] == [(None, 8080)]


def test_a_host_that_shows_nothing_is_told(hosts: Hosts) -> None:
    bare = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /proc && exec "$@"', "sh"]
    output, _errors = _looking(hosts, {"duration": 1}, *bare).communicate(timeout=60)
    assert json.loads(output)["msg"] == (
        "What the kernel shows of this host cannot be read: [Errno 2] No such file or directory: '/proc/uptime'. "
        "It needs Linux, with /proc. (DBM-2503)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"duration": 0}, "The duration is 0. Give at least 1 second. (DBM-2501)"),
        (
            {"duration": 5, "interval": 6},
            "The interval is 6.0. Give at least 0.1 seconds, and at most the duration (5). (DBM-2502)",
        ),
        ({"interval": 0}, "The interval is 0.0. Give at least 0.1 seconds, and at most the duration (30). (DBM-2502)"),
        (
            {"interval": "nan"},
            "The interval is nan. Give at least 0.1 seconds, and at most the duration (30). (DBM-2502)",
        ),
    ],
)
def test_values_that_make_no_sense_are_refused(run_module: RunModule, options: dict[str, Any], message: str) -> None:
    result = run_module("host_survey", options)
    assert (result["failed"], result["msg"]) == (True, message)


def test_check_mode_looks_as_well(run_module: RunModule) -> None:
    result = run_module("host_survey", {"duration": 1, "interval": 0.5}, check=True)
    assert not result["changed"]
    assert 2 <= result["survey"]["samples"] <= 3
    assert result["survey"]["services"]
