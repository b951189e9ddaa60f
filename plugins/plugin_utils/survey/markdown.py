# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Pages as Markdown in which no text is more than text."""

from __future__ import annotations

import re
from itertools import chain

from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import (
    Block,
    Code,
    Items,
    Link,
    Page,
    Words,
)

# The first line of each file of ours, by which it is known.
MARK = "<!-- Made by dbops.migrations.survey. Changes are lost: what you know belongs in decisions.yml. -->"
# What begins something in CommonMark or in GitHub's Markdown, wherever in a line. "www." is a link there.
_SPECIAL = re.compile(r"""[\\`*_{}\[\]<>#|~&!$^]|(?<=:)/|(?<![^\W_])@|(?<=[wW]{3})\.""")
# What does at the beginning of a line.
_FIRST = re.compile(r"^([-+=:]|\d+(?=[.)](?: |$)))")


def markdown(page: Page, folder: str = "") -> str:
    """Return a page as Markdown.

    :param folder: where the files of components are, as seen from this file.
    """
    lines = [MARK, "", f"# {text(page.title)}"]
    for section in page.sections:
        lines += [
            "",
            f"## {text(section.title)}",
            *chain.from_iterable(["", *_lines(one, folder)] for one in section.blocks),
        ]
    return "\n".join(lines) + "\n"


def text(plain: str) -> str:
    """Return a text so that Markdown shows it as it is, on one line."""
    escaped = _SPECIAL.sub(lambda match: f"\\{match.group()}", line(plain))
    return _FIRST.sub(_not_first, escaped)


def line(plain: str) -> str:
    """Return a text without anything but characters and single whitespace."""
    if not plain.isprintable():
        plain = "".join(one if one.isprintable() else " " for one in plain)
    return " ".join(plain.split())


def _not_first(match: re.Match[str]) -> str:
    sign = match[0]
    # A digit cannot be escaped, but a character can be told by its number.
    return f"&#{ord(sign[0])};{sign[1:]}" if sign[0].isdigit() else f"\\{sign}"


def _lines(block: Block, folder: str) -> list[str]:
    if isinstance(block, Words):
        return [text(block.text)]
    if isinstance(block, Code):
        lines = [line(one) for one in block.lines]
        # Longer than what is in it could close.
        fence = "`" * max(3, 1 + max((len(run) for one in lines for run in re.findall("`+", one)), default=0))
        return [f"{fence}sh", *lines, fence]
    if isinstance(block, Items):
        return [
            f"{f'{number}.' if block.numbered else '-'} {_cell(one, folder)}"
            for number, one in enumerate(block.items, 1)
        ]
    rows = [[text(cell) for cell in block.head], ["---"] * len(block.head)]
    rows += [[_cell(cell, folder) for cell in row] for row in block.rows]
    return [f"| {' | '.join(row)} |" for row in rows]


def _cell(cell: str | Link, folder: str) -> str:
    if isinstance(cell, Link):
        # The name of a file has no character that would need an escape here but "@".
        return f"[{text(cell.text)}]({folder}{cell.target}.md)"
    return text(cell)
