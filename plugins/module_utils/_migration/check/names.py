# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about the names of a directory's files: versions used twice or left out, files that lack or miss. Private."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..files.directory import FileName, near_misses, parse_name
from ..model import MAX_STATE
from .finding import ERROR, WARNING, Found, Rule, printable

NOT_A_MIGRATION = Rule("not_a_migration", ERROR, "Rename it: under this name it is never run.")
NOT_SQL = Rule("not_sql", WARNING, "Rename it if it is not a migration.")
VERSION_TOO_LARGE = Rule("version_too_large", ERROR, "Give it a lower version.")
DUPLICATE_VERSION = Rule("duplicate_version", ERROR, "Give one of them another version.")
TITLES_DIFFER = Rule("titles_differ", WARNING, "Give both the same title, or one of them another version.")
GAP = Rule("gap", WARNING, "If a file was lost, restore it; a file added later may never be applied.")
NO_UP_FILE = Rule("no_up_file", WARNING, "Write the up file; without it only the version is recorded.")
NO_DOWN_FILE = Rule("no_down_file", WARNING, "Write the down file; without it a rollback only records the version.")

RULES = (
    NOT_A_MIGRATION,
    NOT_SQL,
    VERSION_TOO_LARGE,
    DUPLICATE_VERSION,
    TITLES_DIFFER,
    GAP,
    NO_UP_FILE,
    NO_DOWN_FILE,
)
# A version of more digits is a date or a time.
_MOST_NUMBER = 10**7


def judge(names: Iterable[str]) -> Iterator[tuple[str, Rule, Found]]:
    """Yield each finding with the file that it is about, and its rule."""
    names = sorted(names)
    for name, reason in near_misses(names).items():
        yield name, NOT_A_MIGRATION, Found(f"It looks like a migration and is skipped: {reason}.")
    files = [file for file in map(parse_name, names) if file is not None]
    for file in files:
        if not file.name.lower().endswith(".sql"):
            yield file.name, NOT_SQL, Found("It counts as a migration, although its name does not end in .sql.")
        if file.version > MAX_STATE:
            found = Found(f"Version {file.version} is larger than the state table's BIGINT can hold.")
            yield file.name, VERSION_TOO_LARGE, found
    yield from _versions(files)
    yield from _gaps(sorted({file.version: file for file in reversed(files)}.items()))


def _versions(files: Sequence[FileName]) -> Iterator[tuple[str, Rule, Found]]:
    versions: dict[int, dict[str, list[FileName]]] = {}
    for file in files:
        versions.setdefault(file.version, {"up": [], "down": []})[file.direction].append(file)
    for version, sides in sorted(versions.items()):
        ups, downs = sides["up"], sides["down"]
        for first, *others in filter(None, (ups, downs)):
            for file in others:
                what = f"Version {version} is used twice: {printable(first.name)} is its {file.direction} file, too."
                yield file.name, DUPLICATE_VERSION, Found(what)
        if not ups:
            yield downs[0].name, NO_UP_FILE, Found(f"Version {version} has no up file.")
        elif not downs:
            yield ups[0].name, NO_DOWN_FILE, Found(f"Version {version} has no down file.")
        elif len(ups) == len(downs) == 1 and ups[0].title != downs[0].title:
            what = f"The up file of version {version}, {printable(ups[0].name)}, has another title."
            yield downs[0].name, TITLES_DIFFER, Found(what)


def _gaps(files: Sequence[tuple[int, FileName]]) -> Iterator[tuple[str, Rule, Found]]:
    """Versions are numbers that follow each other if most of them do."""
    numbers = [(version, file) for version, file in files if version < _MOST_NUMBER]
    pairs = list(zip(numbers, numbers[1:]))
    steps = [after[0] - before[0] for before, after in pairs]
    if 2 * steps.count(1) < len(steps):
        return
    for (before, _file), (after, file) in pairs:
        if after == before + 2:
            yield file.name, GAP, Found(f"Version {before + 1} has no file.")
        elif after > before + 2:
            yield file.name, GAP, Found(f"Versions {before + 1} to {after - 1} have no files.")
