# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Comments that ask this collection for something, and what they are about."""

from __future__ import annotations

from io import BytesIO

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directives import (
    Directive,
    Span,
    read_directives,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Splitter

DIALECT = Dialect()


def directives(text: str) -> list[Directive]:
    data = text.encode()
    spans = [
        Span(statement.line, statement.line + statement.text.rstrip().count(b"\n"))
        for statement in Splitter(BytesIO(data), DIALECT).statements()
    ]
    return read_directives(data, DIALECT, spans)


def test_above_a_statement_it_is_about_this_statement() -> None:
    [found] = directives("SELECT 1;\n-- dbops: allow destroy orders.note\n\nDROP TABLE orders;\nSELECT 2;\n")
    assert found == Directive(2, ("allow", "destroy", "orders.note"), statement=4)
    assert found.allows("destroy", 4, ["orders.note"])
    assert not found.allows("destroy", 5, ["orders.note"])
    assert not found.allows("gap", 4, ["orders.note"])


@pytest.mark.parametrize(("names", "allowed"), [((), False), (("a",), True), (("b", "a"), True), (("a", "c"), False)])
def test_with_names_it_allows_no_more_than_these(names: tuple[str, ...], allowed: bool) -> None:
    [found] = directives("-- dbops: allow destroy a b\nDROP TABLE a;")
    assert found.allows("destroy", 2, names) is allowed


def test_without_names_it_allows_all_of_its_statement() -> None:
    [found] = directives("-- dbops: allow destroy\nDROP TABLE a;")
    assert found.allows("destroy", 2, ("a",))
    assert found.allows("destroy", 2)


def test_above_the_first_statement_with_an_empty_line_between_it_is_about_the_file() -> None:
    whole, first = directives(
        "-- dbops: allow gap\n-- Why.\n  \n-- dbops: allow destroy\nDROP TABLE a;\nDROP TABLE b;\n"
    )
    assert (whole.statement, first.statement) == (None, 5)
    assert whole.allows("gap", None)
    assert whole.allows("gap", 6)
    assert first.allows("destroy", 5)
    assert not first.allows("destroy", 6)


def test_what_is_about_the_file_itself_is_allowed_anywhere_above_the_first_statement() -> None:
    [found] = directives("-- dbops: allow no_down_file\nDROP TABLE a;")
    assert found.allows("no_down_file", None)
    [behind] = directives("SELECT 1;\n-- dbops: allow no_down_file\nDROP TABLE a;")
    assert not behind.allows("no_down_file", None)


def test_in_a_file_without_statements_it_is_about_the_file() -> None:
    [found] = directives("-- dbops: allow empty_file\n")
    assert found.allows("empty_file", None)


@pytest.mark.parametrize(
    "text",
    [
        "DROP TABLE a; -- dbops: allow destroy\nDROP TABLE b;",
        "ALTER TABLE a\n-- dbops: allow destroy\nDROP b;\nDROP TABLE b;",
        "DROP TABLE a;\n-- dbops: allow destroy\n",
    ],
    ids=["after a statement", "within one", "after the last one"],
)
def test_elsewhere_it_allows_nothing(text: str) -> None:
    [found] = directives(text)
    assert found.misplaced
    assert not any(found.allows("destroy", line) for line in (None, 1, 2, 3, 4))


@pytest.mark.parametrize(
    "text",
    [
        "--dbops: allow destroy\nDROP TABLE a;",
        "# dbops: allow destroy\nDROP TABLE a;",
        "/*\n-- dbops: allow destroy\n*/\nDROP TABLE a;",
        "/* -- dbops: allow destroy */\nDROP TABLE a;",
        "SELECT '\n-- dbops: allow destroy\n';\nDROP TABLE a;",
        "SELECT `\n-- dbops: allow destroy\n`;\nDROP TABLE a;",
        "-- about dbops: allow destroy\nDROP TABLE a;",
    ],
)
def test_what_is_not_a_comment_of_this_form_asks_for_nothing(text: str) -> None:
    assert directives(text) == []


def test_a_byte_order_mark_and_windows_line_endings() -> None:
    [found] = directives("\ufeff-- dbops: allow destroy a\r\nDROP TABLE a;\r\n")
    assert found == Directive(1, ("allow", "destroy", "a"), statement=2, at_head=True)


def test_in_an_executable_comment_it_is_one() -> None:
    [found] = directives("/*!40000\n-- dbops: allow destroy\nDROP TABLE a */;")
    assert found.misplaced
