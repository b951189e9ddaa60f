# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Generated migrations, of which no statement may be left out or run twice without leaving a trace.

Every row of a statement is a number that no other has, and every definition has its own name.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import NamedTuple

from .sections import Item, Sections

# What is there before the first file: tables with and without transactions, and ways that lead to them.
SETUP = (
    "CREATE TABLE a (v INT) ENGINE=InnoDB",
    "CREATE TABLE b (v INT) ENGINE=InnoDB",
    "CREATE TABLE m (v INT) ENGINE=MyISAM",
    "CREATE TABLE `Ärger` (v INT) ENGINE=MyISAM",
    "CREATE TABLE tr (v INT) ENGINE=InnoDB",
    "CREATE TABLE other.m (v INT) ENGINE=MyISAM",
    "CREATE TABLE other.a (v INT) ENGINE=InnoDB",
    "INSERT INTO a (v) VALUES (1), (2)",
    "INSERT INTO b (v) VALUES (3)",
    "CREATE VIEW va AS SELECT v FROM a",
    "CREATE VIEW vm AS SELECT v FROM other.m",
    "CREATE TRIGGER g AFTER INSERT ON tr FOR EACH ROW INSERT INTO m (v) VALUES (NEW.v)",
    "CREATE PROCEDURE ins(x INT) INSERT INTO a (v) VALUES (x)",
    "CREATE PROCEDURE insm(x INT) INSERT INTO m (v) VALUES (x)",
    "CREATE PROCEDURE two(x INT) BEGIN INSERT INTO a (v) VALUES (x); INSERT INTO b (v) VALUES (x); END",
    "CREATE PROCEDURE com(x INT) BEGIN INSERT INTO a (v) VALUES (x); COMMIT; INSERT INTO b (v) VALUES (x); END",
    "CREATE PROCEDURE tx(x INT) BEGIN START TRANSACTION; INSERT INTO a (v) VALUES (x); COMMIT; END",
    "CREATE PROCEDURE setv(x INT) BEGIN SET @p = x; END",
    "CREATE PROCEDURE off() BEGIN SET autocommit = 0; END",
    "CREATE PROCEDURE rel() BEGIN DO RELEASE_ALL_LOCKS(); END",
    "CREATE FUNCTION fa(x INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO a (v) VALUES (x); RETURN x; END",
    "CREATE FUNCTION fm(x INT) RETURNS INT DETERMINISTIC BEGIN INSERT INTO m (v) VALUES (x); RETURN x; END",
)  # fmt: skip
ATOMIC = "-- dbops: all-or-nothing\n"


class File(NamedTuple):
    """One file: its name, and its statements."""

    name: str
    items: tuple[Item, ...]
    atomic: bool = False

    @property
    def text(self) -> str:
        """What is in it."""
        return (ATOMIC if self.atomic else "") + "".join(f"{item.text};\n" for item in self.items)


class Work(Sections):
    """Writes files.

    :param lengthy: how many pieces a file has at most.
    """

    def __init__(self, dice: random.Random, mariadb: bool, lengthy: int = 5) -> None:
        super().__init__(dice)
        self._mariadb, self._lengthy = mariadb, lengthy
        self._kinds = self._weights()

    def files(self, ups: int, downs: bool) -> list[File]:
        """Return so many migrations, in the order in which their files are run."""
        found = [self._file(f"{number}_work.up.sql") for number in range(1, ups + 1)]
        if downs:
            found += [self._file(f"{number}_work.down.sql") for number in range(ups, 0, -1)]
        return found

    def _file(self, name: str) -> File:
        if not self._off and self._dice.random() < 0.08:
            rows = [self._insert_into(self._dice.choice(self._tables)) for _number in range(self._dice.randint(1, 4))]
            return File(name, tuple(rows), atomic=True)
        items: list[Item] = []
        for _number in range(self._dice.randint(1, self._lengthy)):
            kind = self._dice.choice(self._kinds)
            while self._off and kind in (self._xa, self._once):
                # They are refused while a transaction is open.
                kind = self._dice.choice(self._kinds)
            section = self._off
            made = kind.__name__.lstrip("_")
            items += [item._replace(section=section or item.section, kind=made) for item in kind()]
        if self._off:
            # golang-migrate fails at a transaction that a file leaves open, and so do we.
            items.append(Item("COMMIT", False, self._off))
        return File(name, tuple(items))

    def _weights(self) -> list[Callable[[], list[Item]]]:
        weighted = {
            self._rows: 8, self._inserts: 4, self._raw_rows: 6, self._indirect: 5, self._call: 6, self._function: 3,
            self._create: 3, self._several: 3, self._alter: 3, self._drop: 2, self._truncate: 1, self._rename: 1,
            self._program: 2, self._transaction: 6, self._locked: 3, self._xa: 2, self._autocommit: 3, self._once: 2,
            self._prepared: 4, self._variables: 5, self._temporary: 1, self._settings: 2, self._releases: 2,
            self._harmless: 1, self._asks_back: 1, self._elsewhere: 1, self._hidden: 2, self._last_insert_id: 1,
        }  # fmt: skip
        if self._mariadb:
            weighted[self._for_statement] = 1
        return [kind for kind, weight in weighted.items() for _number in range(weight)]

    # -- single statements --------------------------------------------------------------------------------------------

    def _rows(self) -> list[Item]:
        return [self._change()]

    def _inserts(self) -> list[Item]:
        """Rows of which several statements may share a transaction of ours."""
        return [self._insert_into(self._dice.choice(self._tables)) for _number in range(self._dice.randint(2, 6))]

    def _raw_rows(self) -> list[Item]:
        table = self._dice.choice(self._raw)
        return [self._insert_into(table, rows=self._dice.randint(1, 3))]

    def _indirect(self) -> list[Item]:
        return [self._insert_into(self._dice.choice(self._spare), rows=self._dice.randint(1, 2))]

    def _call(self) -> list[Item]:
        name = self._dice.choice(["ins", "insm", "two", "com", "tx", "setv"])
        item = Item(f"CALL {name}({self._next()})")
        if name == "setv":
            return [item, Item(f"INSERT INTO a (v) VALUES (@p + {self._next()})", True)]
        return [item]

    def _function(self) -> list[Item]:
        name, number = self._dice.choice(["fa", "fm"]), self._next()
        text = self._dice.choice([f"SELECT {name}({number})", f"DO {name}({number})", f"SET @f = {name}({number})"])
        return [Item(text)]

    def _create(self) -> list[Item]:
        name, raw = f"d{self._next()}", self._dice.random() < 0.3
        if raw:
            self._raw.append(name)
        else:
            self._tables.append(name)
        head = f"CREATE TABLE {name} (v INT) ENGINE={'MyISAM' if raw else 'InnoDB'}"
        if not raw and self._dice.random() < 0.3:
            # Its rows are not said to be written as a whole by every server, nor is a table of another engine.
            head = f"CREATE TABLE {name} ENGINE=InnoDB AS SELECT v FROM {self._dice.choice(['a', 'b'])}"
        return [Item(head, not raw and " AS " not in head), self._insert_into(name)]

    def _several(self) -> list[Item]:
        """Tables of which several may begin with one record."""
        names = [f"d{self._next()}" for _number in range(self._dice.randint(2, 5))]
        self._tables += names
        way = self._dice.choice(["", "IF NOT EXISTS "])
        return [Item(f"CREATE TABLE {way}{name} (v INT) ENGINE=InnoDB", True) for name in names]

    def _own(self) -> str | None:
        """A table that was made by a file."""
        found = [name for name in self._tables if name.startswith("d")]
        return self._dice.choice(found) if found else None

    def _alter(self) -> list[Item]:
        table, number = self._own() or "b", self._next()
        return [
            Item(
                self._dice.choice(
                    [
                        f"ALTER TABLE {table} ADD COLUMN c{number} INT",
                        f"ALTER TABLE {table} ADD INDEX i{number} (v)",
                        f"CREATE INDEX i{number} ON {table} (v)",
                    ]
                ),
                True,
            )
        ]

    def _drop(self) -> list[Item]:
        table = self._own()
        if table is None:
            return self._create()
        self._tables.remove(table)
        return [Item(self._dice.choice([f"DROP TABLE {table}", f"DROP TABLE IF EXISTS {table}"]), True)]

    def _truncate(self) -> list[Item]:
        table = self._own()
        if table is None:
            return self._create()
        # Once for each, so that its text says which statement it is.
        self._tables.remove(table)
        self._spare.append(table)
        return [Item(f"TRUNCATE TABLE {table}"), self._insert_into(table)]

    def _rename(self) -> list[Item]:
        table, name = self._own(), f"d{self._next()}"
        if table is None:
            return self._create()
        self._tables[self._tables.index(table)] = name
        return [Item(self._dice.choice([f"RENAME TABLE {table} TO {name}", f"ALTER TABLE {table} RENAME TO {name}"]))]

    def _program(self) -> list[Item]:
        number = self._next()
        kind = self._dice.randrange(3)
        if kind == 0:
            return [Item(f"CREATE OR REPLACE VIEW w{number} AS SELECT v FROM a", True)]
        if kind == 1:
            body = f"BEGIN INSERT INTO a (v) VALUES (x); INSERT INTO m (v) VALUES ({number}); END"
            return [
                Item(f"CREATE PROCEDURE p{number}(x INT) {body}", True),
                Item(f"CALL p{number}({self._next()})"),
                Item(f"DROP PROCEDURE p{number}", True),
            ]
        table = self._own()
        if table is None:
            return self._create()
        self._tables.remove(table)
        self._spare.append(table)
        body = f"INSERT INTO m (v) VALUES (NEW.v + {number})"
        return [
            Item(f"CREATE TRIGGER g{number} AFTER INSERT ON {table} FOR EACH ROW {body}", True),
            self._insert_into(table),
        ]

    def _hidden(self) -> list[Item]:
        """Statements that do something again when they are repeated, and of which no definition shows it."""
        number = self._next()
        texts = [
            f"SET GLOBAL max_connect_errors = @@GLOBAL.max_connect_errors + {number}",
            f"CREATE EVENT e{number} ON SCHEDULE AT CURRENT_TIMESTAMP DO INSERT INTO m (v) VALUES ({number})",
        ]
        if not self._mariadb:
            texts.append(f"ALTER USER u IDENTIFIED BY 'p{number}' RETAIN CURRENT PASSWORD")
        return [Item(self._dice.choice(texts))]

    def _harmless(self) -> list[Item]:
        return [Item(self._dice.choice(["FLUSH TABLES", "ANALYZE TABLE a", "SELECT v FROM a"]))]

    def _for_statement(self) -> list[Item]:
        table = self._dice.choice(["a", "m"])
        return [Item(f"SET STATEMENT group_concat_max_len = 2048 FOR INSERT INTO {table} (v) VALUES ({self._next()})")]

    def _elsewhere(self) -> list[Item]:
        return [Item("USE other"), self._insert_into(self._dice.choice(["a", "m"]))._replace(proven=False),
                Item("USE app")]  # fmt: skip
