# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Commands of the mysql client that a file may hold, so that a message can name them."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.client import client_command


@pytest.mark.parametrize(
    ("text", "command"),
    [
        (b"SOURCE other.sql", "SOURCE"),
        (b"source other.sql;", "source"),
        (b"\\. other.sql", "\\."),
        (b"\\! ls", "\\!"),
        (b"\\u x", "\\u"),
        (b"system ls", "system"),
        (b"delimiter", "delimiter"),
        (b"SELECT 1\\G", "\\G"),
        (b"SELECT 1\\g \n", "\\g"),
        (b"SELECT 1\\G\nSELECT 2", "\\G"),
        (b"USE x\nCREATE TABLE a (b INT)", "USE without a semicolon"),
        (b"use `x y`\r\nSELECT 1", "USE without a semicolon"),
    ],
)
def test_it_is_one(text: bytes, command: str) -> None:
    assert client_command(text) == command


@pytest.mark.parametrize(
    "text",
    [b"SELECT 1", b"USE x", b"SELECT '\\G' FROM t", b"SELECT \\N", b"sources", b"CREATE TABLE source (a INT)", b""],
)
def test_other_statements_are_not_client_commands(text: bytes) -> None:
    assert client_command(text) is None
