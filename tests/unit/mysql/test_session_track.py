# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server says about a session: the bytes, and what is known after them."""

from __future__ import annotations

from typing import Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session_track import (
    AUTOCOMMIT,
    IN_TRANSACTION,
    MORE_RESULTS,
    STATE_CHANGED,
    Changes,
    Ending,
    SessionState,
    TransactionReport,
    read_changes,
    read_eof,
    read_ok,
    read_transaction,
)
from hypothesis import given
from hypothesis import strategies as st

# A whole answer of MariaDB 10.11's to the last row of CALL p(), which did SET NAMES cp932 and wrote a table of MyISAM.
RECORDED = (
    bytes.fromhex("fe00000bc00000")
    + b"\x00"
    + b"\x6c"
    + b"\x00\x1b\x14character_set_client\x05cp932"
    + b"\x00\x1f\x18character_set_connection\x05cp932"
    + b"\x00\x1c\x15character_set_results\x05cp932"
    + b"\x05\x09\x08T__w__S_"
    + b"\x01\x03\x02t1"
)


def length(number: int) -> bytes:
    """A length-encoded integer."""
    for limit, head, size in ((0xFB, b"", 1), (1 << 16, b"\xfc", 2), (1 << 24, b"\xfd", 3)):
        if number < limit:
            return head + number.to_bytes(size, "little")
    return b"\xfe" + number.to_bytes(8, "little")


def text(value: bytes) -> bytes:
    """A length-encoded string."""
    return length(len(value)) + value


def entry(kind: int, *values: str) -> bytes:
    """One entry of the session state information."""
    return bytes([kind]) + text(b"".join(text(value.encode()) for value in values))


def rest(*entries: bytes, message: bytes = b"") -> bytes:
    """What follows the count of warnings."""
    return text(message) + text(b"".join(entries))


def test_a_recorded_answer() -> None:
    ending = read_ok(RECORDED)
    assert ending.status == 0xC00B
    assert ending.status & MORE_RESULTS
    assert ending.status & STATE_CHANGED
    names = dict.fromkeys(("character_set_client", "character_set_connection", "character_set_results"), "cp932")
    assert read_changes(ending.rest) == Changes(names, "t1", "T__w__S_")


def test_an_eof_packet() -> None:
    assert read_eof(b"\xfe\x02\x00\x0b\x01") == Ending(0x010B, b"")


def test_numbers_of_every_length_are_read() -> None:
    for value in (0, 250, 251, 65535, 65536, (1 << 24) - 1, 1 << 24):
        assert read_ok(b"\xfe" + length(value) * 2 + b"\x02\x00\x05\x00rest") == Ending(2, b"rest")


@pytest.mark.parametrize("size", [0, 1, 250, 251, 65535, 65536])
def test_texts_of_every_length_are_read(size: int) -> None:
    value = "x" * size
    entries = entry(0, "sql_mode", value), entry(1, "after")
    assert read_changes(rest(*entries, message=b"Rows matched: 1")) == Changes({"sql_mode": value}, "after")


def test_kinds_that_are_not_known_are_left_out() -> None:
    entries = entry(2, "1"), entry(3, "uuid:1-5"), entry(99, "?"), bytes([98, 0]), entry(5, "T_______")
    assert read_changes(rest(*entries)) == Changes({}, None, "T_______")


def test_no_schema_and_no_word_of_it_differ() -> None:
    assert read_changes(rest(entry(1, ""))).schema == ""
    assert read_changes(rest(entry(0, "autocommit", "ON"))).schema is None


def test_the_last_word_counts() -> None:
    entries = entry(0, "sql_mode", "ANSI"), entry(0, "sql_mode", ""), entry(5, "T_______"), entry(5, "I_______")
    assert read_changes(rest(*entries)) == Changes({"sql_mode": ""}, None, "I_______")


@given(st.integers(0, len(RECORDED) - 8))
def test_an_answer_that_is_truncated_says_nothing(kept: int) -> None:
    assert read_changes(RECORDED[7 : 7 + kept]) == Changes({})


@given(st.binary())
def test_no_bytes_make_it_fail(data: bytes) -> None:
    assert isinstance(read_changes(data), Changes)


@given(
    st.lists(
        st.one_of(
            st.tuples(st.just(0), st.text(max_size=30), st.text(max_size=300)),
            st.tuples(st.just(1), st.text(max_size=64)),
            st.tuples(st.just(5), st.text("TI_rRwWsSL", min_size=8, max_size=8)),
            st.tuples(st.sampled_from((2, 3, 4, *range(6, 256))), st.text(max_size=9)),
        )
    ),
    st.binary(max_size=300),
)
def test_what_is_written_is_read(entries: list[tuple[int, ...]], message: bytes) -> None:
    last: dict[int, Optional[str]] = dict.fromkeys((1, 5))
    variables: dict[str, str] = {}
    for kind, *values in entries:
        texts = [str(value) for value in values]
        if kind == 0:
            variables[texts[0]] = texts[1]
        elif kind in last:
            last[kind] = texts[0]
    packed = rest(*(entry(kind, *map(str, values)) for kind, *values in entries), message=message)
    assert read_changes(packed) == Changes(variables, last[1], last[5])


@pytest.mark.parametrize(
    ("state", "report"),
    [
        ("________", TransactionReport()),
        ("T_______", TransactionReport(explicit=True)),
        ("I_R___S_", TransactionReport(implicit=True, reads=True, result_sent=True)),
        ("Tr_w____", TransactionReport(explicit=True, nontransactional_reads=True, nontransactional_writes=True)),
        ("T___Ws__", TransactionReport(explicit=True, writes=True, unsafe=True)),
        ("_______L", TransactionReport(table_locks=True)),
        ("TrRwWsSL", TransactionReport(True, False, True, True, True, True, True, True, True)),
        ("T__w", TransactionReport(explicit=True, nontransactional_writes=True)),
        ("", TransactionReport()),
    ],
)
def test_the_eight_places(state: str, report: TransactionReport) -> None:
    assert read_transaction(state) == report


def test_a_session_follows_what_is_reported() -> None:
    state = SessionState()
    state.status, state.variables, state.schema = AUTOCOMMIT | IN_TRANSACTION, {"sql_mode": ""}, "a"
    state.take(Changes({"sql_mode": ""}, "a", "T__w____"))
    assert (state.schema, state.variables, state.changed) == ("a", {"sql_mode": ""}, False)
    assert state.transaction == TransactionReport(explicit=True, nontransactional_writes=True)
    state.take(Changes({}, ""))
    assert state.schema is None
    assert state.changed
    state.changed = False
    state.take(Changes({"sql_mode": "ANSI"}))
    assert (state.variables, state.changed) == ({"sql_mode": "ANSI"}, True)
    assert state.transaction.explicit


def test_of_a_transaction_that_is_over_only_the_table_locks_count() -> None:
    state = SessionState()
    state.status = IN_TRANSACTION
    state.take(Changes({}, None, "T__wW__L"))
    assert state.transaction.writes
    state.status = AUTOCOMMIT
    assert state.transaction == TransactionReport(table_locks=True)
