# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections to the runner that are cut, again and again: ``python -m programs.soak.cuts TRIALS [SEED]``.

In each trial ansible-playbook migrates over SSH, and its connection is cut at a random instant. The task's result, the
rows and the history must be those of a run that nobody disturbs, and nothing may be left on the runner. Several benches
work side by side, each with a runner of its own.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, NamedTuple

import pymysql
from integration.progress.support import Book, Printed
from parts import NotOnThisSystem, private_folder
from parts.link import Link
from parts.mariadb import DatabaseServer, MariaDB
from parts.proxy import Proxy
from parts.sshd import GitServer, make_key

FILES = {
    "1_a.up.sql": "CREATE TABLE a (i INT PRIMARY KEY AUTO_INCREMENT, j INT);\n"
    "INSERT INTO a (j) VALUES (1), (2);\nINSERT INTO a (j) SELECT j + SLEEP(0.2) FROM a;\nDO SLEEP(0.5);\n",
    "2_b.up.sql": "ALTER TABLE a ADD k INT;\nUPDATE a SET k = i * 7 + SLEEP(0.2);\n",
    "3_c.up.sql": "INSERT INTO a (j, k) SELECT k, j FROM a;\nDO SLEEP(0.6);\nINSERT INTO a (j) SELECT MAX(i) FROM a;\n",
}
# Seconds after which a cut comes at the latest, from when Ansible is logged in: a run takes some five of them.
LATEST = 5.0
# Seconds for which a link is down, which ssh notices with these settings, and without them outlasts.
DOWN = 20.0
NOTICES = ("-o", "ServerAliveInterval=2", "-o", "ServerAliveCountMax=2")
# As many runs side by side as two processors can do with: most of the time they wait.
BENCHES = 4
COMPARED = ("changed", "from_version", "to_version", "applied", "failed", "dirty", "pending", "resumed")


class Cut(NamedTuple):
    """A way to cut a connection.

    :param make: cuts it, and returns once it can be made again.
    :param linked: whether the controller is in a network of its own.
    :param ssh: further settings of ssh.
    """

    make: Callable[[], None]
    linked: bool = False
    ssh: Sequence[str] = ()


class Bench:
    """A runner, and one trial after the other.

    :param link: to a network of the controller's own; None if there is none.
    :param down: for how many seconds it is down.
    """

    def __init__(
        self, folder: Path, database: DatabaseServer, ssh: GitServer, proxy: Proxy, link: Link | None, down: float
    ) -> None:
        self._folder = folder
        self._database = database
        self._ssh = ssh
        self._proxy = proxy
        self._link = link
        self._down = down
        make_key(folder / "login_key")
        ssh.let_in((folder / "login_key.pub").read_text())
        places = [(ssh.host, proxy.port), *([(link.here, ssh.port)] if link else [])]
        known = [ssh.known_hosts.replace(f"[{ssh.host}]:{ssh.port} ", f"[{host}]:{port} ") for host, port in places]
        (folder / "known_hosts").write_text("".join(known))
        (folder / "files").mkdir()
        for name, text in FILES.items():
            (folder / "files" / name).write_text(text)
        self.cuts = {
            "session killed": Cut(lambda: kill_sessions(ssh)),
            "network reset": Cut(proxy.cut),
            "sshd restarted": Cut(self._restart),
        }
        if link:
            self.cuts |= {
                "link down": Cut(self._take_link_down, True),
                "link down, noticed by ssh": Cut(self._take_link_down, True, NOTICES),
            }
        self.expected = self._outcome(*self._run(False, None, 0))

    def trial(self, dice: random.Random, name: str) -> tuple[list[str], bool]:
        """Cut a run's connection; return what is wrong, and whether the run was reattached to."""
        pipelining, moment = dice.random() < 0.5, dice.uniform(0, LATEST)
        printed, schema = self._run(pipelining, self.cuts[name], moment)
        outcome = self._outcome(printed, schema)
        wrong = [
            f"{key} is {outcome[key]}, not {value}" for key, value in self.expected.items() if outcome[key] != value
        ]
        wrong += [f"{path} is left" for path in self._left()]
        if wrong:
            wrong.append(f"{name} after {moment:.2f} s, pipelining {pipelining}: {printed.text}")
        return wrong, any("connection to the runner was lost" in line for _moment, line in printed.lines)

    def _run(self, pipelining: bool, cut: Cut | None, moment: float) -> tuple[Printed, str]:
        schema = f"shop_{uuid.uuid4().hex[:8]}"
        self._database.create_schema(schema)
        common = ["-F", "none", "-o", f"UserKnownHostsFile={self._folder / 'known_hosts'}", *(cut.ssh if cut else ())]
        link = self._link if cut and cut.linked else None
        folder = self._folder / schema
        folder.mkdir()
        variables = {
            "ansible_python_interpreter": sys.executable,
            "ansible_remote_tmp": str(self._folder / "remote"),
            "ansible_connection": "ssh",
            "ansible_host": link.here if link else self._ssh.host,
            "ansible_port": self._ssh.port if link else self._proxy.port,
            "ansible_user": self._ssh.user,
            "ansible_ssh_private_key_file": str(self._folder / "login_key"),
            "ansible_ssh_common_args": " ".join(common),
            "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=2",
            "ansible_control_path_dir": str(folder / "cp"),
            "ansible_pipelining": pipelining,
        }
        book = Book(folder, self._database, variables, self._ssh, link.inside if link else ())
        book.add(schema, self._folder / "files")
        running = book.start()
        if cut is not None:
            # A host that cannot be reached at first is unreachable at once.
            while running.process.poll() is None and not list((folder / "cp").glob("*")):
                time.sleep(0.01)
            time.sleep(moment)
            cut.make()
        return running.end(), schema

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
        found = [str(path) for path in remote.rglob("*")]
        for path in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                words = path.read_bytes()
            except OSError:
                continue
            if mark in words and b"AnsiballZ_" in words:
                found.append(f"process {path.parent.name}")
        return found

    def _take_link_down(self) -> None:
        assert self._link
        self._link.down()
        time.sleep(self._down)
        self._link.up()

    def _restart(self) -> None:
        kill_sessions(self._ssh)
        self._ssh.stop()
        time.sleep(3)
        self._ssh.start()


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


def play(trials: int, seed: int, down: float = DOWN, benches: int = 1) -> tuple[Counter[str], list[str]]:
    """Play so many trials; return how many of each kind there were, and what is wrong."""
    with private_folder("cuts-db") as place, MariaDB(place) as database, ThreadPoolExecutor(benches) as pool:
        shares = [range(first, trials, benches) for first in range(benches)]
        parts = list(pool.map(lambda share: _play(share, seed, down, database), shares))
    return sum((counted for counted, _wrong in parts), Counter()), [text for _counted, wrong in parts for text in wrong]


def _play(numbers: range, seed: int, down: float, database: DatabaseServer) -> tuple[Counter[str], list[str]]:
    """Play trials on one bench. Its servers end with the thread that has started them."""
    counted: Counter[str] = Counter()
    wrong: list[str] = []
    with ExitStack() as stack:
        folder, place = (stack.enter_context(private_folder(name)) for name in ("cuts", "cuts-ssh"))
        link = None
        with suppress(NotOnThisSystem):
            link = stack.enter_context(Link())
        ssh = stack.enter_context(GitServer(place, settings=[f"ListenAddress {link.here}"] if link else []))
        bench = Bench(folder, database, ssh, stack.enter_context(Proxy(ssh.host, ssh.port)), link, down)
        names = list(bench.cuts)
        for number in numbers:
            cut = names[number % len(names)]
            found, again = bench.trial(random.Random(f"{seed} {number}"), cut)
            counted.update({cut: 1, f"{cut} (reattached to)": int(again)})
            wrong += found
            print(f"trial {number}: {cut}{', reattached to' if again else ''}", *found, sep="\n  ", flush=True)
    return counted, wrong


def main(trials: int, seed: int) -> int:
    """Play trials, and print their results."""
    counted, wrong = play(trials, seed, benches=BENCHES)
    print(", ".join(f"{name}: {count}" for name, count in sorted(counted.items())))
    print(f"{trials} trials, {len(wrong)} wrong")
    return len(wrong)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1) > 0)
