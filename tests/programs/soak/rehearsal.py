# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills of rehearsals, again and again: ``python -m programs.soak.rehearsal TRIALS [SEED [SERVERS]]``.

In each trial a rehearsal is ended at a random instant, by SIGKILL or SIGTERM: one of the ordinary account, or one of an
account of its own. The next one must find all as it should be, and no schema of a rehearsal may be left then. The
database's definitions and rows must be what they were; so must a schema whose name resembles a rehearsal's, the list of
schemas, and that of accounts. The trials are shared among the servers.
"""

from __future__ import annotations

import os
import random
import secrets
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.account import needed
from integration.migration.support import Database, make
from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.servers import SERVERS
from parts.snapshot import snapshot

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


# A rehearsal's has the number of a connection at its end.
BYSTANDER = "dbops_rehearsal_archive"


def state(database: Database) -> list[Any]:
    """Return all that a rehearsal must leave as it is."""
    rows = [database.query(f"SELECT * FROM {table}") for table in ("parent", "child")]
    return [
        database.snapshot(),
        *rows,
        database.query(f"CHECKSUM TABLE parent, child, {BYSTANDER}.kept"),
        snapshot(database.server, BYSTANDER),
        database.query("SHOW DATABASES"),
        database.query("SELECT user, host FROM mysql.user ORDER BY 1, 2"),
    ]


def schemas(database: Database) -> list[Any]:
    """Return the schemas of rehearsals."""
    found = database.query("SHOW DATABASES LIKE 'dbops\\_rehearsal\\_%'")
    return [name for (name,) in found if name != BYSTANDER]


@contextmanager
def prepared(database: Database) -> Iterator[dict[str, str]]:
    """Make what is to be rehearsed, a schema beside it, and an account, which is given as options."""
    for statement in SETUP:
        database.query(statement)
    database.write(FILES)
    user, password = f"r_{secrets.token_hex(4)}", secrets.token_urlsafe(12)
    database.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{password}'")
    database.query(needed(f"'{user}'@'%'"))
    database.server.create_schema(BYSTANDER)
    database.query(f"CREATE TABLE {BYSTANDER}.kept (id INT PRIMARY KEY)")
    database.query(f"INSERT INTO {BYSTANDER}.kept VALUES (1), (2)")
    try:
        yield {"rehearsal_login_user": user, "rehearsal_login_password": password}
    finally:
        database.query(f"DROP DATABASE {BYSTANDER}")
        database.query(f"DROP USER '{user}'@'%'")


def soak(database: Database, forks: Forks, trials: int, dice: random.Random) -> tuple[int, int]:
    """Run the trials; return how many were wrong, and how many kills left a schema behind."""
    with prepared(database) as account:
        before, wrong, left = state(database), 0, 0
        began = time.monotonic()
        expected = database.module("apply", check=True, rehearse="check")["rehearsal"]["migrations"]
        seconds = time.monotonic() - began
        assert [item["reversible"] for item in expected] == [True] * 3, expected
        for trial in range(trials):
            options: dict[str, Any] = {"rehearse": "check", **dice.choice(({}, account))}
            arguments = database.arguments("apply", options)
            number = forks.begin("migration_apply", {**arguments, "_ansible_check_mode": True})
            time.sleep(dice.uniform(0, seconds * 1.1))
            with suppress(ProcessLookupError):
                os.kill(number, dice.choice((signal.SIGKILL, signal.SIGTERM)))
            forks.status()
            left += bool(schemas(database))
            found = database.module("apply", check=True, **options)
            rehearsal = found.get("rehearsal", {})
            if _known(rehearsal.get("migrations")) != _known(expected) or state(database) != before:
                wrong += 1
                print(f"trial {trial}: {schemas(database)} {rehearsal.get('why') or found}", flush=True)
    return wrong, left


def _known(migrations: Any) -> Any:
    """Return what is the same whichever account rehearses: one of its own does not see InnoDB's dictionary."""
    return [{**item, "impact": [each["algorithm"] for each in item["impact"]]} for item in migrations or ()]


def main(arguments: list[str]) -> int:
    """Run the program."""
    trials, seed, names = [*arguments, *("1000", "1", "mariadb,mysql")[len(arguments) :]][:3]
    servers, bad = names.split(","), 0
    for place, name in enumerate(servers):
        share = int(trials) // len(servers) + (place < int(trials) % len(servers))
        try:
            with private_folder(name) as folder, SERVERS[name](folder) as server:
                forks = Forks()
                database = make(server, Path(folder) / "files", forks)
                wrong, left = soak(database, forks, share, random.Random(f"{seed} {name}"))
                forks.close()
        except NotAvailable as reason:
            print(f"not run on {name}: {reason}", flush=True)
            continue
        print(f"{name}: {share} kills, {left} of them left a schema, {wrong} wrong", flush=True)
        bad += wrong
    print(f"{bad} wrong")
    return int(bad > 0)


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(sys.argv[1:]))
