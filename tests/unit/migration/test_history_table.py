# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The history table: its statements, and what its rows explain."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Move, State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import (
    AttemptRecord,
    HistoryTable,
    literal,
)
from unit.migration.fakes import FakeSession, record, refusal

NAME = "`shop`.`h`"


def table(part: str = "", answer: Any = ()) -> tuple[HistoryTable, FakeSession]:
    fake = FakeSession()
    if part:
        fake.answers[part] = answer
    session: Any = fake
    return HistoryTable(session, "h"), fake


# Rows.


@pytest.mark.parametrize(
    ("row", "state", "expected"),
    [
        (record(outcome="running"), State(1, True), True),
        (record(outcome="failed"), State(1, True), True),
        (record(outcome="interrupted"), State(1, True), True),
        (record(outcome="failed", direction="down", leads_to=None), State(None, True), True),
        (record(outcome="applied"), State(1, True), False),
        (record(outcome="failed"), State(1, False), False),
        (record(outcome="failed"), State(2, True), False),
        (record(outcome="failed", leads_to=2), State(1, True), False),
        (record(outcome="failed", direction="force"), State(1, True), False),
        (record(outcome="failed", version=None), State(1, True), False),
    ],
)
def test_which_state_an_attempt_explains(row: AttemptRecord, state: State, expected: bool) -> None:
    assert row.explains(state) is expected


def test_a_moment_is_in_utc() -> None:
    row = record(started_at=datetime(2026, 11, 5, 12, 30, 15, 999999))
    assert row.moment == "2026-11-05T12:30:15Z"


# Reading.


@pytest.mark.parametrize(("columns", "there"), [(AttemptRecord._fields, True), ((), False)])
def test_whether_it_is_there(columns: tuple[str, ...], there: bool) -> None:
    found, session = table("information_schema.columns", [(name,) for name in columns])
    assert found.exists() is there
    assert session.queries[-1].endswith("WHERE table_schema = 'shop' AND table_name = 'h'")


@pytest.mark.parametrize("columns", [("id",), (*AttemptRecord._fields, "more"), AttemptRecord._fields[:-1]])
def test_a_table_of_something_else_is_left_alone(columns: tuple[str, ...]) -> None:
    found, _session = table("information_schema.columns", [(name,) for name in columns])
    with pytest.raises(
        Error, match=r"The table h in shop is not a history table of dbops.migrations: it has the columns .*id"
    ):
        found.exists()


def test_rows_come_in_the_order_of_the_columns() -> None:
    row = record(3, "failed", 2, 4, error="e")
    found, session = table(f"FROM {NAME}", [tuple(row)])
    assert found.rows() == [row]
    assert found.last() == row
    names = ", ".join(AttemptRecord._fields)
    assert session.queries == [
        f"SELECT {names} FROM {NAME} WHERE 1 = 1 ORDER BY id",
        f"SELECT {names} FROM {NAME} WHERE 1 = 1 ORDER BY id DESC LIMIT 1",
    ]


def test_an_empty_table() -> None:
    found, _session = table()
    assert (found.last(), found.last_id(), found.rows()) == (None, 0, [])


def test_the_newest_rows_number() -> None:
    found, session = table("SELECT id", [(7,)])
    assert (found.last_id(), found.last_id(now=True)) == (7, 7)
    question = f"SELECT id FROM {NAME} ORDER BY id DESC LIMIT 1"
    assert session.queries == [question, f"{question} LOCK IN SHARE MODE"]


def test_what_has_succeeded_and_the_newest_that_has_not() -> None:
    rows = [(1, "up", 1, "c", None, 0), (2, "up", 2, None, "{}", 1)]
    found, session = table("SELECT version, direction", rows)
    assert found.moves() == [Move(1, "up", 1, "c", None), Move(2, "up", 2, None, "{}", True)]
    assert session.queries[-1].endswith(
        f"WHERE outcome = 'applied' OR (begun > 0 AND id = (SELECT MAX(id) FROM {NAME})) ORDER BY id"
    )


@pytest.mark.parametrize(
    ("outcome", "state", "expected"),
    [
        ("applied", State(3, False), True),
        ("applied", State(3, True), False),
        ("applied", State(4, False), False),
        ("failed", State(3, False), False),
    ],
)
def test_whether_an_attempt_has_led_to_a_state(outcome: str, state: State, expected: bool) -> None:
    assert record(outcome=outcome, leads_to=3).has_led_to(state) is expected


# Creating.


def test_it_is_created_with_transactions() -> None:
    found, session = table()
    found.create()
    [text] = session.queries
    assert text.startswith(f"CREATE TABLE {NAME} (id BIGINT NOT NULL PRIMARY KEY, version BIGINT NULL, ")
    assert text.endswith(", progress MEDIUMTEXT NULL) ENGINE=InnoDB CHARACTER SET utf8mb4")


def test_it_cannot_be_created() -> None:
    found, session = table()
    session.refused["CREATE TABLE"] = [refusal(1142, "denied")]
    with pytest.raises(
        Error, match=r"The history table h could not be created: \(1142\) denied\. .* Nothing was run"
    ) as e:
        found.create()
    assert e.value.results == {"error_code": 1142}


# Writing.


def test_what_is_not_given_is_empty() -> None:
    assert table()[0].insert({"id": 3, "title": "it's", "seconds": 1.5, "leads_to": None}) == (
        f"INSERT INTO {NAME} (last_insert_id, id, title, seconds, leads_to) "
        "VALUES (LAST_INSERT_ID(), 3, 'it''s', 1.5, NULL)"
    )


def test_a_row_is_changed_by_its_number() -> None:
    assert table()[0].update(3, {"done": 2, "outcome": "failed"}) == (
        f"UPDATE {NAME} SET last_insert_id = LAST_INSERT_ID(), done = 2, outcome = 'failed' WHERE id = 3"
    )


def test_what_is_known_of_the_last_number_wins() -> None:
    found = table()[0]
    assert found.update(3, {"last_insert_id": 7}) == f"UPDATE {NAME} SET last_insert_id = 7 WHERE id = 3"
    assert found.insert({"last_insert_id": 7}) == f"INSERT INTO {NAME} (last_insert_id) VALUES (7)"


def test_names_are_quoted() -> None:
    fake = FakeSession()
    fake.schema = "a`b"
    session: Any = fake
    assert HistoryTable(session, "x`y").table == "`a``b`.`x``y`"


@pytest.mark.parametrize(
    ("value", "expected"),
    [(None, "NULL"), (3, "3"), (1.5, "1.5"), ("a", "'a'"), ("", "_utf8mb4 X''"), ("ä", "_utf8mb4 X'c3a4'")],
)
def test_values_are_ascii(value: Any, expected: str) -> None:
    assert literal(value) == expected


# Forgetting what attempts kept to be resumed.


def forgotten(number: int, *rows: tuple[int, str, str, Optional[str], Optional[str]]) -> list[tuple[Any, Any]]:
    """Have another database carry the statement out, and return what is left of error and progress."""
    database = sqlite3.connect(":memory:")
    database.create_function(
        "SUBSTRING_INDEX", 3, lambda text, part, count: part.join(str(text).split(part)[:count]), deterministic=True
    )
    database.create_function("IF", 3, lambda condition, yes, no: yes if condition else no)
    database.create_function("CONCAT", 2, lambda first, second: f"{first}{second}")
    database.execute("ATTACH ':memory:' AS shop")
    database.execute("CREATE TABLE shop.h (id, direction, outcome, error, progress)")
    database.executemany("INSERT INTO shop.h VALUES (?, ?, ?, ?, ?)", rows)
    database.execute(table()[0].forgetting(number))
    return database.execute("SELECT error, progress FROM shop.h ORDER BY id").fetchall()


@pytest.mark.parametrize(
    ("row", "left"),
    [
        ((1, "up", "failed", "(1062) Duplicate 'secret'", "{}"), ("(1062)", None)),
        ((1, "down", "failed", "(1064) near ') x'", "{}"), ("(1064)", None)),
        ((1, "up", "failed", "left the session in another schema", "{}"), (None, None)),
        ((1, "up", "interrupted", "SIGTERM", "{}"), ("SIGTERM", None)),
        ((1, "up", "interrupted", None, "{}"), (None, None)),
        # It has been forgotten, or never had anything.
        ((1, "up", "applied", None, None), (None, None)),
        ((1, "up", "failed", "(1062) kept", None), ("(1062) kept", None)),
        # What has been taken as applied is to stay known.
        ((1, "external", "applied", None, '{"assumed":[1]}'), (None, '{"assumed":[1]}')),
        # Of the attempt itself and of later ones nothing is forgotten.
        ((2, "up", "failed", "(1062) x", "{}"), ("(1062) x", "{}")),
    ],
)
def test_what_is_forgotten(row: Any, left: Any) -> None:
    assert forgotten(2, row) == [left]
