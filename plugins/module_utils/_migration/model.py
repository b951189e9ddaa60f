# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nouns of the engine: versions, migrations, states, plans. Private to the collection. Imports nothing of ours."""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

# The state table holds versions in a signed BIGINT.
MAX_STATE = 2**63 - 1
_VERSION = re.compile(f"0*[0-9]{{1,{len(str(MAX_STATE))}}}")


def as_version(text: str) -> Optional[int]:
    """Return the version that a text is; None if it is not a number, or one that the state table cannot hold.

    Python refuses to read a number of thousands of digits.
    """
    number = int(text.lstrip("0") or "0") if _VERSION.fullmatch(text) else MAX_STATE + 1
    return number if number <= MAX_STATE else None


class Migration(NamedTuple):
    """One version of the schema; ``up`` and ``down`` are file names, None where there is no such file.

    There may be thousands, and a tuple is made in half the time.
    """

    version: int
    title: str
    up: Optional[str]
    down: Optional[str]


class Source(NamedTuple):
    """A directory of migrations in the order of their versions.

    ``warnings`` names the files that are probably not what their author meant.
    """

    directory: str
    migrations: tuple[Migration, ...]
    warnings: tuple[str, ...]


class State(NamedTuple):
    """What golang-migrate's state table says; a version of None means that nothing is applied."""

    version: Optional[int]
    dirty: bool


class Goal(NamedTuple):
    """Where to go: ``latest``, ``none`` or a version; or a number of steps, negative for down."""

    target: str = "latest"
    steps: Optional[int] = None
    allow_down: bool = False


class Step(NamedTuple):
    """One migration in one direction.

    :param file: the script's name; None where the source has none: then only the state is written.
    :param leads_to: the version that the state table holds afterwards; None for an empty table.
    """

    version: int
    title: str
    direction: str
    file: Optional[str]
    leads_to: Optional[int]


class Plan(NamedTuple):
    """The steps, where they start and end, and what a person should know about them."""

    from_version: Optional[int]
    to_version: Optional[int]
    steps: tuple[Step, ...]
    warnings: tuple[str, ...] = ()


class Unfinished(NamedTuple):
    """A migration that was interrupted, and that is to be finished."""

    version: int
    direction: str


class Move(NamedTuple):
    """One attempt that succeeded, or one move that something else made; or the newest attempt, which has not succeeded.

    :param unfinished: it is that one, and statements of it were started.
    """

    version: Optional[int]
    direction: str
    leads_to: Optional[int]
    checksum: Optional[str]
    progress: Optional[str]
    unfinished: bool = False
