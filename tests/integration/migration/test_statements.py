# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is judged of statements, held against the real servers."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from typing import Any, Callable

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.reader import dialect_of
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.splitter import Statement
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements import functions, rows
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import classified
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classify import classify
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.effect import Effect
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.fingerprints import (
    InFlightOutcome,
    fingerprints,
    outcome,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.nontransactional import (
    TransactionalTables,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.session_state import (
    Entry,
    SessionRecorder,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError, Session, connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings
from parts import private_folder
from parts.mariadb import DatabaseServer, MariaDB

ABOUT_SERVERS = True

Open = Callable[..., AbstractContextManager[Session]]
DONE, NOT_DONE, UNKNOWN = InFlightOutcome.DONE, InFlightOutcome.NOT_DONE, InFlightOutcome.UNKNOWN
_SYNTAX = 1064
_NO_SUCH_FUNCTION = (1305, 1630)

SCHEMA = """
CREATE TABLE a (i INT) ENGINE=InnoDB
CREATE TABLE b (i INT) ENGINE=InnoDB
CREATE TABLE Ärger (i INT) ENGINE=InnoDB
CREATE TABLE m (i INT) ENGINE=MyISAM
CREATE TABLE parts (i INT) ENGINE=InnoDB PARTITION BY HASH (i) PARTITIONS 2
CREATE TABLE logged (i INT) ENGINE=InnoDB
CREATE TRIGGER tr AFTER INSERT ON logged FOR EACH ROW INSERT INTO m VALUES (NEW.i)
CREATE FUNCTION f() RETURNS INT MODIFIES SQL DATA BEGIN INSERT INTO m VALUES (1); RETURN 1; END
CREATE VIEW v AS SELECT i FROM m
CREATE VIEW Übersicht AS SELECT i FROM a WHERE f() = 1
CREATE TABLE parent (i INT PRIMARY KEY) ENGINE=InnoDB
CREATE TABLE child (i INT, FOREIGN KEY (i) REFERENCES parent (i) ON DELETE CASCADE) ENGINE=InnoDB
CREATE TRIGGER cascaded AFTER DELETE ON child FOR EACH ROW INSERT INTO m VALUES (OLD.i)
"""


def open_session(server: DatabaseServer, schema: str, **login: Any) -> AbstractContextManager[Session]:
    defaults = {name: option.get("default") for name, option in MYSQL.argument_spec.items()}
    known = {"host": server.host, "port": server.port, "user": server.user, "password": server.password, **login}
    params = {**defaults, **{f"login_{name}": value for name, value in known.items()}, "login_db": schema}
    return connect(read_settings(params))


@pytest.fixture
def schema(server: DatabaseServer) -> Iterator[str]:
    """A schema with tables of each sort."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.create_schema(name)
    with open_session(server, name) as session:
        session.query("SET GLOBAL log_bin_trust_function_creators = 1")
        for statement in SCHEMA.strip().splitlines():
            session.execute(statement.encode())
    yield name
    server.query(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture
def session(server: DatabaseServer, schema: str) -> Iterator[Session]:
    with open_session(server, schema) as session:
        yield session


def effect(session: Session, text: str | bytes) -> Effect:
    return classify(text if isinstance(text, bytes) else text.encode(), dialect_of(session))


def proven(session: Session, text: str | bytes) -> bool:
    return TransactionalTables(session).proven(effect(session, text))


def code(answer: Any) -> int:
    return answer.code if isinstance(answer, ServerError) else 0


def test_each_function_that_is_harmless_is_the_servers_own(session: Session) -> None:
    known = sorted(functions.harmless(dialect_of(session)))
    assert len(known) > 200
    foreign = [name for name in known if code(session.rows(b"SELECT %b()" % name)) in _NO_SUCH_FUNCTION]
    assert foreign == []
    assert code(session.rows(b"SELECT nosuch()")) in _NO_SUCH_FUNCTION


def test_no_function_can_have_a_keywords_name(session: Session) -> None:
    for word in sorted(functions.KEYWORDS):
        assert code(session.rows(b"CREATE FUNCTION %b() RETURNS INT RETURN 1" % word)) == _SYNTAX, word


def test_the_words_around_tables_are_reserved(session: Session) -> None:
    for word in sorted(rows.RESERVED):
        assert code(session.rows(b"CREATE TABLE %b (i INT)" % word)) == _SYNTAX, word


PROVEN = [
    "INSERT INTO a VALUES (1), (2)",
    "INSERT INTO Ärger VALUES (1)",
    "INSERT INTO parts VALUES (1)",
    "INSERT INTO a SELECT m.i FROM m JOIN b ON m.i = b.i",
    "INSERT INTO a (i) SELECT COUNT(*) FROM information_schema.tables",
    "UPDATE a AS x JOIN b y ON x.i = y.i SET x.i = y.i",
    "DELETE x FROM a AS x JOIN b ON x.i = b.i",
    "SELECT * FROM m",
]
NOT_PROVEN = [
    "INSERT INTO m VALUES (1)",
    "INSERT INTO v VALUES (1)",
    "INSERT INTO logged VALUES (1)",
    "DELETE FROM logged",
    "INSERT INTO nosuch VALUES (1)",
    "INSERT INTO a VALUES (f())",
    "INSERT INTO a SELECT i FROM Übersicht",
    "SELECT * FROM b, Übersicht",
    "SET @a = (SELECT MAX(i) FROM Übersicht)",
]


@pytest.mark.parametrize("text", PROVEN)
def test_rows_that_are_proven_go_with_their_transaction(session: Session, text: str) -> None:
    """The server says so itself: nothing that it wrote is without transactions."""
    assert proven(session, text)
    before = session.query("SELECT COUNT(*) FROM m")
    session.execute(text.encode(), ["START TRANSACTION"])
    assert not session.wrote_nontransactional
    session.query("ROLLBACK")
    assert session.query("SELECT COUNT(*) FROM m") == before


@pytest.mark.parametrize("text", NOT_PROVEN)
def test_other_rows_are_not_proven(session: Session, text: str) -> None:
    assert not proven(session, text)


def test_a_cascade_fires_no_trigger(session: Session) -> None:
    session.execute(b"INSERT INTO parent VALUES (1)")
    session.execute(b"INSERT INTO child VALUES (1)")
    assert proven(session, "DELETE FROM parent")
    session.execute(b"DELETE FROM parent")
    assert session.query("SELECT COUNT(*) FROM child") == [(0,)]
    assert session.query("SELECT COUNT(*) FROM m") == [(0,)]


def test_names_are_read_as_the_server_reads_them(session: Session) -> None:
    session.execute(b"SET NAMES latin1")
    assert proven(session, "INSERT INTO Ärger VALUES (1)".encode("latin-1"))
    assert not proven(session, "INSERT INTO a SELECT i FROM Übersicht".encode("latin-1"))
    session.execute("INSERT INTO Ärger VALUES (1)".encode("latin-1"))
    session.execute(b"SET NAMES utf8mb4, character_set_results = utf16")
    assert proven(session, "INSERT INTO Ärger VALUES (1)")
    assert not proven(session, "INSERT INTO m VALUES (1)")


@pytest.mark.parametrize("limit", ["sql_select_limit = 0", "sql_select_limit = 1", "max_join_size = 1"])
def test_limits_that_a_migration_has_set(session: Session, limit: str) -> None:
    session.execute(f"SET SESSION {limit}".encode())
    assert not proven(session, "INSERT INTO logged VALUES (1)")
    assert not proven(session, "INSERT INTO a SELECT i FROM Übersicht")
    assert proven(session, "INSERT INTO a SELECT i FROM b") is (limit[:3] == "sql") or limit[:3] == "max"


@pytest.mark.parametrize("modes", ["ANSI", "NO_BACKSLASH_ESCAPES"])
def test_the_sessions_sql_mode(session: Session, modes: str) -> None:
    session.execute(f"SET SESSION sql_mode = '{modes}'".encode())
    assert proven(session, "INSERT INTO a SELECT i FROM b")
    assert not proven(session, "INSERT INTO a SELECT i FROM `Übersicht`")
    # Without ANSI it is a text, which the server refuses there.
    assert proven(session, 'INSERT INTO a SELECT i FROM b, "Übersicht"') is (modes != "ANSI")
    assert proven(session, 'INSERT INTO "a" SELECT 1') is (modes == "ANSI")


GRANTS = [
    ("ALL PRIVILEGES ON {schema}.*", True, False),
    ("SELECT, INSERT, UPDATE, TRIGGER ON {pattern}.*", True, False),
    ("SELECT, INSERT, UPDATE ON {schema}.*", False, False),
    ("SELECT, INSERT, TRIGGER ON {schema}.a", True, False),
    ("SELECT, INSERT ON *.*", False, False),
    ("SELECT, INSERT, TRIGGER ON *.*", True, False),
]


@pytest.mark.parametrize(("grant", "a", "logged"), GRANTS)
def test_who_may_not_see_triggers_proves_nothing(
    server: DatabaseServer, schema: str, grant: str, a: bool, logged: bool
) -> None:
    user = f"u{uuid.uuid4().hex[:12]}"
    server.query(f"CREATE USER {user} IDENTIFIED BY 'Secret-{user}'")
    pattern = f"`{schema[:-1]}_`"
    server.query(f"GRANT {grant.format(schema=schema, pattern=pattern)} TO {user}")
    try:
        with open_session(server, schema, user=user, password=f"Secret-{user}") as session:
            assert proven(session, "INSERT INTO a VALUES (1)") is a
            assert proven(session, "INSERT INTO logged VALUES (1)") is logged
    finally:
        server.query(f"DROP USER {user}")


def test_privileges_of_a_role_count_while_it_is_active(server: DatabaseServer, schema: str) -> None:
    user, role = (f"{letter}{uuid.uuid4().hex[:12]}" for letter in "ur")
    server.query(f"CREATE USER {user} IDENTIFIED BY 'Secret-{user}'")
    server.query(f"CREATE ROLE {role}")
    server.query(f"GRANT ALL PRIVILEGES ON {schema}.* TO {role}")
    server.query(f"GRANT SELECT, INSERT ON {schema}.a TO {user}")
    server.query(f"GRANT {role} TO {user}")
    try:
        with open_session(server, schema, user=user, password=f"Secret-{user}") as session:
            tables = TransactionalTables(session)
            insert = effect(session, "INSERT INTO a VALUES (1)")
            for text, expected in ((f"SET ROLE {role}", True), ("SET ROLE NONE", False)):
                session.execute(text.encode())
                tables.passed(effect(session, text))
                assert tables.proven(insert) is expected
    finally:
        server.query(f"DROP USER {user}")
        server.query(f"DROP ROLE {role}")


@pytest.mark.parametrize("engine", ["InnoDB", "MyISAM"])
def test_a_temporary_table_goes_with_its_session_but_hides_no_table_that_stays(session: Session, engine: str) -> None:
    tables = TransactionalTables(session)
    for name in ("new", "a", "m"):
        text = f"CREATE TEMPORARY TABLE {name} (i INT) ENGINE={engine}"
        session.execute(text.encode())
        tables.passed(effect(session, text))
    assert tables.proven(effect(session, "INSERT INTO new VALUES (1)"))
    assert tables.proven(effect(session, "INSERT INTO a VALUES (1)"))
    assert not tables.proven(effect(session, "INSERT INTO m VALUES (1)"))


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["CREATE TABLE new (i INT)"], True),
        (["CREATE TABLE new (i INT)", "ALTER TABLE new ADD j INT", "CREATE INDEX x ON new (i)"], True),
        (["CREATE TABLE new (i INT) COMMENT '\n) ENGINE=InnoDB'"], True),
        (["CREATE TABLE new (i INT COMMENT '\n) ENGINE=InnoDB') ENGINE=MyISAM"], False),
        (["CREATE TABLE new (i INT) ENGINE=MyISAM"], False),
        (["CREATE TABLE new (i INT)", "ALTER TABLE new ENGINE=MyISAM"], False),
        (["CREATE TABLE new (i INT)", "CREATE TRIGGER g BEFORE INSERT ON new FOR EACH ROW SET @a = f()"], False),
        (["CREATE TABLE new (i INT)", "DROP TABLE new", "CREATE VIEW new AS SELECT * FROM m"], False),
        (["CREATE TABLE new (i INT)", "CREATE TEMPORARY TABLE new (i INT) ENGINE=MyISAM"], True),
        (["CREATE TABLE new (i INT)", "RENAME TABLE new TO newer, m TO new"], False),
        (["CREATE TABLE new (i INT)", "SET sql_mode = 'NO_BACKSLASH_ESCAPES'"], True),
    ],
)
def test_of_a_new_table_less_is_to_be_asked(session: Session, texts: list[str], expected: bool) -> None:
    tables = TransactionalTables(session)
    for text in texts:
        session.execute(text.encode())
        tables.passed(effect(session, text), text.startswith(("CREATE TABLE", "CREATE VIEW")))
    assert tables.proven(effect(session, "INSERT INTO new (i) VALUES (1)")) is expected


@pytest.mark.of_mariadb
def test_a_sequence_that_looks_like_a_table_is_none(session: Session) -> None:
    tables = TransactionalTables(session)
    session.execute(b"CREATE SEQUENCE new")
    tables.passed(effect(session, "CREATE TABLE new (i INT) SEQUENCE=1"), True)
    assert not tables.proven(effect(session, "INSERT INTO new VALUES (1, 1, 9, 1, 1, 1, 0, 0)"))


def test_a_change_of_the_tables_is_seen(session: Session) -> None:
    tables = TransactionalTables(session)
    insert = effect(session, "INSERT INTO a VALUES (1)")
    for text, expected in (
        ("ALTER TABLE a ENGINE = MyISAM", False),
        ("ALTER TABLE a ENGINE = InnoDB", True),
        ("RENAME TABLE a TO c, m TO a", False),
        ("DROP TABLE a", False),
        ("RENAME TABLE c TO a", True),
        ("CREATE TRIGGER own BEFORE INSERT ON a FOR EACH ROW SET @a = f()", False),
        ("DROP TRIGGER own", True),
        ("DROP TABLE a", False),
        ("CREATE VIEW a AS SELECT * FROM b", False),
    ):
        session.execute(text.encode())
        tables.passed(effect(session, text))
        assert tables.proven(insert) is expected, text


def test_a_server_that_does_not_tell_names_apart_by_their_case() -> None:
    with private_folder("folded") as folder, MariaDB(folder, options=["--lower-case-table-names=1"]) as server:
        server.create_schema("Mixed")
        with open_session(server, "Mixed") as session:
            for statement in SCHEMA.strip().splitlines():
                session.execute(statement.encode())
            assert proven(session, "INSERT INTO A VALUES (1)")
            assert proven(session, "INSERT INTO MIXED.a SELECT i FROM B")
            assert not proven(session, "INSERT INTO A SELECT i FROM ÜBERSICHT")
            assert not proven(session, "INSERT INTO M VALUES (1)")
            assert not proven(session, "INSERT INTO Logged VALUES (1)")
            tables = TransactionalTables(session)
            insert = effect(session, "INSERT INTO A VALUES (1)")
            assert tables.proven(insert)
            session.execute(b"ALTER TABLE a ENGINE = MyISAM")
            tables.passed(effect(session, "ALTER TABLE a ENGINE = MyISAM"))
            assert not tables.proven(insert)


# A definition, what it needs to be there, and what is known of it once it has been carried out.
DEFINITIONS = [
    ("CREATE TABLE n (i INT)", DONE),
    ("CREATE TABLE n (i INT) ENGINE=MyISAM", UNKNOWN),
    ("CREATE TABLE n AS SELECT 1 AS i", UNKNOWN),
    ("CREATE VIEW n AS SELECT 1", DONE),
    ("CREATE OR REPLACE VIEW v AS SELECT 2 AS i", DONE),
    ("CREATE INDEX n ON a (i)", DONE),
    ("CREATE PROCEDURE n() SELECT 1", DONE),
    ("CREATE TRIGGER n BEFORE INSERT ON a FOR EACH ROW SET @a = 1", DONE),
    ("CREATE EVENT n ON SCHEDULE EVERY 1 DAY DO SET @a = 1", DONE),
    ("CREATE USER {user}", DONE),
    ("ALTER TABLE a ADD j INT", DONE),
    ("ALTER TABLE a ADD j INT, RENAME TO n", DONE),
    ("ALTER TABLE m ADD j INT", UNKNOWN),
    ("ALTER TABLE a ENGINE = MyISAM", UNKNOWN),
    ("ALTER TABLE parts COALESCE PARTITION 1", UNKNOWN),
    ("DROP TABLE a", DONE),
    ("DROP TABLE a, b", DONE),
    ("DROP TABLE m", DONE),
    ("DROP VIEW v", DONE),
    ("DROP FUNCTION f", DONE),
    ("RENAME TABLE a TO n", DONE),
    ("RENAME TABLE a TO n, b TO a, n TO b", DONE),
    ("TRUNCATE a", DONE),
    ("TRUNCATE parts", NOT_DONE),
]


@pytest.mark.parametrize(("text", "expected"), DEFINITIONS)
def test_what_fingerprints_tell_of_definitions(
    server: DatabaseServer, session: Session, text: str, expected: InFlightOutcome
) -> None:
    user = f"u{uuid.uuid4().hex[:12]}"
    text = text.format(user=user)
    known = effect(session, text)
    session.execute(b"INSERT INTO a VALUES (1)")
    before = fingerprints(session, known.objects, known.replaces)
    try:
        session.execute(text.encode())
        now = fingerprints(session, known.objects, known.replaces)
        assert outcome(known, before, now, True) is expected
        assert outcome(known, before, now, False) is UNKNOWN
        assert outcome(known, before, before, True) is NOT_DONE
    finally:
        with suppress(ServerError):
            session.query(f"DROP USER {user}")


@pytest.mark.parametrize("setting", ["sql_mode = 'ANSI_QUOTES'", "sql_quote_show_create = 0"])
def test_how_a_definition_is_shown_is_not_a_change_of_it(session: Session, setting: str) -> None:
    known = effect(session, "ALTER TABLE a ADD j INT")
    before = fingerprints(session, known.objects, False)
    session.execute(f"SET SESSION {setting}".encode())
    assert outcome(known, before, fingerprints(session, known.objects, False), True) is UNKNOWN
    before = fingerprints(session, known.objects, False)
    assert outcome(known, before, fingerprints(session, known.objects, False), True) is NOT_DONE
    session.execute(b"ALTER TABLE a ADD j INT")
    assert outcome(known, before, fingerprints(session, known.objects, False), True) is DONE


def test_an_event_that_runs_once_may_be_gone(session: Session) -> None:
    text = "CREATE EVENT n ON SCHEDULE AT CURRENT_TIMESTAMP - INTERVAL 1 DAY DO SET @a = 1"
    known = effect(session, text)
    before = fingerprints(session, known.objects, False)
    session.execute(text.encode())
    now = fingerprints(session, known.objects, False)
    assert (before, now) == (["absent"], ["absent"])
    assert outcome(known, before, now, True) is UNKNOWN


def record(session: Session, *texts: str) -> SessionRecorder:
    recorder = SessionRecorder()
    for number, text in enumerate(texts, 1):
        session.execute(text.encode())
        found = classified(Statement(number, 1, 1, text.encode()), dialect_of(session), recorder)
        recorder.record(number, found.resolved_text, found.effect, session)
        recorder.read_values(session, lambda: [b"@x"])
    return recorder


def again(server: DatabaseServer, schema: str, recorder: SessionRecorder, question: str) -> list[tuple[Any, ...]]:
    """Return what a new session answers that has been brought to where the recorder was."""
    entries = [Entry(**item) for item in recorder.as_json(100)]
    with open_session(server, schema) as session:
        restored = SessionRecorder(entries)
        for number in range(101):
            restored.restore(session, number)
        return session.query(question)


@pytest.mark.parametrize(
    ("texts", "question"),
    [
        (["SET @a = 1, @b = 'x\u00e4', @c = 1.50, @d = X'00ff', @e = NULL"], "SELECT @a + 1, @b, @c, HEX(@d), @e"),
        (["SELECT 1, 2 INTO /* x */ @a, @b"], "SELECT @a, @b"),
        (["SELECT @a /* x */ := 5"], "SELECT @a"),
        (["CREATE PROCEDURE sets() SET @x = 7", "CALL sets()"], "SELECT @x"),
        (["CREATE FUNCTION g() RETURNS INT BEGIN SET @x = 8; RETURN 1; END", "SELECT g()"], "SELECT @x"),
        (["SET sql_mode = 'ANSI_QUOTES'", "SET NAMES latin1"], "SELECT @@sql_mode, @@character_set_connection"),
        (["PREPARE /* x */ `P` FROM/**/'SET @x = 9'", "EXECUTE p"], "SELECT @x"),
        (["SET @@SESSION.sql_mode = CONCAT(@@sql_mode, ',ANSI_QUOTES')"], "SELECT @@sql_mode"),
    ],
)
def test_a_session_is_brought_back(
    server: DatabaseServer, schema: str, session: Session, texts: list[str], question: str
) -> None:
    recorder = record(session, *texts)
    assert recorder.lost() == []
    assert again(server, schema, recorder, question) == session.query(question)


def test_locks_are_brought_back(server: DatabaseServer, schema: str, session: Session) -> None:
    recorder = record(session, "LOCK TABLES a WRITE")
    entries = [Entry(**item) for item in recorder.as_json(1)]
    session.execute(b"UNLOCK TABLES")
    with open_session(server, schema) as other:
        [locks] = SessionRecorder(entries).locks()
        other.execute(locks)
        with pytest.raises(ServerError) as caught:
            other.execute(b"INSERT INTO b VALUES (1)")
        assert caught.value.code == 1100


def test_a_value_of_any_size(session: Session) -> None:
    session.execute(b"SELECT REPEAT('x', 9000000) INTO @a")
    recorder = SessionRecorder()
    text = "SELECT REPEAT('x', 9000000) INTO @a"
    recorder.record(1, text.encode(), effect(session, text), session)
    recorder.read_values(session)
    assert [(entry.sql, entry.what) for entry in recorder.entries] == [(None, "the variable @a")]


def test_a_prepared_statement_whose_text_is_another_each_time(server: DatabaseServer, session: Session) -> None:
    recorder = record(session, "PREPARE p FROM 'SELECT 1'")
    assert recorder.prepared == {"p": b"SELECT 1"}
    text = "PREPARE p FROM CONCAT('SELECT ', RAND())" if session.mariadb else "PREPARE p FROM @nothing"
    with suppress(ServerError):
        session.execute(text.encode())
    recorder.record(2, text.encode(), effect(session, text), session)
    assert recorder.prepared == {}
    assert [entry.what for entry in recorder.lost()] == ["the prepared statement p"]
