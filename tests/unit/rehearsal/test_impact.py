# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a clause goes in a statement."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.impact import target


@pytest.mark.parametrize(
    ("text", "table", "expected"),
    [
        ("ALTER TABLE t ADD a INT", "t", "ALTER TABLE t  ALGORITHM=A, LOCK=L, ADD a INT"),
        ("alter ignore table `a b` drop x", "a b", "alter ignore table `a b`  ALGORITHM=A, LOCK=L, drop x"),
        ("ALTER TABLE IF EXISTS t WAIT 5 DROP a", "t", "ALTER TABLE IF EXISTS t WAIT 5  ALGORITHM=A, LOCK=L, DROP a"),
        ("ALTER TABLE t /* x */\nADD a INT -- y", "t", "ALTER TABLE t /* x */\n ALGORITHM=A, LOCK=L, ADD a INT -- y"),
        ("CREATE INDEX i ON t (a) -- y", "t", "CREATE INDEX i ON t (a) -- y\nALGORITHM=A LOCK=L"),
        ("CREATE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON `t` (a)", "t",
         "CREATE UNIQUE INDEX IF NOT EXISTS i USING BTREE ON `t` (a)\nALGORITHM=A LOCK=L"),
        ("DROP INDEX IF EXISTS `i` ON t", "t", "ALTER TABLE t ALGORITHM=A, LOCK=L, DROP INDEX IF EXISTS `i`"),
    ],
)  # fmt: skip
def test_a_clause_goes_where_the_server_takes_it(text: str, table: str, expected: str) -> None:
    """Directly behind the table's name: a comma after it separates it from whatever comes."""
    found = target(text.encode(), Dialect())
    assert found is not None
    assert not found.own
    assert (found.table, found.spelled("A", "L").decode()) == (table, expected)


@pytest.mark.parametrize(
    "text",
    [
        "CREATE TABLE t (id INT)",
        "ALTER VIEW v AS SELECT 1",
        "ALTER TABLE other.t ADD a INT",
        "ALTER TABLE t",
        "ALTER TABLE t /*!50000 ADD a INT */",
        "DROP INDEX",
        "DROP TABLE t",
        "INSERT INTO t VALUES (1)",
    ],
)
def test_other_statements_are_left_alone(text: str) -> None:
    """Also one about another schema's table, and what a comment may hold."""
    assert target(text.encode(), Dialect()) is None


@pytest.mark.parametrize("clause", ["ALGORITHM = COPY", "LOCK=NONE", "algorithm inplace"])
def test_a_clause_of_the_files_own_is_seen(clause: str) -> None:
    """Such a statement is carried out as it stands."""
    found = target(f"ALTER TABLE t ADD a INT, {clause}".encode(), Dialect())
    assert found is not None
    assert found.own
