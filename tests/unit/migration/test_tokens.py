# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement's tokens, taken one by one: names, variables, what is skipped and what is reached."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.tokens import (
    LONGEST,
    NOTHING,
    Tokens,
    read,
    unquote,
)

MARIADB = Dialect(mariadb=True, version=101119)
ANSI = MARIADB._replace(ansi_quotes=True)


def tokens(text: bytes, dialect: Dialect = MARIADB) -> Tokens:
    return Tokens(text, dialect)


def test_comments_and_spaces_are_not_tokens() -> None:
    assert [token.text for token in read(b"set /* x */ a-- y\n= 1", MARIADB)] == [b"SET", b"A", b"=", b"1"]


def test_what_is_looked_at_is_left() -> None:
    found = tokens(b"a b")
    assert (found.peek().text, found.peek().text, found.take().text) == (b"A", b"A", b"A")
    assert (found.take().text, found.take(), found.take()) == (b"B", NOTHING, NOTHING)


def test_a_word_is_skipped_if_it_is_one_of_these() -> None:
    found = tokens(b"if not exists a")
    assert [found.skip(b"IF"), found.skip(b"EXISTS", b"A"), found.skip(b"EXISTS", b"NOT")] == [True, False, True]
    assert found.take().text == b"EXISTS"


@pytest.mark.parametrize(
    ("text", "reached", "left"),
    [
        (b"a (to) to b", b"TO", b"B"),
        (b"a ((to) as) as b", b"AS", b"B"),
        (b"a (to", b"", b""),
        (b"a", b"", b""),
    ],
)
def test_words_outside_parentheses_are_reached(text: bytes, reached: bytes, left: bytes) -> None:
    found = tokens(text)
    assert (found.reach(b"TO", b"AS"), found.take().text) == (reached, left)


@pytest.mark.parametrize(
    ("text", "name"),
    [(b"a b", b"a"), (b"`A`.b c", b"`A`.b"), (b"a . b", b"a . b"), (b"a.b.c", b"a.b.c")],
)
def test_a_name_stands_as_it_does(text: bytes, name: bytes) -> None:
    assert tokens(text).name() == name


@pytest.mark.parametrize(
    ("text", "variables"),
    [
        (b"a @b c", [b"@b"]),
        (b"@`b c` @'d'", [b"@`b c`", b"@'d'"]),
        (b"@@b @@session.c", []),
        # An account.
        (b"a@b 'c'@'d'", []),
    ],
)
def test_variables_are_noted(text: bytes, variables: list[bytes]) -> None:
    found = tokens(text)
    found.drain()
    assert found.variables == variables


def test_the_variables_of_a_long_statement_are_not() -> None:
    found = tokens(b"@a " + b"x" * LONGEST)
    found.drain()
    assert found.variables == []


@pytest.mark.parametrize(
    ("text", "dialect", "name"),
    [
        (b"a", MARIADB, True),
        (b"`a`", MARIADB, True),
        (b'"a"', MARIADB, False),
        (b'"a"', ANSI, True),
        (b"'a'", ANSI, False),
        (b",", MARIADB, False),
    ],
)
def test_what_may_name_something(text: bytes, dialect: Dialect, name: bool) -> None:
    found = tokens(text, dialect)
    assert found.is_name(found.peek()) is name


@pytest.mark.parametrize(
    ("name", "plain"),
    [(b"a", b"a"), (b"`a`", b"a"), (b"`a``b`", b"a`b"), (b'"a""b"', b'a"b'), (b"`", b"`"), (b"'a'", b"'a'")],
)
def test_a_name_without_its_quotes(name: bytes, plain: bytes) -> None:
    assert unquote(name) == plain
