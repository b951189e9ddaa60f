# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is known of a statement before it is sent, and how far its section goes. The dictionary knows the table m as
one without transactions, and every other one as good."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Optional

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import FileReader
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.judge import (
    Judge,
    left_open_last,
    locks_last,
    transaction_last,
    xa_last,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.transaction import Facts, Owner, TxState
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import (
    ClassifiedStatement,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import (
    Effect,
    StatementKind,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.lookahead import Lookahead
from unit.migration.fakes import FakeSession, statement

K = StatementKind
QUIET = TxState()
ROWS, OTHER, ODD, DDL, CALL = (
    "INSERT INTO a VALUES (1)",
    "DELETE FROM b",
    "INSERT INTO m VALUES (1)",
    "DROP TABLE a",
    "CALL p()",
)


class Dictionary:
    """Knows m as a table without transactions."""

    def __init__(self) -> None:
        self.asked: list[Effect] = []

    def proven(self, effect: Effect) -> bool:
        self.asked.append(effect)
        names = [thing.name for thing in effect.writes] + list(effect.names)
        return effect.plain and b"m" not in names


class House:
    """A judge of one file's statements."""

    def __init__(self, folder: Path, *texts: str, shares: bool = True, mariadb: bool = True) -> None:
        (folder / "1_a.up.sql").write_text("; ".join(texts))
        self.session = FakeSession(mariadb)
        session: Any = self.session
        step = Step(1, "a", "up", "1_a.up.sql", 1)
        self.lookahead = Lookahead(session, str(folder), [step], True)
        reader = self.lookahead.open()
        assert reader is not None
        self.reader: FileReader = reader
        self.judge = Judge(session, self.lookahead, shares)
        self.dictionary = Dictionary()
        self.judge.tables = self.dictionary  # type: ignore[assignment]

    def take(self) -> ClassifiedStatement:
        taken = self.reader.take()
        assert taken is not None
        return self.lookahead.classified(taken)

    def next(self, state: TxState = QUIET) -> tuple[Facts, Optional[int]]:
        """Judge the next statement."""
        facts, last = self.judge.judge(self.take(), self.reader, state)
        assert facts.section is (last is not None)
        return facts, last


def proven(item: ClassifiedStatement) -> bool:
    return item.statement.text not in (ODD.encode(), CALL.encode())


def items(*texts: str) -> list[ClassifiedStatement]:
    """Return statements from number 2 on."""
    return [statement(text, number) for number, text in enumerate(texts, 2)]


# How far sections go.


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        ((), None),
        ((ROWS, "COMMIT"), None),
        ((ROWS, OTHER), None),
        ((ODD, "COMMIT"), 3),
        ((ROWS, ODD, OTHER, "COMMIT", ROWS), 5),
        ((ODD, "ROLLBACK"), 3),
        ((ODD, OTHER), 3),
        ((ODD,), 2),
        ((CALL, "COMMIT"), 3),
        # What comes after its end is not of it.
        ((ROWS, "COMMIT", ODD), None),
        # These end it and are not part of it.
        ((ODD, DDL, ROWS), 2),
        ((ODD, "ANALYZE TABLE a"), 2),
        ((ODD, "LOCK TABLES a WRITE"), 2),
        ((ODD, "BEGIN"), 2),
        ((ROWS, DDL, ODD), None),
        ((DDL, ODD), None),
    ],
)
def test_the_last_statement_of_a_transaction(texts: tuple[str, ...], last: Optional[int]) -> None:
    assert transaction_last(items(*texts), proven) == last


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        ((), None),
        ((ROWS, "COMMIT"), None),
        ((ODD, "COMMIT"), 3),
        ((ROWS, CALL, "ROLLBACK", ODD), 4),
        # Nothing suggests that a transaction was open.
        ((ODD, ROWS), None),
        ((ODD, DDL, "COMMIT"), None),
        ((ODD, "BEGIN", "COMMIT"), None),
        ((ODD, "LOCK TABLES a WRITE", "COMMIT"), None),
        ((ROWS, "COMMIT", ODD, "COMMIT"), None),
    ],
)
def test_the_last_statement_of_a_transaction_left_open(texts: tuple[str, ...], last: Optional[int]) -> None:
    assert left_open_last(items(*texts), proven) == last


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        ((), 1),
        ((ROWS, DDL), 3),
        ((ROWS, "UNLOCK TABLES", ROWS), 3),
        ((ROWS, "BEGIN", ROWS), 3),
        ((ROWS, "COMMIT", "UNLOCK TABLES"), 4),
    ],
)
def test_the_last_statement_under_locks(texts: tuple[str, ...], last: int) -> None:
    assert locks_last(1, items(*texts)) == last


@pytest.mark.parametrize(
    ("texts", "last"),
    [
        ((), 1),
        ((ROWS, "XA END 'x'", "XA PREPARE 'x'", "XA COMMIT 'x'", ROWS), 5),
        ((ROWS, "XA END 'x'", "XA ROLLBACK 'x'", ROWS), 4),
        ((ROWS, "XA END 'x'", "XA PREPARE 'x'"), 4),
        ((ROWS, "COMMIT", ROWS), 4),
    ],
)
def test_the_last_statement_of_an_xa_section(texts: tuple[str, ...], last: int) -> None:
    assert xa_last(1, items(*texts)) == last


@pytest.mark.parametrize(
    ("first", "behind", "last"),
    [
        ("LOCK TABLES a WRITE", (ROWS, "UNLOCK TABLES", ROWS), 3),
        ("FLUSH TABLES WITH READ LOCK", (ROWS, "UNLOCK TABLES", ROWS), 3),
        ("XA START 'x'", (ROWS, "XA END 'x'", "XA COMMIT 'x' ONE PHASE", ROWS), 4),
        ("XA BEGIN 'x'", (ROWS, "XA END 'x'", "XA ROLLBACK 'x'", ROWS), 4),
        # It is in a section, or is of another session's.
        ("XA COMMIT 'x'", (ROWS,), None),
        ("BEGIN", (ROWS, "COMMIT", ODD), None),
        ("BEGIN", (ODD, "COMMIT", ROWS), 3),
        (CALL, (ODD, "COMMIT"), 3),
        (CALL, (ROWS, "COMMIT"), None),
        (CALL, (ODD, ODD), None),
        (ROWS, (ODD, "COMMIT"), None),
        (DDL, (ODD, "COMMIT"), None),
    ],
)
def test_what_opens_a_section(tmp_path: Path, first: str, behind: tuple[str, ...], last: Optional[int]) -> None:
    assert House(tmp_path, first, *behind).next()[1] == last


@pytest.mark.parametrize("state", [TxState(locked=True), TxState(xa=True), TxState(next_only=True)])
def test_within_a_section_none_is_opened(tmp_path: Path, state: TxState) -> None:
    assert House(tmp_path, "BEGIN", ODD, "COMMIT").next(state)[1] is None


ISOLATION = "SET TRANSACTION ISOLATION LEVEL SERIALIZABLE"


@pytest.mark.parametrize(
    ("first", "behind", "last"),
    [
        (ISOLATION, (ROWS, ROWS), None),
        (ISOLATION, (ODD, ROWS), 2),
        (ISOLATION, (DDL, ROWS), 2),
        (ISOLATION, (CALL,), 2),
        (ISOLATION, ("SET @a = 1", "SET @b = 1", ODD, ROWS), 4),
        (ISOLATION, ("BEGIN", ODD, ROWS, "COMMIT", ROWS), 5),
        (ISOLATION, ("BEGIN", ROWS, "COMMIT", ODD), None),
        # Our own transaction could not write its record.
        ("SET TRANSACTION READ ONLY", ("SELECT 1", ROWS), 2),
        (f"{ISOLATION}, READ ONLY", ("SELECT 1", ROWS), 2),
        ("set transaction\nisolation level read committed", (ROWS,), None),
        # Nothing of ours may come between.
        (ISOLATION, (ROWS, "SHOW WARNINGS"), 2),
        (ISOLATION, ("SET @a = 1",), None),
        (ISOLATION, (), None),
    ],
)
def test_what_waits_for_a_transaction(tmp_path: Path, first: str, behind: tuple[str, ...], last: Optional[int]) -> None:
    assert House(tmp_path, first, *behind).next()[1] == last


def test_a_call_in_a_transaction_of_the_files_opens_no_other_one(tmp_path: Path) -> None:
    house = House(tmp_path, CALL, ODD, "COMMIT")
    house.session.in_transaction = True
    assert house.next(TxState(Owner.USER))[1] is None


@pytest.mark.parametrize(
    ("open_", "texts", "last"),
    [
        (False, (ODD, ROWS, "COMMIT", ROWS), 3),
        (False, (ROWS, ODD, "COMMIT"), 3),
        (False, (ROWS, "COMMIT", ODD), None),
        (True, (ODD, "COMMIT"), None),
    ],
)
def test_with_autocommit_off_the_first_statement_opens_a_transaction(
    tmp_path: Path, open_: bool, texts: tuple[str, ...], last: Optional[int]
) -> None:
    house = House(tmp_path, *texts)
    house.session.in_transaction = open_
    assert house.next(TxState(Owner.USER))[1] == last


@pytest.mark.parametrize(
    ("texts", "observed", "last"),
    [
        ((ROWS, OTHER), False, None),
        ((ROWS, "SHOW WARNINGS", OTHER), True, None),
        ((ROWS, "SHOW WARNINGS", "SHOW COUNT(*) ERRORS", OTHER), True, None),
        # It asks, and writes what is not undone.
        ((ROWS, "INSERT INTO m VALUES (ROW_COUNT())", OTHER), True, 2),
        ((ROWS, "INSERT INTO m VALUES (ROW_COUNT())", "SHOW WARNINGS", OTHER), True, 3),
        ((ROWS, "INSERT INTO a VALUES (ROW_COUNT())", "INSERT INTO m VALUES (ROW_COUNT())"), True, 3),
    ],
)
def test_statements_that_ask_about_the_one_before(
    tmp_path: Path, texts: tuple[str, ...], observed: bool, last: Optional[int]
) -> None:
    facts, found = House(tmp_path, *texts).next()
    assert (facts.observed, found) == (observed, last)


@pytest.mark.parametrize("owner", [Owner.NONE, Owner.USER])
def test_nobody_asks_between_a_statement_and_those_that_ask_about_it(tmp_path: Path, owner: Owner) -> None:
    """With autocommit off, too: the transaction that the first one opens must be known to be undone as a whole."""
    asks = "INSERT INTO b VALUES (ROW_COUNT())"
    house = House(tmp_path, ROWS, asks, asks)
    house.next(TxState(owner))
    asked = len(house.dictionary.asked)
    for _number in range(2):
        facts, last = house.next(TxState(owner, observed=True))
        assert (facts.proven, last) == (True, None)
    assert len(house.dictionary.asked) == asked


def test_what_asks_and_was_not_foreseen_is_not_proven(tmp_path: Path) -> None:
    house = House(tmp_path, "INSERT INTO b VALUES (ROW_COUNT())", "COMMIT")
    facts, last = house.next(TxState(Owner.USER))
    assert (facts.proven, last) == (False, 2)
    assert house.dictionary.asked == []


def test_what_was_judged_ahead_is_not_asked_again(tmp_path: Path) -> None:
    """There may be no time for it then: nothing may come between."""
    house = House(tmp_path, ROWS, "INSERT INTO b VALUES (ROW_COUNT())")
    house.next()
    asked = len(house.dictionary.asked)
    assert asked == 2
    facts, _last = house.next()
    assert facts.proven
    assert facts.reads_diagnostics
    assert len(house.dictionary.asked) == asked


def test_what_asks_and_was_not_judged_ahead_is_not_proven(tmp_path: Path) -> None:
    house = House(tmp_path, "SHOW WARNINGS")
    assert not house.next()[0].proven
    assert house.dictionary.asked == []


def test_a_call_looks_through_a_file_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There may be thousands of calls, and nothing in the file that ends a transaction."""
    house = House(tmp_path, *[CALL] * 50)
    looked = 0
    behind = house.lookahead.section

    def section(*arguments: Any) -> Any:
        nonlocal looked
        for item in behind(*arguments):
            looked += 1
            yield item

    monkeypatch.setattr(house.lookahead, "section", section)
    for _call in range(50):
        assert house.next()[1] is None
    # The one after each is asked whether it asks back.
    assert looked < 150


# What is known of one statement.


@pytest.mark.parametrize(
    ("text", "kind", "known"),
    [
        (ROWS, K.DATA, True),
        (ODD, K.DATA, False),
        ("SELECT * FROM a", K.SESSION, True),
        ("SET @a = (SELECT COUNT(*) FROM information_schema.tables)", K.SESSION, True),
        ("SET @a = 1", K.SESSION, True),
        ("BEGIN", K.BEGIN, True),
        ("COMMIT", K.COMMIT, True),
        ("UNLOCK TABLES", K.UNLOCK, True),
        (ISOLATION, K.NEXT_TRANSACTION, True),
        (DDL, K.DEFINITION, False),
        ("ANALYZE TABLE a", K.REPEATABLE, False),
        (CALL, K.OPAQUE, False),
        ("LOCK TABLES a WRITE", K.LOCK, False),
        ("XA START 'x'", K.XA, False),
        # It goes with its session.
        ("CREATE TEMPORARY TABLE x (i INT)", K.SESSION, True),
        ("CREATE TEMPORARY TABLE x AS SELECT * FROM a", K.SESSION, True),
        ("CREATE TEMPORARY TABLE x AS SELECT * FROM m", K.DATA, False),
        ("CREATE TEMPORARY TABLE x AS SELECT f()", K.DATA, False),
        ("DROP TEMPORARY TABLE x", K.SESSION, True),
    ],
)
def test_what_is_proven(tmp_path: Path, text: str, kind: StatementKind, known: bool) -> None:
    facts, _last = House(tmp_path, text).next()
    assert (facts.kind, facts.proven) == (kind, known)


def test_the_verb_and_the_packet_are_the_statements(tmp_path: Path) -> None:
    facts, _last = House(tmp_path, DDL).next()
    assert (facts.verb, facts.batchable) == (b"DROP", True)
    facts, _last = House(tmp_path, "SELECT 1").next()
    assert not facts.batchable


def test_where_rows_may_not_share_a_transaction_they_stand_alone(tmp_path: Path) -> None:
    house = House(tmp_path, ROWS, ODD, DDL, shares=False)
    assert [house.next()[0].kind for _each in range(3)] == [K.SESSION, K.DATA, K.DEFINITION]


# A transaction of ours around what is not proven.


@pytest.mark.parametrize(
    ("tracked", "mariadb", "settings", "wrapped"),
    [
        (True, True, (), True),
        (True, False, ("OFF", 1), True),
        (True, False, ("ON", 1), False),
        (True, False, ("WARN", 1), False),
        (True, False, ("ON", 0), True),
        (False, True, (), False),
        (False, False, ("OFF", 1), False),
    ],
)
def test_what_is_not_proven_is_wrapped_where_the_server_tells_and_lets(
    tmp_path: Path, tracked: bool, mariadb: bool, settings: tuple[Any, ...], wrapped: bool
) -> None:
    house = House(tmp_path, ODD, ODD, mariadb=mariadb)
    house.session.tracked = tracked
    house.session.answers["enforce_gtid_consistency"] = [settings]
    assert house.next()[0].wrapped is wrapped
    assert house.next()[0].wrapped is wrapped
    assert len(house.session.queries) == (tracked and not mariadb)


@pytest.mark.parametrize("text", [ROWS, DDL, CALL, "CREATE TEMPORARY TABLE x AS SELECT f()", "SHOW WARNINGS"])
def test_what_is_not_wrapped(tmp_path: Path, text: str) -> None:
    assert not House(tmp_path, text).next()[0].wrapped


def test_a_section_under_locks_is_resumed_to_completion(tmp_path: Path) -> None:
    house = House(tmp_path, "LOCK TABLES a WRITE", ROWS, ROWS, "UNLOCK TABLES", ROWS)
    house.take()
    house.take()
    assert house.judge.locked_until(house.reader, 2) == 4
