# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulation: that its server keeps the servers' rules under faults, and what it says about the engine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from programs.simulation.__main__ import main
from programs.simulation.case import Case, template
from programs.simulation.connection import Connection
from programs.simulation.engine import Engine, newest, state
from programs.simulation.faults import Broken, Fault, Faults, Killed
from programs.simulation.mutations import ENGINE, MUTATIONS, Mutation
from programs.simulation.sections import Item
from programs.simulation.storage import SCHEMA, Server, SqlError, Unknown
from programs.simulation.trial import Trial
from programs.simulation.work import File

# Of the engine, in make test; each is checked. The mutation that takes most is found after 9,756.
RUNS = 10_000


def test_no_run_violates_the_invariant() -> None:
    assert main(RUNS, seed=1) == 0


@pytest.mark.parametrize("mutation", MUTATIONS, ids=lambda mutation: mutation.name)
def test_a_mutation_has_its_place(mutation: Mutation) -> None:
    assert (ENGINE / mutation.file).read_text().count(mutation.old) == 1


def test_there_are_twelve_mutations_at_least() -> None:
    assert len(MUTATIONS) >= 12


# The server under faults: what tests/integration/simulation cannot compare with the real ones.


def rows(server: Server, table: str, schema: str = SCHEMA) -> list[Any]:
    return list(server.find(schema, "TABLE", table).rows)


def run(fault: Fault, *texts: str, server: Server | None = None, mariadb: bool = True) -> tuple[Server, list[Any]]:
    """Run statements of a file with a fault; return the server, when the connection is closed, and each answer."""
    server = server or template(mariadb).copy()
    faults = Faults(fault)
    connection = Connection(server, SCHEMA)
    server.point = faults.point
    answers: list[Any] = []
    for text in texts:
        connection.text = connection.running = text
        try:
            connection.run(text)
            answers.append("ok")
        except SqlError as error:
            answers.append(error.code)
        except Broken as broken:
            if broken.crash:
                connection.dies_inside()
                server.crash()
            answers.append("broken")
            break
    connection.end()
    return server, answers


def test_half_of_a_statement_stays_in_a_table_without_transactions() -> None:
    fault = Fault("crash", 2, where="raw row")
    server, answers = run(fault, "INSERT INTO m (v) VALUES (10), (11), (12)")
    assert (answers, rows(server, "m")) == (["broken"], [10])


def test_half_of_a_statement_is_undone_in_a_table_with_transactions() -> None:
    server, answers = run(Fault("refuse", 2, 1062), "INSERT INTO b (v) VALUES (10), (11)")
    assert (answers, rows(server, "b")) == ([1062], [3])


def test_a_deadlock_undoes_the_transaction_and_leaves_the_other_rows() -> None:
    texts = ("BEGIN", "INSERT INTO b (v) VALUES (10)", "INSERT INTO m (v) VALUES (20)", "INSERT INTO b (v) VALUES (30)")
    server, answers = run(Fault("refuse", 1, 1213, where="row", text="(30)"), *texts, "COMMIT")
    assert answers == ["ok", "ok", "ok", 1213, "ok"]
    assert (rows(server, "b"), rows(server, "m")) == ([3], [20])


def test_a_wait_that_is_too_long_undoes_the_statement_only() -> None:
    texts = ("BEGIN", "INSERT INTO b (v) VALUES (10)", "INSERT INTO b (v) VALUES (30)", "COMMIT")
    server, answers = run(Fault("refuse", 1, 1205, where="row", text="(30)"), *texts)
    assert (answers, rows(server, "b")) == (["ok", "ok", 1205, "ok"], [3, 10])


def test_what_is_not_committed_goes_with_its_connection() -> None:
    server, _answers = run(Fault(), "BEGIN", "INSERT INTO b (v) VALUES (10)", "INSERT INTO tr (v) VALUES (20)")
    assert (rows(server, "b"), rows(server, "tr"), rows(server, "m")) == ([3], [], [20])


def test_xa_prepare_outlives_its_connection() -> None:
    server, _answers = run(Fault(), "XA START 'x'", "INSERT INTO b (v) VALUES (10)", "XA END 'x'", "XA PREPARE 'x'")
    server, answers = run(Fault(), "XA START 'x'", "XA ROLLBACK 'x'", server=server)
    assert (answers, rows(server, "b")) == ([1440, "ok"], [3])


@pytest.mark.parametrize("atomic", [True, False])
def test_a_server_without_atomic_ddl_can_lose_a_table(atomic: bool) -> None:
    server = template(True).copy()
    server.atomic = atomic
    run(Fault("crash", 1, where="define"), "ALTER TABLE b ADD COLUMN c INT", server=server)
    assert (server.find(SCHEMA, "TABLE", "b") is not None) is atomic


def test_what_it_does_not_know_it_says() -> None:
    with pytest.raises(Unknown, match="does not know this statement: 'HANDLER a OPEN'"):
        run(Fault(), "HANDLER a OPEN")


# The engine under one fault at a known place.


@pytest.fixture
def engine() -> Iterator[Engine]:
    with Engine() as found:
        yield found


def case(*texts: str, fault: Fault, mariadb: bool = True, atomic: bool = True) -> Case:
    items = tuple(Item(text) for text in texts)
    file = File("1_work.up.sql", items)
    return Case(0, mariadb, 101119 if mariadb else 90700, atomic, True, (file,), (fault,))


def once(engine: Engine, found: Case) -> tuple[str, Any, Server]:
    """Run the engine once with the case's fault."""
    server = found.server()
    engine.put(found.files)
    outcome = engine.apply(server, Faults(found.faults[0]))
    return outcome.kind, newest(server), server


def test_rows_and_their_record_are_committed_together(engine: Engine) -> None:
    fault = Fault("cut packet", 1, where="row", text="(10)")
    kind, attempt, server = once(engine, case("INSERT INTO b (v) VALUES (10)", "DO 1", fault=fault))
    assert (kind, attempt.done, attempt.begun, rows(server, "b")) == ("failed", 1, 1, [3, 10])


def test_rows_that_were_interrupted_are_not_started(engine: Engine) -> None:
    fault = Fault("kill", 1, where="row", text="(10)")
    kind, attempt, server = once(engine, case("INSERT INTO b (v) VALUES (10)", fault=fault))
    assert (kind, attempt.done, attempt.begun, rows(server, "b")) == ("failed", 0, 0, [3])
    assert state(server) == (1, True)


def test_a_definition_that_was_interrupted_is_found(engine: Engine) -> None:
    for where in ("define", "after"):
        fault = Fault("crash", 1, where=where, text="CREATE TABLE d1")
        play = Trial(engine, case("CREATE TABLE d1 (v INT)", "INSERT INTO d1 (v) VALUES (10)", fault=fault)).run()
        assert (play.violations, play.asked, play.runs) == ([], 0, 2)


def test_rows_without_transactions_are_asked_about(engine: Engine) -> None:
    fault = Fault("cut", 1, where="raw row")
    play = Trial(engine, case("INSERT INTO m (v) VALUES (10), (11)", fault=fault)).run()
    assert (play.violations, play.asked, play.runs) == ([], 1, 3)


def test_nothing_comes_from_a_process_that_was_killed(engine: Engine) -> None:
    found = case("INSERT INTO b (v) VALUES (10)", fault=Fault("cut", 1, client_too=True, where="row", text="(10)"))
    server = found.server()
    engine.put(found.files)
    faults = Faults(found.faults[0])
    assert engine.apply(server, faults).kind == "killed"
    with pytest.raises(Killed):
        faults.check_alive()
