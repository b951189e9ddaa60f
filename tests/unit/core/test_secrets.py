# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is registered is in no message, in whatever form others quote it; and no message steers a terminal."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core import secrets
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import (
    clean,
    link_no_log_values,
    register_secret,
)
from ansible_collections.dbops.migrations.plugins.module_utils._git.errors import explain
from ansible_collections.dbops.migrations.plugins.module_utils._git.reference import Address
from ansible_collections.dbops.migrations.plugins.module_utils._migration.messages import quoted
from hypothesis import given
from hypothesis import strategies as st

MASK = "********"
ADDRESS = Address("git@git.example.com:shop.git", "ssh", "git.example.com")
KEY = (
    "-----BEGIN OPENSSH PRIVATE KEY-----\n"
    "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    "QyNTUxOQAAACBcanary/canary+canarycanarycanarycanarycanarycanaryAAAAECAwQ\n"
    "QFBg==\n"
    "-----END OPENSSH PRIVATE KEY-----\n"
)


@pytest.fixture(autouse=True)
def nothing_registered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Begin without the secrets of other tests."""
    monkeypatch.setattr(secrets, "_registered", set())


def test_nothing_is_registered() -> None:
    for nothing in (None, ""):
        register_secret(nothing)
    assert clean("a message") == "a message"


@pytest.mark.parametrize(
    "secret", ["pa55", "p@ss/w%rd €?", 'it\'s "quoted" \\ here', "two\nlines", "tab\there", " x1y2 "]
)
def test_a_secret_is_masked_in_every_form(secret: str) -> None:
    register_secret(secret)
    for form in (secret, secret.strip(), quote(secret, safe=""), repr(secret)[1:-1]):
        assert clean(f"before {form}, after") == f"before {MASK}, after"


def test_what_has_been_brought_to_ascii() -> None:
    register_secret("pä55\x1bwört")
    assert clean("remote: p?55?w?rt is wrong") == f"remote: {MASK} is wrong"
    assert clean("pä55\x1bwört") == MASK


def test_each_long_line_of_a_key() -> None:
    register_secret(KEY)
    lines = KEY.splitlines()
    for line in lines[1:3]:
        assert clean(f"bad line {line}.") == f"bad line {MASK}."
    # These are in every key, and short words may be anywhere.
    for line in (lines[0], lines[3], lines[4]):
        assert clean(line) == line
    assert clean(f"all of it: {KEY}") == f"all of it: {MASK}"


def test_a_line_that_is_the_whole_secret_is_not_a_line() -> None:
    register_secret("short")
    register_secret("one line of more than sixteen")
    assert clean("one line of more") == "one line of more"


def test_the_longest_first() -> None:
    register_secret("canary")
    register_secret("canary-and-more")
    register_secret("more")
    assert clean("canary-and-more, canary, more") == f"{MASK}, {MASK}, {MASK}"


def test_what_steers_a_terminal_goes() -> None:
    assert clean("a\tb\nc") == "a\tb\nc"
    assert clean("\x1b[2J\x1b]0;title\x07\r\x08\x7f\x9b31m\x00\x0b\x0c") == "?[2J?]0;title??" + "??" + "?31m???"
    for number in (*range(0x20), *range(0x7F, 0xA0)):
        kept = chr(number) in "\t\n"
        assert clean(chr(number)) == (chr(number) if kept else "?")
    assert clean("ä€𝄞") == "ä€𝄞"


def test_a_secret_does_not_come_to_be_by_cleaning() -> None:
    register_secret("pa?55")
    assert clean("pa\x1b55") == MASK


def test_half_a_character() -> None:
    register_secret("\ud800canary")
    assert clean("x \ud800canary y \udfff") == f"x {MASK} y \udfff"


def test_secrets_are_shared() -> None:
    register_secret("before")
    masked = {"an option's"}
    link_no_log_values(masked)
    register_secret("after")
    assert {"before", "after", "an option's"} <= masked
    assert clean("before, after, an option's, an%20option%27s") == ", ".join([MASK] * 4)
    masked.add("later")
    assert clean("later") == MASK


@pytest.mark.parametrize("length", range(60, 320, 7))
def test_what_is_cut_is_masked_before(length: int) -> None:
    """Half a secret is not known as one: a statement's quotation ends, and git's detail."""
    register_secret("canary-that-is-a-little-longer")
    beginning = "x" * length
    for message in (
        quoted(f"{beginning}'canary-that-is-a-little-longer'".encode()),
        explain(f"fatal: {beginning} canary-that-is-a-little-longer", ADDRESS, 60).text,
    ):
        assert "canary" not in message
        assert "xxx" in message


TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS.filter(lambda text: len(text) >= 4 and "*" not in text), TEXTS, TEXTS)
def test_no_message_holds_a_secret(secret: str, before: str, after: str) -> None:
    secrets._registered = set()
    register_secret(secret)
    for form in (secret, repr(secret)[1:-1], quote(secret, safe="")):
        message = clean(before + form + after)
        assert secret not in message
        assert clean(secret) == MASK
        assert not any(ord(sign) < 32 and sign not in "\t\n" for sign in message)


# What ends a line unseen or turns the direction of writing.
TURNS = {0x200E, 0x200F, *range(0x2028, 0x202F), *range(0x2066, 0x206A)}


@given(st.lists(TEXTS, max_size=4), TEXTS)
def test_texts_without_a_secret_stay(registered: list[str], text: str) -> None:
    secrets._registered = set()
    for secret in registered:
        register_secret(secret)
    if MASK not in clean(text):
        assert clean(text) == "".join(
            sign if sign in "\t\n" or not (ord(sign) < 32 or 127 <= ord(sign) < 160 or ord(sign) in TURNS) else "?"
            for sign in text
        )
