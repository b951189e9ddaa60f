# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills of rehearsals, again and again: ``python -m soak.rehearsal TRIALS [SEED [SERVERS]]``.

In each trial a rehearsal is ended at a random instant, by SIGKILL or SIGTERM. The next one must find all as it should
be, and no schema of a rehearsal may be left then. Definitions and rows of the database itself must be what they were.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from integration.migration.forks import Forks
from integration.migration.support import Database, make
from parts import private_folder
from parts.servers import SERVERS

SETUP = (
    "CREATE TABLE parent (id INT PRIMARY KEY, n INT)",
    "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id))",
    "CREATE VIEW both_of AS SELECT c.id, p.n FROM child c JOIN parent p ON p.id = c.p",
    "INSERT INTO parent VALUES (1, 1), (2, 2)",
    "INSERT INTO child VALUES (1, 1)",
)
FILES = {
    "0001_a.up.sql": "ALTER TABLE parent ADD a INT; CREATE TABLE fresh (id INT); INSERT INTO fresh VALUES (1)",
    "0001_a.down.sql": "DROP TABLE fresh; ALTER TABLE parent DROP a",
    "0002_b.up.sql": "ALTER TABLE child ADD b INT, ADD INDEX (b)",
    "0002_b.down.sql": "ALTER TABLE child DROP b",
    "0003_c.up.sql": "DROP VIEW both_of; ALTER TABLE parent DROP n",
    "0003_c.down.sql": "ALTER TABLE parent ADD n INT AFTER id; CREATE VIEW both_of AS SELECT c.id, p.n FROM child c "
    "JOIN parent p ON p.id = c.p",
}


def state(database: Database) -> list[Any]:
    """Return all that a rehearsal must leave as it is."""
    rows = [database.query(f"SELECT * FROM {table}") for table in ("parent", "child")]
    return [database.snapshot(), *rows, database.query("CHECKSUM TABLE parent, child")]


def schemas(database: Database) -> list[Any]:
    """Return the schemas of rehearsals."""
    return database.query("SHOW DATABASES LIKE 'dbops\\_rehearsal\\_%'")


def soak(database: Database, forks: Forks, trials: int, dice: random.Random) -> tuple[int, int]:
    """Run the trials; return how many were wrong, and how many kills left a schema behind."""
    for statement in SETUP:
        database.query(statement)
    database.write(FILES)
    options = {**database.arguments("apply", {"rehearse": "check"}), "_ansible_check_mode": True}
    before, wrong, left = state(database), 0, 0
    began = time.monotonic()
    expected = database.module("apply", check=True, rehearse="check")["rehearsal"]["migrations"]
    seconds = time.monotonic() - began
    assert [item["reversible"] for item in expected] == [True] * 3, expected
    for trial in range(trials):
        number = forks.begin("migration_apply", options)
        time.sleep(dice.uniform(0, seconds * 1.1))
        with suppress(ProcessLookupError):
            os.kill(number, dice.choice((signal.SIGKILL, signal.SIGTERM)))
        forks.status()
        left += bool(schemas(database))
        found = database.module("apply", check=True, rehearse="check")
        rehearsal = found.get("rehearsal", {})
        if rehearsal.get("migrations") != expected or schemas(database) or state(database) != before:
            wrong += 1
            print(f"trial {trial}: {schemas(database)} {rehearsal.get('why') or found}", flush=True)
    return wrong, left


def main(arguments: list[str]) -> int:
    """Run the program."""
    trials, seed, names = [*arguments, *("1000", "1", "mariadb,mysql")[len(arguments) :]][:3]
    bad = 0
    for name in names.split(","):
        with private_folder(name) as folder, SERVERS[name](folder) as server:
            forks = Forks()
            files = Path(folder) / "files"
            database = make(server, files, forks)
            wrong, left = soak(database, forks, int(trials), random.Random(int(seed)))
            forks.close()
            print(f"{name}: {trials} kills, {left} of them left a schema, {wrong} wrong", flush=True)
            bad += wrong
    print(f"{bad} wrong")
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
