# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far an attempt got, as a text: what is written is what is read again, and it stays small."""

from __future__ import annotations

import hashlib
import json

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import digest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import Object
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.session_state import (
    Entry,
    SessionRecorder,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.checkpoint import (
    Checkpoint,
    InFlightStatement,
    Position,
    load,
)
from hypothesis import given
from hypothesis import strategies as st

# As session_state.py makes texts of bytes.
TEXTS = st.binary(max_size=20).map(lambda data: data.decode("utf-8", "surrogateescape"))
OBJECTS = st.builds(Object, st.sampled_from(["TABLE", "USER", "PACKAGE BODY"]), st.binary(max_size=20))
FLIGHTS = st.builds(
    InFlightStatement,
    st.binary(max_size=9).map(digest),
    st.lists(OBJECTS, max_size=3).map(tuple),
    st.lists(st.none() | st.sampled_from(["absent", "0123abcd"]), max_size=6).map(tuple),
    st.none(),
    st.just(()),
)


def reached(*texts: bytes) -> Position:
    place = Position()
    for text in texts:
        place = place.after(digest(text))
    return place


@given(
    st.lists(st.binary(max_size=9), max_size=300),
    st.none() | FLIGHTS,
    st.lists(FLIGHTS, max_size=3).map(tuple),
    st.none() | st.integers(2, 9),
    st.lists(st.tuples(st.integers(0, 400), st.none() | TEXTS, TEXTS), max_size=9),
    st.none() | st.integers(0, 2**31),
)
def test_there_and_back(
    texts: list[bytes],
    flight: InFlightStatement | None,
    behind: tuple[InFlightStatement, ...],
    section: int | None,
    entries: list[tuple[int, str | None, str]],
    written_at: int | None,
) -> None:
    log = SessionRecorder(Entry(*entry) for entry in entries)
    place = reached(*texts)
    if flight is not None and section is not None:
        flight = flight._replace(last=len(texts) + section)
    elif flight is not None:
        flight = flight._replace(behind=behind)
    text = Checkpoint(place, flight, log, written_at).dump(place, flight)
    assert text.isascii()
    begun = len(texts) if flight is None else flight.until(len(texts))
    again = load(len(texts), begun, text)
    assert (again.reached, again.in_flight, again.written_at) == (place, flight, written_at)
    assert again.log.entries == [entry for entry in log.entries if entry.number <= len(texts)]
    assert again.dump(again.reached, again.in_flight) == text


@pytest.mark.parametrize("text", [None, "", "{}"])
def test_nothing_is_known(text: str | None) -> None:
    found = load(3, 3, text)
    assert (found.reached, found.in_flight, found.log.entries, found.written_at) == (Position(3), None, [], None)


@pytest.mark.parametrize(
    ("done", "begun", "text"),
    [
        (0, 0, "not JSON"),
        (0, 0, '"a text"'),
        (0, 1, '{"flight": "d"}'),
        (0, 1, '{"flight": "d", "objects": [1], "before": []}'),
        (0, 1, '{"session": [{"nothing": 1}]}'),
        (0, 1, '{"digests": 5}'),
        (-1, 0, "{}"),
        (2, 1, "{}"),
    ],
)
def test_what_something_else_has_written_is_refused(done: int, begun: int, text: str) -> None:
    with pytest.raises(Error) as caught:
        load(done, begun, text)
    assert str(caught.value) == (
        "The history has a row that dbops.migrations has not written, or that has been changed since. Restore the "
        "history table from a backup, or choose another history_table. Nothing was changed."
    )


def test_a_chain_is_of_all_statements_in_their_order() -> None:
    places = [reached(), reached(b"a"), reached(b"b"), reached(b"a", b"b"), reached(b"b", b"a"), reached(b"ab")]
    assert len({place.chain for place in places}) == len(places)
    assert reached(b"a", b"b") == reached(b"a").after(digest(b"b"))


def test_a_digest_is_the_start_of_the_sha256() -> None:
    assert digest(b"SELECT 1") == hashlib.sha256(b"SELECT 1").hexdigest()
    assert reached(b"SELECT 1").digests == (digest(b"SELECT 1")[:8],)


def test_many_statements_do_not_make_it_longer() -> None:
    few, many = (reached(*[b"%d" % number for number in range(count)]) for count in (250, 5000))
    short, long = (Checkpoint().dump(place, None) for place in (few, many))
    assert len(long) == len(short) < 2200
    assert load(5000, 5000, long).reached.after(digest(b"x")) == many.after(digest(b"x"))


def test_variables_that_are_set_over_and_over_do_not_make_it_longer() -> None:
    log = SessionRecorder(Entry(number, f"SET @a = {number}", key="@a") for number in range(5000))
    assert json.loads(Checkpoint(log=log).dump(Position(4999), None))["session"] == [
        {"number": 4999, "sql": "SET @a = 4999", "what": "", "key": "@a", "prepares": False}
    ]


def test_statements_that_are_prepared_over_and_over_do_not_make_it_longer() -> None:
    """It is how scripts make a definition depend on a condition."""

    def kept(count: int) -> int:
        entries = []
        for number in range(0, count, 4):
            entries.append(Entry(number, "SET @s = 'ALTER TABLE a ADD b INT'", key="@s"))
            entries.append(Entry(number + 1, "ALTER TABLE a ADD b INT", "p", "PREPARE p", prepares=True))
            entries.append(Entry(number + 3, "DEALLOCATE PREPARE p", "p", "PREPARE p"))
        return len(Checkpoint(log=SessionRecorder(entries)).dump(Position(count), None))

    assert kept(4000) < kept(400) + 100
