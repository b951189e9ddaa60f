# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a large table does what was predicted of an ALTER: ``python -m programs.soak.impact ROWS [SERVERS]``.

Each ALTER is rehearsed, and then run unchanged on a table of so many rows, while others write to it and read
from it. Whether the table is a new one then, whether writes waited, and whether the server refuses each milder way must
be what was predicted. A small twin of the table takes the statement with the clause by which it was rehearsed.

Then come tables with a past that their definition does not show. With assert_impact the server either does with such a
table what was predicted, or refuses to begin, and the version is what it was.
"""

from __future__ import annotations

import random
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional

import pymysql
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.impact import REFUSED, target
from integration.migration.support import Database, make
from integration.rehearsal.test_impact import ALTERS, milder
from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.mariadb import MariaDB
from parts.servers import SERVERS

DEFINITION = "id INT PRIMARY KEY, n INT, u INT NOT NULL, s VARCHAR(40), e ENUM('a','b'), KEY kept (u)"
# Rows of the twin, and of the table to which foreign keys refer.
FEW = 1000
# Seconds in which an ALTER shows whether writes wait; what share of them the longest write has taken then.
TELLING, SHARE = 2.0, 0.6
WRITERS = 2
# What a statement beside an ALTER may meet: a deadlock, a definition that has just changed.
PASSING = (1205, 1213, 1412)
OPTIONS = {
    "mariadb": ("--innodb-buffer-pool-size=512M", "--innodb-log-file-size=256M"),
    "mysql": ("--innodb-buffer-pool-size=512M", "--innodb-redo-log-capacity=256M"),
}


class Past(NamedTuple):
    """What has happened to a table before.

    :param empty: what was done while it was empty; @ stands for its name.
    :param full: what was done when it had its rows.
    :param alter: what comes now.
    :param certain: whether its answer may be called certain; None where the rehearsal predicts a failure.
    """

    name: str
    alter: str
    empty: tuple[str, ...] = ()
    full: tuple[str, ...] = ()
    certain: Optional[bool] = True


def pasts(mariadb: bool) -> list[Past]:
    """Return what may have happened to a table, on a kind of server."""
    add = "ALTER TABLE @ ADD c INT"
    counted = [
        Past(f"{count} columns added at once", add, (), tuple(f"ALTER TABLE @ ADD x{i} TINYINT" for i in range(count)),
             certain=mariadb or count < 63)
        for count in (60, 64, 255)
    ]  # fmt: skip
    return [
        Past("a FULLTEXT index was dropped", add, ("ALTER TABLE @ ADD FULLTEXT f (s)", "ALTER TABLE @ DROP INDEX f"),
             certain=False),
        *counted,
        Past("a row format from another default", "ALTER TABLE @ ADD INDEX (l)",
             ("SET GLOBAL innodb_default_row_format = COMPACT", "DROP TABLE @",
              f"CREATE TABLE @ ({DEFINITION}, l VARCHAR(255)) CHARACTER SET utf8mb4",
              "SET GLOBAL innodb_default_row_format = DYNAMIC"), certain=None),
        Past("a column dropped at once", add, (), ("ALTER TABLE @ DROP n",)),
        Past("compressed", add, ("ALTER TABLE @ ROW_FORMAT = COMPRESSED",)),
        Past("partitioned", add, ("ALTER TABLE @ PARTITION BY HASH (id) PARTITIONS 4",), certain=False),
        Past("MyISAM", add, ("ALTER TABLE @ ENGINE = MyISAM",)),
    ]  # fmt: skip


class Seen(NamedTuple):
    """What a table did.

    :param rebuilt: whether it is a new one; None if that is not to be seen.
    :param write: seconds for which the longest write took, of those of the ALTER.
    :param read: likewise.
    :param milder: whether the server refuses each way that is milder than the predicted one.
    """

    seconds: float
    rebuilt: Optional[bool]
    write: float
    read: float
    milder: bool

    @property
    def waited(self) -> Optional[bool]:
        """Whether writes waited; None if it took too little time to tell."""
        return None if self.seconds < TELLING else self.write >= SHARE * self.seconds


def verdict(item: dict[str, Any], seen: Seen) -> list[str]:
    """Return what is wrong with what was predicted."""
    wrong = []
    if seen.waited and item["blocks_writes"] is False:
        wrong.append("writes waited")
    if seen.seconds >= TELLING and seen.read >= SHARE * seen.seconds:
        wrong.append("reads waited")
    if not item["certain"]:
        return wrong
    if seen.rebuilt is not None and item["rebuilds"] is not seen.rebuilt:
        wrong.append("it is rewritten" if seen.rebuilt else "it is not rewritten")
    if seen.waited is False and item["blocks_writes"]:
        wrong.append("writes continued")
    if not seen.milder:
        wrong.append("the server takes a milder way")
    return wrong


class Crowd:
    """Connections that write to a table and read from it, and what each statement took.

    :ivar failed: the errors that nobody should meet.
    """

    def __init__(self, database: Database, table: str, rows: int, key: str) -> None:
        self._database, self._rows = database, rows
        self._over = threading.Event()
        self._spans: dict[str, list[tuple[float, float]]] = {"write": [], "read": []}
        self.failed: Counter[int] = Counter()
        texts = [("write", f"UPDATE {table} SET s = %s WHERE {key} = %s")] * WRITERS
        texts += [("read", f"SELECT %s, u FROM {table} WHERE {key} = %s")]
        self._threads = [threading.Thread(target=self._work, args=(*text, seed)) for seed, text in enumerate(texts)]

    def _work(self, kind: str, sql: str, seed: int) -> None:
        dice = random.Random(seed)
        with self._database.server.connect(self._database.name) as connection, connection.cursor() as cursor:
            while not self._over.is_set():
                began = time.monotonic()
                try:
                    cursor.execute(sql, (f"by {seed}: {dice.randrange(10**6)}", dice.randint(1, self._rows)))
                except pymysql.MySQLError as error:
                    self.failed[error.args[0]] += error.args[0] not in PASSING
                self._spans[kind].append((began, time.monotonic()))
                time.sleep(0.002)

    @contextmanager
    def at_work(self) -> Iterator[None]:
        """Have them running from before the block until after it."""
        for thread in self._threads:
            thread.start()
        # Each has done something by then.
        time.sleep(0.3)
        try:
            yield
            time.sleep(0.1)
        finally:
            self._over.set()
            for thread in self._threads:
                thread.join()

    def longest(self, kind: str, began: float, ended: float) -> float:
        """Return for how long the longest statement took within a span of time."""
        assert self._spans[kind], kind
        return max(min(end, ended) - max(begin, began) for begin, end in self._spans[kind])


class Bench:
    """A schema with the large tables, and one with their twins."""

    def __init__(self, database: Database, twin: Database, rows: int) -> None:
        self._database, self._twin, self._rows = database, twin, rows
        self._mariadb = isinstance(database.server, MariaDB)
        self._dialect = Dialect(mariadb=self._mariadb)
        self.found: Counter[str] = Counter()
        database.query(f"CREATE TABLE base ({DEFINITION})")
        _fill(database, "base", rows)
        _make_parent(database)

    def alter(self, statement: str) -> list[str]:
        """Predict what an ALTER does, and do it; return what is wrong."""
        self._make("t")
        [item] = self._predicted(self._database, statement)
        seen = self._carry_out(item, statement)
        wrong = verdict(item, seen) + self._asserted_on_twin(statement, item)
        self.found["certain" if item["certain"] else "not certain"] += 1
        self._say(item, seen, statement, wrong)
        return wrong

    def past(self, past: Past) -> list[str]:
        """Predict what an ALTER does to a table with a past, and have it done so or not at all."""
        self._make("t", past)
        found = self._predicted(self._database, past.alter)
        before = self._ids()
        result = self._database.module("apply", rehearse="always", assert_impact=True)
        refused, rebuilt = result["failed"], self._ids() != before
        wrong, seen = [], None
        if refused and self._database.query("SHOW TABLES LIKE 'schema_migrations'") and self._database.state() != []:
            wrong.append(f"the state is {self._database.state()}")
        if refused and rebuilt:
            wrong.append("it is refused, and rewritten")
        if past.certain is None:
            wrong += [] if refused and "up 1, would_fail: it fails on" in result["msg"] else ["no failure is predicted"]
            item: dict[str, Any] = {"algorithm": "fails", "blocks_writes": None, "certain": True}
        else:
            [item] = found
            if item["certain"] and not past.certain:
                wrong.append("it is called certain")
            if refused and result.get("error_code") not in REFUSED:
                wrong.append(result["msg"])
            if rebuilt and not item["rebuilds"]:
                wrong.append("it is rewritten, and nobody foresaw it")
            if refused:
                seen = self._carry_out(item, past.alter)
                wrong += verdict(item, seen)
        self.found["pasts"] += 1
        self.found["pasts not certain"] += not item["certain"]
        self.found["refused before it began"] += refused
        self._say(item, seen, f"{past.name}: {past.alter}{' (refused)' if refused else ''}", wrong)
        return wrong

    def _make(self, table: str, past: Optional[Past] = None) -> None:
        database = self._database
        for old in (table, "schema_migrations", "schema_migrations_history"):
            database.query(f"DROP TABLE IF EXISTS {old}")
        database.query(f"CREATE TABLE {table} ({DEFINITION})")
        for statement in past.empty if past else ():
            database.query(statement.replace("@", table))
        database.query(f"INSERT INTO {table} (id, n, u, s, e) SELECT id, n, u, s, e FROM base")
        database.query(f"ANALYZE TABLE {table}")
        for statement in past.full if past else ():
            database.query(statement.replace("@", table))

    def _predicted(self, database: Database, statement: str) -> list[dict[str, Any]]:
        database.write({"0001_a.up.sql": statement.replace("@", "t")})
        result = database.module("apply", check=True, rehearse="check")
        [migration] = result["rehearsal"]["migrations"]
        assert migration["rehearsed"], migration
        found: list[dict[str, Any]] = migration["impact"]
        return found

    def _ids(self) -> Any:
        """Return InnoDB's numbers of the table, which is more than one if it has partitions."""
        name = f"{self._database.name}/t"
        table = "innodb_sys_tables" if self._mariadb else "innodb_tables"
        return self._database.query(
            f"SELECT name, table_id FROM information_schema.{table} WHERE name = '{name}' OR name LIKE '{name}#p#%' "
            "ORDER BY 1"
        )

    def _carry_out(self, item: dict[str, Any], statement: str) -> Seen:
        """Run an ALTER beside others, after each milder way, which must be refused."""
        database, text = self._database, statement.replace("@", "t")
        about = target(text.encode(), self._dialect)
        assert about is not None
        refused = item["algorithm"] is None or milder(database, about, item)
        before = self._ids()
        crowd = Crowd(database, "t", self._rows, "u" if "PRIMARY" in text else "id")
        with crowd.at_work():
            began = time.monotonic()
            database.query(text)
            ended = time.monotonic()
        assert not +crowd.failed, (text, crowd.failed)
        after = self._ids()
        rebuilt = after != before if before or after else None
        write, read = (crowd.longest(kind, began, ended) for kind in ("write", "read"))
        return Seen(ended - began, rebuilt, write, read, refused)

    def _asserted_on_twin(self, statement: str, item: dict[str, Any]) -> list[str]:
        """Have a small table do the same with the clause; return what is wrong."""
        twin = self._twin
        twin.query(f"DROP DATABASE `{twin.name}`")
        twin.server.create_schema(twin.name)
        twin.query(f"CREATE TABLE t ({DEFINITION})")
        _fill(twin, "t", FEW)
        _make_parent(twin)
        own = self._predicted(twin, statement)
        same = ("algorithm", "rebuilds", "blocks_writes", "certain")
        if [[each[key] for key in same] for each in own] != [[item[key] for key in same]]:
            return [f"of a small table is predicted {own}"]
        result = twin.module("apply", rehearse="always", assert_impact=True)
        return [f"with the clause: {result['msg']}"] if result["failed"] else []

    def _say(self, item: dict[str, Any], seen: Optional[Seen], text: str, wrong: Sequence[str]) -> None:
        waits = {True: "writes wait", False: "writes continue", None: "not known"}[item["blocks_writes"]]
        predicted = f"{item['algorithm']}, {waits}{'' if item['certain'] else ', not certain'}"
        took = ""
        if seen is not None:
            took = f"{seen.seconds:.2f} s, writes up to {seen.write:.2f} s, reads up to {seen.read:.2f} s"
            took += {True: ", new", False: ", not new", None: ""}[seen.rebuilt]
        print(f"{predicted} | {took} | {text}{''.join(f' | WRONG: {line}' for line in wrong)}", flush=True)
        self.found["wrong"] += bool(wrong)
        if seen is not None and seen.waited is not None:
            self.found["waited" if seen.waited else "continued"] += 1


def _fill(database: Database, table: str, rows: int) -> None:
    values = ", ".join(f"({i}, {i}, {i}, 'row {i}', 'a')" for i in range(1, min(rows, FEW) + 1))
    database.query(f"INSERT INTO {table} VALUES {values}")
    there = min(rows, FEW)
    while there < rows:
        database.query(
            f"INSERT INTO {table} SELECT id + {there}, n, u + {there}, CONCAT('row ', id), 'b' FROM {table} "
            f"ORDER BY id LIMIT {min(there, rows - there)}"
        )
        there = min(2 * there, rows)


def _make_parent(database: Database) -> None:
    database.query("CREATE TABLE parent (id INT PRIMARY KEY)")
    database.query(f"INSERT INTO parent VALUES {', '.join(f'({i})' for i in range(1, FEW + 1))}")


def impact(database: Database, twin: Database, rows: int, alters: Sequence[str], some: Sequence[Past]) -> Counter[str]:
    """Try ALTERs and pasts in two empty schemas; return how they went."""
    bench = Bench(database, twin, rows)
    for statement in alters:
        bench.alter(statement)
    for past in some:
        bench.past(past)
    return bench.found


def on(name: str, rows: int) -> Counter[str]:
    """Try all on one server."""
    options = OPTIONS["mysql" if name.startswith("mysql") else "mariadb"]
    with private_folder("impact") as data, private_folder("files") as files:
        try:
            with SERVERS[name](data, options=options) as server:
                forks = Forks()
                folders = [Path(files) / "large", Path(files) / "twin"]
                database, twin = (make(server, folder, forks) for folder in folders)
                found = impact(database, twin, rows, ALTERS, pasts(isinstance(server, MariaDB)))
                forks.close()
        except NotAvailable as reason:
            print(f"not run on {name}: {reason}", flush=True)
            return Counter()
    print(f"{name}: {len(ALTERS)} kinds of ALTER on {rows} rows: {dict(found)}", flush=True)
    return found


def main(rows: int, servers: list[str]) -> int:
    """Try all on each server, one after the other, and return how many went wrong."""
    found = sum((on(name, rows) for name in servers), Counter[str]())
    print(f"{found['certain']} certain, {found['not certain']} not certain, {found['pasts']} pasts, of which "
          f"{found['pasts not certain']} not certain; {found['wrong']} wrong")  # fmt: skip
    return found["wrong"]


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = dict(enumerate(sys.argv))
    sys.exit(main(int(words[1]), words.get(2, "mariadb,mariadb-11.8,mysql").split(",")) > 0)
