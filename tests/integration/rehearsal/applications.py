# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Directories of migrations as an application gathers them over the years, at random; each down file leads back."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from integration.rehearsal.objects import ASCII, NAMES, Dice

Pair = tuple[str, str]
_NAME = re.compile(r"`(?:[^`]|``)+`")
SETTINGS_BACK = "SET sql_mode = DEFAULT, character_set_client = utf8mb4, collation_connection = utf8mb4_general_ci"
OPTIONS = ("", " DEFAULT CHARSET=latin1", " COLLATE utf8mb4_bin", " ROW_FORMAT=COMPACT", " STATS_PERSISTENT=1")
KEYS = ("KEY {} (`n`)", "UNIQUE KEY {} (`s`,`n`)", "KEY {} (`s`(7), `n` DESC)", "FULLTEXT KEY {} (`s`)")
CHECKS = ("`n` > 0", "`n` <> 7 or `s` <> 'a''b'", "char_length(`s`) < 40")


@dataclass
class Table:
    """What is known of a table, to change it and to lead back.

    :param columns: names, and definitions of those that nothing depends on.
    :param keys: definitions of what may go, by name.
    """

    name: str
    columns: list[tuple[str, str]]
    keys: dict[str, str] = field(default_factory=dict)
    comment: str = ""
    viewed: bool = False

    def place(self, column: str) -> str:
        """Return where a column stands."""
        names = [name for name, _definition in self.columns]
        at = names.index(column)
        return f"AFTER {names[at - 1]}" if at else "FIRST"

    @property
    def free(self) -> list[tuple[str, str]]:
        """The columns that nothing depends on."""
        return [(name, definition) for name, definition in self.columns if definition]


class Application(Dice):
    """A directory of migrations.

    :ivar files: texts by their names.
    :ivar count: how many migrations there are.
    """

    def __init__(self, seed: int, mariadb: bool, count: int = 40) -> None:
        super().__init__(seed, mariadb)
        self.known: list[Table] = []
        self.parts: list[tuple[str, int]] = []
        self.droppable: dict[str, Pair] = {}
        self.texts: dict[str, str] = {}
        self.settings: list[str] = []
        self.sequences: dict[str, int] = {}
        self._number = 0
        self.count = count
        self.files: dict[str, str] = {}
        first = [self.new_table, self.new_table, self.new_parts, self.new_settings, self.new_child, self.new_view]
        first += [self.new_sequence] * mariadb
        for place in range(count):
            ups, downs = self._migration(first[place] if place < len(first) else None)
            for direction, statements in (("up", ups), ("down", downs)):
                self.files[f"{place + 1:04}_x.{direction}.sql"] = "".join(f"{text};\n" for text in statements)

    def _migration(self, kind: Callable[[], Pair] | None) -> tuple[list[str], list[str]]:
        ups: list[str] = []
        downs: list[str] = []
        for _each in range(self.dice.choice((1, 1, 1, 2, 3)) if kind is None else 1):
            up, down = kind() if kind is not None else self._any()
            ups.append(up)
            downs.insert(0, down)
        return ups, downs

    def _any(self) -> Pair:
        kinds: list[Callable[[], Pair | None]] = [
            self.new_table, self.new_child, self.new_view, self.new_trigger, self.new_program, self.new_event,
            self.new_part, self.new_settings, self.add_column, self.add_column, self.drop_column, self.rename_column,
            self.change_column, self.add_key, self.drop_key, self.add_check, self.add_generated, self.add_reference,
            self.comment, self.rename, self.change_view, self.drop_something, self.rows,
        ]  # fmt: skip
        kinds += [self.new_sequence, self.change_sequence] * self.mariadb
        while True:
            pair = self.dice.choice(kinds)()
            if pair is not None:
                return pair

    def next_name(self, names: tuple[str, ...] = NAMES) -> str:
        """Return a name that nothing has."""
        self._number += 1
        return self.name(self._number, names)

    def some_column(self) -> tuple[str, str]:
        """Return a new column: its name, and what is after it."""
        self._number += 1
        text = self.column(self._number)
        name = _NAME.match(text)
        assert name is not None
        return name[0], text[name.end() :].strip()

    # Each returns what is done and what leads back; None if there is nothing to do it to.

    def new_table(self) -> Pair:
        name = self.next_name()
        fixed = [("`id`", ""), ("`n`", ""), ("`s`", "")]
        columns = [*fixed, *(self.some_column() for _each in range(self.dice.randrange(1, 5)))]
        keys = {f"`k{place}`": text for place, text in enumerate(self.dice.sample(KEYS, self.dice.randrange(3)))}
        lines = ["`id` INT NOT NULL AUTO_INCREMENT PRIMARY KEY", "`n` INT NOT NULL", "`s` VARCHAR(50)"]
        lines += [f"{column} {definition}" for column, definition in columns[3:]]
        lines += [text.format(key) for key, text in keys.items()]
        self.known.append(Table(name, columns, keys))
        return f"CREATE TABLE {name} ({', '.join(lines)}){self.dice.choice(OPTIONS)}", f"DROP TABLE {name}"

    def new_child(self) -> Pair:
        name = self.next_name()
        parents = self.dice.sample(self.known, min(len(self.known), self.dice.randrange(1, 3)))
        lines = ["`id` INT NOT NULL PRIMARY KEY", "`n` INT NOT NULL", "`s` VARCHAR(50)"]
        for place, parent in enumerate(parents):
            way = self.dice.choice(("", " ON DELETE CASCADE", " ON DELETE SET NULL ON UPDATE CASCADE"))
            lines += [f"`p{place}` INT", f"KEY `kp{place}` (`p{place}`)",
                      f"CONSTRAINT `fk_{self._number}_{place}` FOREIGN KEY (`p{place}`) REFERENCES {parent.name} "
                      f"(`id`){way}"]  # fmt: skip
        columns = [("`id`", ""), ("`n`", ""), ("`s`", ""), *((f"`p{place}`", "") for place in range(len(parents)))]
        self.known.append(Table(name, columns))
        return f"CREATE TABLE {name} ({', '.join(lines)})", f"DROP TABLE {name}"

    def new_parts(self) -> Pair:
        name = self.next_name()
        self.parts.append((name, 1))
        return (
            f"CREATE TABLE {name} (`id` INT NOT NULL, `n` INT NOT NULL, PRIMARY KEY (`id`, `n`)) PARTITION BY RANGE "
            "(`n`) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN (20))",
            f"DROP TABLE {name}",
        )

    def new_part(self) -> Pair:
        at = self.dice.randrange(len(self.parts))
        name, last = self.parts[at]
        self.parts[at] = (name, last + 1)
        return (
            f"ALTER TABLE {name} ADD PARTITION (PARTITION p{last + 1} VALUES LESS THAN ({last + 2}0))",
            f"ALTER TABLE {name} DROP PARTITION p{last + 1}",
        )

    def new_settings(self) -> Pair:
        name = self.next_name()
        self.settings.append(name)
        return f"CREATE TABLE {name} (`k` VARCHAR(40) PRIMARY KEY, `v` TEXT)", f"DROP TABLE {name}"

    def rows(self) -> Pair:
        name, key = self.dice.choice(self.settings), f"k{self._number}"
        self._number += 1
        return f"INSERT INTO {name} VALUES ('{key}', 'it''s; so')", f"DELETE FROM {name} WHERE `k` = '{key}'"

    def new_view(self) -> Pair:
        name, text = self.next_name(), self.view_text()
        self.views.append(name)
        self.texts[name] = text
        return f"CREATE {text.replace('@', name)}", f"DROP VIEW {name}"

    def change_view(self) -> Pair:
        name = self.dice.choice(self.views)
        old, new = self.texts[name], self.view_text(self.views.index(name))
        self.texts[name] = new
        return f"CREATE OR REPLACE {new.replace('@', name)}", f"CREATE OR REPLACE {old.replace('@', name)}"

    def view_text(self, older: int | None = None) -> str:
        """Return a view's definition, over tables or over views that are older; @ stands for its name."""
        tables = self.dice.sample(self.known, 2)
        for table in tables:
            table.viewed = True
        views = self.views[:older]
        base, other = (table.name for table in tables)
        if views and self.dice.random() < 0.5:
            base = self.dice.choice(views)
        head = self.dice.choice(("", "ALGORITHM=MERGE ", "ALGORITHM=TEMPTABLE ", "SQL SECURITY INVOKER "))
        body = self.dice.choice(
            (
                f"SELECT id, n, s FROM {base} WHERE n > 3 AND s <> 'a`b''c'",
                f"SELECT x.id, x.n, y.s FROM {base} x JOIN {other} y ON x.id = y.id",
                f"SELECT COUNT(*) AS id, MAX(n) AS n, CONCAT('ä', s) AS s FROM {base} GROUP BY s",
                f"SELECT id, n, s FROM {base} UNION SELECT id, n, s FROM {other}",
            )
        )
        return f"{head}VIEW @ AS {body}"

    def under_settings(self, text: str) -> str:
        """Return what makes a program under settings of its own."""
        return f"SET {self.body()};\n{text};\n{SETTINGS_BACK}"

    def new_trigger(self) -> Pair | None:
        # The client's character set may be another one than the file's.
        tables = [table.name for table in self.known if table.name.isascii()]
        if not tables:
            return None
        name, table = self.next_name(ASCII), self.dice.choice(tables)
        when = self.dice.choice(("BEFORE INSERT", "BEFORE UPDATE", "AFTER DELETE", "AFTER INSERT"))
        body = self.dice.choice(
            ("BEGIN DECLARE x INT; SET x = 1; IF x > 2 THEN SET x = 3; END IF; END", "SET @seen = 'it''s ö'")
        )
        made = self.under_settings(f"CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW {body}")
        return made, f"DROP TRIGGER {name}"

    def new_program(self) -> Pair:
        name, sort = self.next_name(ASCII), self.dice.choice(("PROCEDURE", "FUNCTION"))
        if sort == "PROCEDURE":
            text = f"PROCEDURE {name}(a INT, OUT b INT) BEGIN SELECT 'ü', 1 + a; IF a > 0 THEN SET b = a; END IF; END"
        else:
            text = f"FUNCTION {name}(a INT) RETURNS VARCHAR(20) CHARSET latin1 DETERMINISTIC RETURN CONCAT('é', a)"
        return self.can_go(name, self.under_settings(f"CREATE {text}"), f"DROP {sort} {name}")

    def new_event(self) -> Pair:
        name = self.next_name(ASCII)
        when = self.dice.choice(("EVERY 1 DAY STARTS '2035-01-01 00:00:00'", "AT '2036-02-03 04:05:06'"))
        text = f"CREATE EVENT {name} ON SCHEDULE {when} ON COMPLETION PRESERVE DO SET @a = 'DO'"
        return self.can_go(name, self.under_settings(text), f"DROP EVENT {name}")

    def new_sequence(self) -> Pair:
        name = self.next_name()
        self.sequences[name] = 3
        table = f"`of_{self._number}`"
        return (
            f"CREATE SEQUENCE {name} START WITH {self._number} INCREMENT BY 3 CACHE 10;\n"
            f"CREATE TABLE {table} (id INT PRIMARY KEY DEFAULT NEXTVAL({name}))",
            f"DROP TABLE {table};\nDROP SEQUENCE {name}",
        )

    def change_sequence(self) -> Pair:
        name = self.dice.choice(sorted(self.sequences))
        old, self.sequences[name] = self.sequences[name], self.dice.randrange(4, 99)
        text = f"ALTER SEQUENCE {name} INCREMENT BY"
        return f"{text} {self.sequences[name]}", f"{text} {old}"

    def can_go(self, name: str, made: str, gone: str) -> Pair:
        """Note something that may be dropped later, as nothing depends on it."""
        self.droppable[name] = (made, gone)
        return made, gone

    def drop_something(self) -> Pair | None:
        if not self.droppable:
            return None
        made, gone = self.droppable.pop(self.dice.choice(sorted(self.droppable)))
        return gone, made

    def add_column(self) -> Pair:
        table, (name, definition) = self.dice.choice(self.known), self.some_column()
        at = self.dice.randrange(len(table.columns) + 1)
        table.columns.insert(at, (name, definition))
        return (
            f"ALTER TABLE {table.name} ADD COLUMN {name} {definition} {table.place(name)}",
            f"ALTER TABLE {table.name} DROP COLUMN {name}",
        )

    def a_free_column(self) -> tuple[Table, str, str] | None:
        """Return a table and a column of it, with its definition, that nothing depends on."""
        tables = [table for table in self.known if table.free]
        if not tables:
            return None
        table = self.dice.choice(tables)
        return table, *self.dice.choice(table.free)

    def drop_column(self) -> Pair | None:
        found = self.a_free_column()
        if found is None:
            return None
        table, name, definition = found
        back = f"ALTER TABLE {table.name} ADD COLUMN {name} {definition} {table.place(name)}"
        table.columns.remove((name, definition))
        return f"ALTER TABLE {table.name} DROP COLUMN {name}", back

    def rename_column(self) -> Pair | None:
        found = self.a_free_column()
        if found is None:
            return None
        table, name, definition = found
        new, _definition = self.some_column()
        table.columns[table.columns.index((name, definition))] = (new, definition)
        text = "ALTER TABLE {} RENAME COLUMN {} TO {}"
        return text.format(table.name, name, new), text.format(table.name, new, name)

    def change_column(self) -> Pair | None:
        found = self.a_free_column()
        if found is None:
            return None
        table, name, old = found
        _name, new = self.some_column()
        table.columns[table.columns.index((name, old))] = (name, new)
        text = "ALTER TABLE {} MODIFY {} {}"
        return text.format(table.name, name, new), text.format(table.name, name, old)

    def add_key(self) -> Pair:
        table, text = self.dice.choice(self.known), self.dice.choice(KEYS)
        self._number += 1
        name = f"`x{self._number}`"
        table.keys[name] = text
        return f"ALTER TABLE {table.name} ADD {text.format(name)}", f"ALTER TABLE {table.name} DROP KEY {name}"

    def drop_key(self) -> Pair | None:
        tables = [table for table in self.known if table.keys]
        if not tables:
            return None
        table = self.dice.choice(tables)
        name = self.dice.choice(sorted(table.keys))
        text = table.keys.pop(name)
        return f"DROP INDEX {name} ON {table.name}", f"ALTER TABLE {table.name} ADD {text.format(name)}"

    def add_check(self) -> Pair:
        table = self.dice.choice(self.known)
        self._number += 1
        name = f"`check_{self._number}`"
        return (
            f"ALTER TABLE {table.name} ADD CONSTRAINT {name} CHECK ({self.dice.choice(CHECKS)})",
            f"ALTER TABLE {table.name} DROP CONSTRAINT {name}",
        )

    def add_generated(self) -> Pair:
        table, kind = self.dice.choice(self.known), self.dice.choice(("VIRTUAL", "STORED"))
        self._number += 1
        name = f"`g{self._number}`"
        table.columns.append((name, ""))
        return (
            f"ALTER TABLE {table.name} ADD COLUMN {name} INT GENERATED ALWAYS AS (`n` * {self._number}) {kind}",
            f"ALTER TABLE {table.name} DROP COLUMN {name}",
        )

    def add_reference(self) -> Pair:
        table, parent = self.dice.choice(self.known), self.dice.choice(self.known)
        self._number += 1
        name = f"`ref{self._number}`"
        table.columns.append((name, ""))
        return (
            f"ALTER TABLE {table.name} ADD COLUMN {name} INT, ADD KEY {name} ({name}), ADD CONSTRAINT {name} FOREIGN "
            f"KEY ({name}) REFERENCES {parent.name} (`id`)",
            f"ALTER TABLE {table.name} DROP FOREIGN KEY {name};\n"
            f"ALTER TABLE {table.name} DROP KEY {name}, DROP COLUMN {name}",
        )

    def comment(self) -> Pair:
        table = self.dice.choice(self.known)
        self._number += 1
        old, table.comment = table.comment, f"it''s {self._number}; `x`"
        text = f"ALTER TABLE {table.name} COMMENT ="
        return f"{text} '{table.comment}'", f"{text} '{old}'"

    def rename(self) -> Pair | None:
        tables = [table for table in self.known if not table.viewed]
        if not tables:
            return None
        table = self.dice.choice(tables)
        old, table.name = table.name, self.next_name()
        return f"RENAME TABLE {old} TO {table.name}", f"RENAME TABLE {table.name} TO {old}"
