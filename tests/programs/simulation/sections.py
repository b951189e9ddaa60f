# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pieces of generated migrations that hold together: transactions, locks, XA, what a session keeps."""

from __future__ import annotations

import random
from typing import NamedTuple


class Item(NamedTuple):
    """One statement.

    :param proven: that it changes rows of transactional tables only, or one definition: none of it is in doubt.
    :param kind: which rule of the generator made it.
    :param section: the number of the section in which nothing can be recorded, or of the user's transaction; or 0.
    """

    text: str
    proven: bool = False
    section: int = 0
    kind: str = "rows"


class Sections:
    """Writes pieces of several statements."""

    def __init__(self, dice: random.Random) -> None:
        self._dice = dice
        self._number, self._section = 100, 0
        # The section since which autocommit is off; 0 while it is on.
        self._off = 0
        self._tables, self._raw, self._spare = ["a", "b"], ["m", "`Ärger`", "other.m", "vm"], ["tr", "va", "other.a"]

    def _next(self) -> int:
        self._number += 10
        return self._number

    def _insert_into(self, table: str, section: int = 0, rows: int = 1) -> Item:
        number = self._next()
        values = ", ".join(f"({number + row})" for row in range(rows))
        proven = table in self._tables
        return Item(f"INSERT INTO {table} (v) VALUES {values}", proven, section)

    def _change(self, section: int = 0) -> Item:
        """A statement that changes rows of transactional tables."""
        table = self._dice.choice(self._tables)
        kind = self._dice.randrange(4)
        if kind == 0:
            return Item(f"UPDATE {table} SET v = v + {self._next()}", True, section)
        return self._insert_into(table, section, kind)

    def _inside(self, section: int, savepoints: bool = True) -> list[Item]:
        """Statements in a transaction."""
        found = []
        for _number in range(self._dice.randint(1, 4)):
            kind = self._dice.randrange(10)
            kind = 0 if kind == 8 and not savepoints else kind
            if kind < 6:
                found.append(self._change(section))
            elif kind == 6:
                found.append(self._insert_into(self._dice.choice([*self._raw, *self._spare]), section))
            elif kind == 7:
                found.append(Item(f"CALL {self._dice.choice(['ins', 'two', 'com'])}({self._next()})", False, section))
                if self._dice.random() < 0.5:
                    # With autocommit off it continues in another transaction than the call began in.
                    found.append(self._insert_into(self._dice.choice(self._raw), section))
            elif kind == 8:
                found += [
                    Item("SAVEPOINT s", False, section),
                    self._change(section),
                    Item(self._dice.choice(["ROLLBACK TO s", "RELEASE SAVEPOINT s"]), False, section),
                ]
            else:
                found.append(Item(f"SET @t = {self._next()}", False, section))
                found.append(Item(f"INSERT INTO a (v) VALUES (@t + {self._next()})", True, section))
        return found

    def _new_section(self) -> int:
        self._section += 1
        return self._section

    def _transaction(self) -> list[Item]:
        section = self._new_section()
        end = self._dice.choice(["COMMIT", "COMMIT", "COMMIT", "ROLLBACK", "DDL"])
        items = [Item(self._dice.choice(["BEGIN", "START TRANSACTION"]), False, section), *self._inside(section)]
        if end == "DDL":
            # It commits what was before it; what comes after it is on its own.
            name = f"d{self._next()}"
            self._tables.append(name)
            return [*items, Item(f"CREATE TABLE {name} (v INT) ENGINE=InnoDB", False, section),
                    *self._inside(section, savepoints=False), Item("COMMIT", False, section)]  # fmt: skip
        return [*items, Item(end, False, section)]

    def _locked(self) -> list[Item]:
        section, tables = self._new_section(), self._dice.sample([*self._tables, "m"], 2)
        items = [Item(f"LOCK TABLES {', '.join(f'{name} WRITE' for name in tables)}", False, section)]
        for _number in range(self._dice.randint(1, 4)):
            items.append(self._insert_into(self._dice.choice(tables), section, self._dice.randint(1, 2)))
        if self._dice.random() < 0.3:
            items.append(Item(f"ALTER TABLE {tables[0]} ADD COLUMN c{self._next()} INT", False, section))
        return [*items, Item("UNLOCK TABLES", False, section)]

    def _xa(self) -> list[Item]:
        section, name = self._new_section(), f"x{self._next()}"
        inside = [self._change(section) for _number in range(self._dice.randint(1, 2))]
        end = self._dice.choice(
            [[f"XA COMMIT '{name}' ONE PHASE"], [f"XA ROLLBACK '{name}'"],
             [f"XA PREPARE '{name}'", f"XA COMMIT '{name}'"]]
        )  # fmt: skip
        texts = [Item(text, False, section) for text in (f"XA END '{name}'", *end)]
        return [Item(f"XA START '{name}'", False, section), *inside, *texts]

    def _autocommit(self) -> list[Item]:
        section = self._new_section()
        start = self._dice.choice(["SET autocommit = 0", "SET SESSION autocommit = OFF", "CALL off()"])
        end = self._dice.choice(
            [["COMMIT", "SET autocommit = 1"], ["SET autocommit = 1"], ["ROLLBACK", "SET autocommit = 1"], ["COMMIT"]]
        )
        self._off = 0 if "autocommit" in end[-1] else section
        return [Item(start, False, section), *self._inside(section), *(Item(text, False, section) for text in end)]

    def _once(self) -> list[Item]:
        section = self._new_section()
        level = self._dice.choice(["READ COMMITTED", "SERIALIZABLE"])
        first = Item(f"SET TRANSACTION ISOLATION LEVEL {level}", False, section)
        kind = self._dice.randrange(4)
        if kind == 0:
            return [first, self._change(section)]
        if kind == 1:
            return [first, self._insert_into(self._dice.choice(self._spare), section)]
        if kind == 2:
            return [first, Item(f"CALL {self._dice.choice(['ins', 'tx'])}({self._next()})", False, section)]
        return [
            first,
            Item("START TRANSACTION", False, section),
            *self._inside(section),
            Item("COMMIT", False, section),
        ]

    def _prepared(self) -> list[Item]:
        name, number = f"s{self._next()}", self._next()
        table = self._dice.choice([*self._tables, *self._raw[:1], "tr"])
        inner = f"INSERT INTO {table} (v) VALUES ({number})"
        if self._dice.random() < 0.2:
            inner = f"CREATE TABLE d{number} (v INT) ENGINE=InnoDB"
        comment = self._dice.choice(["", "", "/* x */ "])
        by = self._dice.choice([[Item(f"PREPARE {comment}{name} FROM '{inner}'")],
                                [Item(f"SET @q = '{inner}'"), Item(f"PREPARE {comment}{name} FROM @q")]])  # fmt: skip
        end = self._dice.choice([[], [Item(f"DEALLOCATE PREPARE {name}")]])
        return [*by, Item(f"EXECUTE {name}"), *end]

    def _variables(self) -> list[Item]:
        name, number = f"@v{self._dice.randrange(3)}", self._next()
        first = self._dice.choice(
            [f"SET {name} = {number}", f"SELECT {number} INTO {name}", f"SET {name} = (SELECT COUNT(*) FROM b)",
             f"SELECT @@group_concat_max_len INTO {name}"]
        )  # fmt: skip
        between = [self._change() for _number in range(self._dice.randint(0, 2))]
        return [Item(first), *between, Item(f"INSERT INTO a (v) VALUES ({name} + {self._next()})", True)]

    def _temporary(self) -> list[Item]:
        section, name = self._new_section(), f"t{self._next()}"
        return [
            Item(f"CREATE TEMPORARY TABLE {name} (v INT)", False, section),
            Item(f"INSERT INTO {name} (v) VALUES ({self._next()})", False, section),
            self._change(section),
            Item(f"INSERT INTO a (v) SELECT v FROM {name}", False, section),
            Item(f"DROP TEMPORARY TABLE {name}", False, section),
        ]

    def _settings(self) -> list[Item]:
        setting = self._dice.choice(
            [
                "SET sql_mode = ''",
                "SET sql_mode = 'ANSI_QUOTES'",
                "SET SESSION group_concat_max_len = 4711",
                "SET @@session.group_concat_max_len = 2000",
            ]
        )
        shows = Item(f"INSERT INTO b (v) VALUES (@@group_concat_max_len + {self._next()})", True)
        return [Item(setting), self._change(), shows]

    def _releases(self) -> list[Item]:
        text = self._dice.choice(["DO RELEASE_ALL_LOCKS()", "CALL rel()", "SELECT RELEASE_ALL_LOCKS()"])
        return [Item(text), self._change(), self._change()]

    def _asks_back(self) -> list[Item]:
        return [self._change(), Item(f"INSERT INTO b (v) VALUES (ROW_COUNT() + {self._next()})", True)]

    def _last_insert_id(self) -> list[Item]:
        return [Item(f"INSERT INTO a (v) VALUES (LAST_INSERT_ID({self._next()}))", True), self._change(),
                Item(f"INSERT INTO b (v) VALUES (LAST_INSERT_ID() + {self._next()})", True)]  # fmt: skip
