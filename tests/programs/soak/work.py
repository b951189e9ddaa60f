# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plain work, of which no statement may be left out or run twice without leaving a trace; and whole trials' work."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from .kinds import KINDS, ONLY
from .script import File, Piece, Statement, Work

# Besides those of kinds.py: plain work alone; a file that is all-or-nothing; migrations that are taken back.
_ROWS = ("INSERT", "UPDATE", "DELETE")
OWN = ("plain", "atomic", "down")


@dataclass
class Table:
    """A table of the form id, n, and further columns; ``rows`` is how many it has at least."""

    name: str
    columns: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    rows: int = 0


class Plain:
    """Writes pieces for an empty schema, and keeps in mind what the schema then holds.

    Rows have no key that would refuse them the second time, and counters count.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._tables: list[Table] = []
        self._views: list[str] = []
        self._count = 0

    def pieces(self, count: int) -> list[Piece]:
        """Return so many pieces."""
        return [Piece([self._statement(text) for text in self._piece()]) for _piece in range(count)]

    def rows(self, count: int) -> list[Piece]:
        """Return so many that only change rows; there have to be tables."""
        texts = [text for _piece in range(count) for text in self._rows() if text.split()[0] in _ROWS]
        return [Piece([Statement(text.encode()) for text in texts])]

    @staticmethod
    def _statement(text: str) -> Statement:
        called = re.fullmatch(r"CALL p(\d+)_(\w+)\(\)", text)
        parts = (f"DELETE FROM {called[2]} WHERE id = -{called[1]}",) if called else ()
        return Statement(text.encode(), parts)

    def _new(self, prefix: str) -> str:
        self._count += 1
        return f"{prefix}{self._count}"

    def _piece(self) -> list[str]:
        if len(self._tables) < 2:
            return self._create()
        kinds = [self._create, self._alter, self._index, self._drop, self._rename, self._empty, self._view]
        kinds += [self._program, self._copy, *[self._rows] * 8, *[self._session] * 4]
        return self._dice.choice(kinds)()

    def _table(self) -> Table:
        return self._dice.choice(self._tables)

    def _create(self) -> list[str]:
        tables = [Table(self._new("t")) for _number in range(self._dice.choice([1, 1, 2, 5]))]
        self._tables += tables
        made = [f"CREATE TABLE {table.name} (id INT, n INT NOT NULL DEFAULT 0)" for table in tables]
        return [*made, *(text for table in tables for text in self._insert(table))]

    def _copy(self) -> list[str]:
        old, new = self._table(), Table(self._new("c"), rows=1)
        self._tables.append(new)
        return [f"CREATE TABLE {new.name} AS SELECT id, n + 1 AS n FROM {old.name}", *self._insert(new)]

    def _insert(self, table: Table) -> list[str]:
        table.rows += 1
        values = ", ".join(f"({self._dice.randrange(1000)}, {row})" for row in range(self._dice.randint(1, 4)))
        return [f"INSERT INTO {table.name} (id, n) VALUES {values}"]

    def _alter(self) -> list[str]:
        table = self._table()
        choice = self._dice.randrange(4)
        if choice == 0 and table.columns:
            return [f"ALTER TABLE {table.name} DROP COLUMN {table.columns.pop()}"]
        if choice == 1 and table.columns:
            old, new = table.columns.pop(), self._new("x")
            table.columns.append(new)
            return [f"ALTER TABLE {table.name} CHANGE COLUMN {old} {new} VARCHAR({10 + self._count}) NULL"]
        if choice == 2:
            # The definition stays as it is.
            return [f"ALTER TABLE {table.name} ENGINE=InnoDB"]
        table.columns.append(self._new("x"))
        return [f"ALTER TABLE {table.name} ADD COLUMN {table.columns[-1]} VARCHAR(20) NOT NULL DEFAULT 'a;b'"]

    def _index(self) -> list[str]:
        table = self._table()
        if table.indexes and self._dice.random() < 0.3:
            return [f"DROP INDEX {table.indexes.pop()} ON {table.name}"]
        table.indexes.append(self._new("i"))
        return [f"CREATE INDEX {table.indexes[-1]} ON {table.name} (id, n)"]

    def _drop(self) -> list[str]:
        if len(self._tables) < 4:
            return self._create()
        gone = self._tables.pop(self._dice.randrange(len(self._tables)))
        unknown = self._dice.choice(["", "", f", {self._new('unknown')}"])
        return [f"DROP TABLE IF EXISTS {gone.name}{unknown}"]

    def _rename(self) -> list[str]:
        table, other = self._dice.sample(self._tables, 2)
        if self._dice.random() < 0.3:
            # The two change places.
            aside = self._new("aside")
            table.columns, other.columns = other.columns, table.columns
            table.indexes, other.indexes = other.indexes, table.indexes
            return [f"RENAME TABLE {table.name} TO {aside}, {other.name} TO {table.name}, {aside} TO {other.name}"]
        old, table.name = table.name, self._new("r")
        return [f"ALTER TABLE {old} RENAME TO {table.name}"]

    def _empty(self) -> list[str]:
        table = self._table()
        return [f"TRUNCATE TABLE {table.name}", *self._insert(table)]

    def _view(self) -> list[str]:
        if self._views and self._dice.random() < 0.3:
            return [f"DROP VIEW {self._views.pop()}"]
        self._views.append(self._new("v"))
        return [f"CREATE OR REPLACE VIEW {self._views[-1]} AS SELECT {self._count} AS id, ';' AS c"]

    def _program(self) -> list[str]:
        table = self._table()
        name = f"{self._new('p')}_{table.name}"
        rows = f"INSERT INTO {table.name} (id, n) VALUES (-{self._count}, 1)"
        body = f"BEGIN {rows}; DO SLEEP(0.005); {rows}; END"
        return [
            f"CREATE PROCEDURE {name}() {body}",
            f"CALL {name}()",
            *self._dice.choice([[f"DROP PROCEDURE {name}"], []]),
        ]

    def _rows(self) -> list[str]:
        table, other = self._dice.sample(self._tables, 2)
        return self._dice.choice(
            [
                [f"UPDATE {table.name} SET n = n + 1"],
                [f"UPDATE {table.name} SET n = n * 3 + id"],
                [f"INSERT INTO {table.name} (id, n) SELECT COUNT(*), COUNT(n) FROM {other.name}", *self._insert(other)],
                [f"DELETE FROM {table.name} ORDER BY id, n LIMIT 1"],
                self._insert(table) + self._insert(other),
                [
                    "START TRANSACTION",
                    *self._insert(table),
                    f"UPDATE {other.name} SET n = n + 7",
                    self._dice.choice(["COMMIT", "COMMIT", "ROLLBACK"]),
                ],
            ]
        )

    def _session(self) -> list[str]:
        table, other = self._dice.sample(self._tables, 2)
        change = f"UPDATE {table.name} SET n = n + 1"
        return self._dice.choice(
            [
                [f"SET @x = (SELECT COUNT(*) FROM {table.name})", *self._insert(table), *self._note(other, "@x")],
                [f"SELECT COUNT(n), 'ä' INTO @y, @z FROM {table.name}", change, *self._note(other, "@y + LENGTH(@z)")],
                [
                    f"INSERT INTO {table.name} (id, n) VALUES (LAST_INSERT_ID(77), 0)",
                    change,
                    *self._note(other, "LAST_INSERT_ID()"),
                ],
                [f"{change} WHERE n < 9", *self._note(other, "ROW_COUNT()")],
                ["SET SESSION group_concat_max_len = 4711", change, *self._note(other, "@@group_concat_max_len")],
                [
                    "SET sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')",
                    change,
                    "SET sql_mode = REPLACE(@@sql_mode, 'ANSI_QUOTES', '')",
                ],
                [f"SET @text = '{change}'", "PREPARE s FROM @text", "EXECUTE s", "SET @text = 'x'", "EXECUTE s"],
                [
                    f"PREPARE d FROM 'CREATE TABLE {self._prepared()} (id INT, n INT)'",
                    "EXECUTE d",
                    "DEALLOCATE PREPARE d",
                ],
            ]
        )

    def _prepared(self) -> str:
        name = self._new("d")
        # It stays unknown: the statement that makes it may not be the one that is chosen.
        return name

    def _note(self, table: Table, value: str) -> list[str]:
        return [f"INSERT INTO {table.name} (id, n) SELECT -1, COALESCE({value}, -9)"]


def kinds_of(server: str) -> list[str]:
    """Return the names of all kinds that a server of that class's name knows."""
    return [*OWN, *KINDS, *next((found for name, found in ONLY.items() if name in server), {})]


def make(kind: str, server: str, dice: random.Random) -> Work:
    """Return the work of a trial: two or three files with pieces of the kind, and others around them."""
    only = next((found for name, found in ONLY.items() if name in server), {})
    every = {**KINDS, **only}
    plain = Plain(dice)
    # No table of plain work has such a number.
    count = iter(range(101, 200))
    if kind == "down":
        return _down(dice, plain, every, count)
    number = dice.randint(2, 3)
    place = dice.randrange(number)
    ups = []
    for version in range(1, number + 1):
        pieces = plain.pieces(dice.randint(1, 2))
        if version - 1 == place:
            pieces += [every[kind](dice, next(count))] if kind in every else plain.pieces(3)
            if dice.random() < 0.3 and not pieces[-1].by_hand:
                # Another kind in the same file.
                other = dice.choice([name for name in KINDS if name not in _ALONE])
                pieces.insert(dice.randint(1, len(pieces)), every[other](dice, next(count)))
            pieces += plain.pieces(dice.randrange(2))
        ups.append(File(version, "up", [*pieces, *_reset(pieces)]))
    if kind == "atomic":
        ups.append(File(len(ups) + 1, "up", plain.rows(4), b"-- dbops: all-or-nothing\n"))
    return Work(kind, ups)


def _reset(pieces: list[Piece]) -> list[Piece]:
    """Return what ends a file that has changed how its session reads texts.

    A run may end after it, and the next one's session reads them as usual, as golang-migrate's would.
    """
    names = [statement.sql for piece in pieces for statement in piece.statements if b"SET NAMES" in statement.sql]
    ours = b"SET NAMES utf8mb4 COLLATE utf8mb4_general_ci"
    return [Piece([Statement(ours)])] if names and names[-1] != ours else []


# They change what comes after them, or leave what only they can explain.
_ALONE = ("global_variable", "event_now", "users")


def _down(dice: random.Random, plain: Plain, every: Any, count: Iterator[int]) -> Work:
    names = [name for name in KINDS if name not in _ALONE]
    ups = [File(version, "up", plain.pieces(1)) for version in (1, 2)]
    downs = [
        File(version, "down", [*plain.pieces(1), every[dice.choice(names)](dice, next(count))]) for version in (2, 1)
    ]
    return Work("down", ups, downs)
