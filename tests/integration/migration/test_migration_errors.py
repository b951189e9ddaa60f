# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input: one clear message that says what, where and what to do, and nothing lost."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_name
from integration.migration.support import Database, make
from parts import private_folder
from parts.mariadb import DatabaseServer
from parts.relay import Relay

TWO = {
    "1_a.up.sql": "CREATE TABLE a (i INT);",
    "2_b.up.sql": "CREATE TABLE b (i INT);\n\nCREATE TABLE a (i INT); SELECT 1;",
}


def test_sql_that_fails(database: Database) -> None:
    database.write(TWO)
    result = database.apply()
    assert result["failed"]
    assert result["msg"] == (
        "2_b.up.sql:3:1: statement 2 failed: (1050) Table 'a' already exists. 1 migration was applied before this "
        "file; statement 1 is done. The database is now at version 2, dirty. Correct the statement in the file and "
        "run again, which resumes from there; or fix the schema manually and set the version that it has then "
        "(module migration_force, playbook dbops.migrations.force). The statement: CREATE TABLE a (i INT) (DBM-1801)"
    )
    expected = {"file": "2_b.up.sql", "line": 3, "column": 1, "statement": 2, "error_code": 1050, "dirty": True}
    assert {key: result[key] for key in expected} == expected
    assert (result["from_version"], result["to_version"]) == (None, 2)
    assert [item["version"] for item in result["applied"]] == [1]
    assert result["changed"] is True
    assert database.state() == [(2, 1)]
    assert database.tables() == {"a", "b"}


def test_a_long_statement_is_cut_in_the_message(database: Database) -> None:
    database.write({"1_a.up.sql": f"SELECT nothing, '{'ä' * 5000}';"})
    message = database.refusal()
    assert message.endswith("ä… (DBM-1801)")
    assert "statement 1 failed: (1054)" in message
    assert " None of its statements is done. " in message


def test_down_that_fails_leaves_the_target(database: Database) -> None:
    database.write(
        {"1_a.up.sql": "SELECT 1", "1_a.down.sql": "DROP TABLE a", "2_b.up.sql": "SELECT 1", "2_b.down.sql": "x"}
    )
    database.apply()
    assert "The database is now at version 1, dirty." in database.refusal(steps=-1, allow_down=True)
    assert database.state() == [(1, 1)]
    database.module("force", version="1")
    assert "The database is now at no version yet, dirty." in database.refusal(target="none", allow_down=True)
    assert database.state() == [(-1, 1)]


def test_a_dirty_state(database: Database) -> None:
    database.write(TWO)
    database.apply()
    before = database.snapshot()
    result = database.apply(resume=False)
    assert "The database is dirty: an earlier run failed on its way to version 2." in result["msg"]
    assert "migration_force, playbook dbops.migrations.force" in result["msg"]
    assert (result["dirty"], result["from_version"]) == (True, 2)
    assert not result.get("changed")
    assert database.snapshot() == before


def test_the_current_version_has_no_file(database: Database) -> None:
    database.write(TWO)
    database.module("force", version="9")
    assert "The database is at version 9, but no file in" in database.refusal()


def test_a_version_but_no_files_at_all(database: Database) -> None:
    database.module("force", version="9")
    assert "version 9, but no file in" in database.refusal()
    assert "has no migrations" in database.refusal()


def test_two_files_of_one_version(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT 1", "01_b.up.sql": "SELECT 1"})
    assert "Two files are the up migration of version 1: 01_b.up.sql and 1_a.up.sql" in database.refusal()
    assert database.snapshot() == {}


def test_the_directory_is_missing(database: Database) -> None:
    message = database.refusal(directory="/nowhere/at/all")
    assert message == (
        "The migrations' directory /nowhere/at/all cannot be read: No such file or directory. "
        "Check the option directory; it is a path on the runner. (DBM-1601)"
    )


def test_a_file_that_vanishes_is_named(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT 1"})
    (database.directory / "2_b.up.sql").symlink_to("/nowhere/2_b.up.sql")
    message = database.refusal()
    assert message == f"{database.directory}/2_b.up.sql cannot be read: No such file or directory. (DBM-1606)"
    assert database.state() == [(1, 0)]


@pytest.mark.parametrize(
    ("ddl", "columns", "owner"),
    [
        ("(version varchar(255) not null primary key)", "version varchar", "dbmate or Rails"),
        (
            "(version bigint primary key, dirty boolean, checksum text not null)",
            "version bigint, dirty tinyint, checksum text",
            "something else",
        ),
        ("(id int)", "id int", "something else"),
    ],
)
def test_a_state_table_of_another_shape(database: Database, ddl: str, columns: str, owner: str) -> None:
    database.write(TWO)
    database.query(f"CREATE TABLE schema_migrations {ddl}")
    before = database.snapshot()
    message = database.refusal()
    assert message == (
        f"The table schema_migrations in {database.name} is not golang-migrate's state table: it has the columns "
        f"{columns}; it should have version and dirty, and no other column without a default. It belongs to {owner} "
        "and is left alone; choose another migrations_table. (DBM-1619)"
    )
    assert database.module("force", version="1")["msg"] == message
    assert database.module("info")["msg"] == message
    assert database.snapshot() == before


def test_a_state_table_with_more_columns_is_left_to_their_defaults(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT 1"})
    columns = "version bigint primary key, dirty boolean, checksum text, since timestamp default current_timestamp"
    database.query(f"CREATE TABLE schema_migrations ({columns}, n int not null default 7)")
    assert database.apply()["to_version"] == 1
    assert database.query("SELECT version, dirty, checksum, n FROM schema_migrations") == [(1, 0, None, 7)]
    assert database.module("force", version="3")["changed"]
    assert database.module("info")["version"] == 3


def test_a_state_table_with_two_rows(database: Database) -> None:
    database.write(TWO)
    database.module("force", version="1")
    database.query("INSERT INTO schema_migrations VALUES (2, 0)")
    assert "has more than one row; golang-migrate keeps one at most" in database.refusal()


def test_a_table_whose_name_only_matches_as_a_pattern_is_not_a_state_table(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT 1"})
    database.query("CREATE TABLE schemaXmigrations (a INT)")
    assert database.apply()["changed"]
    assert database.state() == [(1, 0)]


def test_an_unreachable_server(database: Database) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]
        message = database.refusal(login_host="127.0.0.1", login_port=port)
    assert f"Cannot open the database {database.name} as admin@127.0.0.1:{port}: (2003)" in message
    assert "Check login_host and login_port, and that a firewall lets the runner through." in message


def test_a_server_that_does_not_answer(database: Database) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(0)
        started = time.monotonic()
        message = database.refusal(login_port=silent.getsockname()[1], connect_timeout=1)
        assert time.monotonic() - started < 20
    assert "(2013) Lost connection to MySQL server during query (timed out)" in message
    assert "something else may be listening there" in message


def test_a_statement_may_take_longer_than_the_connecting(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT SLEEP(2)"})
    assert database.apply(connect_timeout=1)["applied"][0]["seconds"] > 2


def test_a_host_that_has_no_address(database: Database) -> None:
    assert "(2003)" in database.refusal(login_host="db.invalid")


def test_a_wrong_password(database: Database) -> None:
    secret = "wrong-Passw0rd-canary"
    result = database.apply(login_password=secret)
    assert result["error_code"] == 1045
    assert "Access denied for user 'admin'" in result["msg"]
    assert "Check login_user and login_password" in result["msg"]
    assert secret not in str(result)


def test_a_schema_that_does_not_exist(database: Database) -> None:
    message = database.refusal(login_db="no_such_schema")
    assert "Cannot open the database no_such_schema" in message
    assert "(1049) Unknown database 'no_such_schema'. Create the schema first, or correct login_db." in message


def test_no_schema_is_named(database: Database) -> None:
    assert database.refusal(login_db="").startswith(
        "login_db is empty: name the schema to work on, here or in the secret"
    )


def restricted(database: Database, grants: str) -> dict[str, str]:
    user = f"u{database.name[-8:]}"
    database.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY 'pw'")
    if grants:
        database.query(f"GRANT {grants} ON `{database.name}`.* TO '{user}'@'%'")
    return {"login_user": user, "login_password": "pw"}


def test_no_privilege_on_the_schema(database: Database) -> None:
    message = database.refusal(**restricted(database, ""))
    assert "(1044) Access denied for user" in message
    assert "Grant the user its privileges on this schema." in message


def test_missing_privileges(database: Database) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT)"})
    message = database.refusal(**restricted(database, "SELECT"))
    assert "The state table schema_migrations could not be created: (1142) CREATE command denied to user" in message
    assert f"GRANT CREATE ON `{database.name}`.* TO the account. Nothing was run." in message
    assert database.snapshot() == {}
    database.apply(target="none")
    database.module("force", version="none")
    database.query("CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)")
    options = restricted_again(database)
    message = database.refusal(**options)
    assert "The history table schema_migrations_history could not be created: (1142) CREATE command denied" in message
    assert f"GRANT CREATE ON `{database.name}`.* TO the account. Or switch the history off" in message
    message = database.refusal(**options, history_table="")
    assert "1_a.up.sql:1:1: statement 1 failed: (1142) CREATE command denied" in message
    assert "Fix the schema manually, set the version that it has then (module migration_force, " in message
    assert database.state() == [(1, 1)]


def restricted_again(database: Database) -> dict[str, str]:
    user = f"u{database.name[-8:]}"
    database.query(f"GRANT SELECT, INSERT, DELETE ON `{database.name}`.* TO '{user}'@'%'")
    return {"login_user": user, "login_password": "pw"}


def test_the_state_cannot_be_written(database: Database) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT)"})
    database.query("CREATE TABLE schema_migrations (version bigint not null primary key, dirty boolean not null)")
    result = database.apply(**restricted(database, "SELECT, CREATE"))
    assert "The state and the history could not be written before 1_a.up.sql:1:1 (statement 1): (1142)" in result["msg"]
    assert "Nothing after that was run. The database says: no version yet, clean." in result["msg"]
    assert (database.tables(), database.state()) == (set(), [])


def test_an_open_transaction_at_the_end_is_reported(database: Database) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT); START TRANSACTION; INSERT INTO a VALUES (1);"})
    message = database.refusal()
    assert "The state and the history could not be written after 1_a.up.sql: (1568)" in message
    assert "All of 1_a.up.sql was run. The database says: version 1, dirty." in message
    assert "end it with COMMIT in the file" in message
    assert database.state() == [(1, 1)]


def test_an_open_transaction_in_the_middle_is_reported(database: Database) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT);"})
    database.write({"2_b.up.sql": "SET autocommit = 0; INSERT INTO a VALUES (1);"})
    database.write({"3_c.up.sql": "CREATE TABLE c (i INT);"})
    result = database.apply()
    assert "The state and the history could not be written after 2_b.up.sql: (1568)" in result["msg"]
    assert (result["file"], result["to_version"], result["dirty"]) == ("2_b.up.sql", 2, True)
    assert [item["version"] for item in result["applied"]] == [1]
    assert (database.state(), database.tables()) == ([(2, 1)], {"a"})


def test_another_run_holds_the_lock(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT 1"})
    with database.server.connect(database.name) as other, other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(database.name, "schema_migrations"),))
        message = database.refusal(lock_timeout=1)
        assert f"Another migration run holds the lock on {database.name}: it was not free within 1 s." in message
        assert f"It is held by connection {other.thread_id()}, admin@" in message
        holder = database.module("info")["lock_holder"]
        assert holder.startswith(f"connection {other.thread_id()}, admin@")
    assert database.apply()["changed"]


def test_a_lock_that_comes_free_is_waited_for(database: Database) -> None:
    other = database.server.connect(database.name)
    with other.cursor() as cursor:
        cursor.execute("SELECT GET_LOCK(%s, 0)", (lock_name(database.name, "schema_migrations"),))
    timer = threading.Timer(1, other.close)
    timer.start()
    assert database.apply(lock_timeout=30)["failed"] is False
    timer.join()


def test_the_connection_is_lost(database: Database) -> None:
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT); KILL CONNECTION_ID(); CREATE TABLE b (i INT);"})
    result = database.apply()
    assert result["failed"]
    assert (result["statement"], result["dirty"]) == (2, True)
    assert database.state() == [(1, 1)]
    assert database.tables() == {"a"}


@pytest.mark.parametrize("part", [0.2, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95])
def test_the_server_goes_away_inside_its_answers(database: Database, part: float) -> None:
    """Also in a later result of a packet, of which there are several for each statement."""
    database.write({"1_a.up.sql": "CREATE TABLE a (i INT); INSERT INTO a VALUES (1); INSERT INTO a VALUES (2);"})
    with Relay(database.server.port) as whole:
        assert database.apply(login_port=whole.port)["failed"] is False
    database.query("DROP TABLE a, schema_migrations, schema_migrations_history")
    with Relay(database.server.port, most=int(whole.received * part)) as relay:
        result = database.apply(login_port=relay.port)
    assert result["failed"]
    assert "bug" not in result["msg"]
    assert "connection" in result["msg"]
    assert re.search(r"[Rr]un again|Check login_host", result["msg"]), result["msg"]
    assert database.apply()["failed"] is False
    assert database.query("SELECT i FROM a ORDER BY i") == [(1,), (2,)]


def test_a_config_file(database: Database, tmp_path: Path) -> None:
    options = {"login_user": None, "login_password": None, "config_file": str(tmp_path / "my.cnf")}
    assert f"config_file {tmp_path}/my.cnf cannot be read on the runner." in database.refusal(**options)
    (tmp_path / "my.cnf").write_text(f"[client]\nuser={database.server.user}\npassword={database.server.password}\n")
    assert database.apply(**options)["failed"] is False


def test_a_socket_goes_before_the_host(database: Database) -> None:
    assert (
        database.apply(login_unix_socket=str(database.server.socket), login_host="nowhere.invalid")["failed"] is False
    )
    assert "(2003)" in database.refusal(login_unix_socket="/nowhere/mysqld.sock")


def test_a_server_without_tls(mariadb: Any, tmp_path: Path, run_module: Any) -> None:
    # Newer ones make a certificate of their own.
    with private_folder("no-tls") as folder, type(mariadb)(folder, options=["--skip-ssl"]) as server:
        database = make(server, tmp_path / "migrations", run_module)
        assert database.apply(tls="disabled")["failed"] is False
        assert database.apply(tls="preferred")["failed"] is False
        for tls in ("required", "verify_ca", "verify_identity"):
            message = database.refusal(tls=tls)
            assert "(2026)" in message
            assert "The server offers no TLS, or none that fits: check tls and ca_cert." in message


def test_tls(mysql: DatabaseServer, tmp_path: Path, run_module: Any) -> None:
    database = make(mysql, tmp_path / "migrations", run_module)
    authority = mysql.folder / "data" / "ca.pem"
    for tls in ("disabled", "preferred", "required"):
        database.write({"1_a.up.sql": "CREATE TABLE a AS SELECT * FROM performance_schema.session_status LIMIT 0"})
        assert database.apply(tls=tls)["failed"] is False
    assert database.apply(tls="verify_ca", ca_cert=str(authority))["failed"] is False
    assert "certificate verify failed" in database.refusal(tls="verify_ca")
    assert "certificate verify failed" in database.refusal(tls="verify_identity", ca_cert=str(authority))
    assert "The TLS files cannot be used: No such file or directory. Check ca_cert (/nowhere.pem)" in database.refusal(
        tls="verify_ca", ca_cert="/nowhere.pem"
    )


@pytest.fixture
def sha2(mysql: DatabaseServer, tmp_path: Path, run_module: Any) -> Iterator[Database]:
    """A schema whose account the server has not seen yet: the first login needs the password itself."""
    database = make(mysql, tmp_path / "migrations", run_module)
    mysql.query(f"CREATE USER '{database.name}'@'%' IDENTIFIED WITH caching_sha2_password BY 'p@ss w:rd/%'")
    mysql.query(f"GRANT ALL ON `{database.name}`.* TO '{database.name}'@'%'")
    yield database
    mysql.query(f"DROP USER '{database.name}'@'%'")


def log_in_without_tls(database: Database, port: int | None = None, **options: Any) -> dict[str, Any]:
    account = {"login_user": database.name, "login_password": "p@ss w:rd/%", "tls": "disabled"}
    where = {} if port is None else {"login_port": port}
    return database.apply(**account, **where, **options)


def public_key(database: Database) -> Path:
    return database.server.folder / "data" / "public_key.pem"


def test_a_key_that_nobody_vouched_for_gets_no_password(sha2: Database) -> None:
    with Relay(sha2.server.port) as relay:
        refused = log_in_without_tls(sha2, relay.port)
        assert refused["msg"] == (
            f"Cannot open the database {sha2.name} as {sha2.name}@127.0.0.1:{relay.port}: (2061) the server expects "
            "the password encrypted with a key that cannot be verified. Set tls to required, verify_ca or "
            "verify_identity; or give the server's key in server_public_key. (DBM-1517)"
        )
        # The greeting, with what the password cannot be learnt from; the key was not asked for, nor anything encrypted.
        assert int.from_bytes(relay.sent[:3], "little") == len(relay.sent) - 4
        assert log_in_without_tls(sha2, relay.port, server_public_key=str(public_key(sha2)))["failed"] is False
    # Now the server knows the account, and neither the key nor the password is needed.
    assert log_in_without_tls(sha2)["failed"] is False


def test_over_tls_and_a_socket_no_key_is_needed(sha2: Database) -> None:
    assert log_in_without_tls(sha2, login_unix_socket=str(sha2.server.socket))["failed"] is False
    sha2.server.query("FLUSH PRIVILEGES")
    assert log_in_without_tls(sha2)["error_code"] == 2061
    assert sha2.apply(login_user=sha2.name, login_password="p@ss w:rd/%")["failed"] is False


def test_keys_that_cannot_be_used(sha2: Database, tmp_path: Path) -> None:
    def says(key: bytes | None) -> str:
        path = tmp_path / "key.pem"
        if key is not None:
            path.write_bytes(key)
        return str(log_in_without_tls(sha2, server_public_key=str(path))["msg"]).replace(str(path), "PATH")

    assert (
        says(None)
        == "Cannot read server_public_key PATH: No such file or directory. It is a path on the runner. (DBM-1502)"
    )
    assert says(b"none").startswith("server_public_key PATH holds no public key in PEM format. It is what")
    garbage = b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n"
    assert says(garbage).startswith("server_public_key is not a usable RSA key (")
    curve = subprocess.run(
        ["openssl", "ecparam", "-genkey", "-name", "prime256v1"], check=True, capture_output=True
    ).stdout
    key = subprocess.run(["openssl", "ec", "-pubout"], input=curve, check=True, capture_output=True).stdout
    assert says(key).startswith("server_public_key is not a usable RSA key (")
    subprocess.run(["openssl", "genrsa", "-out", tmp_path / "other", "2048"], check=True, capture_output=True)
    other = subprocess.run(["openssl", "rsa", "-in", tmp_path / "other", "-pubout"], check=True, capture_output=True)
    wrong = says(other.stdout)
    assert "(1045)" in wrong
    assert wrong.endswith("If both are right, server_public_key belongs to another server. (DBM-1522)")
    assert says(public_key(sha2).read_bytes()) == f"{sha2.name}: no migrations yet"


def test_a_password_of_a_form_that_is_long_gone(database: Database) -> None:
    name = f"o{database.name[-8:]}"
    [(form,)] = database.query("SELECT OLD_PASSWORD('pw')")
    database.query("SET GLOBAL secure_auth = 0")
    try:
        database.query(f"CREATE USER '{name}'@'%' IDENTIFIED VIA mysql_old_password USING '{form}'")
        message = database.refusal(login_user=name, login_password="pw")
    finally:
        database.query("SET GLOBAL secure_auth = 1")
        database.query(f"DROP USER IF EXISTS '{name}'@'%'")
    assert "(1251) the account has a password in the format used before MySQL 4.1. Give the account another" in message


def test_the_library_is_missing(database: Database, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    python = str(bare / "bin" / "python")
    result = database.run_module("migration_apply", {"login_db": "x", "directory": str(tmp_path)}, python=python)
    assert result["failed"]
    assert f"The Python library PyMySQL[rsa] is missing for {python}" in result["msg"]
    assert "Prepare the host with the playbook dbops.migrations.prepare_runner, or install it:" in result["msg"]
    assert f"{python} -m pip install 'PyMySQL[rsa]'" in result["msg"]


def test_texts_that_yaml_has_changed(database: Database) -> None:
    database.write({"1_a.up.sql": "SELECT 1;\n"})
    number = "is a number to YAML, which reads 1.10 as 1.1 and 0123 as 83."
    result = database.apply(login_password=84, login_host=1.1, target=1, job=7)
    assert result["msg"] == f"login_host {number} login_password {number} Write it in quotes. (DBM-1010)"
    secret = {"id": 17, "version_id": 2}
    assert database.apply(login_secret=secret)["msg"] == f"id {number} Write it in quotes. (DBM-1010)"
    truth = database.apply(migrations_table=False)["msg"]
    assert truth == (
        "migrations_table is a boolean to YAML, as are yes, no, on and off. Write it in quotes. (DBM-1010)"
    )
    assert not database.apply(target=1, job=7)["failed"]
