# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts from outside within Markdown, as a parser of CommonMark reads it."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.markdown import (
    WIDTH,
    code,
    fence,
    said,
    wrapped,
)
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import clean, register_secret
from hypothesis import example, given
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])
# Also what means something in Markdown more often than chance would have it.
TEXTS = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("`~*_#-+>|<&[]()!\\:./@$1 \n\t")))


def inline(markdown: str) -> list[Token]:
    """Return what is in the only paragraph."""
    opening, content, closing = PARSER.parse(markdown)
    assert (opening.type, content.type, closing.type) == ("paragraph_open", "inline", "paragraph_close")
    return content.children or []


@given(TEXTS)
@example("`")
@example("a ``` b")
@example(" a ")
def test_code_is_the_text(text: str) -> None:
    """Whatever is in it, and whatever stands around it."""
    before, token, after = inline(f"Of {code(text)} it is")
    assert (before.content, token.type, after.content) == ("Of ", "code_inline", " it is")
    flat = "".join(" " if char.isspace() else char for char in clean(text))
    assert token.content == (flat or " ")


@given(TEXTS)
@example("word's (1062): 12, 24.7 and a_b-c.sql:3")
@example("_a_ b")
@example("www.example.com")
def test_what_is_said_is_text_or_code_and_nothing_else(text: str) -> None:
    """Between words of ours."""
    tokens = inline(f"Of {said(text)} it is")
    assert [token.type for token in tokens] in (["text"], ["text", "code_inline", "text"])
    assert "".join(token.content for token in tokens).split() == f"Of {clean(text)} it is".split()


@pytest.mark.parametrize(
    "text",
    [
        "orders: rows with NULL in placed, which becomes NOT NULL (1138, 1265): 12",
        "0001_a.up.sql:2 (statement 2): (1060) Duplicate column name 'note'",
        "it has no down file",
        "größe",
    ],
)
def test_ordinary_words_stay_words(text: str) -> None:
    assert said(text) == text


@pytest.mark.parametrize(
    "text",
    ["@everyone", "a #12", "see!3", "$x$", "<b>", "a|b", "_a_", "http://a", "www.a.b", ":smile:", "a:b:c", "1 * 2", ""],
)
def test_what_may_mean_something_is_code(text: str) -> None:
    """To CommonMark, GitHub or GitLab."""
    assert said(text) == code(text)


@given(TEXTS)
@example("```\n/close\n```")
@example("~~~\n")
def test_a_block_of_code_is_the_text(text: str) -> None:
    """None of its lines begins where GitLab would look for a command; spaces at the ends of lines do not count."""
    lines = fence(text, "sql")
    [token] = PARSER.parse("\n".join(lines))
    assert (token.type, token.info) == ("fence", "sql")
    assert [line.rstrip() for line in token.content.split("\n")[:-1]] == [
        line.rstrip() for line in clean(text).split("\n")
    ]
    assert all(line.startswith("  ") or not line for line in lines)


@given(TEXTS, st.text("ab 1.`", max_size=300))
@example("1. 2) # - + > ~~~ ``` === --- | -:- 1)", "a " * 60)
def test_a_paragraph_stays_one_when_it_is_wrapped(text: str, more: str) -> None:
    """And what it says stays the same."""
    whole = f"It {said(text)} is {code(more)} and {said(f'{more} {text}')}"
    lines = wrapped(whole)
    assert " ".join(lines) == whole
    assert [(token.type, token.content) for token in inline("\n".join(lines)) if token.type != "softbreak"]
    tokens = PARSER.parse("- " + "\n  ".join(lines))
    assert [token.type for token in tokens if token.nesting == 1] == [
        "bullet_list_open",
        "list_item_open",
        "paragraph_open",
    ]


def test_lines_are_no_longer_than_a_terminal_has_columns() -> None:
    """If their words are not."""
    text = "writes to `orders` **wait** while 24.7 MB are copied (see 12); " * 9
    lines = wrapped(f"- {text}", "  ")
    assert max(map(len, lines)) <= WIDTH
    assert len(lines) > 5
    assert all(line.startswith("  ") for line in lines[1:])


def test_secrets_are_masked() -> None:
    register_secret("open-sesame-7")
    assert code("a open-sesame-7") == "`a ********`"
    assert fence("b open-sesame-7", "sql")[1] == "  b ********"
