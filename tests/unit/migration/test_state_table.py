# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's state table: what is read, and what is written, word by word."""

from __future__ import annotations

from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.state_table import StateTable
from unit.migration.fakes import FakeSession

COLUMNS = [("version", "bigint", 0), ("dirty", "tinyint", 0)]
NAME = "`shop`.`schema_migrations`"


def table(*rows: tuple[int, int], columns: Any = None, mariadb: bool = True) -> tuple[StateTable, FakeSession]:
    fake = FakeSession(mariadb)
    fake.answers["information_schema.columns"] = COLUMNS if columns is None else columns
    fake.answers["SELECT version, dirty"] = list(rows)
    session: Any = fake
    return StateTable(session, "schema_migrations"), fake


# What golang-migrate v4.19.1 means by its rows (database/mysql/mysql.go, Version).
@pytest.mark.parametrize(
    ("rows", "state"),
    [
        ([], State(None, False)),
        ([(3, 0)], State(3, False)),
        ([(3, 1)], State(3, True)),
        ([(0, 0)], State(0, False)),
        ([(-1, 1)], State(None, True)),
        ([(-1, 0)], State(None, False)),
    ],
)
def test_what_the_table_says(rows: list[tuple[int, int]], state: State) -> None:
    found, session = table(*rows)
    assert found.read() == state
    assert session.queries[-1] == f"SELECT version, dirty FROM {NAME} LIMIT 2"


def test_what_is_committed_is_read_with_a_lock() -> None:
    found, session = table((3, 0))
    found.read(now=True)
    assert session.queries[-1] == f"SELECT version, dirty FROM {NAME} LIMIT 2 LOCK IN SHARE MODE"


def test_a_table_that_is_not_there_says_that_nothing_is_applied() -> None:
    found, session = table(columns=[])
    assert found.read() == State(None, False)
    assert len(session.queries) == 1


def test_more_than_one_row_is_refused() -> None:
    found, _session = table((1, 0), (2, 0))
    with pytest.raises(Error, match="The state table schema_migrations in shop has more than one row"):
        found.read()


@pytest.mark.parametrize(
    ("columns", "fits"),
    [
        (COLUMNS, True),
        ([("version", "int", 0), ("dirty", "smallint", 0)], True),
        # Others are left to their defaults, as golang-migrate leaves them.
        ([*COLUMNS, ("at", "timestamp", 1)], True),
        ([*COLUMNS, ("at", "timestamp", 0)], False),
        ([("version", "varchar", 0), ("dirty", "tinyint", 0)], False),
        ([("version", "bigint", 0)], False),
        ([("id", "bigint", 0), ("dirty", "tinyint", 0)], False),
    ],
)
def test_a_table_of_something_else_is_left_alone(columns: Any, fits: bool) -> None:
    found, session = table(columns=columns)
    if fits:
        found.ensure()
        assert len(session.queries) == 1
        return
    for use in (found.ensure, found.read):
        with pytest.raises(Error, match="schema_migrations in shop is not golang-migrate's state table: it has the"):
            use()


def test_the_message_names_the_columns() -> None:
    found, _session = table(columns=[("id", "int", 0), ("name", "text", 1)])
    with pytest.raises(
        Error, match=r"it has the columns id int, name text; it should have version and dirty, .* another migr"
    ):
        found.read()


def test_it_is_created_as_golang_migrate_creates_it() -> None:
    found, session = table(columns=[])
    found.ensure()
    assert session.queries[-1] == (
        "CREATE TABLE `schema_migrations` (version bigint not null primary key, dirty boolean not null)"
    )


def test_another_name_is_quoted() -> None:
    fake = FakeSession()
    fake.schema = "a`b"
    session: Any = fake
    [delete] = StateTable(session, "x`y").writing(State(None, False))
    assert delete == "DELETE FROM `a``b`.`x``y` LIMIT 1"


DELETE = f"DELETE FROM {NAME} LIMIT 1"


# golang-migrate's SetVersion: a version of -1 is a row only if it is dirty.
@pytest.mark.parametrize(
    ("state", "values"),
    [
        (State(3, True), "3, 1"),
        (State(3, False), "3, 0"),
        (State(0, False), "0, 0"),
        (State(None, True), "-1, 1"),
        (State(None, False), None),
    ],
)
def test_how_the_row_is_replaced(state: State, values: Optional[str]) -> None:
    insert = [f"INSERT INTO {NAME} (version, dirty) VALUES ({values})"] if values else []
    assert table()[0].writing(state) == [DELETE, *insert]


@pytest.mark.parametrize(("rows", "expected"), [([(1,)], True), ([(0,)], False), ([(None,)], False), ([], False)])
def test_whether_it_has_transactions(rows: Any, expected: bool) -> None:
    found, session = table()
    session.answers["information_schema.engines"] = rows
    assert found.is_transactional() is expected
    assert session.queries[-1].endswith("t.table_schema = 'shop' AND t.table_name = 'schema_migrations'")


@pytest.mark.parametrize(
    ("written", "uptime", "expected"),
    [
        (990, "500", 990),
        (None, "500", None),
        # The server's own recovery writes, too, in the first seconds.
        (505, "500", 505),
        (504, "500", None),
        (400, "500", None),
    ],
)
def test_when_it_was_written(written: Optional[int], uptime: str, expected: Optional[int]) -> None:
    found, session = table()
    session.answers["MAX(UNIX_TIMESTAMP(update_time))"] = [(1000, written)]
    session.answers["'Uptime'"] = [("Uptime", uptime)]
    assert found.written_at() == expected
    assert not any("information_schema_stats_expiry" in text for text in session.queries)


def test_mysql_is_asked_for_figures_of_today() -> None:
    found, session = table(mariadb=False)
    session.answers["MAX(UNIX_TIMESTAMP(update_time))"] = [(1000, 990)]
    # A migration may have set sql_select_limit to 0.
    session.answers["'Uptime'"] = []
    assert found.written_at() is None
    assert session.queries[0] == "SET SESSION information_schema_stats_expiry = 0"
