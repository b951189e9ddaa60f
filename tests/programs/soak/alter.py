# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills of the server inside an ALTER TABLE, again and again: ``python -m programs.soak.alter SERVER TRIALS [SEED]``.

In each trial migration_apply runs a file with an ALTER of a table of 50,000 rows, the server is killed by SIGKILL while
it is running it, started again, and so is the run. It must apply the rest, or say that it cannot know what happened.
Then the harness looks, and answers truthfully. A table that the server has lost is nobody's to restore: it is enough
that the run stops and asks.
"""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pymysql
from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.mariadb import DatabaseServer
from parts.servers import SERVERS
from parts.snapshot import snapshot

SCHEMA = "soak"
ROWS = 50_000
TABLES = (
    "CREATE TABLE seen (n INT)",
    "CREATE TABLE t (id INT PRIMARY KEY, n INT NOT NULL, c VARCHAR(60) NOT NULL, d VARCHAR(60))",
    "INSERT INTO t WITH RECURSIVE s AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM s WHERE n < 250) "
    "SELECT a.n * 1000 + b.n, b.n, REPEAT('c', b.n % 60), NULL FROM s AS a JOIN s AS b ON b.n <= 200",
)
CHANGES = (
    "ADD COLUMN x INT NOT NULL DEFAULT 7, ALGORITHM=COPY",
    "DROP COLUMN d, ALGORITHM=COPY",
    "MODIFY COLUMN c VARCHAR(300) NOT NULL, ALGORITHM=COPY",
    "CHANGE COLUMN d e VARCHAR(60), ALGORITHM=COPY",
    "ADD INDEX i (n, c), ALGORITHM=COPY",
    "ADD COLUMN x INT NOT NULL DEFAULT 7, RENAME TO r, ALGORITHM=COPY",
    "MODIFY COLUMN n BIGINT NOT NULL",
    "MODIFY COLUMN d VARCHAR(60) DEFAULT 'd' FIRST",
    "DROP COLUMN d",
    "ADD COLUMN x INT NOT NULL DEFAULT 7 FIRST",
    "ADD INDEX i (n, c)",
    "DROP PRIMARY KEY, ADD PRIMARY KEY (n, id)",
    "ROW_FORMAT=COMPRESSED",
    "RENAME TO r",
    # The definition stays as it is.
    "FORCE",
    "ENGINE=InnoDB",
)
# In these states of its process, which take some milliseconds, the server puts the new table into the old one's place:
# this is where it can lose both.
ENDING = ("rename", "committing alter table")
ENDING_SECONDS = 0.01
# A change that takes no time is rarely seen running.
MOST_MISSED = 50


class Bench:
    """A server whose data can be put back, and the module."""

    def __init__(self, server: DatabaseServer, folder: Path, forks: Forks) -> None:
        self.server, self.folder, self.forks = server, folder, forks
        server.create_schema(SCHEMA)
        for sql in TABLES:
            server.query(sql, SCHEMA)
        self.before = self.state()
        assert len(self.before["rows t"]) == ROWS
        server.stop()
        (server.folder / "data").rename(server.folder / "original")
        # What a run that nobody disturbs makes, and the seconds that the server is seen running on the change.
        self.known: dict[str, tuple[dict[str, Any], float]] = {}

    def fresh(self, change: str) -> None:
        """Put the data back, start the server, and write the file.

        What the server has left behind after a kill is of no interest to the next trial.
        """
        data = self.server.folder / "data"
        self.server.stop(kill=True)
        if data.exists():
            shutil.rmtree(data)
        subprocess.run(["cp", "-a", "--sparse=always", self.server.folder / "original", data], check=True)
        self.server.start()
        text = f"INSERT INTO seen VALUES (1);\nALTER TABLE t {change};\nINSERT INTO seen VALUES (2);\n"
        (self.folder / "1_alter.up.sql").write_text(text)

    def state(self) -> dict[str, Any]:
        """Return what the schema holds.

        A table is lost as well if it is listed and cannot be read (1932), or is read by another definition than that by
        which it was written.
        """
        try:
            found = snapshot(self.server, SCHEMA, without="_history")
        except (pymysql.MySQLError, UnicodeDecodeError) as error:
            return {"unreadable": str(error)}
        return {name: value for name, value in found.items() if not name.endswith(" schema_migrations")}

    def begin(self, **options: Any) -> None:
        """Begin a run."""
        arguments = {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_user": self.server.user,
            "login_password": self.server.password,
            "login_db": SCHEMA,
            "directory": str(self.folder),
            "tls": "disabled",
            "lock_timeout": 60,
            **options,
        }
        self.forks.begin("migration_apply", arguments)

    def run(self, **options: Any) -> dict[str, Any]:
        """Run to the end and return the result."""
        self.begin(**options)
        return self.forks.result()

    def expected(self, change: str) -> tuple[dict[str, Any], float]:
        """Return what the change makes, and the seconds that it takes."""
        if change not in self.known:
            self.fresh(change)
            self.begin()
            with self.server.connect() as watch:
                seen = self.wait(watch)
                began = time.monotonic()
                while seen and working(watch) is not None:
                    pass
                seconds = time.monotonic() - began
            result = self.forks.result()
            assert not result["failed"], result["msg"]
            self.known[change] = self.state(), seconds
        return self.known[change]

    def wait(self, watch: pymysql.Connection[Any], states: tuple[str, ...] = ("",)) -> bool:
        """Wait until the server is making the change, and return False when the run ends before that is seen.

        :param states: how the state of its process may begin.
        """
        while not self.forks.ended():
            state = working(watch)
            if state is not None and state.startswith(states):
                return True
        return False

    def kill(self, dice: random.Random, seconds: float) -> bool:
        """Run, and kill the server inside the change, which takes so many seconds; return whether it was running."""
        self.begin()
        with self.server.connect() as watch:
            if dice.random() < 0.5:
                inside, delay = self.wait(watch), dice.uniform(0, seconds)
            else:
                inside, delay = self.wait(watch, ENDING), dice.uniform(0, ENDING_SECONDS)
            time.sleep(delay if inside else 0)
            if not inside or working(watch) is None:
                self.forks.status()
                return False
            self.server.stop(kill=True)
        self.forks.status()
        self.server.start()
        return True

    def answer(self, expected: dict[str, Any]) -> int | None:
        """Look, and return the first statement that has not taken effect; None when the table is lost."""
        found = self.state()
        tables = [{name: of[name] for name in of if "seen" not in name} for of in (self.before, expected, found)]
        if tables[2] not in tables[:2]:
            return None
        seen = len(found["rows seen"])
        if seen != 1:
            return 1 if seen == 0 else 4
        return 2 if tables[2] == tables[0] else 3


def working(watch: pymysql.Connection[Any]) -> str | None:
    """Return the state of the process that is making the change, in small letters; None when there is none."""
    with watch.cursor() as cursor:
        cursor.execute("SHOW FULL PROCESSLIST")
        for row in cursor.fetchall():
            if str(row[7] or "").lstrip().startswith("ALTER TABLE t"):
                return str(row[6] or "").lower()
    return None


def after(bench: Bench, expected: dict[str, Any]) -> tuple[str, str]:
    """Run again after a kill; return what became of it, and why."""
    result = bench.run()
    if not result["failed"]:
        return ("resumed", "") if bench.state() == expected else ("wrong", "applied, it says")
    if "resume_from" not in result["msg"]:
        return "wrong", result["msg"]
    at = bench.answer(expected)
    if at is None:
        return "manually", result["msg"]
    answered = bench.run(resume_from=at)
    if answered["failed"]:
        # What the server has left behind can be in the way of the same change.
        ended = "manually" if "statement 2 failed: (" in answered["msg"] else "wrong"
        return ended, f"{result['msg']} Answer: {at}. {answered['msg']}"
    return ("asked" if bench.state() == expected else "wrong"), f"{result['msg']} Answer: {at}."


def soak(server: DatabaseServer, folder: Path, trials: int, seed: int) -> Counter[str]:
    """Run so many trials, print what is wrong, and return how they ended."""
    found: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    forks = Forks()
    bench = Bench(server, folder, forks)
    number = 0
    while found.total() < trials:
        number += 1
        dice = random.Random(f"{seed} {number}")
        change = dice.choice([change for change in CHANGES if missed[change] < MOST_MISSED])
        expected, seconds = bench.expected(change)
        bench.fresh(change)
        if not bench.kill(dice, seconds):
            missed[change] += 1
            continue
        ended, why = after(bench, expected)
        found[ended] += 1
        if ended != "resumed":
            print(f"trial {number}: {ended}: ALTER TABLE t {change}: {why} {sorted(bench.state())}", flush=True)
        if found.total() % 20 == 0:
            print(f"{dict(found)}, {missed.total()} not inside an ALTER", flush=True)
    forks.close()
    return found


def main(name: str, trials: int, seed: int) -> int:
    """Run so many trials on a server, and return how many went wrong."""
    with private_folder("soak") as data, private_folder("files") as files:
        try:
            with SERVERS[name](data, durable=True) as server:
                found = soak(server, files, trials, seed)
        except NotAvailable as reason:
            sys.exit(f"not run on {name}: {reason}")
    asked = found["asked"] + found["manually"]
    print(f"Of those that asked, {found['manually']} are to be fixed manually: the server has damaged the table.")
    print(f"{found.total()} kills: {found['resumed']} resumed, {asked} asked, {found['wrong']} wrong")
    return found["wrong"]


if __name__ == "__main__":
    # So that the server ends, and its folder goes, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]) if len(sys.argv) > 3 else 1) > 0)
