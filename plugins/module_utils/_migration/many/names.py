# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which schemas are meant: names, and patterns as LIKE has them. Pure; private to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from ..._core.arguments import ArgumentSpec
from ..._core.errors import Error
from ..report import few

# Documented in the doc fragment dbops.migrations._databases.
DATABASES = ArgumentSpec(argument_spec={"databases": {"type": "list", "elements": "str", "required": True}})
# The server's own, which no pattern means.
_SYSTEM = ("information_schema", "mysql", "performance_schema", "sys")
_PIECE = re.compile(r"\\.|.", re.DOTALL)
_ANY = {"%": ".*", "_": "."}


def is_pattern(text: str) -> bool:
    r"""Tell a pattern from a name: it has a % that is not escaped, or a \_."""
    pieces = _PIECE.findall(text)
    return "%" in pieces or r"\_" in pieces


def expand(asked: Sequence[str], existing: Iterable[str], folds: bool) -> list[str]:
    """Return the schemas that are meant, each once: in the order asked for, those of a pattern by their names.

    A name stays as it is typed: the lock is named after it.

    :param folds: whether the server takes capitals and small letters of a schema's name for the same.
    :raises Error: nothing is named, or what is named does not exist.
    """
    if not asked:
        raise Error(2001, "databases is empty. Name the schemas, or give a pattern such as tenant\\_%.")
    have = {_folded(name, folds): name for name in sorted(existing)}
    found: dict[str, str] = {}
    missing = []
    for text in asked:
        if is_pattern(text):
            like = _regular(_folded(text, folds))
            meant = {key: name for key, name in have.items() if key not in _SYSTEM and like.fullmatch(key)}
        else:
            key = _folded(text, folds)
            meant = {key: text} if key in have else {}
        if not meant:
            missing.append(text)
        for key, name in meant.items():
            found.setdefault(key, name)
    if missing:
        raise Error(
            2002,
            f"databases names schemas that do not exist: {few(missing)}. Create them first, correct the names, or let "
            "the account see them: the server hides a schema on which it has no privilege. Nothing was run.",
        )
    return list(found.values())


def _folded(name: str, folds: bool) -> str:
    return name.lower() if folds else name


def _regular(pattern: str) -> re.Pattern[str]:
    pieces = (_ANY.get(piece) or re.escape(piece[-1]) for piece in _PIECE.findall(pattern))
    return re.compile("".join(pieces), re.DOTALL)
