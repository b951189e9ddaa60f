# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Texts in statements of ours."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.statements import text_literal
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("text", "literal"),
    [
        ("plain", "'plain'"),
        ("it's", "'it''s'"),
        ("''", "''''''"),
        ("", "_utf8mb4 X''"),
        ("a\\", "_utf8mb4 X'615c'"),
        ("é", "_utf8mb4 X'c3a9'"),
        ("a\0", "_utf8mb4 X'6100'"),
    ],
)
def test_how_a_text_is_written(text: str, literal: str) -> None:
    assert text_literal(text) == literal


@given(st.text())
def test_it_is_ascii_and_needs_no_escapes(text: str) -> None:
    literal = text_literal(text)
    assert literal.isascii()
    assert "\\" not in literal
    if literal.startswith("_utf8mb4 X'"):
        assert bytes.fromhex(literal[11:-1]).decode() == text
    else:
        assert literal[1:-1].replace("''", "'") == text
