# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement with all that its text tells."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Statement
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import (
    ClassifiedStatement,
    classified,
    digest,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import StatementKind
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.session_state import (
    SessionRecorder,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import LARGE

MARIADB = Dialect(mariadb=True, version=101119)


def known(
    text: str | bytes, recorder: SessionRecorder | None = None, dialect: Dialect = MARIADB
) -> ClassifiedStatement:
    found = text if isinstance(text, bytes) else text.encode()
    return classified(Statement(1, 1, 1, found), dialect, recorder)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("INSERT INTO a VALUES (1)", True),
        ("UPDATE a SET b = 1", True),
        ("CREATE TABLE a (i INT)", True),
        ("DROP TABLE a", True),
        ("CALL p()", True),
        ("CALL p(@a)", False),
        ("INSERT INTO a VALUES (@b := 1)", False),
        ("INSERT INTO a VALUES (f(@b := 1))", False),
        ("SELECT 1", False),
        ("SET @a = 1", False),
        ("CREATE VIEW v AS SELECT 1", False),
        ("CREATE PROCEDURE p() SELECT 1", False),
        ("LOCK TABLES a READ", False),
        ("EXECUTE p", False),
        ("INSERT INTO a VALUES ('" + "x" * LARGE + "')", False),
        ("INSERT INTO a VALUES (1)\0", False),
    ],
)
def test_what_may_be_followed_in_its_packet(text: str, expected: bool) -> None:
    assert known(text).batchable is expected


def test_a_statement_that_stores_its_text_to_the_end_is_followed_by_nothing() -> None:
    statement = Statement(1, 1, 1, b"CREATE TABLE a (i INT)", b"; #")
    assert not classified(statement, MARIADB, None).batchable


def test_what_may_be_several_statements_is_opaque() -> None:
    found = classified(Statement(1, 1, 1, b"INSERT INTO a VALUES (1)", bounded=False), MARIADB, None)
    assert (found.effect.kind, found.batchable, found.digest) == (
        StatementKind.OPAQUE,
        False,
        digest(b"INSERT INTO a VALUES (1)"),
    )
    assert known("INSERT INTO a VALUES (1)", dialect=MARIADB._replace(oracle=True)).effect.kind is StatementKind.OPAQUE


def test_what_is_executed_is_known_to_its_session() -> None:
    recorder = SessionRecorder()
    recorder.prepared = {
        "p": b"INSERT INTO a VALUES (?)",
        "q": "INSERT INTO \u00e4 VALUES (1)".encode(),
        "r": b"SELECT FOUND_ROWS()",
    }
    assert known("EXECUTE p").effect.kind is StatementKind.OPAQUE
    found = known("EXECUTE /* x */ `P` USING @b", recorder)
    assert (found.effect.kind, found.effect.plain, found.resolved_text) == (
        StatementKind.DATA,
        True,
        b"INSERT INTO a VALUES (?)",
    )
    assert found.digest == digest(b"EXECUTE /* x */ `P` USING @b")
    assert not known("EXECUTE q", recorder).effect.plain
    assert known("EXECUTE r", recorder).reads_diagnostics
    assert known("EXECUTE s", recorder).effect.verb == b"EXECUTE"
    assert known("EXECUTE s", recorder).resolved_text == b"EXECUTE s"
