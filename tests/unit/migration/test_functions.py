# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which functions have no effect of their own, by server and version; the servers have the last word in
tests/integration/migration/test_statements.py."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.functions import (
    KEYWORDS,
    functions,
    harmless,
)

SERVERS = [(True, 100200), (True, 101119), (False, 50700), (False, 80033), (False, 90704)]


@pytest.mark.parametrize(("mariadb", "version"), SERVERS)
def test_what_changes_something_beyond_its_statement_is_on_no_list(mariadb: bool, version: int) -> None:
    bad = {b"GET_LOCK", b"RELEASE_LOCK", b"RELEASE_ALL_LOCKS", b"NEXTVAL", b"SETVAL", b"LASTVAL", b"SYS_EXEC", b"LOAD"}
    assert bad.isdisjoint(functions(mariadb, version))
    assert bad.isdisjoint(KEYWORDS)
    assert {b"NOW", b"COUNT", b"CONCAT", b"LAST_INSERT_ID"} <= functions(mariadb, version)


@pytest.mark.parametrize(
    ("name", "known"),
    [
        # A function of a user's may have the name that a server does not know.
        (b"JSON_EXTRACT", {(True, 101119), (False, 80033), (False, 90704)}),
        (b"NVL", {(True, 101119)}),
        (b"UUID_TO_BIN", {(False, 80033), (False, 90704)}),
        (b"MD5", {(True, 100200), (True, 101119), (False, 50700), (False, 80033)}),
    ],
)
def test_a_server_knows_its_own(name: bytes, known: set[tuple[bool, int]]) -> None:
    assert {server for server in SERVERS if name in functions(*server)} == known


def test_a_dialect_is_its_servers() -> None:
    assert harmless(Dialect(mariadb=True, version=101119)) == functions(True, 101119)


def test_names_are_in_upper_case() -> None:
    for server in SERVERS:
        assert all(name == name.upper() and name.isascii() for name in functions(*server))
    assert KEYWORDS.isdisjoint(functions(True, 101119) - {b"INSERT", b"VALUES", b"BINARY"})
