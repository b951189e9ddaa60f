# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables in which other tools keep what they have applied. Private to the collection.

A table is recognised by its columns, as each tool lets its users choose the name. Sources: the tools' own statements
that create them, in their versions of 2026.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple, Optional

from ..._core.errors import Error
from ..._mysql.session import Session
from ..._mysql.statements import identifier
from ..model import as_version

Columns = Mapping[str, str]

_PRISMA = re.compile(r"([0-9]+)_")


class Tool(NamedTuple):
    """A tool, and what its table is known by.

    :param columns: names that the table has, in small letters.
    :param alone: whether it has no others.
    :param question: what reads the versions that are applied, as texts; None where they are not numbers.
    :param advice: how to continue where there is no question, or where its answer is of no use.
    """

    name: str
    columns: frozenset[str]
    alone: bool = False
    question: Optional[str] = None
    advice: str = "Find the migration here that leads to what the schema is now, and set baseline to its version."


class ForeignTable(NamedTuple):
    """A table of another tool's in a schema."""

    tool: Tool
    table: str

    def __str__(self) -> str:
        return f"the table {self.table} is {self.tool.name}'s"


def _tool(name: str, columns: str, question: Optional[str] = None, alone: bool = False) -> Tool:
    return Tool(name, frozenset(columns.split()), alone, question)


_TOOLS = (
    _tool(
        "Flyway",
        "installed_rank version description script checksum success",
        "SELECT IF(success = 0 OR type LIKE 'UNDO%' OR type = 'DELETE', CONCAT(type, ' ', version), version) FROM {} "
        "WHERE version IS NOT NULL",
    ),
    _tool("Liquibase", "orderexecuted exectype md5sum dateexecuted author"),
    _tool(
        "goose",
        "id version_id is_applied tstamp",
        "SELECT a.version_id FROM {0} a WHERE a.version_id <> 0 AND a.is_applied AND NOT EXISTS "
        "(SELECT 1 FROM {0} b WHERE b.version_id = a.version_id AND b.id > a.id)",
    ),
    _tool("Phinx", "version migration_name start_time end_time", "SELECT version FROM {}"),
    _tool(
        "Prisma",
        "migration_name finished_at rolled_back_at applied_steps_count",
        "SELECT IF(finished_at IS NULL, CONCAT('unfinished ', migration_name), migration_name) FROM {} "
        "WHERE rolled_back_at IS NULL",
    ),
    _tool("Django", "id app name applied", alone=True),
    _tool("Alembic", "version_num", alone=True),
    _tool("golang-migrate", "version dirty", alone=True)._replace(advice="Set migrations_table to its name."),
    # Rails and dbmate keep the same.
    _tool("dbmate or Rails", "version", "SELECT version FROM {}", alone=True),
)


def recognised(tables: Mapping[str, Columns]) -> list[ForeignTable]:
    """Return the tables in which other tools keep what they have applied.

    :param tables: the columns of each, their names and types in small letters.
    """
    found = [(table, _tool_of(columns)) for table, columns in tables.items()]
    return [ForeignTable(tool, table) for table, tool in found if tool is not None]


def _tool_of(columns: Columns) -> Optional[Tool]:
    names = frozenset(columns)
    for tool in _TOOLS:
        if names == tool.columns or (names > tool.columns and not tool.alone):
            # Many a table has nothing but a version; theirs are texts.
            return tool if names != {"version"} or "char" in columns["version"] else None
    return None


def columns_of(session: Session) -> dict[str, dict[str, str]]:
    """Return the columns of all tables and views of the session's schema."""
    tables: dict[str, dict[str, str]] = {}
    for table, column, kind in session.query(
        "SELECT table_name, LOWER(column_name), LOWER(data_type) FROM information_schema.columns "
        "WHERE table_schema = %s ORDER BY table_name",
        (session.schema,),
    ):
        tables.setdefault(table, {})[column] = kind
    return tables


def applied_versions(session: Session, found: ForeignTable) -> list[int]:
    """Return the versions that another tool has applied, in order.

    :raises Error: they are not the numbers of files.
    """
    question = found.tool.question
    if question is None:
        raise Error(1707, f"{_start(found)}, whose versions are not numbers of files. {found.tool.advice}")
    texts = [str(text) for (text,) in session.query(question.format(identifier(found.table)))]
    numbers = [_number(text) for text in texts]
    strange = [text for text, number in zip(texts, numbers) if number is None]
    if strange:
        raise Error(
            1708,
            f"{_start(found)}, but not every version in it is the number of an applied file: "
            f"{', '.join(text[:100] for text in strange[:5])}. {found.tool.advice}",
        )
    return sorted(number for number in numbers if number is not None)


def _start(found: ForeignTable) -> str:
    return f"T{str(found)[1:]}"


def _number(text: str) -> Optional[int]:
    prisma = _PRISMA.match(text)
    return as_version(prisma[1] if prisma else text)


def names(found: Iterable[ForeignTable]) -> str:
    """Say whose tables were found, and how to continue where they do not say it themselves: a sentence for each."""
    return "".join(f" {_start(one)}.{'' if one.tool.question else f' {one.tool.advice}'}" for one in found)
