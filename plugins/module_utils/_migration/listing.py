# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files of a plan, as text for the person who approves it. Private to the collection."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from .._core.secrets import clean
from .model import Step

# How much is shown: lines and characters of a file, and characters of all.
LINES, CHARACTERS, ALL = 200, 20_000, 200_000


class Listed(NamedTuple):
    """A file.

    :param name: None if the migration has none.
    :param lines: those that are shown.
    :param size: its bytes, if not all of it is shown; None otherwise.
    """

    name: Optional[str]
    lines: list[str]
    size: Optional[int] = None


def listing(directory: str, steps: Iterable[Step]) -> list[Listed]:
    """Return each step's file.

    Secrets and terminal control characters are masked.

    :raises Error: a file cannot be read.
    """
    found: list[Listed] = []
    left = ALL
    for step in steps:
        found.append(_listed(directory, step, left))
        left -= sum(map(len, found[-1].lines))
    return found


def first(lines: Sequence[str], left: int) -> list[str]:
    """Return as many lines as are shown of a file, where so many characters are left for all."""
    shown: list[str] = []
    most = min(CHARACTERS, left)
    for line in lines[:LINES]:
        most -= len(line)
        if most < 0:
            break
        shown.append(line)
    return shown


def _listed(directory: str, step: Step, left: int) -> Listed:
    if step.file is None:
        return Listed(None, [])
    # The controller loads this file, too, and reads no migrations.
    from .files.reader import open_file  # noqa: PLC0415

    with open_file(directory, step) as file:
        # More than is shown: a secret that is cut in two would not be recognized.
        data = file.read(2 * CHARACTERS)
        size = file.seek(0, os.SEEK_END)
    text = clean(data.replace(b"\r\n", b"\n").decode("utf-8", "backslashreplace"))
    lines = text.rstrip("\n").split("\n")
    shown = first(lines, left)
    whole = len(shown) == len(lines) and len(data) == size
    return Listed(step.file, shown, None if whole else size)
