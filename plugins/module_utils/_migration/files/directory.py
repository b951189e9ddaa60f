# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a migrations' directory, as golang-migrate reads it. Private to the collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from typing import NamedTuple, Optional

from ..._core.errors import Error, coded
from ..._core.paths import native, text_of
from ..model import Migration, Source

# golang-migrate, source/parse.go: case-sensitive, any extension, the title may be empty.
_NAME = re.compile(r"([0-9]+)_(.*)\.(down|up)\.(.*)")
# Whoever wrote such a name meant a migration, and golang-migrate silently skips it.
_LOOKS_MEANT = re.compile(r"(?i)[vu]?[0-9]+.*\.sql|[0-9]+[_-].*[._-](up|down)(\..*)?")
# golang-migrate parses versions as unsigned 64-bit numbers and silently skips what is larger.
_MAX_VERSION = 2**64 - 1
_TOO_LARGE = "a version is at most 18446744073709551615, which is 64 bits", "{} version is larger than 64 bits can hold"
_MISNAMED = ("a migration is called VERSION_TITLE.up.sql or VERSION_TITLE.down.sql, in lower case",) * 2
_ONE_ODD = " counts as a migration", "it does not"
# How many files an error names.
_NAMED = 5


class FileName(NamedTuple):
    """What the name of a migration's file says.

    :param direction: ``up`` or ``down``.
    """

    name: str
    version: int
    title: str
    direction: str


def parse_name(name: str) -> Optional[FileName]:
    """Return what a file's name says; None if it is not a migration's."""
    match = _NAME.fullmatch(name)
    version = int(match[1]) if match else 0
    return FileName(name, version, match[2], match[3]) if match and version <= _MAX_VERSION else None


def near_misses(names: Iterable[str]) -> dict[str, str]:
    """Return files that are probably meant to be migrations but are not, each with the reason.

    Where there is no migration at all, all SQL files are.
    """
    names = sorted(names)
    some = any(parse_name(name) for name in names)
    return {name: _reason(name)[0] for name in names if parse_name(name) is None and _is_meant(name, some)}


def _is_meant(name: str, some: bool) -> bool:
    return _LOOKS_MEANT.fullmatch(name) is not None or (not some and name.lower().endswith(".sql"))


def read_source(directory: str) -> Source:
    """Read a directory that migrations are to be found in, unless it has no files yet that are meant as such.

    :raises Error: as ``read_directory``, or no file can be used and some are meant as migrations.
    """
    names = read_names(directory)
    source = parse_names(directory, names)
    if not source.migrations:
        _check_usable(directory, near_misses(names))
    return source


def read_directory(directory: str) -> Source:
    """Read the names in a directory; sub-directories are left out.

    :raises Error: the directory cannot be read, or two files share a version and a direction.
    """
    return parse_names(directory, read_names(directory))


def read_names(directory: str) -> list[str]:
    """Return the names of a directory's files.

    :raises Error: it cannot be read.
    """
    try:
        with os.scandir(native(directory)) as entries:
            return [text_of(entry.name) for entry in entries if not entry.is_dir()]
    except OSError as error:
        raise Error(
            1601,
            f"The migrations' directory {directory} cannot be read: {error.strerror}. "
            "Check the option directory; it is a path on the runner.",
        ) from error


def parse_names(directory: str, names: Iterable[str]) -> Source:
    """Make a source of file names; no file is looked at.

    :raises Error: two files share a version and a direction.
    """
    ups: dict[int, tuple[str, str]] = {}
    downs: dict[int, tuple[str, str]] = {}
    unusable: dict[tuple[str, str], list[str]] = {}
    odd: list[str] = []
    for name in sorted(names):
        file = parse_name(name)
        if file is None:
            if _LOOKS_MEANT.fullmatch(name):
                unusable.setdefault(_reason(name), []).append(name)
            continue
        version = file.version
        known = ups if file.direction == "up" else downs
        if not name.lower().endswith(".sql"):
            odd.append(name)
        if version in known:
            raise Error(
                1602,
                f"Two files are the {file.direction} migration of version {version}: {known[version][0]} and {name} "
                f"in {directory}. Give one of them another version.",
            )
        known[version] = (name, file.title)
    nothing = (None, "")
    found = []
    for version in sorted({*ups, *downs}):
        (up, up_title), (down, down_title) = ups.get(version, nothing), downs.get(version, nothing)
        found.append(Migration(version, up_title if up else down_title, up, down))
    return Source(directory, tuple(found), tuple(_warnings(unusable, odd)))


def _check_usable(directory: str, meant: dict[str, str]) -> None:
    """Raise Error if files are meant to be migrations but are not."""
    if not meant:
        return
    named = ", ".join([*meant][:_NAMED]) + (f" and {len(meant) - _NAMED} more" if len(meant) > _NAMED else "")
    why = " ".join(f"{reason[0].upper()}{reason[1:]}." for reason in dict.fromkeys(meant.values()))
    raise Error(
        1603,
        f"No file in {directory} can be used as a migration: {named}. {why} "
        "Rename the files, or check the option directory.",
    )


def _warnings(unusable: dict[tuple[str, str], list[str]], odd: list[str]) -> list[str]:
    """Return one warning for all files with the same problem."""
    found = []
    for (_rule, why), (name, *others) in unusable.items():
        more = f" and {len(others)} more are not migrations and are" if others else " is not a migration and is"
        found.append(coded(1604, f"{name}{more} skipped: {why.format('their' if others else 'its')}."))
    for name in odd[:1]:
        more, they = (f" and {len(odd) - 1} more count as migrations", "they do not") if odd[1:] else _ONE_ODD
        found.append(
            coded(
                1605,
                f"{name}{more} although {they} end in .sql (golang-migrate runs {'them' if odd[1:] else 'it'} too).",
            )
        )
    return found


def _reason(name: str) -> tuple[str, str]:
    """Return the rule by which a file is not a migration, and the same in a sentence about the file."""
    digits = re.match("[0-9]+", name)
    return _TOO_LARGE if digits and int(digits[0]) > _MAX_VERSION else _MISNAMED
