# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Markdown that reads well in a terminal, too, around texts from outside, which stay texts. Private to the collection.

CommonMark 0.31. GitHub and GitLab take more for something else than text than that has, such as the name of a person, a
formula, or on GitLab a line that begins with a slash. So a text from outside is in code, unless it is made of
ordinary words; and no line of it begins at a line's beginning. What we write ourselves begins each block.
"""

from __future__ import annotations

import re

from .secrets import clean

# Characters of a line, for a terminal of 100 columns.
WIDTH = 98
_MARKS = re.compile("`+")
# Words in which there is nothing but letters, digits, and punctuation that means nothing where it stands.
_WORDS = re.compile(r"(?:['\"(]*(?!www\.)[^\W_](?:(?:[\w'.,-]|:(?=\d))*[^\W_])?['\".,:;)…]*(?: |$))+", re.IGNORECASE)
# Where a line may end: what follows cannot be treated as the beginning of a block.
_BREAK = re.compile(r" (?=[A-Za-z(]|`(?!``)|\*\*\w|\d+(?:[.,]\d+)*(?![\d.)]))")


def code(text: str) -> str:
    """Return a text as code within a line."""
    flat = _flat(text) or " "
    marks = "`" * (_longest_run(flat) + 1)
    pad = " " if flat.strip() and (flat[0] in "` " or flat[-1] in "` ") else ""
    return f"{marks}{pad}{flat}{pad}{marks}"


def said(text: str) -> str:
    """Return a sentence or a name as it is if it is made of ordinary words, else as code."""
    flat = _flat(text)
    return flat if _WORDS.fullmatch(flat) else code(flat)


def fence(text: str, language: str) -> list[str]:
    """Return the lines of a block of code."""
    marks = "`" * max(3, _longest_run(text) + 1)
    # The whitespace before it is not part of the code.
    return [f"  {line}".rstrip() for line in (f"{marks}{language}", *clean(text).split("\n"), marks)]


def wrapped(text: str, indent: str = "") -> list[str]:
    """Return a paragraph's lines.

    :param text: it begins with a word of ours.
    :param indent: of all lines but the first.
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
