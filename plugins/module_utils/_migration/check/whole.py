# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules about a file as a whole: empty, cut off, more than golang-migrate takes, comments that ask for nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator

from ..files.charsets import is_known
from ..files.directives import ALLOW
from .finding import ERROR, WARNING, Found, Rule, printable
from .script import Script

EMPTY_FILE = Rule("empty_file", WARNING, "Write its statements or delete it; golang-migrate cannot run an empty file.")
INCOMPLETE = Rule("incomplete", ERROR, "Close it, or restore the rest of the file.")
PORTABILITY = Rule("portability", WARNING, "Change it if golang-migrate must be able to run the file.")
DIRECTIVE = Rule("directive", WARNING, "Write -- dbops: allow RULE on a line of its own, above the statement.")

_ALL_OR_NOTHING = "all-or-nothing"
_EMPTY = "is empty"
# Something must follow after one of these.
_OPEN = (b",", b"=", b"(")


def empty(script: Script) -> Iterator[Found]:
    """Find a file without a statement."""
    if not script.statements:
        yield Found("It is empty." if not script.text else f"The {script.direction} file has no statement.")


def incomplete(script: Script) -> Iterator[Found]:
    """Find statements that have no end, and a file that ends in the middle of one."""
    for sql in script.statements:
        if not sql.bounded and not sql.dialect.oracle and is_known(sql.dialect.character_set):
            what = "This statement may have no end: a quote, a comment or a block in it is not closed."
            yield Found(what, sql.span.first, sql.span.first)
            return
    if script.statements and not script.statements[-1].dialect.oracle:
        last = script.statements[-1]
        tokens = last.all_tokens()
        depth = sum({b"(": 1, b")": -1}.get(token.text, 0) for token in tokens)
        if depth > 0 or (tokens and tokens[-1].text in _OPEN):
            yield Found(
                "The file may be truncated: it ends in the middle of a statement.", last.span.last, last.span.first
            )


def portability(script: Script) -> Iterator[Found]:
    """Find what only this collection accepts."""
    for note in script.notes:
        if note.text != _EMPTY:
            yield Found(f"golang-migrate cannot run the file: it {note.text}.", note.line)


def directives(script: Script, rules: Collection[str]) -> Iterator[Found]:
    """Find comments that ask this collection for something and get nothing.

    :param rules: what may be allowed.
    """
    for directive in script.directives:
        text = printable(" ".join(directive.words))
        if directive.words[:1] == (_ALL_OR_NOTHING,):
            continue
        if directive.words[:1] != (ALLOW,):
            yield Found(f"Unknown directive '{text}'.", directive.line)
        elif not set(directive.words[1:2]) & set(rules):
            yield Found(f"'{text}' names no rule that can be allowed.", directive.line)
        elif directive.misplaced:
            yield Found(f"'{text}' is not above a statement, so it allows nothing.", directive.line)
