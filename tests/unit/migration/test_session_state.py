# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a session has been through: what is kept of it, and what may be left out."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.lexer import Dialect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classify import classify
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.session_state import (
    Entry,
    SessionRecorder,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError
from hypothesis import given
from hypothesis import strategies as st

MARIADB = Dialect(mariadb=True, version=101119)


class Server:
    """A session of which each value can be asked."""

    mariadb, version, sql_modes, character_set_client = True, 101119, frozenset[str](), "utf8mb4"

    def __init__(self) -> None:
        self.current_schema = "here"
        self.packet = 1 << 24
        self.length = 1
        self.value: bytes | None = None
        self.asked: list[bytes] = []
        self.executed: list[bytes] = []

    def constant(self, name: bytes) -> bytes:
        self.asked.append(name)
        if b"unknown" in name:
            raise ServerError(1193, "no such variable", "asking")
        return self.value or b"%d" % len(self.asked)

    def short_constants(self, names: Sequence[bytes], size: int) -> list[bytes]:
        if any(b"unknown" in name for name in names):
            raise ServerError(1193, "no such variable", "asking")
        return [self.constant(name) for name in names] if self.length < size else []

    def rows(self, sql: bytes) -> Any:
        if b"max_allowed_packet" in sql:
            return [(b"%d" % self.packet,)]
        if b"LENGTH(" in sql:
            return [(b"%d" % self.length,) * sql.count(b"LENGTH(")]
        if b"NULL" in sql:
            return [(None,)]
        return ServerError(1064, "no", "asking") if b"bad" in sql else [(b"6162",)]

    def execute(self, sql: bytes) -> None:
        self.executed.append(sql)
        if b"bad" in sql:
            raise ServerError(1146, "no such table", "asking")


def log_of(*texts: str) -> tuple[SessionRecorder, Server]:
    """Return the log of a session that has run these statements."""
    log, server = SessionRecorder(), Server()
    for number, text in enumerate(texts, 1):
        found = text.encode("utf-8", "surrogateescape")
        log.record(number, found, classify(found, MARIADB), server)  # type: ignore[arg-type]
    return log, server


def asked(*texts: str) -> list[str]:
    """Return the names whose values are asked for after these statements."""
    log, server = log_of(*texts)
    log.read_values(server)  # type: ignore[arg-type]
    return [name.decode() for name in server.asked]


def kept(log: SessionRecorder) -> list[str | None]:
    return [entry.sql for entry in log.entries]


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SET @a = 1", ["@a"]),
        ("SET @a = 1, @B := 2, sql_mode = ''", ["@a", "@B"]),
        ("SET @`a b` = 1, @'c' = @d", ["@`a b`", "@'c'"]),
        ("SET @a = @b", ["@a"]),
        ("SET sql_mode = CONCAT(@@sql_mode, 'x'), @a = (SELECT 1)", ["@@SESSION.sql_mode", "@a"]),
        ("SELECT f(@a)", ["@a"]),
        ("SELECT 1 INTO @a", ["@a"]),
        ("SELECT 1, 2, 3 into @a , @`b c`,@d.e FROM x", ["@a", "@`b c`", "@d.e"]),
        ("SELECT @a := @b + 1, @c:=2", ["@a", "@c"]),
        ("INSERT INTO a VALUES (@a), (@b := 7)", ["@b"]),
        ("INSERT INTO a SELECT @a", []),
        ("UPDATE a SET b = @c", []),
        ("SELECT @@sql_mode, a@b, 'x@y'", []),
        ("CALL p(@a, @b, 'x@y')", ["@a", "@b"]),
        ("EXECUTE p USING @a", ["@a"]),
        ("GET DIAGNOSTICS @a = ROW_COUNT", ["@a"]),
        ("USE a", []),
        ("CREATE DEFINER=a@b VIEW v AS SELECT 1", []),
        ("SET GLOBAL max_connections = (SELECT 7)", []),
    ],
)
def test_whose_values_are_asked_for(text: str, names: list[str]) -> None:
    assert asked(text) == names


@pytest.mark.parametrize(
    "text", ["SELECT 1 INTO /* x */ @a", "SELECT @a /* x */ := 1", "LOAD DATA INFILE 'x' INTO TABLE t (@a) SET b = @a"]
)
def test_a_variable_that_is_set_where_it_is_not_expected(text: str) -> None:
    assert asked(text) == ["@a"]


def test_a_value_is_asked_for_once_and_after_all_that_changes_it() -> None:
    assert asked("SET @a = 1", "SET @a = @a + 1", "SET @b = 1") == ["@a", "@b"]
    log, server = log_of("SET @a = 1, @a = 2")
    log.read_values(server)  # type: ignore[arg-type]
    assert log.entries == [Entry(1, "SET @a = 1", key="@a")]


def test_what_the_server_does_not_know_does_not_matter() -> None:
    log, server = log_of("SET unknown = (SELECT 1), @a = 1")
    log.read_values(server)  # type: ignore[arg-type]
    assert kept(log) == ["SET @a = 2"]


@pytest.mark.parametrize("text", ["CALL p()", "EXECUTE p", "SELECT f()", "nothing that is known"])
def test_a_statement_that_may_set_any_variable(text: str) -> None:
    log, server = log_of(text)
    log.read_values(server, lambda: [b"@x", b"@y"])  # type: ignore[arg-type]
    assert server.asked == [b"@x", b"@y"]
    log.read_values(server, lambda: [b"@x", b"@y"])  # type: ignore[arg-type]
    assert server.asked == [b"@x", b"@y"]


def test_a_variable_without_a_value_is_not_set_again() -> None:
    log, server = log_of("CALL p()")
    server.value = b"NULL"
    log.read_values(server, lambda: [b"@x", b"@'\x94\\'"])  # type: ignore[arg-type]
    assert kept(log) == []


@pytest.mark.parametrize("name", [b"@a", b"@`A`", b"@'a'"])
def test_a_variable_that_has_lost_its_value_is_set_again(name: bytes) -> None:
    log, server = log_of("SET @a = 1")
    log.read_values(server)  # type: ignore[arg-type]
    log.record(2, b"CALL p()", classify(b"CALL p()", MARIADB), server)  # type: ignore[arg-type]
    server.value = b"NULL"
    log.read_values(server, lambda: [name])  # type: ignore[arg-type]
    assert kept(log)[-1] == f"SET {name.decode()} = NULL"


@pytest.mark.parametrize(
    ("text", "name"),
    [("SET character_set_results = (SELECT NULL)", "@@SESSION.character_set_results"), ("SET @n = NULL", "@n")],
)
def test_what_was_set_to_null_is_set_again(text: str, name: str) -> None:
    log, server = log_of(text)
    server.value = b"NULL"
    log.read_values(server, list)  # type: ignore[arg-type]
    assert kept(log) == [f"SET {name} = NULL"]


def test_a_trigger_may_set_any_variable() -> None:
    for proven, names in ((True, []), (False, [b"@x"])):
        log, server = SessionRecorder(), Server()
        text = b"INSERT INTO a VALUES (1)"
        log.record(1, text, classify(text, MARIADB), server, proven)  # type: ignore[arg-type]
        log.read_values(server, lambda: [b"@x"])  # type: ignore[arg-type]
        assert server.asked == names


@pytest.mark.parametrize("text", ["CALL q()", "BEGIN NOT ATOMIC PREPARE p FROM 'SELECT 2'; END", "EXECUTE unknown"])
def test_a_procedure_may_prepare_any_name_again(text: str) -> None:
    log, _server = log_of("PREPARE p FROM 'SELECT 1'", text)
    assert log.prepared == {}
    assert [entry.what for entry in log.lost()] == ["the prepared statement p"]
    assert log.prepared_at(b"p") is None


def test_a_value_that_is_too_long_for_the_history_is_lost() -> None:
    for length, packet in ((9 << 20, 1 << 30), (5 << 20, 1 << 24), (2 << 20, 4 << 20)):
        log, server = log_of("SELECT 1 INTO @a")
        server.length, server.packet = length, packet
        log.read_values(server)  # type: ignore[arg-type]
        assert log.entries == [Entry(1, None, "the variable @a", "@a")]
        assert server.asked == []


def test_values_share_the_room_that_there_is() -> None:
    log, server = log_of("SELECT 1, 2, 3 INTO @a, @b, @c")
    server.length = 1 << 20
    server.constant = lambda name: b"X'" + bytes(2 << 20).hex().encode()[: 2 << 20] + b"'"  # type: ignore[method-assign]
    server.packet = 10 << 20
    log.read_values(server)  # type: ignore[arg-type]
    assert [entry.sql is None for entry in log.entries] == [False, False, True]
    log.record(2, b"SET @a = 1", classify(b"SET @a = 1", MARIADB), server)  # type: ignore[arg-type]
    assert len(log.as_json(1)) == 3


@pytest.mark.parametrize(
    ("text", "constant"),
    [
        ("SET sql_mode = 'ANSI_QUOTES'", True),
        ("SET NAMES latin1", True),
        ("/*!40101 SET NAMES utf8mb4 */", True),
        ("SET sql_mode = @old", False),
        ("SET sql_mode = @@GLOBAL.sql_mode", False),
    ],
)
def test_settings_are_kept_as_they_stand(text: str, constant: bool) -> None:
    log, server = log_of(text)
    assert log.entries == [Entry(1, text, key=text if constant else "")]
    assert server.asked == []


def test_a_global_setting_is_not_repeated() -> None:
    assert log_of("SET GLOBAL max_connections = 7", "SET PERSIST max_connections = 7")[0].entries == []


def test_a_setting_beside_a_global_one() -> None:
    log, server = log_of("SET sql_mode = 'ANSI_QUOTES', GLOBAL max_connections = 7")
    log.read_values(server)  # type: ignore[arg-type]
    assert log.entries != []


def test_a_prepared_statement_is_kept_with_its_text() -> None:
    log, _server = log_of("PREPARE `A a` FROM 'ab'")
    assert log.entries == [Entry(1, "ab", "a a", "PREPARE a a", prepares=True)]
    assert log.prepared == {"a a": b"ab"}
    again, server = SessionRecorder(log.entries), Server()
    again.restore(server, 1)  # type: ignore[arg-type]
    assert server.executed == [
        b"SET @dbops_migrations_text = _utf8mb4 X'6162'",
        b"PREPARE `a a` FROM @dbops_migrations_text",
    ]
    assert again.prepared == log.prepared


def test_what_holds_one_thing_at_a_time() -> None:
    log, _server = log_of("USE a", "PREPARE p FROM 'x'", "USE b", "DEALLOCATE PREPARE p", "USE c")
    assert [entry["sql"] for entry in log.as_json(5)] == ["DEALLOCATE PREPARE p", "USE c"]


@pytest.mark.parametrize("text", ["PREPARE p FROM @NULL", "PREPARE p FROM @bad", "PREPARE /* x */ `P` FROM f('x')"])
def test_a_text_that_is_not_available_is_lost_and_so_is_an_older_one(text: str) -> None:
    log, server = log_of("PREPARE p FROM 'x'", text)
    assert log.prepared == {}
    assert [entry.what for entry in log.lost()] == ["the prepared statement p"]
    again = SessionRecorder([Entry(1, "ab", "p", "PREPARE p", prepares=True), *log.entries])
    for number in (1, 2):
        again.restore(server, number)  # type: ignore[arg-type]
    assert again.prepared == {}


def test_a_name_with_accents_may_be_any_name() -> None:
    log, _server = log_of("PREPARE p FROM 'x'", "PREPARE ä FROM 'y'")
    assert log.prepared == {}
    assert [entry.what for entry in log.lost()] == ["the prepared statement"]


def test_what_is_lost_with_its_session() -> None:
    log, _server = log_of(
        "CREATE TEMPORARY TABLE here.`a` (i INT)",
        "CREATE TEMPORARY TABLE b (i INT)",
        "CREATE TEMPORARY TABLE x.a (i INT)",
        "DROP PROCEDURE b",
        "DROP TABLE IF EXISTS a, y.b",
    )
    lost = [(entry.number, entry.what) for entry in log.lost()]
    assert lost == [(2, "the temporary table here.b"), (3, "the temporary table x.a")]


def test_a_run_may_go_back_behind_what_ends_a_loss() -> None:
    """A transaction that is undone takes its statements' records with it."""
    log, _server = log_of("CREATE TEMPORARY TABLE a (i INT)", "DROP TABLE a", "SET @b = 1")
    kept = [[item["what"] for item in log.as_json(done) if item["sql"] is None] for done in (1, 2, 3)]
    assert kept == [["the temporary table here.a"], [], []]
    log.compact(1)
    assert [entry.what for entry in SessionRecorder(Entry(**item) for item in log.as_json(1)).lost()] == [
        "the temporary table here.a"
    ]
    log.compact(2)
    assert log.lost() == []


def test_diagnostics_are_those_of_the_last_statement() -> None:
    log = SessionRecorder()
    for number in (2, 5):
        log.record_diagnostics(number)
    assert [len(log.as_json(done)) for done in (1, 2, 3, 5, 6)] == [0, 1, 0, 1, 0]
    log.carry_over()
    assert log.entries == []


def test_locks_are_taken_again() -> None:
    log, server = log_of("LOCK TABLES a READ", "SET @a = 1", "LOCK TABLES b WRITE", "UNLOCK TABLES")
    assert [[item["sql"] for item in log.as_json(done)] for done in (1, 3, 4)] == [
        ["LOCK TABLES a READ"],
        ["LOCK TABLES b WRITE"],
        ["UNLOCK TABLES"],
    ]
    SessionRecorder([Entry(**item) for item in log.as_json(3)]).restore(server, 3)  # type: ignore[arg-type]
    # Nothing could be recorded after that, so it is left to the run.
    assert server.executed == []
    assert [SessionRecorder([Entry(**item) for item in log.as_json(done)]).locks() for done in (1, 3, 4)] == [
        [b"LOCK TABLES a READ"],
        [b"LOCK TABLES b WRITE"],
        [],
    ]
    assert [item["sql"] for item in log_of("LOCK TABLES b READ", "BEGIN")[0].as_json(2)] == ["UNLOCK TABLES"]
    assert log_of("BEGIN", "UNLOCK TABLES")[0].entries == []


@pytest.mark.parametrize("text", ["INSERT INTO a VALUES (1)", "CREATE TABLE a (i INT)", "COMMIT", "SAVEPOINT s"])
def test_what_leaves_nothing(text: str) -> None:
    assert log_of(text)[0].entries == []


def test_what_is_done_again() -> None:
    entries = [Entry(0, "SET a = 1"), Entry(2, "SET b = 1"), Entry(2, None, "a table"), Entry(3, "SET c = '\udcff'")]
    log, server = SessionRecorder(entries), Server()
    for number in range(4):
        log.restore(server, number)  # type: ignore[arg-type]
    assert server.executed == [b"SET a = 1", b"SET b = 1", b"SET c = '\xff'"]


def test_a_prepared_statement_may_be_about_something_that_is_gone() -> None:
    log, server = SessionRecorder([Entry(1, "ab", "bad", "PREPARE bad", prepares=True)]), Server()
    log.restore(server, 1)  # type: ignore[arg-type]
    assert log.prepared == {"bad": b"ab"}
    with pytest.raises(ServerError):
        SessionRecorder([Entry(1, "SET bad = 1")]).restore(server, 1)  # type: ignore[arg-type]


def test_what_is_gone_need_not_be_prepared_to_be_deallocated() -> None:
    """PREPARE p FROM 'INSERT INTO a ...'; EXECUTE p; DEALLOCATE PREPARE p; DROP TABLE a."""
    log, server = log_of("PREPARE bad FROM 'x'", "DEALLOCATE PREPARE bad")
    for number in (1, 2):
        log.restore(server, number)  # type: ignore[arg-type]


def numbers(log: SessionRecorder, done: int) -> list[int]:
    return [item["number"] for item in log.as_json(done)]


def test_a_constant_replaces_an_earlier_one() -> None:
    log = SessionRecorder(
        [Entry(1, "SET a = 1", key="a"), Entry(2, "SET b = 1", key="b"), Entry(3, "SET a = 2", key="a")]
    )
    assert (numbers(log, 3), numbers(log, 2), numbers(log, 1), numbers(log, 0)) == ([2, 3], [1, 2], [1], [])
    assert len(log.entries) == 3


@pytest.mark.parametrize("between", [Entry(2, "SET b = @a"), Entry(2, None, "the temporary table t")])
def test_what_is_not_a_constant_may_need_the_one_before(between: Entry) -> None:
    log = SessionRecorder([Entry(1, "SET @a = 1", key="@a"), between, Entry(3, "SET @a = 2", key="@a")])
    assert numbers(log, 3) == [1, 2, 3]


def test_settling_keeps_what_a_place_further_on_needs() -> None:
    log = SessionRecorder(Entry(number, f"SET @a = {number}", key="@a") for number in (1, 2, 3, 4))
    log.compact(2)
    assert (numbers(log, 2), numbers(log, 3), numbers(log, 4)) == ([2], [3], [4])
    assert [entry.number for entry in log.entries] == [2, 3, 4]


def test_the_next_file_takes_everything_along() -> None:
    log = SessionRecorder([Entry(1, "SET a = 1", key="a"), Entry(9, "SET a = 2", key="a"), Entry(9, None, "a table")])
    log.carry_over()
    assert log.entries == [Entry(0, "SET a = 2", key="a"), Entry(0, None, "a table")]


NAMES = st.sampled_from("abc")
CONSTANTS = st.builds("{}={}".format, NAMES, st.integers(1, 3))
COPIES = st.builds("{}={}".format, NAMES, NAMES)


def entry_of(number: int, text: str) -> Entry:
    left, right = text.split("=")
    if right.isdigit():
        # Half of them as settings are kept, by their text; half as values are, by their name.
        return Entry(number, text, key=left if left == "a" else text)
    return Entry(number, text)


def outcome(entries: list[str]) -> dict[str, str]:
    """Return the values of a session that ran these."""
    values: dict[str, str] = {}
    for text in entries:
        left, right = text.split("=")
        values[left] = right if right.isdigit() else values.get(right, "")
    return values


@given(st.lists(CONSTANTS | COPIES, max_size=12), st.lists(st.integers(0, 12), max_size=3), st.integers(0, 12))
def test_nothing_is_left_out_that_matters(texts: list[str], settled: list[int], done: int) -> None:
    """Wherever a run continues, if not before what was settled, the session is as it was there."""
    log = SessionRecorder(entry_of(number, text) for number, text in enumerate(texts, 1))
    for place in sorted(settled):
        log.compact(place)
    done = max([done, *settled])
    found = [str(item["sql"]) for item in log.as_json(done)]
    assert outcome(found) == outcome(texts[:done])
    assert all(re.fullmatch("[abc]=[abc1-3]", text) for text in found)
