# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Markdown that is also readable in a terminal, and in which texts from outside stay plain. Private to the collection.

The syntax is CommonMark 0.31. GitHub and GitLab interpret more than that, such as @mentions, formulas, and on GitLab
lines that start with a slash. So a text from outside is written as code unless it consists of ordinary words, and it
never starts a line: each block starts with a text of our own.
"""

from __future__ import annotations

import re

from .secrets import clean

# Characters of a line, for a terminal of 100 columns.
WIDTH = 98
_MARKS = re.compile("`+")
# Words of letters and digits, and punctuation that has no meaning in its place.
_WORDS = re.compile(r"(?:['\"(]*(?!www\.)[^\W_](?:(?:[\w'.,-]|:(?=\d))*[^\W_])?['\".,:;)…]*(?: |$))+", re.IGNORECASE)
# Where a line may end: what follows cannot be read as the start of a block.
_BREAK = re.compile(r" (?=[A-Za-z(]|`(?!``)|\*\*\w|\d+(?:[.,]\d+)*(?![\d.)]))")


def code(text: str) -> str:
    """Return a text as code within a line."""
    flat = _flat(text) or " "
    marks = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.strip() and (flat[0] in "` " or flat[-1] in "` ") else ""
    return f"{marks}{pad}{flat}{pad}{marks}"


def said(text: str) -> str:
    """Return a sentence or a name unchanged if it consists of ordinary words, otherwise as code."""
    flat = _flat(text)
    return flat if _WORDS.fullmatch(flat) else code(flat)


def fence(text: str, language: str) -> list[str]:
    """Return the lines of a block of code."""
    marks = "`" * max(3, _longest_run(text) + 1)
    # The whitespace before it is not part of the code.
    return [f"  {line}".rstrip() for line in (f"{marks}{language}", *clean(text).split("\n"), marks)]


def wrapped(text: str, indent: str = "") -> list[str]:
    """Return a paragraph's lines.

    :param text: starts with a word of our own.
    :param indent: the indentation of all lines but the first.
    """
    line, *parts = _BREAK.split(text)
    lines: list[str] = []
    for part in parts:
        if len(line) + 1 + len(part) > WIDTH:
            lines.append(line)
            line = f"{indent}{part}"
        else:
            line = f"{line} {part}"
    return [*lines, line]


def _flat(text: str) -> str:
    return re.sub(r"\s", " ", clean(text))


def _longest_run(text: str) -> int:
    return max(map(len, _MARKS.findall(text)), default=0)
