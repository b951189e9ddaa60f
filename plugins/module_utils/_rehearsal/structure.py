# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A table's columns, keys and constraints, as SHOW CREATE TABLE has them. Private to the collection.

Pure. The servers write each of them on a line of its own, all names in backticks.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

_NAME = r"`((?:[^`]|``)+)`"
_COLUMN = re.compile(rf"  {_NAME} (.*?),?$", re.DOTALL)
_KEY = re.compile(rf"  (?:PRIMARY KEY|UNIQUE KEY {_NAME}) \((.*)\)[^)]*$")
_CHECK = re.compile(rf"  CONSTRAINT {_NAME} CHECK \((.*)\),?$", re.DOTALL)
_FOREIGN = re.compile(rf"  CONSTRAINT {_NAME} FOREIGN KEY \((.*?)\) REFERENCES {_NAME} \((.*?)\)")
_PART = re.compile(rf"{_NAME}(?:\((\d+)\))?(?: ASC| DESC)?(?:,|$)")
_TYPE = re.compile(r"(\w+)(?:\(((?:'(?:[^']|'')*'|[^)'])*)\))?( unsigned)?")
_STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'", re.DOTALL)
_DEFAULTS = re.compile(r" DEFAULT CHARSET=(\w+)(?: COLLATE=(\w+))?")
_PARTITION = re.compile(rf"\bPARTITION (?!BY )(?:{_NAME}|(\w+)) ")


class Column(NamedTuple):
    """A column.

    :param kind: the type's name, in small letters.
    :param arguments: what is in parentheses after it.
    :param character_set: of its texts; None for what is not a text.
    """

    kind: str
    arguments: str
    unsigned: bool
    nullable: bool
    generated: bool
    has_default: bool
    character_set: Optional[str]
    collation: Optional[str]


class Foreign(NamedTuple):
    """A foreign key."""

    columns: tuple[str, ...]
    parent: str
    parents: tuple[str, ...]


class Structure(NamedTuple):
    """A table.

    :param uniques: the parts of each unique key, the primary one without a name: a column and how many characters of
        it, 0 for all; None for a key over an expression.
    :param checks: conditions, by their names.
    """

    columns: dict[str, Column]
    uniques: dict[str, Optional[tuple[tuple[str, int], ...]]]
    checks: dict[str, str]
    foreign: dict[str, Foreign]
    partitions: frozenset[str]


def read(text: str) -> Structure:
    """Read SHOW CREATE TABLE."""
    head, _newline, options = text.rpartition("\n) ")
    defaults = _DEFAULTS.search(options)
    found = Structure({}, {}, {}, {}, frozenset(one or two for one, two in _PARTITION.findall(options)))
    for line in head.split("\n")[1:]:
        key, check, foreign, column = (each.match(line) for each in (_KEY, _CHECK, _FOREIGN, _COLUMN))
        if column:
            name = _plain(column[1])
            found.columns[name] = _column(column[2], defaults)
            condition = re.search(r" CHECK \((.*)\)$", column[2], re.DOTALL)
            if condition:
                # MariaDB's.
                found.checks[f"{name} itself"] = condition[1]
        elif key:
            found.uniques[_plain(key[1] or "")] = _parts(key[2])
        elif check:
            found.checks[_plain(check[1])] = check[2]
        elif foreign:
            of, there = _parts(foreign[2].replace(", ", ",")), _parts(foreign[4].replace(", ", ","))
            names = (tuple(name for name, _length in parts or ()) for parts in (of, there))
            found.foreign[_plain(foreign[1])] = Foreign(next(names), _plain(foreign[3]), next(names))
    return found


def _column(text: str, defaults: Optional[re.Match[str]]) -> Column:
    kind = _TYPE.match(text)
    rest = _STRING.sub("''", text)
    named, collated = re.search(r" CHARACTER SET (\w+)", rest), re.search(r" COLLATE (\w+)", rest)
    collation = collated[1] if collated else None
    character_set = named[1] if named else collation.partition("_")[0] if collation else None
    name = kind[1].lower() if kind else ""
    if character_set is None and defaults and re.match("(var)?char$|.*text$|enum|set", name):
        character_set, collation = defaults[1], defaults[2]
    return Column(
        kind=name,
        arguments=(kind[2] or "") if kind else "",
        unsigned=bool(kind and kind[3]),
        nullable=" NOT NULL" not in rest,
        generated=" GENERATED ALWAYS" in rest,
        has_default=" DEFAULT " in rest,
        character_set=character_set,
        collation=collation,
    )


def _parts(text: str) -> Optional[tuple[tuple[str, int], ...]]:
    parts = list(_PART.finditer(text))
    if "".join(part[0] for part in parts) != text:
        return None
    return tuple((_plain(part[1]), int(part[2] or 0)) for part in parts)


def _plain(name: str) -> str:
    return name.replace("``", "`")
