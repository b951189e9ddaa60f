# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The same migrations, in the form that each contestant wants."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

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


def write_work(folder: Path, count: int, git: GitServer) -> Work:
    """Write a mix of what teams write: a table, a column, an index, fifty rows."""
    work = Work(folder / "migrations", folder / "dbmate", folder / "script.sql", git.create(folder.name))
    for directory in (work.migrations, work.dbmate):
        directory.mkdir(parents=True)
    texts = {f"{number:05}_m{number}": _migration(number) for number in range(1, count + 1)}
    for name, text in texts.items():
        (work.migrations / f"{name}.up.sql").write_text(text)
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


def write_data(folder: Path, megabytes: int) -> Path:
    """Write one migration of so many megabytes, as a dump has them, and return its directory."""
    folder.mkdir()
    with (folder / "1_data.up.sql").open("wb") as file:
        file.write(b"CREATE TABLE data (id INT PRIMARY KEY, text VARCHAR(255) NOT NULL);\n")
        number = 0
        while file.tell() < megabytes * 1_000_000:
            number = _write_insert(file, number)
    return folder


def _write_insert(file: BinaryIO, number: int) -> int:
    count = _STATEMENT // _ROW
    rows = (f"({number + row},'{'x' * (_ROW - 12)}')" for row in range(count))
    file.write(f"INSERT INTO data VALUES {','.join(rows)};\n".encode())
    return number + count
