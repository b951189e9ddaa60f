# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SET gives a value to, and how far that reaches."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import StatementKind
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.settings import read_set
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.tokens import Tokens

K = StatementKind


@pytest.mark.parametrize(
    ("text", "kind", "sets"),
    [
        ("SET a = 1", K.SESSION, ["a"]),
        ("SET SESSION A = 1, @@LOCAL.b = 2, @@session.`C` = 3", K.SESSION, ["a", "b", "c"]),
        ("SET @a = 1, @`B c` := 2", K.SESSION, ["@a", "@`B c`"]),
        ("SET NAMES latin1", K.SESSION, ["names"]),
        ("SET autocommit = 0", K.SESSION, ["autocommit"]),
        ("SET GLOBAL a = 1", K.REPEATABLE, ["GLOBAL"]),
        ("SET PERSIST a = 1", K.REPEATABLE, ["GLOBAL"]),
        ("SET @@GLOBAL.a = -1", K.REPEATABLE, ["GLOBAL"]),
        ("SET GLOBAL a = 1, b = 2", K.SESSION, ["GLOBAL", "b"]),
        # Each time it would be another value.
        ("SET GLOBAL a = @@GLOBAL.a + 10", K.OPAQUE, ["GLOBAL"]),
        ("SET GLOBAL a = f()", K.OPAQUE, ["GLOBAL"]),
        ("SET PASSWORD = 'x'", K.OPAQUE, []),
        ("SET DEFAULT ROLE a TO b", K.REPEATABLE, []),
        ("SET TRANSACTION READ ONLY", K.NEXT_TRANSACTION, []),
        ("SET @@transaction_isolation = 'SERIALIZABLE'", K.NEXT_TRANSACTION, ["transaction_isolation"]),
        ("SET @@SESSION.transaction_isolation = 'SERIALIZABLE'", K.SESSION, ["transaction_isolation"]),
        ("SET transaction_isolation = 'SERIALIZABLE'", K.SESSION, ["transaction_isolation"]),
        ("SET @a = (SELECT i FROM t)", K.DATA, ["@a"]),
        ("SET @a = NEXT VALUE FOR s", K.DATA, ["@a"]),
    ],
)
def test_what_is_set(text: str, kind: StatementKind, sets: list[str]) -> None:
    tokens = Tokens(text.encode(), Dialect(mariadb=True, version=101119))
    assert tokens.take().text == b"SET"
    effect = read_set(tokens)
    assert (effect.kind, [name.decode() for name in effect.sets]) == (kind, sets)
    assert [name.decode() for name in effect.assigns] == [name for name in sets if name.startswith("@")]


@pytest.mark.parametrize(
    "text", ["SET @a = @b := 2", "SET @a := 1 + @b := 2", "SET sql_mode = @b := ''", "SET @a = (@b := 2)"]
)
def test_a_variable_that_gets_its_value_within_an_expression_is_seen(text: str) -> None:
    tokens = Tokens(text.encode(), Dialect(mariadb=True, version=101119))
    tokens.take()
    assert b"@b" in read_set(tokens).assigns


@pytest.mark.parametrize(
    ("text", "plain", "names"),
    [
        ("SET @a = (SELECT i FROM t)", True, [b"t"]),
        ("SET @a = NOW()", True, []),
        ("SET @a = f()", False, []),
        ("SET @a = NEXT VALUE FOR s", False, []),
    ],
)
def test_what_a_value_is_computed_of(text: str, plain: bool, names: list[bytes]) -> None:
    tokens = Tokens(text.encode(), Dialect(mariadb=True, version=101119))
    tokens.take()
    effect = read_set(tokens)
    assert (effect.plain, list(effect.names)) == (plain, names)
