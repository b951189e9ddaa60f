# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey, shown on hosts that are made for it: a web server, an application, its database, and who comes by."""

from __future__ import annotations

import contextlib
import json
import shlex
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from . import CHECKOUT, NotAvailable, private_folder
from .ansible import PROGRAMS, Results, environment
from .demo import Failed, claim, heading, run, terminated
from .mariadb import FAST, MariaDB
from .network import Host, Network
from .process import own

ADDRESSES = {"web1": "10.99.0.11", "app1": "10.99.0.12", "db1": "10.99.0.13"}
# The visitor, and the partner whom the application calls.
VISITOR, PARTNER = "203.0.113.100", "203.0.113.1"
# It stays, to be looked at; make clean removes it.
REPORT = CHECKOUT / ".demo" / "survey"
# Answers each line, after it has asked the next one.
SERVER = """
import socket, sys, threading
port, *others = sys.argv[1:]
def serve(connection):
    with connection, connection.makefile() as lines:
        asked = [socket.create_connection(other.split(":")) for other in others]
        for line in lines:
            for other in asked:
                other.sendall(line.encode())
                other.recv(100)
            connection.sendall(b"ok\\n")
server = socket.create_server(("0.0.0.0", int(port)))
while True:
    threading.Thread(target=serve, args=[server.accept()[0]], daemon=True).start()
"""
CLIENT = """
import socket, sys, time
with socket.create_connection((sys.argv[1], int(sys.argv[2]))) as connection:
    while True:
        connection.sendall(b"hello\\n")
        connection.recv(100)
        time.sleep(0.5)
"""
QUERIES = """
import sys, time
import pymysql
while True:
    connection = pymysql.connect(host=sys.argv[1], port=3306, user="shop", password=sys.argv[2].partition("=")[2])
    for _number in range(4):
        connection.cursor().execute("SELECT SLEEP(0.5)")
    connection.close()
"""


@dataclass
class Stage:
    """The hosts, and the network in which the controller is, too.

    :ivar programs: the folder of Ansible's programs.
    """

    folder: Path
    network: Network
    hosts: dict[str, Host]
    programs: Path = PROGRAMS

    def survey(self) -> Results:
        """Run the playbook as a user would, show it, and return each task's result."""
        inventory = {"all": {"hosts": {name: host.variables("root") for name, host in self.hosts.items()}}}
        (self.folder / "hosts.json").write_text(json.dumps(inventory))
        command = ["ansible-playbook", "dbops.migrations.survey", "-i", str(self.folder / "hosts.json")]
        command += ["-e", "survey_duration=10", "-e", f"survey_dir={REPORT}"]
        print(f"$ {shlex.join(command)}", flush=True)
        results = self.folder / "results"
        results.touch()
        folders = {"ANSIBLE_HOME": str(self.folder / "ansible"), "ANSIBLE_REMOTE_TMP": str(self.folder / "tmp")}
        programs = self.network.programs(self.programs)
        code = run([str(programs / command[0]), *command[1:]], {**environment(results, self.programs), **folders})
        if code != 0:
            raise Failed(f"{command[1]} ended with exit code {code}.")
        outcome = Results()
        outcome.read(results)
        return outcome


def show(stage: Stage) -> None:
    """Show the survey, and check what it says."""
    heading("Look at the three hosts for ten seconds, over SSH, and report on them")
    result = stage.survey()
    flows = {
        (host, str(flow["service"]).partition("@")[0], flow["direction"], flow["remote_address"], flow["port"])
        for host in stage.hosts
        for flow in result.result(host, "Survey the host")["survey"]["flows"]
    }
    claim("the visitor talks to web1", ("web1", "frontend", "in", VISITOR, 80) in flows)
    claim("web1 talks to the application on app1", ("web1", "frontend", "out", ADDRESSES["app1"], 8000) in flows)
    claim("the application calls a partner outside", ("app1", "shop", "out", PARTNER, 443) in flows)
    claim("a job on app1 asks the database", ("app1", "queries", "out", ADDRESSES["db1"], 3306) in flows)
    claim("the database on db1 knows of it, too", ("db1", "mariadbd", "in", ADDRESSES["app1"], 3306) in flows)
    printed = json.dumps([event["result"] for event in result.tasks])
    claim("the password in the job's command line is shown nowhere", "not-so-secret" not in printed)
    claim(f"the report is there: {REPORT / 'index.html'}", (REPORT / "index.html").exists())


@contextlib.contextmanager
def hosts() -> Iterator[Stage]:
    """Make the hosts and start their programs."""
    with (
        private_folder("demo-survey") as folder,
        private_folder("demo-db") as data,
        private_folder("demo-net") as net,
        Network(net) as network,
    ):
        found = {name: network.host(name, address) for name, address in ADDRESSES.items()}
        for host in found.values():
            print(f"{host.name}: {host.address}, with a network, processes and an SSH server of its own")
            host.open_door("root")
        # The first address is the one that it calls from.
        outside = network.host("outside", VISITOR, PARTNER)
        print(f"Outside, and not looked at: the visitor {VISITOR} and the partner {PARTNER}")
        for name, text in {
            "partner": SERVER,
            "shop": SERVER,
            "frontend": SERVER,
            "visitor": CLIENT,
            "queries": QUERIES,
        }.items():
            (folder / f"{name}.py").write_text(text)
        database(found["db1"], data)
        python = sys.executable
        outside.start(python, folder / "partner.py", "443", port=443)
        found["app1"].start(python, folder / "shop.py", "8000", f"{PARTNER}:443", port=8000)
        found["app1"].start(python, folder / "queries.py", ADDRESSES["db1"], "--password=not-so-secret")
        found["web1"].start(python, folder / "frontend.py", "80", f"{ADDRESSES['app1']}:8000", port=80)
        outside.start(python, folder / "visitor.py", ADDRESSES["web1"], "80")
        yield Stage(folder, network, found)


def database(host: Host, folder: Path) -> None:
    """Start a MariaDB on a host, with the account of the job."""
    server = MariaDB(folder)
    own(folder, server.account)
    server.prepare()
    accounts = folder / "shop.sql"
    accounts.write_text("CREATE USER 'shop'@'%' IDENTIFIED BY 'not-so-secret';\n")
    accounts.chmod(0o644)
    options = ["--no-defaults", "--skip-name-resolve", f"--datadir={folder / 'data'}", f"--socket={server.socket}"]
    options += [f"--user={server.account}", f"--init-file={accounts}", *FAST]
    host.start(server.command()[0], *options, port=3306)


def main() -> int:
    """Run the demo and end everything that it started, however it ends."""
    signal.signal(signal.SIGTERM, terminated)
    signal.signal(signal.SIGHUP, terminated)
    try:
        heading("Make hosts on this machine, each with a network of its own that nothing else reaches")
        with hosts() as stage:
            show(stage)
    except (Failed, NotAvailable) as error:
        print(f"\nThe demo failed. {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nInterrupted; everything that was started has been ended.", file=sys.stderr)
        return 130
    heading(f"Done. The hosts are gone. The report stays: {REPORT / 'index.html'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
