# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The simulated server answers as the real ones do: generated files without faults, statement by statement."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from parts import private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL
from programs.simulation.differential import Pair, statements
from programs.simulation.sections import Item

FILES = 60

# What generated files seldom come to. Each is one connection.
RULES = {
    "XA of another, in a transaction": (
        "BEGIN; XA ROLLBACK 'x'; XA COMMIT 'x'; XA COMMIT 'x' ONE PHASE; XA END 'x'; COMMIT"
    ),
    "XA of another, without autocommit": (
        "SET autocommit = 0; XA ROLLBACK 'x'; XA COMMIT 'x' ONE PHASE; INSERT INTO a (v) VALUES (10); "
        "XA ROLLBACK 'x'; XA COMMIT 'x'; XA START 'x'"
    ),
    "XA of another, in XA": (
        "XA START 'x'; XA ROLLBACK 'y'; XA END 'y'; XA PREPARE 'y'; XA END 'x'; XA COMMIT 'y'; XA PREPARE 'y'; "
        "XA END 'y'; XA PREPARE 'x'; XA COMMIT 'y'; XA PREPARE 'y'; XA ROLLBACK 'x'"
    ),
    "XA in one phase": (
        "XA COMMIT 'x' ONE PHASE; XA START 'x'; INSERT INTO a (v) VALUES (10); XA END 'x'; XA PREPARE 'x'; "
        "XA COMMIT 'x' ONE PHASE; XA COMMIT 'x'"
    ),
    "XA is idle": (
        "XA START 'x'; XA END 'x'; SELECT 1; SELECT @@group_concat_max_len INTO @v; SELECT fa(1); "
        "SELECT v FROM a; PREPARE s FROM 'INSERT INTO a (v) VALUES (5)'; XA ROLLBACK 'x'"
    ),
    "locks and functions": (
        "LOCK TABLES b WRITE, m READ; SET @f = fa(10); SELECT fm(20); INSERT INTO b (v) VALUES (1), (fa(30)); "
        "UNLOCK TABLES; SET @f = fa(40)"
    ),
    "locks and triggers": (
        "CREATE TRIGGER g1 AFTER INSERT ON a FOR EACH ROW INSERT INTO tr (v) VALUES (NEW.v); "
        "LOCK TABLES a WRITE; INSERT INTO a (v) VALUES (10); INSERT INTO tr (v) VALUES (20); SELECT fm(30); "
        "INSERT INTO b (v) VALUES (40); UNLOCK TABLES; LOCK TABLES tr READ; INSERT INTO m (v) VALUES (50)"
    ),
    "locks and a later trigger": (
        "LOCK TABLES a WRITE; CREATE TRIGGER g1 AFTER INSERT ON a FOR EACH ROW INSERT INTO m (v) VALUES (NEW.v); "
        "INSERT INTO a (v) VALUES (10), (11); CALL ins(20); UPDATE a SET v = v + 20"
    ),
    "locks and views": "LOCK TABLES va WRITE; INSERT INTO a (v) VALUES (10); INSERT INTO va (v) VALUES (20)",
    "locks and PREPARE": (
        "PREPARE s FROM 'DO 1'; LOCK TABLES a READ; PREPARE s FROM 'INSERT INTO b (v) VALUES (5)'; EXECUTE s; "
        "PREPARE t FROM 'CREATE TABLE d5 (v INT) ENGINE=InnoDB'; PREPARE t FROM 'INSERT INTO a (v) VALUES (5)'; "
        "EXECUTE t"
    ),
    "locks and programs": (
        "SET autocommit = 0; LOCK TABLES b WRITE; INSERT INTO b (v) VALUES (10); DROP VIEW nn; ROLLBACK; "
        "CREATE PROCEDURE ins(x INT) BEGIN SET @p = x; END; CREATE OR REPLACE VIEW va AS SELECT v FROM b; "
        "CREATE TRIGGER g AFTER INSERT ON a FOR EACH ROW INSERT INTO m (v) VALUES (NEW.v); DROP TRIGGER g"
    ),
    "locks and tables": (
        "SET autocommit = 0; LOCK TABLES b WRITE; INSERT INTO b (v) VALUES (10); DROP TABLE nn; ROLLBACK; "
        "INSERT INTO b (v) VALUES (20); ALTER TABLE a ADD COLUMN c INT; ROLLBACK; "
        "CREATE TABLE a (v INT) ENGINE=InnoDB; INSERT INTO b (v) VALUES (30); "
        "CREATE TABLE d1 ENGINE=InnoDB AS SELECT v FROM a; ROLLBACK; TRUNCATE TABLE nn; RENAME TABLE a TO d2"
    ),
    "locks that go": (
        "LOCK TABLES b WRITE, m WRITE; DROP TABLE b; INSERT INTO a (v) VALUES (10); DROP TABLE m; "
        "INSERT INTO a (v) VALUES (20)"
    ),
    "locks that move": (
        "LOCK TABLES b WRITE; ALTER TABLE b RENAME TO d1; INSERT INTO d1 (v) VALUES (10); RENAME TABLE d1 TO d2; "
        "INSERT INTO d2 (v) VALUES (20); INSERT INTO a (v) VALUES (30); DROP TABLE d2; "
        "INSERT INTO a (v) VALUES (40)"
    ),
    "the first statement asks": (
        "INSERT INTO b (v) VALUES (ROW_COUNT() + 10); INSERT INTO nn (v) VALUES (1); "
        "INSERT INTO b (v) VALUES (ROW_COUNT() + 20)"
    ),
}


@pytest.fixture(scope="module", params=["mariadb", "mysql"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Pair, bool]]:
    """A server of its own, whose schemas have the names that the simulation knows."""
    mariadb = request.param == "mariadb"
    with private_folder("simulation") as folder:
        server: DatabaseServer = MariaDB(folder) if mariadb else MySQL(folder)
        with server:
            yield Pair(server, mariadb), mariadb


@pytest.mark.parametrize("broken", [False, True], ids=["whole files", "files with statements left out"])
def test_it_answers_as_the_server_does(pair: tuple[Pair, bool], broken: bool) -> None:
    both, mariadb = pair
    found = [
        f"seed {seed}: {difference}"
        for seed in range(FILES)
        for difference in both.differences(statements(seed, mariadb, broken))
    ]
    assert not found


@pytest.mark.parametrize("texts", RULES.values(), ids=RULES)
def test_it_keeps_the_rules_of_the_server(pair: tuple[Pair, bool], texts: str) -> None:
    both, _mariadb = pair
    # The semicolon before END is a body's own.
    assert not list(both.differences([Item(text) for text in re.split(r"; (?!END)", texts)]))
