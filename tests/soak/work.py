# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Migrations of which no statement may be left out or run twice without leaving a trace."""

from __future__ import annotations

import random
from dataclasses import dataclass, field


@dataclass
class Table:
    """A table of the form id, n, and further columns; ``rows`` is how many it has at least."""

    name: str
    columns: list[str] = field(default_factory=list)
    indexes: list[str] = field(default_factory=list)
    rows: int = 0


class Work:
    """Writes files for an empty schema, and keeps in mind what the schema then holds.

    Rows have no key that would refuse them the second time, and counters count.
    """

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._tables: list[Table] = []
        self._views: list[str] = []
        self._programs: list[str] = []
        self._count = 0

    def files(self, count: int) -> dict[str, str]:
        """Return so many files by name."""
        return {f"{number}_work.up.sql": self._file() for number in range(1, count + 1)}

    def _file(self) -> str:
        return "".join(f"{text};\n" for piece in range(self._dice.randint(1, 6)) for text in self._piece())

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
        table = Table(self._new("t"))
        self._tables.append(table)
        return [f"CREATE TABLE {table.name} (id INT, n INT NOT NULL DEFAULT 0)", *self._insert(table)]

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
        name, table = self._new("p"), self._table()
        body = f"BEGIN INSERT INTO {table.name} (id, n) VALUES (0, 1); UPDATE {table.name} SET n = n + 1; END"
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
                [f"INSERT INTO {table.name} (id, n) SELECT COUNT(*), SUM(n) FROM {other.name}", *self._insert(other)],
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
                [f"SELECT SUM(n), 'ä' INTO @y, @z FROM {table.name}", change, *self._note(other, "@y + LENGTH(@z)")],
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
