# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a migrations' directory, as golang-migrate reads it. Private to the collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..._core.errors import Error
from ..model import Migration, Source

# golang-migrate, source/parse.go: case-sensitive, any extension, the title may be empty.
_NAME = re.compile(r"([0-9]+)_(.*)\.(down|up)\.(.*)")
# Whoever wrote such a name meant a migration, and golang-migrate passes it over in silence.
_LOOKS_MEANT = re.compile(r"(?i)[vu]?[0-9]+.*\.sql|[0-9]+[_-].*[._-](up|down)(\..*)?")
# golang-migrate parses versions as unsigned 64-bit numbers and passes over what is larger.
_MAX_VERSION = 2**64 - 1


def read_source(directory: str) -> Source:
    """Read the names in a directory; sub-directories are left out.

    :raises Error: the directory cannot be read, or two files share a version and a direction.
    """
    try:
        with os.scandir(directory) as entries:
            names = [entry.name for entry in entries if not entry.is_dir()]
    except OSError as error:
        raise Error(
            f"The migrations' directory {directory} cannot be read: {error.strerror}. "
            "Check the option directory; it is a path on the runner."
        ) from error
    return parse_names(directory, names)


def parse_names(directory: str, names: Iterable[str]) -> Source:
    """Make a source of file names; no file is looked at.

    :raises Error: two files share a version and a direction.
    """
    ups: dict[int, tuple[str, str]] = {}
    downs: dict[int, tuple[str, str]] = {}
    warnings = []
    for name in sorted(names):
        match = _NAME.fullmatch(name)
        version = int(match[1]) if match else 0
        if match is None or version > _MAX_VERSION:
            if _LOOKS_MEANT.fullmatch(name):
                warnings.append(f"{name} is not a migration and is passed over: {_reason(name)}.")
            continue
        known = ups if match[3] == "up" else downs
        if not name.lower().endswith(".sql"):
            warnings.append(
                f"{name} counts as a migration although it does not end in .sql (golang-migrate runs it too)."
            )
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
    return Source(directory, tuple(found), tuple(warnings))


def _reason(name: str) -> str:
    digits = re.match("[0-9]+", name)
    if digits and int(digits[0]) > _MAX_VERSION:
        return "its version is larger than 64 bits can hold"
    return "a migration is called VERSION_TITLE.up.sql or VERSION_TITLE.down.sql, in lower case"
