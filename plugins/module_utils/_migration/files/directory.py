# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a migrations' directory, as golang-migrate reads it. Private to the collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..._core.errors import Error
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


def read_source(directory: str) -> Source:
    """Read a directory that migrations are to be found in, unless it has no files yet that are meant as such.

    :raises Error: as ``read_directory``, or no file can be used and some are meant as migrations.
    """
    source, names = _read(directory)
    meant = sorted(name for name in names if _LOOKS_MEANT.fullmatch(name) or name.lower().endswith(".sql"))
    if meant and not source.migrations:
        raise _no_usable_file(directory, meant)
    return source


def read_directory(directory: str) -> Source:
    """Read the names in a directory; sub-directories are left out.

    :raises Error: the directory cannot be read, or two files share a version and a direction.
    """
    return _read(directory)[0]


def _read(directory: str) -> tuple[Source, list[str]]:
    try:
        with os.scandir(native(directory)) as entries:
            names = [text_of(entry.name) for entry in entries if not entry.is_dir()]
    except OSError as error:
        raise Error(
            f"The migrations' directory {directory} cannot be read: {error.strerror}. "
            "Check the option directory; it is a path on the runner."
        ) from error
    return parse_names(directory, names), names


def parse_names(directory: str, names: Iterable[str]) -> Source:
    """Make a source of file names; no file is looked at.

    :raises Error: two files share a version and a direction.
    """
    ups: dict[int, tuple[str, str]] = {}
    downs: dict[int, tuple[str, str]] = {}
    unusable: dict[tuple[str, str], list[str]] = {}
    odd: list[str] = []
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        version = int(match[1]) if match else 0
        if match is None or version > _MAX_VERSION:
            if _LOOKS_MEANT.fullmatch(name):
                unusable.setdefault(_reason(name), []).append(name)
            continue
        known = ups if match[3] == "up" else downs
        if not name.lower().endswith(".sql"):
            odd.append(name)
        if version in known:
            raise Error(
                f"Two files are the {match[3]} migration of version {version}: {known[version][0]} and {name} "
                f"in {directory}. Give one of them another version."
            )
        known[version] = (name, match[2])
    nothing = (None, "")
    found = []
    for version in sorted({*ups, *downs}):
        (up, up_title), (down, down_title) = ups.get(version, nothing), downs.get(version, nothing)
        found.append(Migration(version, up_title if up else down_title, up, down))
    return Source(directory, tuple(found), tuple(_warnings(unusable, odd)))


def _no_usable_file(directory: str, meant: list[str]) -> Error:
    named = ", ".join(meant[:_NAMED]) + (f" and {len(meant) - _NAMED} more" if len(meant) > _NAMED else "")
    reasons = dict.fromkeys(f"{_reason(name)[0]}." for name in meant)
    why = " ".join(reason[0].upper() + reason[1:] for reason in reasons)
    return Error(
        f"No file in {directory} can be used as a migration: {named}. {why} "
        "Rename the files, or check the option directory."
    )


def _warnings(unusable: dict[tuple[str, str], list[str]], odd: list[str]) -> list[str]:
    """Say once of all files to which it applies what is odd about them."""
    found = []
    for (_rule, why), (name, *others) in unusable.items():
        more = f" and {len(others)} more are not migrations and are" if others else " is not a migration and is"
        found.append(f"{name}{more} skipped: {why.format('their' if others else 'its')}.")
    for name in odd[:1]:
        more, they = (f" and {len(odd) - 1} more count as migrations", "they do not") if odd[1:] else _ONE_ODD
        found.append(
            f"{name}{more} although {they} end in .sql (golang-migrate runs {'them' if odd[1:] else 'it'} too)."
        )
    return found


def _reason(name: str) -> tuple[str, str]:
    """Return the rule by which a file is no migration, and the same in a sentence about the file."""
    digits = re.match("[0-9]+", name)
    return _TOO_LARGE if digits and int(digits[0]) > _MAX_VERSION else _MISNAMED
