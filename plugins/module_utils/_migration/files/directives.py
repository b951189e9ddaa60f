# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comments in a migration's file that this collection interprets: ``-- dbops: allow destroy orders.note``. Private.

To golang-migrate and the server they are comments. One that is above a statement is about this statement; one that
is above the first statement, with an empty line between the two, is about the whole file.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple, Optional

from .lexer import Dialect, Lexer

ALLOW = "allow"
_DIRECTIVE = re.compile(rb"--[ \t]+dbops:(.*)")
_MARK = b"dbops:"


class Span(NamedTuple):
    """The lines on which a statement begins and ends, from 1."""

    first: int
    last: int


class Directive(NamedTuple):
    """One such comment.

    :param line: where it stands, from 1.
    :param words: what it says, ``("allow", "destroy", "orders.note")``.
    :param statement: the line on which the statement begins that it is about; None for the whole file.
    :param at_head: it is before the first statement.
    :param misplaced: it is after something on its line, within a statement or after the last one, and is about
        nothing.
    """

    line: int
    words: tuple[str, ...]
    statement: Optional[int] = None
    at_head: bool = False
    misplaced: bool = False

    def allows(self, rule: str, statement: Optional[int], names: Sequence[str] = ()) -> bool:
        """Tell whether it allows something.

        :param rule: the name of the rule or the guard that it would be against.
        :param statement: the line on which its statement begins; None if it is about the file.
        :param names: what it is done to, ``("orders.note",)``. A comment that names something allows that only.
        """
        if self.misplaced or self.words[:2] != (ALLOW, rule):
            return False
        about = self.statement in (None, statement) or (statement is None and self.at_head)
        return about and (not self.words[2:] or (bool(names) and set(names) <= {*self.words[2:]}))


def read_directives(text: bytes, dialect: Dialect, statements: Sequence[Span]) -> list[Directive]:
    """Return the comments of a file's text that ask something.

    :param statements: where its statements stand, in order.
    """
    if _MARK not in text:
        return []
    lexer = Lexer(dialect)
    lexer.text, lexer.final = text, True
    lines = text.split(b"\n")
    found = []
    for start, end in lexer.line_comments():
        match = _DIRECTIVE.match(text, start, end)
        if match is None:
            continue
        line = text.count(b"\n", 0, start) + 1
        alone = not text[text.rfind(b"\n", 0, start) + 1 : start].strip(b" \t\xef\xbb\xbf")
        words = tuple(match[1].decode("utf-8", "replace").split())
        found.append(_placed(Directive(line, words), alone, lines, statements))
    return found


def _placed(directive: Directive, alone: bool, lines: Sequence[bytes], statements: Sequence[Span]) -> Directive:
    line = directive.line
    below = next((span for span in statements if span.first > line), None)
    within = any(span.first <= line <= span.last for span in statements)
    if not alone or within or (below is None and statements):
        return directive._replace(misplaced=True)
    if below is None:
        return directive._replace(at_head=True)
    at_head = below is statements[0]
    empty = any(not between.strip() for between in lines[line : below.first - 1])
    return directive._replace(statement=None if at_head and empty else below.first, at_head=at_head)
