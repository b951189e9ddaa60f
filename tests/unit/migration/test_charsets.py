# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of the client's character sets; Python's own codecs have a say in it."""

from __future__ import annotations

import re

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.charsets import (
    _KNOWN,
    byte_class,
    character_set,
    is_known,
)


@pytest.mark.parametrize("name", ["cp932", "sjis", "gbk", "big5", "gb18030", "euckr"])
def test_no_character_is_cut(name: str) -> None:
    """Whatever Python writes as a lead byte with ASCII after it is one character to the lexer, too."""
    known = character_set(name)
    wide = re.compile(known.wide, re.DOTALL)
    seen = 0
    for number in range(0x80, 0x10000):
        encoded = chr(number).encode(known.codec, "ignore")
        if len(encoded) > 1 and any(byte < 0x80 for byte in encoded):
            seen += 1
            match = wide.match(encoded)
            assert match is not None
            assert match.end() == len(encoded), encoded
    assert seen > 100


def test_a_lead_byte_alone_is_one_byte() -> None:
    for name in ("cp932", "gbk", "big5", "gb18030"):
        wide = re.compile(character_set(name).wide, re.DOTALL)
        for follower in (b"'", b'"', b";", b" ", b"\n", b""):
            match = wide.match(b"\xa5" + follower if name != "cp932" else b"\x95" + follower)
            assert match is not None
            assert match.end() == 1


def test_which_are_known() -> None:
    assert all(map(is_known, ("utf8mb4", "utf8mb3", "utf8", "latin1", "binary", "cp932")))
    assert not is_known("utf16")
    assert character_set("utf16") is character_set("utf8mb4")


def test_each_has_a_codec() -> None:
    for known in _KNOWN.values():
        assert b"a\xff".decode(known.codec, "replace")[:1] == "a"
        assert not set(known.blank) & set(known.lead)
        assert re.compile(b"[" + byte_class(known.high) + b"]").match(b"\xe9" if not known.lead else known.high[:1])
