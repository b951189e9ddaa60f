# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session and the lock on the real servers: what is known after each statement, and what holds whatever is set."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._mysql import session as session_file
from ansible_collections.dbops.migrations.plugins.module_utils._mysql import session_track, wire
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import Lock, locked
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError, Session, connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session_track import (
    Changes,
    TransactionReport,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.statements import (
    COMMIT,
    ROLLBACK,
    START_TRANSACTION,
    text_literal,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.versions import Version
from integration.migration.support import Database
from parts.mariadb import DatabaseServer, MariaDB

ABOUT_SERVERS = True

Open = Callable[..., AbstractContextManager[Session]]
MODES = {
    False: ["", "ANSI", "PIPES_AS_CONCAT", "HIGH_NOT_PRECEDENCE", "NO_UNSIGNED_SUBTRACTION", "NO_BACKSLASH_ESCAPES"],
    True: ["", "ORACLE", "ANSI", "MSSQL", "HIGH_NOT_PRECEDENCE", "NO_UNSIGNED_SUBTRACTION", "EMPTY_STRING_IS_NULL"],
}


@pytest.fixture
def opened(server: DatabaseServer) -> Iterator[Open]:
    """Opens sessions in a new schema with the tables ``rows_`` (InnoDB) and ``plain`` (MyISAM), on each server."""
    schema = f"test_{uuid.uuid4().hex[:12]}"
    server.create_schema(schema)
    server.query("CREATE TABLE rows_ (a INT PRIMARY KEY) ENGINE=InnoDB", schema)
    server.query("CREATE TABLE plain (a INT PRIMARY KEY) ENGINE=MyISAM", schema)

    @contextmanager
    def opening(database: str = schema, **login: Any) -> Iterator[Session]:
        defaults = {name: option.get("default") for name, option in MYSQL.argument_spec.items()}
        known = {"host": server.host, "port": server.port, "user": server.user, "password": server.password, **login}
        others = {"tls": known.pop("tls", "preferred"), "server_public_key": known.pop("server_public_key", None)}
        params = {**defaults, **{f"login_{name}": value for name, value in known.items()}, **others}
        params["login_db"] = database
        with connect(read_settings(params)) as session:
            yield session

    yield opening
    server.query(f"DROP DATABASE IF EXISTS `{schema}`")


@pytest.fixture
def session(opened: Open) -> Iterator[Session]:
    """A session in such a schema."""
    with opened() as session:
        yield session


@pytest.fixture(params=["tracked", "old", "filtered"])
def any_session(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, opened: Open) -> Iterator[Session]:
    """The same, also as a server without the protocol's extensions has it, and where a proxy leaves changes out."""
    if request.param == "old":
        monkeypatch.setattr(wire, "_EXTENSIONS", 0)
    if request.param == "filtered":
        monkeypatch.setattr(session_track, "read_changes", lambda _rest: Changes({}))
    with opened() as session:
        assert session.tracked is (request.param == "tracked")
        yield session


def run(session: Session, *statements: str) -> None:
    """Run statements as a user's."""
    for statement in statements:
        session.execute(statement.encode())


def fails(session: Session, statement: str) -> int:
    """Return the code of the error that a user's statement gives."""
    with pytest.raises(ServerError) as failure:
        session.execute(statement.encode())
    return failure.value.code


def test_something_else_is_done_while_the_server_is_running(session: Session) -> None:
    """It rests on a method that PyMySQL does not promise: without it, all would only be slower."""
    done: list[float] = []
    started = time.monotonic()
    session.execute(b"DO SLEEP(0.5)", meanwhile=lambda: done.append(time.monotonic()))
    ended = time.monotonic()
    session.execute(b"DO 1")
    [moment] = done
    assert moment - started < 0.4 < ended - started


@pytest.mark.parametrize(
    ("ways", "client"),
    [
        (["{}"], "cp932"),
        (["PREPARE p FROM '{}'", "EXECUTE p"], "cp932"),
        # A routine's end brings back the client's, but not that of the results, and reports nothing of it.
        (["CREATE PROCEDURE p() BEGIN SELECT 1; {}; END", "CALL p()"], "utf8mb4"),
        (["CREATE PROCEDURE p() BEGIN {}; SELECT 1; END", "CALL p()"], "utf8mb4"),
        (["/*!40101 {} */"], "cp932"),
        (["{}; SELECT 1"], "cp932"),
    ],
)
def test_character_sets_are_known_whichever_way_they_are_changed(
    any_session: Session, ways: list[str], client: str
) -> None:
    assert (any_session.character_set_client, any_session.foreign_results) == ("utf8mb4", False)
    run(any_session, *(way.format("SET NAMES cp932") for way in ways))
    assert (any_session.character_set_client, any_session.character_set_results) == (client, "cp932")
    assert any_session.rows(b"SELECT @@character_set_client") == [(client.encode(),)]
    assert any_session.foreign_results
    run(any_session, "SET character_set_results = NULL")
    assert (any_session.character_set_client, any_session.character_set_results) == (client, "")
    assert any_session.foreign_results
    run(any_session, "SET character_set_results = utf16", "SET NAMES utf8mb4")
    assert (any_session.character_set_client, any_session.foreign_results) == ("utf8mb4", False)


@pytest.mark.parametrize(
    "ways",
    [
        ["SET sql_mode = 'ANSI_QUOTES'"],
        ["SET @@SESSION.sql_mode = CONCAT('ANSI', '_QUOTES')"],
        ["PREPARE p FROM 'SET sql_mode = 4'", "EXECUTE p"],
        ["CREATE PROCEDURE p() BEGIN SELECT 1; SET sql_mode = 'ANSI_QUOTES'; END", "EXECUTE q"],
        ["SET sql_mode = 'ANSI_QUOTES'; SELECT * FROM rows_"],
    ],
)
def test_the_sql_mode_is_known_whichever_way_it_is_changed(any_session: Session, ways: list[str]) -> None:
    run(any_session, "PREPARE q FROM 'SET sql_mode = ''ANSI_QUOTES'''", *ways)
    assert any_session.sql_modes == {"ANSI_QUOTES"}
    run(any_session, "SET sql_mode = ''")
    assert any_session.sql_modes == frozenset()


def test_what_holds_for_one_statement_only_is_not_taken_in(any_session: Session) -> None:
    before = any_session.sql_modes
    run(any_session, "SELECT /*+ SET_VAR(sql_mode = 'ANSI_QUOTES') */ 1")
    if any_session.mariadb:
        run(any_session, "SET STATEMENT sql_mode = 'ANSI_QUOTES' FOR SELECT 1")
        run(any_session, "SET STATEMENT sql_mode = 'ANSI_QUOTES', character_set_results = latin1 FOR DO 1")
    assert (any_session.sql_modes, any_session.foreign_results) == (before, False)


def test_the_current_schema_is_known(any_session: Session, server: DatabaseServer) -> None:
    other = f"tést_{uuid.uuid4().hex[:12]}"
    server.create_schema(other)
    server.query(f"CREATE PROCEDURE `{other}`.p() SELECT DATABASE()")
    first = any_session.schema
    assert any_session.current_schema == first == any_session.database
    run(any_session, f"CALL `{other}`.p()")
    assert any_session.current_schema == first
    run(any_session, f"USE `{other}`")
    assert any_session.current_schema == other
    run(any_session, f"USE `{first}`", "SET NAMES latin1", "SET character_set_results = utf16")
    any_session.execute(f"USE `{other}`".encode("latin1"))
    assert any_session.current_schema == other
    any_session.execute(f"DROP DATABASE `{other}`".encode("latin1"))
    assert any_session.current_schema is None
    assert any_session.schema == first


def test_no_question_of_ours_begins_a_transaction(any_session: Session) -> None:
    question = "SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = DATABASE() AND table_name = 'rows_'"
    run(any_session, "SET autocommit = 0")
    assert (any_session.query(question), any_session.in_transaction) == ([(1,)], False)
    assert (any_session.rows(question.encode()), any_session.in_transaction) == ([(b"1",)], False)
    run(any_session, "INSERT INTO rows_ VALUES (7)")
    assert (any_session.query(question), any_session.in_transaction) == ([(1,)], True)
    assert any_session.query("SELECT COUNT(*) FROM rows_") == [(1,)]
    run(any_session, "ROLLBACK", "SAVEPOINT s")
    any_session.has_savepoint = True
    any_session.query(question)
    run(any_session, "ROLLBACK TO SAVEPOINT s")


def test_a_transaction_is_known_also_behind_rows(any_session: Session) -> None:
    run(any_session, "SET autocommit = 0")
    assert (any_session.autocommit, any_session.in_transaction) == (False, False)
    run(any_session, "SELECT 1")
    assert not any_session.in_transaction
    run(any_session, "SELECT * FROM rows_")
    assert any_session.in_transaction
    run(any_session, "COMMIT")
    assert not any_session.in_transaction
    run(any_session, "CREATE PROCEDURE p() BEGIN SET autocommit = 1; START TRANSACTION; SELECT 1; END", "CALL p()")
    assert (any_session.autocommit, any_session.in_transaction) == (True, True)


def test_what_a_statement_that_failed_has_changed_is_known(any_session: Session) -> None:
    run(any_session, "START TRANSACTION", "INSERT INTO rows_ VALUES (1)")
    assert fails(any_session, "INSERT INTO rows_ VALUES (1)") == 1062
    assert any_session.in_transaction
    assert fails(any_session, "CREATE TABLE rows_ (a INT)") == 1050
    assert not any_session.in_transaction
    assert not any_session.transaction.writes
    run(any_session, "CREATE PROCEDURE p() BEGIN SET autocommit = 0; SET NAMES latin1; SELECT * FROM nowhere; END")
    assert fails(any_session, "CALL p()") == 1146
    asked = any_session.query("SELECT @@autocommit, @@character_set_client, @@character_set_results")
    expected = [(int(any_session.autocommit), any_session.character_set_client, any_session.character_set_results)]
    # Our question itself is asked in UTF-8.
    assert asked[0][0] == expected[0][0]
    assert any_session.rows(b"SELECT @@character_set_client") == [(expected[0][1].encode(),)]
    assert fails(any_session, "SET NAMES cp932; USE mysql; SELECT * FROM nowhere") == 1146
    assert (any_session.character_set_client, any_session.current_schema) == ("cp932", "mysql")


def test_the_transactions_report(session: Session) -> None:
    run(session, "START TRANSACTION")
    assert session.transaction == TransactionReport(explicit=True)
    run(session, "SELECT * FROM rows_")
    assert (session.transaction.reads, session.transaction.writes) == (True, False)
    run(session, "INSERT INTO rows_ VALUES (1)")
    assert (session.transaction.writes, session.transaction.nontransactional_writes) == (True, False)
    run(session, "LOCK TABLES rows_ WRITE")
    assert session.transaction == TransactionReport(table_locks=True)
    assert fails(session, "LOCK TABLES nowhere READ") == 1146
    assert not session.transaction.table_locks
    run(session, "LOCK TABLES rows_ WRITE", "SELECT * FROM rows_", "START TRANSACTION")
    assert not session.transaction.table_locks
    run(session, "ROLLBACK", "SET autocommit = 0", "INSERT INTO rows_ VALUES (2)")
    assert (session.transaction.implicit, session.transaction.explicit) == (True, False)


@pytest.mark.parametrize(
    "statement",
    [
        "INSERT INTO plain VALUES (1)",
        "INSERT INTO seen VALUES (1)",
        "INSERT INTO triggering VALUES (1)",
        "SELECT writing()",
        "INSERT INTO rows_ SELECT writing()",
        "CALL calling()",
        "UPDATE plain, rows_ SET plain.a = 5, rows_.a = 6",
        "DELETE FROM plain",
    ],
)
def test_a_write_that_a_rollback_does_not_undo_is_reported(session: Session, statement: str) -> None:
    run(
        session,
        "CREATE VIEW seen AS SELECT * FROM plain",
        "CREATE TABLE triggering (a INT)",
        "CREATE TRIGGER trigger_ BEFORE INSERT ON triggering FOR EACH ROW INSERT INTO plain VALUES (3)",
        "CREATE FUNCTION writing() RETURNS INT DETERMINISTIC BEGIN INSERT INTO plain VALUES (4); RETURN 1; END",
        "CREATE PROCEDURE calling() BEGIN SELECT writing(); SELECT 2; END",
        "INSERT INTO plain VALUES (9)",
        "INSERT INTO rows_ VALUES (9)",
    )
    assert not session.wrote_nontransactional
    before = session.query("SELECT COUNT(*), SUM(a) FROM plain")
    with suppress(ServerError):
        session.execute(statement.encode(), [START_TRANSACTION], ["DO 0", COMMIT], b"SELECT 1")
    session.query("ROLLBACK")
    assert (session.query("SELECT COUNT(*), SUM(a) FROM plain") == before) <= session.wrote_nontransactional
    assert session.wrote_nontransactional
    session.execute(b"INSERT INTO rows_ VALUES (10)", [START_TRANSACTION], ["DO 0", COMMIT])
    assert not session.wrote_nontransactional


def test_a_write_of_ours_behind_the_users_is_not_the_users(session: Session) -> None:
    ours = "INSERT INTO plain VALUES (1)"
    session.execute(b"SELECT 1", [START_TRANSACTION], [ours, COMMIT])
    assert not session.wrote_nontransactional
    session.execute(b"SELECT 1; SELECT 2", [START_TRANSACTION])
    assert not session.wrote_nontransactional
    run(session, "REPLACE INTO plain VALUES (7)")
    assert session.wrote_nontransactional
    run(session, "DO 1")
    assert session.wrote_nontransactional, "an earlier statement's write cannot be told from this one's"
    run(session, "COMMIT")
    assert not session.wrote_nontransactional


def test_a_part_of_a_statement_that_failed_is_reported(session: Session) -> None:
    run(session, "START TRANSACTION")
    assert fails(session, "INSERT INTO plain VALUES (1), (2), (1)") == 1062
    assert session.wrote_nontransactional
    assert session.query("SELECT COUNT(*) FROM plain") == [(2,)]


def test_nothing_comes_between_a_statement_and_one_that_asks_about_it(any_session: Session) -> None:
    any_session.execute(b"INSERT INTO rows_ VALUES (1), (2)", undisturbed=True)
    any_session.execute(b"SET @count = ROW_COUNT()")
    assert any_session.query("SELECT @count") == [(2,)]
    run(any_session, "CREATE PROCEDURE p() BEGIN SET NAMES latin1; INSERT INTO rows_ VALUES (3), (4), (5); END")
    any_session.execute(b"CALL p()", undisturbed=True)
    assert any_session.stale
    any_session.execute(b"SET @count = ROW_COUNT()")
    assert not any_session.stale
    assert any_session.character_set_results == "latin1"
    assert any_session.query("SELECT @count") == [(3,)]


def test_our_questions_are_understood_whatever_the_character_sets(any_session: Session) -> None:
    texts = ["plain", "ソ表\\'", "é' OR 1 -- ", "", "\\", "\N{GRINNING FACE}"]
    for settings in ("NAMES cp932", "NAMES gbk", "NAMES latin1", "character_set_connection = utf16", "NAMES swe7"):
        run(any_session, f"SET {settings}", "SET character_set_results = utf32")
        for mode in MODES[any_session.mariadb]:
            run(any_session, f"SET sql_mode = _latin1'{mode}'")
            assert any_session.query("SELECT %s, %s, %s, %s, %s, %s", texts) == [tuple(texts)]
    any_session.query("CREATE TABLE `té表` (a INT)")
    assert any_session.query("SELECT COUNT(*) FROM information_schema.tables WHERE table_name = %s", ["té表"]) == [(1,)]
    assert any_session.character_set_client == "swe7"


def test_an_empty_text_stays_one(session: Session) -> None:
    for mode in MODES[session.mariadb]:
        run(session, f"SET sql_mode = '{mode}'")
        literal = text_literal("")
        assert session.query(f"SELECT {literal} IS NULL, LENGTH({literal})") == [(0, 0)]
        constant = session.constant(f"TRIM({text_literal(' ')})".encode() if mode == "" else literal.encode())
        assert session.query(f"SELECT {constant.decode()} IS NULL") == [(0,)]
    if session.mariadb:
        run(session, "SET sql_mode = 'EMPTY_STRING_IS_NULL'")
        assert session.query("SELECT '' IS NULL") == [(1,)]


def test_connecting_takes_one_question_and_no_set_names(
    opened: Open, server: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    original = wire._Connection._execute_command

    def recording(self: Any, command: int, sql: Any) -> None:
        sent.append(sql)
        original(self, command, sql)

    monkeypatch.setattr(wire._Connection, "_execute_command", recording)
    with opened() as session:
        assert len(sent) == 1
        assert b"NAMES" not in sent[0]
        assert session.tracked


@pytest.mark.usefixtures("golang_migrate")
def test_the_session_is_golang_migrates(there: Database) -> None:
    names = [
        *("character_set_client", "character_set_connection", "character_set_results", "collation_connection"),
        *("sql_mode", "autocommit", "completion_type", "time_zone", "sql_safe_updates", "sql_select_limit"),
        *("foreign_key_checks", "unique_checks", "net_retry_count", "lock_wait_timeout", "default_storage_engine"),
    ]
    columns = ", ".join(f"@@SESSION.{name} AS {name}" for name in names)
    there.write({"1_a.up.sql": f"CREATE TABLE seen AS SELECT {columns}, CONCAT('a', 1) AS text, COLLATION('a') AS c;"})
    there.golang("up")
    theirs = there.query("SELECT * FROM seen"), there.query("SHOW CREATE TABLE seen")
    there.query("DROP TABLE seen")
    there.query("DROP TABLE schema_migrations")
    result = there.apply()
    assert result["changed"], result
    assert (there.query("SELECT * FROM seen"), there.query("SHOW CREATE TABLE seen")) == theirs


def test_the_servers_own_settings_win(opened: Open, server: DatabaseServer) -> None:
    """init_connect holds for accounts without SUPER; golang-migrate's session is left as it makes it."""
    name = f"user_{uuid.uuid4().hex[:8]}"
    server.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'Secret-17'")
    server.query(f"GRANT SELECT, CREATE, INSERT, DROP ON *.* TO '{name}'@'%'")
    statements = "SET autocommit = 0; SET NAMES latin1 COLLATE latin1_german2_ci; SET character_set_results = utf16"
    try:
        for statement in (statements, f"{statements}; SET sql_mode = 'ANSI_QUOTES'"):
            # One statement only, as the server takes it.
            server.query(f'SET GLOBAL init_connect = "{statement.rsplit("; ", maxsplit=1)[-1]}"')
            with opened(user=name, password="Secret-17") as session:
                assert session.autocommit
                assert session.schema == session.database == session.current_schema
                if "sql_mode" in statement:
                    assert session.sql_modes == {"ANSI_QUOTES"}
                else:
                    assert (session.character_set_client, session.character_set_results) == ("utf8mb4", "utf16")
                    assert session.foreign_results
                assert session.query("SELECT %s", ["é表"]) == [("é表",)]
        server.query('SET GLOBAL init_connect = "SET autocommit = 0"')
        with opened(user=name, password="Secret-17") as session:
            assert session.autocommit
            run(session, "INSERT INTO rows_ VALUES (1)")
            assert not session.in_transaction
    finally:
        server.query("SET GLOBAL init_connect = ''")
        server.query(f"DROP USER '{name}'@'%'")


def test_a_server_that_is_too_old_is_refused(opened: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session_file, "read_version", lambda _text: Version(mariadb=False, number=50562))
    with pytest.raises(Error, match=r"^MySQL 5\.5 is too old for this collection\."), opened():
        pass


def test_what_the_server_is(session: Session, server: DatabaseServer) -> None:
    assert session.mariadb is isinstance(server, MariaDB)
    [(text, number)] = session.query("SELECT VERSION(), CONNECTION_ID()")
    assert (session.server, session.connection_id) == (text, number)
    assert session.atomic_ddl is (session.complaint is None) is (session.version >= 100600 or not session.mariadb)
    exists = session.query("SHOW VARIABLES LIKE 'information_schema_stats_expiry'")
    assert session.has_stats_expiry is bool(exists)


@pytest.mark.parametrize("completion", ["CHAIN", "2"])
def test_our_transactions_end_whatever_the_completion_type(session: Session, completion: str) -> None:
    run(session, f"SET completion_type = {completion}")
    for number, ending in enumerate((COMMIT, ROLLBACK)):
        session.execute(b"INSERT INTO rows_ VALUES (%d)" % number, [START_TRANSACTION], [ending])
        assert not session.in_transaction
        assert session.query("SELECT COUNT(*) FROM rows_") == [(1,)]


@pytest.mark.parametrize("setting", ["SET SESSION TRANSACTION READ ONLY", "SET TRANSACTION READ ONLY"])
def test_our_transactions_write_whatever_the_access_mode(session: Session, setting: str) -> None:
    run(session, setting)
    session.execute(b"INSERT INTO rows_ VALUES (1)", [START_TRANSACTION], [COMMIT])
    assert session.query("SELECT COUNT(*) FROM rows_") == [(1,)]


@contextmanager
def holding(session: Session, **params: Any) -> Iterator[Lock]:
    """Hold the lock of a run."""
    wanted = {"migrations_table": "schema_migrations", "lock": True, "lock_timeout": 0, **params}
    with locked(session, wanted, pytest.fail, lambda _session, _params: "") as lock:
        assert lock is not None
        yield lock


def guarded(session: Session, lock: Lock) -> bool:
    """Tell whether the lock's guard lets a packet through."""
    try:
        session.execute(b"DO 1", [lock.guard])
    except ServerError as error:
        if error.place != 0 or not lock.lost(error):
            raise
        return False
    return True


def test_the_guard_tells_whether_the_lock_is_held(session: Session, server: DatabaseServer) -> None:
    with holding(session) as lock:
        before = session.query("SELECT @@net_retry_count, @@GLOBAL.net_retry_count")
        for mode in MODES[session.mariadb]:
            # MySQL would not understand a mode in UTF-16.
            run(session, "SET NAMES utf8mb4", f"SET sql_mode = '{mode}'")
            for charset in ("utf8mb4", "cp932", "utf16"):
                run(session, f"SET character_set_connection = {charset}")
                assert guarded(session, lock)
                run(session, f"DO RELEASE_LOCK(_latin1'{lock.name}')")
                assert not guarded(session, lock)
                assert lock.retake()
        assert session.query("SELECT @@net_retry_count, @@GLOBAL.net_retry_count") == before
    assert server.query(f"SELECT IS_FREE_LOCK('{lock.name}')") == [(1,)]


def test_the_guard_works_wherever_a_migration_may_be(session: Session) -> None:
    with holding(session) as lock:
        for opening, ending in (
            ("LOCK TABLES rows_ READ", "UNLOCK TABLES"),
            ("START TRANSACTION READ ONLY", "COMMIT"),
            ("SET SESSION TRANSACTION READ ONLY", "SET SESSION TRANSACTION READ WRITE"),
            ("SET autocommit = 0", "SET autocommit = 1"),
            ("XA START 'x'", "XA END 'x'; XA ROLLBACK 'x'"),
            ("SET SESSION binlog_format = STATEMENT", "DO 1"),
            ("SET SESSION sql_select_limit = 0", "SET SESSION sql_select_limit = DEFAULT"),
        ):
            run(session, opening)
            state = session.in_transaction
            assert guarded(session, lock)
            assert session.in_transaction is state, opening
            run(session, ending)
        # One-time settings of the user's are still there.
        run(session, "SET TRANSACTION READ ONLY")
        assert guarded(session, lock)
        assert fails(session, "INSERT INTO rows_ VALUES (1)") == 1792


def test_what_is_behind_the_guard_is_not_run_without_the_lock(session: Session) -> None:
    with holding(session) as lock:
        run(session, "DO RELEASE_ALL_LOCKS()")
        with pytest.raises(ServerError) as failure:
            session.execute(b"INSERT INTO rows_ VALUES (1)", [START_TRANSACTION, lock.guard], [COMMIT])
        assert (failure.value.place, lock.lost(failure.value)) == (1, True)
        assert session.in_transaction
        run(session, "ROLLBACK")
        assert session.query("SELECT COUNT(*) FROM rows_") == [(0,)]
        assert fails(session, "SELECT ~0 + 1") == 1690


def test_a_lock_that_someone_else_has_taken_is_not_retaken(session: Session, opened: Open) -> None:
    with holding(session) as lock, opened() as other:
        assert lock.retake()
        run(session, f"DO RELEASE_LOCK('{lock.name}')")
        with holding(other):
            assert not lock.retake()
            assert not guarded(session, lock)
            with pytest.raises(Error, match=r"^Another migration run holds the lock on "), holding(session):
                pass
        assert lock.retake()
        assert guarded(session, lock)
    with opened() as other, holding(other):
        pass


def test_without_a_lock_there_is_a_warning(session: Session) -> None:
    warnings: list[str] = []
    with locked(session, {"lock": False}, warnings.append, lambda _session, _params: "") as lock:
        assert lock is None
    [warning] = warnings
    assert warning.startswith(f"Locking is off: nothing prevents concurrent runs on {session.database}. ")


def test_a_password_is_encrypted_where_there_is_no_tls(server: DatabaseServer, opened: Open) -> None:
    """MySQL asks for it of an account that has not logged in since its start; for RSA a library is loaded then."""
    name = f"u{uuid.uuid4().hex[:8]}"
    server.query(f"CREATE USER '{name}'@'%' IDENTIFIED BY 'pw'")
    server.query(f"GRANT ALL ON *.* TO '{name}'@'%'")
    key = server.folder / "data" / "public_key.pem"
    given = {"server_public_key": str(key)} if key.exists() else {}
    try:
        with opened(user=name, password="pw", tls="disabled", **given) as session:
            assert session.query("SELECT CURRENT_USER()") == [(f"{name}@%",)]
    finally:
        server.query(f"DROP USER '{name}'@'%'")
