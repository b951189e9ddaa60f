# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to the runner that are cut, again and again: ``python -m soak.cuts TRIALS [SEED]``.

In each trial ansible-playbook migrates over SSH, and its connection is cut at a random instant. The task's result, the
rows and the history must be those of a run that nobody disturbs, and nothing may be left on the runner.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pymysql
from integration.progress.support import Book, Printed
from parts import private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.proxy import Proxy
from parts.sshd import GitServer, make_key

FILES = {
    "1_a.up.sql": "CREATE TABLE a (i INT PRIMARY KEY AUTO_INCREMENT, j INT);\n"
    "INSERT INTO a (j) VALUES (1), (2);\nINSERT INTO a (j) SELECT j + SLEEP(0.2) FROM a;\nDO SLEEP(0.5);\n",
    "2_b.up.sql": "ALTER TABLE a ADD k INT;\nUPDATE a SET k = i * 7 + SLEEP(0.2);\n",
    "3_c.up.sql": "INSERT INTO a (j, k) SELECT k, j FROM a;\nDO SLEEP(0.6);\nINSERT INTO a (j) SELECT MAX(i) FROM a;\n",
}
# Seconds after which a cut comes at the latest: a run takes some five of them.
LATEST = 6.0
# Seconds for which a link is down.
DOWN = 20.0
COMPARED = ("changed", "from_version", "to_version", "applied", "failed", "dirty", "pending", "resumed")


class Bench:
    """The servers, and one trial after the other.

    :param down: for how many seconds a link is down.
    """

    def __init__(self, folder: Path, database: DatabaseServer, ssh: GitServer, proxy: Proxy, down: float) -> None:
        self._folder = folder
        self._database = database
        self._ssh = ssh
        self._proxy = proxy
        self._down = down
        self._timers: list[threading.Timer] = []
        make_key(folder / "login_key")
        ssh.let_in((folder / "login_key.pub").read_text())
        known = ssh.known_hosts.replace(f":{ssh.port} ", f":{proxy.port} ")
        (folder / "known_hosts").write_text(known)
        (folder / "files").mkdir()
        for name, text in FILES.items():
            (folder / "files" / name).write_text(text)
        self.cuts: dict[str, Callable[[], None]] = {
            "session killed": self._kill_sessions,
            "network reset": proxy.cut,
            "link down": self._take_link_down,
            "sshd restarted": self._restart,
        }
        self.expected = {pipelining: self._outcome(*self._run(pipelining, None, 0)) for pipelining in (False, True)}

    def trial(self, dice: random.Random, cut: str) -> tuple[list[str], bool]:
        """Cut a run's connection; return what is wrong, and whether the run was taken up again."""
        pipelining, moment = dice.random() < 0.5, dice.uniform(0.2, LATEST)
        printed, schema = self._run(pipelining, self.cuts[cut], moment)
        outcome = self._outcome(printed, schema)
        wrong = []
        for name, value in self.expected[pipelining].items():
            if outcome[name] != value:
                wrong.append(f"{name} is {outcome[name]}, not {value}")
        wrong += [f"{path} is left" for path in self._left()]
        if wrong:
            wrong.append(f"{cut} after {moment:.2f} s, pipelining {pipelining}: {printed.text}")
        return wrong, any("connection to the runner was lost" in line for _moment, line in printed.lines)

    def _run(self, pipelining: bool, cut: Callable[[], None] | None, moment: float) -> tuple[Printed, str]:
        schema = f"shop_{uuid.uuid4().hex[:8]}"
        self._database.create_schema(schema)
        variables = {
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(self._folder / "remote"),
            "ansible_connection": "ssh",
            "ansible_host": self._ssh.host,
            "ansible_port": self._proxy.port,
            "ansible_user": self._ssh.user,
            "ansible_ssh_private_key_file": str(self._folder / "login_key"),
            "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={self._folder / 'known_hosts'}",
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=2",
            "ansible_control_path_dir": str(self._folder / "cp"),
            "ansible_pipelining": pipelining,
        }
        print(f"{schema}: pipelining {pipelining}, after {moment:.2f} s", flush=True)
        folder = self._folder / schema
        folder.mkdir()
        book = Book(folder, self._database, variables, self._ssh)
        book.add(schema, self._folder / "files")
        running = book.start()
        if cut is not None:
            time.sleep(moment)
            cut()
        printed = running.end()
        for timer in self._timers:
            timer.join()
        return printed, schema

    def _outcome(self, printed: Printed, schema: str) -> dict[str, Any]:
        results = [event for event in printed.tasks if event["host"] == schema]
        result = results[-1]["result"] if results else {}
        applied = [{key: item[key] for key in item if key != "seconds"} for item in result.get("applied", ())]
        outcome = {name: result.get(name) for name in COMPARED} | {"applied": applied}
        outcome["status"] = results[-1]["status"] if results else printed.text
        outcome["message"] = str(result.get("msg")).replace(schema, "shop")
        questions = {
            "rows": "SELECT i, j, k FROM a ORDER BY i",
            "state": "SELECT version, dirty FROM schema_migrations",
            "history": "SELECT version FROM schema_migrations_history WHERE outcome = 'applied' ORDER BY id",
        }
        for name, question in questions.items():
            try:
                outcome[name] = self._database.query(question, schema)
            except pymysql.MySQLError as error:
                outcome[name] = str(error)
        self._database.query(f"DROP DATABASE `{schema}`")
        return outcome

    def _left(self) -> list[str]:
        """Return what is left on the runner, once a call has ended that was cut before it had the lock."""
        deadline = time.monotonic() + 20
        while (found := self._found()) and time.monotonic() < deadline:
            time.sleep(0.5)
        return found

    def _found(self) -> list[str]:
        remote = self._folder / "remote"
        mark = str(remote).encode()
        # Cut while it makes its own folder, Ansible never learns of it: that stays, and is empty.
        found = [str(path) for path in remote.rglob("*") if not path.is_dir()]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if mark in words and b"AnsiballZ_" in words:
                found.append(f"process {path.parent.name}")
        return found

    def _kill_sessions(self) -> None:
        kill_sessions(self._ssh)

    def _take_link_down(self) -> None:
        self._proxy.stall()
        self._later(self._down, self._proxy.release)

    def _restart(self) -> None:
        self._kill_sessions()
        self._ssh.stop()
        time.sleep(3)
        # It would end with a thread that has started it.
        self._ssh.start()

    def _later(self, seconds: float, work: Callable[[], None]) -> None:
        self._timers.append(threading.Timer(seconds, work))
        self._timers[-1].start()


def kill_sessions(server: GitServer) -> None:
    """Kill what sshd has started for each connection."""
    assert server._process is not None
    parents: dict[int, tuple[int, str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, _parenthesis, rest = path.read_text().partition("(")[2].rpartition(")")
            parents[int(path.parent.name)] = int(rest.split()[1]), name
    family: set[int] = set()
    more = {server._process.pid}
    while more - family:
        family |= more
        more = {pid for pid, (parent, name) in parents.items() if parent in family and name.startswith("sshd")}
    for pid in family - {server._process.pid}:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def play(trials: int, seed: int, down: float = DOWN) -> tuple[Counter[str], list[str]]:
    """Play so many trials; return how many of each kind there were, and what is wrong."""
    dice = random.Random(seed)
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    with (
        private_folder("cuts") as folder,
        private_folder("cuts-db") as place,
        private_folder("cuts-ssh") as ssh_place,
        MariaDB(place) as database,
        GitServer(ssh_place) as ssh,
        Proxy(ssh.host, ssh.port) as proxy,
    ):
        bench = Bench(folder, database, ssh, proxy, down)
        names = list(bench.cuts)
        for number in range(trials):
            cut = names[number % len(names)]
            found, again = bench.trial(dice, cut)
            counted[cut] += 1
            counted["taken up again"] += again
            wrong += found
            if found:
                print(f"trial {number}: {json.dumps(found)}", flush=True)
    return counted, wrong


def main(trials: int, seed: int) -> int:
    """Play trials, and say what came of them."""
    counted, wrong = play(trials, seed)
    print(", ".join(f"{name}: {count}" for name, count in counted.items()))
    print(f"{trials} trials, {len(wrong)} wrong")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1) > 0)
