# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same migrations, in the form that each contestant wants."""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from parts.sshd import GitServer, Repository

# About what mysqldump writes as one INSERT.
_STATEMENT = 1 << 20
_ROW = 200


@dataclass(frozen=True)
class Work:
    """Some migrations.

    :param migrations: a directory of files for golang-migrate and us.
    :param dbmate: a directory of files for dbmate.
    :param script: all of them in one file.
    :param repository: the first directory's files, in Git.
    """

    migrations: Path
    dbmate: Path
    script: Path
    repository: Repository


def mix(count: int) -> dict[str, str]:
    """Return a mix of what teams write, one statement in a file: a table, a column, an index, fifty rows."""
    return {f"{number:05}_m{number}": _migration(number) for number in range(1, count + 1)}


def like_real(count: int) -> dict[str, str]:
    """Return files as they are in real repositories: of 1 to 30 statements, most of them few."""
    dice, names = random.Random(1), []
    texts = {}
    for number in range(1, count + 1):
        table = f"t{number}"
        names.append(table)
        lines = [
            f"CREATE TABLE IF NOT EXISTS {table} (id INT NOT NULL AUTO_INCREMENT, name VARCHAR(100) NOT NULL, "
            "state VARCHAR(20), created DATETIME, PRIMARY KEY (id)) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4;"
        ]
        for place in range(dice.choice([0, 1, 2, 3, 5, 8, 13, 29])):
            lines.append(_usual(dice, dice.choice(names), number * 100 + place))
        texts[f"{number:05}_real{number}"] = "\n".join(lines) + "\n"
    return texts


def _usual(dice: random.Random, table: str, number: int) -> str:
    kind = dice.randrange(10)
    if kind < 2:
        return f"ALTER TABLE {table} ADD COLUMN c{number} VARCHAR(50) NULL;"
    if kind == 2:
        return f"CREATE INDEX i{number} ON {table} (name);"
    if kind == 3:
        return (
            f"SET @found = (SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = DATABASE() "
            f"AND table_name = '{table}' AND column_name = 'd{number}');\n"
            f"SET @text = IF(@found = 0, 'ALTER TABLE {table} ADD COLUMN d{number} INT', 'SELECT 1');\n"
            "PREPARE s FROM @text;\nEXECUTE s;\nDEALLOCATE PREPARE s;"
        )
    if kind < 8:
        return f"INSERT INTO {table} (name, state, created) VALUES ('name {number}', 'new', NOW());"
    return f"UPDATE {table} SET state = 'old' WHERE name = 'name {number}';"


def inserts(count: int) -> dict[str, str]:
    """Return a file of so many statements of one row each, after one that makes their table."""
    rows = (f"INSERT INTO rows_of (id, name, state) VALUES ({n}, 'the name of {n}', 'new');\n" for n in range(count))
    table = "CREATE TABLE rows_of (id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, state VARCHAR(20)) ENGINE=InnoDB;\n"
    return {"00001_table": table, "00002_rows": "".join(rows)}


def new_tables(count: int) -> dict[str, str]:
    """Return files that each make a table and write a row to it."""
    return {
        f"{n:05}_new": f"CREATE TABLE new{n} (id INT PRIMARY KEY, name VARCHAR(100)) ENGINE=InnoDB;\n"
        f"INSERT INTO new{n} (id, name) VALUES (1, 'one');\n"
        for n in range(1, count + 1)
    }


def write_work(folder: Path, texts: Mapping[str, str], git: GitServer, downs: Mapping[str, str] | None = None) -> Work:
    """Write migrations, each by its name without what comes after it, and the down files of some."""
    downs = downs or {}
    work = Work(folder / "migrations", folder / "dbmate", folder / "script.sql", git.create(folder.name))
    for directory in (work.migrations, work.dbmate):
        directory.mkdir(parents=True)
    for name, text in texts.items():
        (work.migrations / f"{name}.up.sql").write_text(text)
        if name in downs:
            (work.migrations / f"{name}.down.sql").write_text(downs[name])
        (work.dbmate / f"{name}.sql").write_text(f"-- migrate:up\n{text}-- migrate:down\n")
    work.script.write_text("".join(texts.values()))
    work.repository.commit({f"{name}.up.sql": text for name, text in texts.items()})
    return work


def _migration(number: int) -> str:
    table = f"t{(number + 3) // 4}"
    rows = ", ".join(f"({number * 100 + row}, 'name {row}', NOW())" for row in range(50))
    text = (
        f"INSERT INTO {table} (id, name, created) VALUES {rows};",
        f"CREATE TABLE {table} (id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, created DATETIME);",
        f"ALTER TABLE {table} ADD COLUMN note VARCHAR(50) NULL;",
        f"CREATE INDEX by_name ON {table} (name);",
    )[number % 4]
    return f"{text}\n"


def mix_back(count: int) -> dict[str, str]:
    """Return the down files of mix(count)."""
    texts = {}
    for number in range(1, count + 1):
        table = f"t{(number + 3) // 4}"
        text = (
            f"DELETE FROM {table};",
            f"DROP TABLE {table};",
            f"ALTER TABLE {table} DROP COLUMN note;",
            f"DROP INDEX by_name ON {table};",
        )[number % 4]
        texts[f"{number:05}_m{number}"] = f"{text}\n"
    return texts


def data(megabytes: int) -> Iterator[bytes]:
    """Yield the text of a migration of so many megabytes, in pieces, as a dump has them."""
    yield b"CREATE TABLE data (id INT PRIMARY KEY, text VARCHAR(255) NOT NULL);\n"
    number, size, count = 0, 0, _STATEMENT // _ROW
    while size < megabytes * 1_000_000:
        rows = (f"({number + row},'{'x' * (_ROW - 12)}')" for row in range(count))
        piece = f"INSERT INTO data VALUES {','.join(rows)};\n".encode()
        yield piece
        number, size = number + count, size + len(piece)


def write_data(folder: Path, megabytes: int) -> Path:
    """Write one migration of so many megabytes, and return its directory."""
    folder.mkdir()
    with (folder / "1_data.up.sql").open("wb") as file:
        file.writelines(data(megabytes))
    return folder
