# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The files that a plan runs, as text for a person who is to approve it. Private to the collection."""

from __future__ import annotations

import os
from collections.abc import Iterable

from .._core.secrets import clean
from .files.reader import open_file
from .model import Step

# How much is shown: lines and characters of a file, and characters of all.
LINES, CHARACTERS, ALL = 200, 20_000, 200_000
_INDENT = "    "


def listing(directory: str, steps: Iterable[Step], notes: Iterable[Iterable[str]] = ()) -> str:
    """Return the steps, each with its file's SQL below it, and what was found out about it; what is left out is said.

    Secrets are masked, and so is what could steer a terminal.

    :raises Error: a file cannot be read.
    """
    found: list[str] = []
    left = ALL
    further = iter(notes)
    for step in steps:
        found.append(f"  {step.direction} {step.file or f'{step.version} (no file)'}")
        lines = [] if step.file is None else _lines(directory, step, min(CHARACTERS, left))
        left -= sum(map(len, lines))
        # What a server quotes may have several lines.
        lines += [f"-- {clean(line)}".replace("\n", " ") for line in next(further, ())]
        found += [f"{_INDENT}{line}".rstrip() for line in lines]
    return "".join(f"{line}\n" for line in found)


def _lines(directory: str, step: Step, most: int) -> list[str]:
    with open_file(directory, step) as file:
        # More than is shown: a secret that is cut in two would not be known as one.
        data = file.read(2 * CHARACTERS)
        size = file.seek(0, os.SEEK_END)
    lines = clean(data.replace(b"\r\n", b"\n").decode("utf-8", "backslashreplace")).rstrip("\n").split("\n")
    shown: list[str] = []
    for line in lines[:LINES]:
        if len(line) > most:
            break
        shown.append(line)
        most -= len(line)
    if len(shown) < len(lines) or len(data) < size:
        shown.append(f"... not all is shown: the file has {size:,} bytes")
    return shown
