# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is asked again just before a migration, and what has been answered already."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classify import classify
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.risks import Story, questions, unseen
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.snapshot import Definition, Key, Snapshot

DIALECT = Dialect(mariadb=True, version=101100)
TABLE = "CREATE TABLE `{}` (\n  `id` int(11) NOT NULL,\n  `{}` int(11) {}\n) ENGINE=InnoDB"
NULLS = ("would_fail", "null", "t", "n")


def snapshot(column: str, table: str = "t", name: str = "n") -> Snapshot:
    """Return a schema with one table, in which this is what is after a column's type."""
    key = Key("TABLE", table)
    return Snapshot({key: Definition(key, TABLE.format(table, name, column).encode())}, {})


def story(*statements: bytes) -> Story:
    """Return the story of statements of earlier migrations."""
    found = Story()
    for text in statements:
        found.notice(text, 1, classify(text, DIALECT), DIALECT)
    found.begin()
    return found


def asked(of: Story, *risks: dict[str, Any]) -> list[tuple[str, str, str, str]]:
    """Return what is asked before a migration by which a column becomes NOT NULL."""
    found = unseen(True, of, Story(), snapshot("DEFAULT NULL"), snapshot("NOT NULL"), risks)
    return [(item.kind, item.what, item.table, item.name) for item in found]


def risk(table: str, name: str, certain: bool) -> dict[str, Any]:
    return {"kind": "would_fail", "what": "null", "table": table, "name": name, "certain": certain}


def test_what_has_no_answer_is_asked() -> None:
    """No rows were found, or it is not certain how many there will be."""
    assert asked(story()) == [NULLS]
    assert asked(story(), risk("t", "n", False)) == [NULLS]
    assert asked(story(), risk("t", "id", True)) == [NULLS]


def test_what_was_answered_for_certain_is_not_asked_again() -> None:
    """Whoever has let the run begin knows of it; by the names before the plan."""
    assert asked(story(), risk("t", "n", True)) == []
    renamed = story(b"RENAME TABLE old TO t", b"ALTER TABLE t CHANGE m n INT")
    assert asked(renamed, risk("old", "m", True)) == []
    assert asked(renamed, risk("t", "n", True)) == [NULLS]


@pytest.mark.parametrize(
    "statement",
    [b"SET SESSION sql_mode = ''", b"ALTER ONLINE\n IGNORE TABLE other ADD UNIQUE (a)"],
)
def test_a_lenient_server_is_not_asked(statement: bytes) -> None:
    """What it would accept is not a reason to refuse."""
    assert asked(story(statement)) == []


def test_a_server_that_is_lenient_in_something_else_is_asked() -> None:
    """Files that begin by switching off the checks of foreign keys are usual."""
    assert asked(story(b"SET foreign_key_checks = 0")) == [NULLS]


def about(
    *statements: bytes, then: tuple[bytes, ...], table: str = "t", column: str = "n"
) -> tuple[str, str, str, Optional[int]]:
    """Return the one question about a migration by which a column becomes NOT NULL, and which others come before.

    :param then: its statements, on lines 1, 2, and so on.
    """
    found = story(*statements)
    for line, text in enumerate(then, 1):
        found.notice(text, line, classify(text, DIALECT), DIALECT)
    was, now = (snapshot(text, table, column) for text in ("DEFAULT NULL", "NOT NULL"))
    [question] = questions(True, found, snapshot("DEFAULT NULL"), was, now)
    return question.table, question.name, question.named, question.line


def test_a_question_is_named_as_its_file_names_it() -> None:
    """Whatever the migrations before it have renamed: they may be applied already, or be of the same plan."""
    other = b"ALTER TABLE other ADD x INT"
    assert about(then=(other, b"ALTER TABLE t MODIFY n INT NOT NULL")) == ("t", "n", "t.n", 2)
    renaming = (b"RENAME TABLE t TO u", b"ALTER TABLE u CHANGE n m INT")
    then = (b"ALTER TABLE u MODIFY m INT NOT NULL",)
    assert about(*renaming, then=then, table="u", column="m") == ("t", "n", "u.m", 1)


def test_where_a_statement_hides_what_it_does_no_line_is_named() -> None:
    """Another one might be mistaken for it, and a comment above that allow what it is not about."""
    assert about(then=(b"ALTER TABLE t ADD x INT AFTER n", b"CALL forbid()"))[3] is None


@pytest.mark.parametrize(
    "statements",
    [
        (b"ALTER TABLE t CHANGE n old INT", b"ALTER TABLE t ADD n INT", b"ALTER TABLE t DROP old"),
        (b"ALTER TABLE t RENAME COLUMN n TO old, ADD n INT", b"ALTER TABLE t DROP COLUMN old"),
        (b"ALTER TABLE t DROP n, ADD n INT",),
    ],
)
def test_a_column_of_the_same_name_may_be_another_one(statements: tuple[bytes, ...]) -> None:
    """Whose values are gone, although the table is what it was."""
    found, same = Story(), snapshot("DEFAULT NULL")
    for text in statements:
        found.notice(text, 1, classify(text, DIALECT), DIALECT)
    [question] = questions(True, found, same, same, same)
    assert (question.kind, question.what, question.table, question.name) == ("destroy", "column", "t", "n")


def test_columns_and_tables_may_change_names_with_each_other() -> None:
    """The columns of one statement all at once, the tables one after the other; nothing is destroyed."""
    found, same = Story(), snapshot("DEFAULT NULL")
    for text in (
        b"ALTER TABLE t CHANGE n n INT",
        b"ALTER TABLE t CHANGE n id INT, CHANGE id n INT",
        b"ALTER TABLE t CHANGE n id INT, CHANGE id n INT",
        b"RENAME TABLE t TO x, u TO t, x TO u",
        b"RENAME TABLE t TO x, u TO t, x TO u",
        b"ALTER TABLE t RENAME TO t",
    ):
        found.notice(text, 1, classify(text, DIALECT), DIALECT)
        if text.startswith(b"ALTER TABLE t CHANGE n id"):
            assert {found.names.column("t", name) for name in ("n", "id")} == {"n", "id"}
    assert [found.names.table(name) for name in ("t", "u", "x")] == ["t", "u", ""]
    assert [found.names.column("t", name) for name in ("n", "id")] == ["n", "id"]
    assert list(questions(True, found, same, same, same)) == []
