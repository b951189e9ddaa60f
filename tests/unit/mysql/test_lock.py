# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""golang-migrate's lock: its name, how it is taken and released, and which error says that it is lost."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import (
    Lock,
    lock_holder,
    lock_name,
    locked,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError
from unit.migration.fakes import FakeSession, refusal

NOWHERE: Any = None
RANGE = "BIGINT UNSIGNED value is out of range in"


@pytest.mark.parametrize(("database", "name"), [("mydb", "1906445756"), ("app", "2938252834"), ("test", "874159513")])
def test_the_name_is_golang_migrates(database: str, name: str) -> None:
    assert lock_name(database, "schema_migrations") == name


@pytest.mark.parametrize(
    ("code", "reason", "lost"),
    [
        (1690, f"{RANGE} '~0 + if(is_used_lock(_latin1'17') <=> connection_id(),0,1)'", True),
        (1690, f"{RANGE} '(~(0) + if((is_used_lock(_latin1'17') <=> connection_id()),0,1))'", True),
        (1690, f"{RANGE} '~0 + if(is_used_lock(_latin1'18') <=> connection_id(),0,1)'", False),
        (1690, f"{RANGE} '17 + ~0'", False),
        (1064, "You have an error near 'is_used_lock(_latin1'17')'", False),
    ],
)
def test_the_guards_error_is_recognised(code: int, reason: str, lost: bool) -> None:
    assert Lock(NOWHERE, "17").lost(ServerError(code, reason, "The server refused the statement")) is lost


def test_the_guard_sets_a_variable_to_what_it_is() -> None:
    guard = Lock(NOWHERE, "17").guard
    assert guard.startswith("SET SESSION net_retry_count = IF(")
    assert guard.endswith(", @@SESSION.net_retry_count, @@SESSION.net_retry_count)")
    assert "_latin1'17'" in guard


# Taking it, and letting it go.

NAME = lock_name("shop", "m")
PARAMS = {"lock": True, "lock_timeout": 15, "migrations_table": "m"}


def holding(free: bool = True, holder: Any = None) -> FakeSession:
    session = FakeSession()
    session.answers["GET_LOCK"] = [(1 if free else 0,)]
    session.answers["SELECT IS_USED_LOCK"] = [(42 if holder is not None else None,)]
    session.answers["processlist"] = [] if holder in (None, ()) else [holder]
    return session


def nothing(*_arguments: Any) -> str:
    return ""


def take(session: Any, warn: Any = pytest.fail, under_way: Any = nothing, **params: Any) -> Any:
    return locked(session, {**PARAMS, **params}, warn, under_way)


def test_it_is_held_for_the_length_of_a_block() -> None:
    session = holding()
    with take(session) as lock:
        assert lock.name == NAME
        assert session.queries == [f"SELECT GET_LOCK(_latin1'{NAME}', 15)"]
    assert session.queries[1:] == [f"SELECT RELEASE_LOCK(_latin1'{NAME}')"]


def test_it_is_released_after_a_failure_too() -> None:
    session = holding()
    with pytest.raises(ZeroDivisionError), take(session):
        raise ZeroDivisionError
    assert "RELEASE_LOCK" in session.queries[-1]


def test_with_the_connection_it_has_gone() -> None:
    session = holding()
    session.refused["RELEASE_LOCK"] = [refusal(2013)]
    with take(session):
        pass
    assert "RELEASE_LOCK" in session.queries[-1]


def test_without_a_lock_a_person_is_warned() -> None:
    session, warnings = holding(), list[str]()
    with take(session, warnings.append, lock=False) as lock:
        assert lock is None
    assert session.queries == []
    assert warnings == [
        "Locking is off: nothing prevents concurrent runs on shop. Make sure that neither this collection nor "
        "golang-migrate works on it at the same time. (DBM-1533)"
    ]


HOLDER = ("deploy", "10.0.0.5:51234", 3, "Query", "/* a */ALTER TABLE a ADD b INT")


@pytest.mark.parametrize(
    ("holder", "text"),
    [
        (HOLDER, "connection 42, deploy@10.0.0.5:51234, in state Query for 3 s"),
        (
            (*HOLDER[:4], "ALTER TABLE a ADD b INT"),
            "connection 42, deploy@10.0.0.5:51234, running ALTER TABLE a … for 3 s",
        ),
        ((*HOLDER[:3], "Sleep", None), "connection 42, deploy@10.0.0.5:51234, in state Sleep for 3 s"),
        # What comes after the first words may be a secret.
        (
            (*HOLDER[:4], "CREATE USER u IDENTIFIED BY 'pw'"),
            "connection 42, deploy@10.0.0.5:51234, running CREATE USER u … for 3 s",
        ),
        # Another account's connections are not shown.
        ((), "connection 42"),
    ],
)
def test_another_run_has_it(holder: Any, text: str) -> None:
    session = holding(False, holder)
    with pytest.raises(Error) as caught, take(session, under_way=lambda *_arguments: "It is so. "):
        pytest.fail("it holds the lock")
    assert str(caught.value) == (
        "Another migration run holds the lock on shop: it was not free within 15 s. It is held by "
        f"{text}. It is so. Wait for it, or raise lock_timeout."
    )
    assert caught.value.results == {"lock_holder": text}
    assert not any("RELEASE_LOCK" in query for query in session.queries)


def test_it_has_been_released_meanwhile() -> None:
    with pytest.raises(Error, match=r"It is held by a run that has just ended\. Wait"), take(holding(False)):
        pytest.fail("it holds the lock")


def test_nobody_has_it() -> None:
    session: Any = holding()
    assert lock_holder(session, "m") is None


@pytest.mark.parametrize(("answer", "held"), [(1, True), (0, False), (None, False)])
def test_taking_it_again_does_not_wait_nor_count(answer: Any, held: bool) -> None:
    fake = FakeSession()
    fake.answers["GET_LOCK"] = [(answer,)]
    session: Any = fake
    assert Lock(session, "17").retake() is held
    assert fake.queries == ["SELECT IF(IS_USED_LOCK(_latin1'17') <=> CONNECTION_ID(), 1, GET_LOCK(_latin1'17', 0))"]
