# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a page says, apart from how it is written: the sheets and the waves are Markdown and HTML alike.

Every text in here is plain. Whoever writes it makes it harmless, whatever it holds.
"""

from __future__ import annotations

from typing import NamedTuple


class Link(NamedTuple):
    """A component's or host's name that leads to it.

    :ivar target: the name of its file, which is also its place in the page.
    """

    text: str
    target: str


class Words(NamedTuple):
    """A paragraph."""

    text: str


class Items(NamedTuple):
    """A list; ``numbered``: one after the other."""

    items: list[str | Link]
    numbered: bool = False


class Code(NamedTuple):
    """Lines for a shell."""

    lines: list[str]


class Grid(NamedTuple):
    """A table."""

    head: list[str]
    rows: list[list[str | Link]]


Block = Words | Items | Code | Grid


class Section(NamedTuple):
    """A heading with what is under it."""

    title: str
    blocks: list[Block]


class Page(NamedTuple):
    """A page of sections.

    :ivar target: as Link.target.
    """

    title: str
    target: str
    sections: list[Section]
