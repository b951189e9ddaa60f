# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Schemas of all kinds of objects, made at random: what a copy must not get wrong."""

from __future__ import annotations

import random
from collections.abc import Iterator

COLLATIONS = ("utf8mb4_bin", "utf8mb4_unicode_ci", "latin1_swedish_ci", "ascii_general_ci")
MODES = ("", "ANSI_QUOTES", "NO_BACKSLASH_ESCAPES", "PIPES_AS_CONCAT,ANSI_QUOTES", "STRICT_ALL_TABLES,NO_ZERO_DATE")
CLIENTS = (("utf8mb4", "utf8mb4_general_ci"), ("utf8mb4", "utf8mb4_bin"), ("latin1", "latin1_german1_ci"))
NAMES = ("order", "Größe", "a b", "semi;colon", "back``tick", "dash-ed", "select", "dot.ted")
# MySQL shows no program that has another name and was made in another character set than UTF-8.
ASCII = tuple(name for name in NAMES if name.isascii())


class Dice:
    """Gives the statements that make a schema.

    :param mariadb: whether sequences, versioned tables and the like may be among them.
    """

    def __init__(self, seed: int, mariadb: bool) -> None:
        self.dice = random.Random(seed)
        self.mariadb = mariadb
        self.tables: list[str] = []
        self.parents: list[str] = []
        self.views: list[str] = []

    def statements(self, count: int) -> Iterator[str]:
        """Give statements that make about so many objects, each with what it needs."""
        for number in range(count):
            kinds = [self.table] * 4 + ([self.child] * 2 + [self.view] * 2 + [self.trigger] * 2) * bool(self.parents)
            kinds += [self.procedure, self.function, self.event] + [self.sequence] * self.mariadb
            yield from self.dice.choice(kinds)(number)

    def name(self, number: int, names: tuple[str, ...] = NAMES) -> str:
        """Give a name of an object, not always a tame one."""
        odd = self.dice.choice(names) if self.dice.random() < 0.3 else "thing"
        return f"`{odd}_{number}`"

    def column(self, number: int) -> str:
        """Give a column."""
        dice = self.dice
        name = f"`c{number}`" if dice.random() < 0.8 else f"`{dice.choice(NAMES)}{number}`"
        return name + dice.choice(
            (
                " INT",
                " INT UNSIGNED NOT NULL DEFAULT 7",
                " BIGINT NOT NULL",
                " DECIMAL(12,3) DEFAULT 1.5",
                " VARCHAR(40) NOT NULL DEFAULT 'it''s \\\\ 100%'",
                f" VARCHAR(30) COLLATE {dice.choice(COLLATIONS)}",
                " CHAR(3) CHARACTER SET ascii",
                " TEXT",
                " LONGBLOB",
                " DATETIME(6) DEFAULT CURRENT_TIMESTAMP(6) ON UPDATE CURRENT_TIMESTAMP(6)",
                " TIMESTAMP NULL",
                " ENUM('a','b''c')",
                " SET('x','y')",
                " JSON",
                " DOUBLE",
                " DATE DEFAULT '2020-02-29'",
                " BIT(5) DEFAULT b'101'",
                " VARBINARY(16) DEFAULT (UUID_TO_BIN('00000000-0000-0000-0000-000000000001'))"
                if not self.mariadb
                else " VARBINARY(16) DEFAULT (UNHEX('00ff'))",
                " INT COMMENT 'AUTO_INCREMENT=5; `shop`.`t` \\\\n'",
            )
        )

    def table(self, number: int) -> Iterator[str]:
        """Give a table of its own."""
        dice, name = self.dice, self.name(number)
        columns = [self.column(place) for place in range(dice.randrange(1, 6))]
        more = ["`id` INT NOT NULL AUTO_INCREMENT PRIMARY KEY", "`n` INT NOT NULL", "`s` VARCHAR(50)"]
        keys = dice.sample(
            [
                "KEY `kn` (`n`)",
                "UNIQUE KEY `ku` (`s`,`n`)",
                "KEY `kp` (`s`(7), `n` DESC)",
                "FULLTEXT KEY `kf` (`s`)",
                f"CONSTRAINT `positive_{number}` CHECK (`n` > 0 and `s` <> 'a''b')",
                "`g` INT GENERATED ALWAYS AS (`n` * 2) VIRTUAL",
                "`h` VARCHAR(60) GENERATED ALWAYS AS (concat(`s`,'-',`n`)) STORED",
            ],
            dice.randrange(0, 5),
        )
        options = dice.choice(
            (
                "",
                " ROW_FORMAT=COMPACT",
                " COMMENT='it''s; `x`'",
                " DEFAULT CHARSET=latin1",
                " AUTO_INCREMENT=500",
                " ENGINE=MyISAM",
                " COLLATE utf8mb4_bin",
                " STATS_PERSISTENT=1",
                " DEFAULT CHARSET=ascii",
            )
        )
        if dice.random() < 0.1:
            parts = (
                "PARTITION BY RANGE (`n`) (PARTITION p0 VALUES LESS THAN (10), PARTITION p1 VALUES LESS THAN MAXVALUE)"
            )
            keys = [key for key in keys if key.startswith(("KEY", "CONSTRAINT"))]
            more[0] = "`id` INT NOT NULL, PRIMARY KEY (`id`, `n`)"
            yield f"CREATE TABLE {name} ({', '.join([*more, *columns, *keys])}) {parts}"
            self.tables.append(name)
            return
        yield f"CREATE TABLE {name} ({', '.join([*more, *columns, *keys])}){options}"
        self.tables.append(name)
        if "MyISAM" not in options:
            self.parents.append(name)
            yield f"INSERT INTO {name} (n, s) VALUES (1, 'x'), (2, 'y')" if len(columns) < 2 else "DO 0"

    def child(self, number: int) -> Iterator[str]:
        """Give a table with foreign keys, perhaps to itself."""
        dice, name = self.dice, self.name(number)
        parents = dice.sample(self.parents, min(len(self.parents), dice.randrange(1, 3)))
        keys = [
            f"CONSTRAINT `fk_{number}_{place}` FOREIGN KEY (`p{place}`) REFERENCES {parent} (`id`) "
            + dice.choice(("", "ON DELETE CASCADE", "ON DELETE SET NULL ON UPDATE CASCADE"))
            for place, parent in enumerate(parents)
        ]
        columns = [f"`p{place}` INT" for place in range(len(parents))]
        first = ["`id` INT NOT NULL PRIMARY KEY", "`n` INT NOT NULL", "`s` VARCHAR(50)"]
        yield f"CREATE TABLE {name} ({', '.join([*first, *columns, *keys])})"
        self.tables.append(name)
        self.parents.append(name)

    def view(self, number: int) -> Iterator[str]:
        """Give a view, over tables or over other views."""
        dice, name = self.dice, self.name(number)
        base = dice.choice(self.views if self.views and dice.random() < 0.4 else self.parents)
        other = dice.choice(self.parents)
        head = dice.choice(("", "ALGORITHM=MERGE ", "ALGORITHM=TEMPTABLE ", "SQL SECURITY INVOKER "))
        text = dice.choice(
            (
                f"SELECT id, n, s FROM {base} WHERE n > 3 AND s <> 'a`b''c'",
                f"SELECT x.id, x.n, y.s FROM {base} x JOIN {other} y ON x.id = y.id",
                f"SELECT COUNT(*) AS id, MAX(n) AS n, CONCAT('ä', s) AS s FROM {base} GROUP BY s",
                f"SELECT id, n, s FROM {base} UNION SELECT id, n, s FROM {other}",
            )
        )
        yield f"CREATE {head}VIEW {name} AS {text}"
        self.views.append(name)

    def body(self) -> str:
        """Give the settings of a program and a text in them."""
        mode, (client, collation) = self.dice.choice(MODES), self.dice.choice(CLIENTS)
        return f"sql_mode = '{mode}', character_set_client = {client}, collation_connection = {collation}"

    def program(self, text: str) -> Iterator[str]:
        """Give a program, made under settings of its own."""
        yield f"SET {self.body()}"
        yield text
        yield "SET sql_mode = DEFAULT, character_set_client = utf8mb4, collation_connection = utf8mb4_general_ci"

    def trigger(self, number: int) -> Iterator[str]:
        """Give a trigger; several may be fired by one event."""
        dice = self.dice
        table = dice.choice(self.parents)
        when = dice.choice(("BEFORE INSERT", "BEFORE UPDATE", "AFTER DELETE", "AFTER INSERT"))
        text = "BEGIN DECLARE x INT; SET x = 1; /* a comment; */ IF x > 2 THEN SET x = 3; END IF; END"
        text = dice.choice((text, "SET @seen = 'it''s ö'", "SET @a = 1 -- no more"))
        yield from self.program(f"CREATE TRIGGER {self.name(number, ASCII)} {when} ON {table} FOR EACH ROW {text}")

    def procedure(self, number: int) -> Iterator[str]:
        """Give a procedure."""
        text = "BEGIN SELECT 'ü', 1 + a; IF a > 0 THEN SET b = a; END IF; END"
        head = self.dice.choice(("", "SQL SECURITY INVOKER ", "COMMENT 'it''s' ", "READS SQL DATA "))
        yield from self.program(f"CREATE PROCEDURE {self.name(number, ASCII)}(a INT, OUT b VARCHAR(9)) {head}{text}")

    def function(self, number: int) -> Iterator[str]:
        """Give a function."""
        yield from self.program(
            f"CREATE FUNCTION {self.name(number, ASCII)}(a INT) RETURNS VARCHAR(20) CHARSET latin1 DETERMINISTIC "
            "RETURN CONCAT('é', a)"
        )

    def event(self, number: int) -> Iterator[str]:
        """Give an event that is far away."""
        when = self.dice.choice(("EVERY 1 DAY STARTS '2035-01-01 00:00:00'", "AT '2036-02-03 04:05:06'"))
        name, state = self.name(number, ASCII), self.dice.choice(("ENABLE", "DISABLE", "COMMENT 'it''s'"))
        yield from self.program(
            f"CREATE EVENT {name} ON SCHEDULE {when} ON COMPLETION PRESERVE {state} DO SET @a = 'DO'"
        )

    def sequence(self, number: int) -> Iterator[str]:
        """Give a sequence, and perhaps a table that takes its numbers from it."""
        name = self.name(number)
        yield f"CREATE SEQUENCE {name} START WITH {number + 1} INCREMENT BY 3 CACHE 10"
        if self.dice.random() < 0.5:
            yield f"CREATE TABLE `of_{number}` (id INT PRIMARY KEY DEFAULT NEXTVAL({name}))"
