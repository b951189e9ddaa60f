# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where a database is: what is read, in which order, and what is concluded from it."""

from __future__ import annotations

import getpass
import hashlib
import platform
from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration import status
from ansible_collections.dbops.migrations.plugins.module_utils._migration.applied import Known
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import parse_names
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import DatabaseStatus, Snapshot
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import AttemptRecord
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError
from unit.migration.fakes import FakeSession, record, refusal

PARAMS = {
    "migrations_table": "m", "history_table": None, "commit": None, "out_of_order": "fail", "checksums": "warn",
}  # fmt: skip
NOTHING = Known({}, None)
SOURCE = parse_names("d", ["1_a.up.sql", "2_b.up.sql", "3_c.up.sql"])


class Server:
    """A database whose tables are in one place; a table of None is not there."""

    def __init__(self, state: Optional[tuple[int, int]] = (2, 0), moves: Any = (), rows: Any = ()) -> None:
        self.fake = FakeSession()
        self.session: Any = self.fake
        answers = self.fake.answers
        answers["information_schema.columns"] = [("version", "bigint", 0), ("dirty", "tinyint", 0)]
        answers["SELECT LOWER(column_name) FROM"] = [(name,) for name in AttemptRecord._fields]
        answers["SELECT version, dirty"] = [] if state is None else [state]
        answers["SELECT version, direction"] = list(moves)
        answers["SELECT id, version"] = [tuple(row) for row in rows]
        answers["IS_USED_LOCK"] = [(None,)]

    def without_history(self) -> None:
        self.fake.answers["SELECT LOWER(column_name) FROM"] = []

    def asked(self, part: str) -> int:
        return sum(part in text for text in self.fake.queries)


# The state and the history.


def test_everything_is_read() -> None:
    server = Server(moves=[(1, "up", 1, "c", None, 0), (2, "up", 2, "d", None, 0)])
    found = status.load(server.session, PARAMS)
    assert (found.present, found.state, found.compared) == (True, State(2, False), False)
    assert found.known == Known({1: "c", 2: "d"}, State(2, False))


def test_without_a_history_table_nothing_is_known() -> None:
    server = Server()
    server.without_history()
    found = status.load(server.session, PARAMS)
    assert (found.present, found.known, found.history is None) == (False, Known({}, None), False)
    # From a user who may not read it, the server hides that it is there.
    assert server.fake.queries[-1] == "SELECT 1 FROM `shop`.`m_history` LIMIT 0"


def test_no_history_is_wanted() -> None:
    server = Server()
    found = status.load(server.session, {**PARAMS, "history_table": ""})
    assert (found.present, found.known, found.history) == (False, Known({}, None), None)
    assert server.asked("history") == 0
    assert found.moved(SOURCE) is None


@pytest.mark.parametrize(
    ("options", "last", "compared"),
    [
        ({"commit": "abc"}, ("abc", "applied", 2), True),
        ({"commit": "abc"}, ("xyz", "applied", 2), False),
        ({"commit": "abc"}, ("abc", "failed", 2), False),
        ({"commit": None}, ("abc", "applied", 2), False),
        # What another policy let pass is to be looked at again.
        ({"commit": "abc", "checksums": "fail"}, ("abc", "applied", 2), False),
        ({"commit": "abc", "out_of_order": "ignore"}, ("abc", "applied", 2), False),
    ],
)
def test_files_of_the_same_commit_need_no_second_look(options: Any, last: Any, compared: bool) -> None:
    commit, outcome, version = last
    newest = record(2, outcome, version=version, leads_to=version, git_commit=commit)
    server = Server(moves=[(1, "up", 1, "c", None, 0)], rows=[newest])
    found = status.load(server.session, {**PARAMS, **options})
    assert (found.compared, found.last) == (compared, newest)
    assert found.known == (Known({}, None) if compared else Known({1: "c"}, State(1, False)))
    assert (found.moved(SOURCE) is None) is compared


@pytest.mark.parametrize(("name", "expected"), [(None, "m_history"), ("h", "h"), ("", "")])
def test_the_history_tables_name(name: Optional[str], expected: str) -> None:
    assert status.history_name({"migrations_table": "m", "history_table": name}) == expected


# Files that were changed.


def status_of(known: Known) -> DatabaseStatus:
    nothing: Any = None
    return DatabaseStatus(nothing, nothing, True, State(2, False), known)


def test_files_that_were_changed_since(tmp_path: Path) -> None:
    for name in ("1_a.up.sql", "2_b.up.sql", "3_c.up.sql"):
        (tmp_path / name).write_text(name)
    source = SOURCE._replace(directory=str(tmp_path))
    right = hashlib.sha256(b"1_a.up.sql").hexdigest()
    # Of 3 it is not known what it was.
    assert status_of(Known({1: right, 2: "other", 3: None}, None)).changed(source) == ["2_b.up.sql"]
    assert status_of(Known({}, None)).changed(source) == []


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    source = SOURCE._replace(directory=str(tmp_path))
    with pytest.raises(Error, match=r"1_a\.up\.sql cannot be read: No such file or directory\."):
        status_of(Known({1: "c"}, None)).changed(source)


# What may be read.


@pytest.mark.parametrize("code", [1142, 1143])
def test_a_table_that_may_not_be_read(code: int) -> None:
    server = Server()
    server.fake.answers["LIMIT 0"] = refusal(code, "denied")
    with pytest.raises(Error) as caught:
        status.check_readable(server.session, "m")
    assert str(caught.value) == (
        f"The user may not read the table m in shop, if there is one: ({code}) denied. Grant the user SELECT on it. A "
        "history that is not wanted is switched off with an empty history_table."
    )
    assert caught.value.results == {"error_code": code}


def test_a_table_that_is_not_there_may_be_read() -> None:
    server = Server()
    server.fake.answers["LIMIT 0"] = refusal(1146)
    status.check_readable(server.session, "m")
    server.fake.answers["LIMIT 0"] = refusal(2013)
    with pytest.raises(ServerError):
        status.check_readable(server.session, "m")


# A look without the lock.


def test_everything_is_seen_at_one_moment() -> None:
    server = Server(rows=[record(2, "applied")])
    found = status.snapshot(server.session, PARAMS, 0)
    assert found.records == [record(2, "applied")]
    queries = server.fake.queries
    begun = queries.index("START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY")
    assert queries[begun - 1] == "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"
    read = [text for text in queries[begun:] if text.startswith(("COMMIT", "SELECT id"))]
    assert read.index("COMMIT AND NO CHAIN NO RELEASE") == len(read) - 1 > 0
    assert any(text.endswith("ORDER BY id DESC LIMIT 1") for text in queries)
    # Nobody may wait for the one who holds it.
    assert "IS_USED_LOCK" in queries[-1]


def test_as_many_rows_as_are_wanted() -> None:
    server = Server()
    status.snapshot(server.session, PARAMS, 5)
    assert server.asked("ORDER BY id DESC LIMIT 5") == 1


def test_tables_that_were_made_meanwhile_are_looked_at_again() -> None:
    """A first run makes the state table and then the history; each may fall into a look."""
    server = Server()
    server.fake.refused["SELECT version, dirty"] = [refusal(1412), refusal(1412)]
    assert status.snapshot(server.session, PARAMS, 1).status.state == State(2, False)
    assert server.asked("START TRANSACTION") == 3
    assert server.asked("ROLLBACK") == 2
    for refused in ([refusal(1412)] * 3, [refusal(1205)]):
        server.fake.refused["SELECT version, dirty"] = refused
        with pytest.raises(ServerError):
            status.snapshot(server.session, PARAMS, 1)


@pytest.mark.parametrize(("state", "holder", "looks"), [((2, 1), None, 2), ((2, 1), 42, 1), ((2, 0), None, 1)])
def test_a_run_that_has_ended_between_two_questions(state: Any, holder: Optional[int], looks: int) -> None:
    server = Server(state)
    server.fake.answers["IS_USED_LOCK"] = [(holder,)]
    server.fake.answers["processlist"] = []
    found = status.snapshot(server.session, PARAMS, 1)
    assert server.asked("START TRANSACTION") == looks
    assert found.holder == (f"connection {holder}" if holder else None)


def seen(state: State, *records: AttemptRecord, known: Known = NOTHING) -> Snapshot:
    return Snapshot(status_of(known)._replace(state=state), list(records), None)


@pytest.mark.parametrize(
    ("state", "records", "expected"),
    [
        (State(1, True), [record(2, "failed")], True),
        (State(1, False), [record(2, "failed")], False),
        (State(1, True), [record(3, "applied"), record(2, "failed")], False),
        (State(1, True), [], False),
    ],
)
def test_the_attempt_that_has_made_it_dirty(state: State, records: list[AttemptRecord], expected: bool) -> None:
    assert seen(state, *records).unfinished == (records[0] if expected else None)


APPLIED = Known({3: "c"}, State(3, False))


@pytest.mark.parametrize(
    ("state", "records", "expected"),
    [
        (State(3, False), [], [1, 2]),
        # Something else is running, and nothing says yet what it has applied.
        (State(3, True), [], []),
        (State(3, True), [record(2, "failed", version=3, leads_to=3)], [1, 2]),
        # It is being applied.
        (State(3, True), [record(2, "failed", version=2, leads_to=3)], [1]),
    ],
)
def test_what_was_never_applied(state: State, records: list[AttemptRecord], expected: list[int]) -> None:
    assert seen(state, *records, known=APPLIED).out_of_order(SOURCE) == expected


# A run that is under way.


@pytest.mark.parametrize(
    ("row", "text"),
    [
        (
            record(outcome="running", ran_by="deploy", job="7"),
            "The history has up 1 as running since 2026-11-05T12:30:15Z, by deploy, job 7. ",
        ),
        (
            record(outcome="running", ran_by="de\x1bploy", job=None),
            "The history has up 1 as running since 2026-11-05T12:30:15Z, by deploy. ",
        ),
        (record(outcome="failed", ran_by="deploy"), ""),
        (None, ""),
    ],
)
def test_what_the_history_says_about_a_run(row: Optional[AttemptRecord], text: str) -> None:
    server = Server(rows=[row] if row else [])
    assert status.running_attempt(server.session, PARAMS) == text


def test_a_history_that_cannot_be_read_says_nothing() -> None:
    server = Server()
    server.fake.answers["SELECT id, version"] = refusal(1142)
    assert status.running_attempt(server.session, PARAMS) == ""
    asked = len(server.fake.queries)
    assert status.running_attempt(server.session, {**PARAMS, "history_table": ""}) == ""
    assert len(server.fake.queries) == asked


# Who runs it.


def test_the_history_records_who_runs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(getpass, "getuser", lambda: "me")
    monkeypatch.setattr(platform, "node", lambda: "n" * 300)
    tool = f"dbops.migrations {status.VERSION}"
    assert status.about({"commit": None, "job": None}) == {
        "git_commit": None, "ran_by": "me", "ran_on": "n" * 255, "job": None, "tool": tool,
    }  # fmt: skip
    long = status.about({"commit": "c" * 300, "run_by": "r" * 300, "job": "j" * 300})
    assert [len(str(long[name])) for name in ("git_commit", "ran_by", "job")] == [64, 255, 255]


def test_the_version_is_the_collections() -> None:
    galaxy = (Path(__file__).parents[3] / "galaxy.yml").read_text()
    assert f"\nversion: {status.VERSION}\n" in galaxy
    assert len(f"dbops.migrations {status.VERSION}") <= 40
