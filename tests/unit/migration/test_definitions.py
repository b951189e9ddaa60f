# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a definition's statement works on, and what can be concluded from its objects."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.definitions import read_definition
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import Effect, StatementKind
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.tokens import Tokens


def read(text: str) -> Effect:
    tokens = Tokens(text.encode(), Dialect(mariadb=True, version=101119))
    return read_definition(tokens, tokens.take().text)


@pytest.mark.parametrize(
    ("text", "objects"),
    [
        ("CREATE TABLE IF NOT EXISTS a.b (i INT)", "TABLE a.b"),
        ("CREATE OR REPLACE VIEW v AS SELECT 1", "TABLE v"),
        ("CREATE DEFINER = u@h PROCEDURE p() DO 1", "PROCEDURE p"),
        ("CREATE UNIQUE INDEX i ON a (b)", "TABLE a"),
        ("CREATE TRIGGER t AFTER INSERT ON a FOR EACH ROW DO 1", "TRIGGER t"),
        ("CREATE SCHEMA IF NOT EXISTS s", "DATABASE s"),
        ("ALTER TABLE a ADD b INT", "TABLE a"),
        ("ALTER TABLE a RENAME TO b", "TABLE a, TABLE b"),
        ("DROP TABLE IF EXISTS a, b.c", "TABLE a, TABLE b.c"),
        ("DROP INDEX i ON a", "TABLE a"),
        ("RENAME TABLE a TO b, c TO d", "TABLE a, TABLE b, TABLE c, TABLE d"),
        ("TRUNCATE TABLE a", "TABLE a"),
        ("TRUNCATE a", "TABLE a"),
    ],
)
def test_the_objects_of_a_definition(text: str, objects: str) -> None:
    effect = read(text)
    assert effect.kind is StatementKind.DEFINITION
    assert ", ".join(f"{thing.sort} {thing.name.decode()}" for thing in effect.objects) == objects
    # An index is a change of its table.
    assert effect.verb.decode() == ("ALTER" if " INDEX " in text else text.split(maxsplit=1)[0])


@pytest.mark.parametrize(
    ("text", "replaces"),
    [
        ("TRUNCATE TABLE a", True),
        ("CREATE OR REPLACE TABLE a (i INT)", True),
        ("CREATE TABLE a (i INT)", False),
        ("DROP TABLE a", False),
        ("ALTER TABLE a ADD b INT", False),
        ("RENAME TABLE a TO t, b TO a, t TO b", True),
    ],
)
def test_whether_rows_go_although_the_definition_stays(text: str, replaces: bool) -> None:
    assert read(text).replaces is replaces


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("ALTER TABLE a ADD b INT", True),
        # It may be what it was, and have done something.
        ("ALTER TABLE a DROP b, ADD b INT", False),
        ("CREATE TABLE a AS SELECT f()", False),
    ],
)
def test_whether_nothing_is_done_if_nothing_shows(text: str, plain: bool) -> None:
    assert read(text).plain is plain


def test_a_temporary_table_commits_nothing() -> None:
    for text in ("CREATE TEMPORARY TABLE a (i INT)", "DROP TEMPORARY TABLE a"):
        assert read(text).kind is StatementKind.DATA


def test_what_a_table_is_filled_with_is_named() -> None:
    assert read("CREATE TABLE a AS SELECT * FROM b").names == (b"b",)
    assert not read("CREATE TABLE a AS SELECT * FROM b").whole
