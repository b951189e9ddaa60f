# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a survey learns from a database server, with all rights and with few."""

from __future__ import annotations

import json
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pymysql
import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import everywhere
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL as OPTIONS
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import Settings, read_settings
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import database as collector
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.database import Server, database
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    Account,
    Schema,
    Unseen,
    read,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import MySQL as Answer
from parts import private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL

if TYPE_CHECKING:
    from conftest import RunModule, RunPlaybook

CANARY = "canary-of-a-statement"
PASSWORD, WRONG = "a long password of the survey", "a wrong one of the survey"
# The shared servers have neither.
_ON = ("--performance-schema=ON", "--log-bin=changes")
# The protocol's numbers of commands.
_QUERY, _BINLOG_DUMP = 0x03, 0x12


@pytest.fixture(scope="module", params=[MariaDB, MySQL])
def server(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with private_folder("survey") as folder, request.param(folder, options=_ON) as server:
        server.create_schema("shop")
        server.query("CREATE TABLE orders (i INT PRIMARY KEY, t VARCHAR(200)) ENGINE=InnoDB", "shop")
        server.query("CREATE VIEW latest AS SELECT i FROM orders", "shop")
        server.create_schema("empty")
        yield server


@pytest.fixture
def account(server: DatabaseServer) -> Iterator[Callable[..., None]]:
    """Give the account of the survey a right; it has none."""
    server.query(f"CREATE USER survey@'%' IDENTIFIED BY '{PASSWORD}'")

    def give(*rights: str) -> None:
        for right in rights:
            server.query(f"GRANT {right} TO survey@'%'")

    yield give
    server.query("DROP USER survey@'%'")


def _all(server: DatabaseServer) -> list[str]:
    """Return what the documentation says that an account needs."""
    replication = "SLAVE MONITOR" if isinstance(server, MariaDB) else "REPLICATION CLIENT"
    return [
        f"PROCESS, SHOW DATABASES, SHOW VIEW, {replication} ON *.*",
        "SELECT ON performance_schema.session_connect_attrs",
    ]


def _settings(server: DatabaseServer, user: str, password: str) -> Settings:
    login = {"login_host": server.host, "login_port": server.port, "login_user": user, "login_password": password}
    defaults = {name: option.get("default") for name, option in OPTIONS.argument_spec.items()}
    return read_settings({**defaults, **login}, schema=False)


def _asked(server: DatabaseServer, late: str = "") -> tuple[Answer, list[Unseen]]:
    """Ask as the account of the survey.

    :param late: what is put into the question about tables, in place of a server with many.
    """
    with connect(_settings(server, "survey", PASSWORD)) as session:
        held = everywhere(session)

        def query(sql: str) -> Sequence[tuple[Any, ...]]:
            return session.query(sql.replace("FROM information_schema.tables", f"FROM information_schema.tables{late}"))

        return database(Server(query, session.server, session.mariadb, session.version, held))


@contextmanager
def _client(server: DatabaseServer, program: str | None, command: int, text: bytes) -> Iterator[None]:
    """Be connected as somebody whose command is under way."""
    client: Any = pymysql.connect(
        host=server.host,
        port=server.port,
        user=server.user,
        password=server.password,
        database="shop",
        program_name=program,
        ssl_disabled=True,
    )
    # A server does not send its changes to who cannot check them.
    client.query("SET @master_binlog_checksum = 'NONE', @source_binlog_checksum = 'NONE'")
    client._execute_command(command, text)
    try:
        yield
    finally:
        server.query(f"KILL {client.thread_id()}")
        client._force_close()


def _applications(server: DatabaseServer) -> ExitStack:
    """Connect two of an application, one of another, and one that does not say what it is."""
    clients = ExitStack()
    for program in ("shop", "shop", "report --password=canary", None):
        clients.enter_context(_client(server, program, _QUERY, f"SELECT SLEEP(60), '{CANARY}'".encode()))
    return clients


def test_all_that_there_is(server: DatabaseServer, account: Callable[..., None]) -> None:
    account(*_all(server))
    with _applications(server):
        found, unseen = _asked(server)
    assert unseen == []
    assert found.flavour == type(server).__name__.lower()
    assert found.version == server.query("SELECT VERSION()")[0][0]
    schemas = {one.name: one for one in found.schemas}
    assert {"mysql", "sys", "shop", "empty"} == schemas.keys()
    assert schemas["empty"] == Schema("empty", 0, 0)
    assert schemas["shop"].tables == 1
    assert schemas["shop"].size_bytes == 16384
    assert found.accounts == [
        Account("admin", server.host, "report --password=********", "shop", 1),
        Account("admin", server.host, "shop", "shop", 2),
        Account("admin", server.host, None, "shop", 1),
    ]
    assert (found.replication, found.source) == ("none", None)
    assert "canary" not in str(found)


def test_what_an_account_may_not_see_is_said_with_the_right_that_shows_it(
    server: DatabaseServer, account: Callable[..., None]
) -> None:
    with _applications(server):
        found, unseen = _asked(server)
        assert (found.schemas, found.accounts, found.replication) == ([], [], None)
        remedies = [one.remedy for one in unseen]
        given = [remedy.removeprefix("GRANT ").partition(" TO ")[0] for remedy in remedies]
        # Without connections nobody asks for their programs.
        assert len(given) == 3
        account(*given, "SELECT ON shop.*")
        found, unseen = _asked(server)
        [programs] = unseen
        assert [one.program for one in found.accounts] == [None]
        account(programs.remedy.removeprefix("GRANT ").partition(" TO ")[0])
        found, unseen = _asked(server)
        assert unseen == []
        assert len(found.accounts) == 3
        assert {"shop", "empty"} <= {one.name for one in found.schemas}
        assert found.replication == "none"


def test_its_role_in_replication(server: DatabaseServer, account: Callable[..., None]) -> None:
    account(*_all(server))
    [(log, *_rest), *_logs] = server.query("SHOW BINARY LOGS")
    change, reset = ("CHANGE REPLICATION SOURCE TO SOURCE_", "RESET REPLICA ALL")
    if isinstance(server, MariaDB):
        change, reset = ("CHANGE MASTER TO MASTER_", "RESET SLAVE ALL")
    prefix = change.rpartition(" ")[2]
    with _client(server, None, _BINLOG_DUMP, struct.pack("<IHI", 4, 0, 99) + str(log).encode()):
        assert _asked(server)[0].replication == "source"
        server.query(f"{change}HOST = '10.0.0.9', {prefix}PORT = 3307")
        assert _asked(server)[0][-2:] == ("both", "10.0.0.9:3307")
    try:
        assert _asked(server)[0][-2:] == ("replica", "10.0.0.9:3307")
    finally:
        server.query(reset)


def test_tables_that_take_too_long_to_count(
    server: DatabaseServer, account: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    account(*_all(server))
    monkeypatch.setattr(collector, "_LONGEST", 0.2)
    found, [unseen] = _asked(server, ", (SELECT SLEEP(20) AS slept) AS many")
    assert Schema("shop", None, None) in found.schemas
    assert unseen.why == "The tables of the database server could not be counted: it took more than 0.2 seconds."


def test_without_performance_schema_programs_are_not_known(mariadb: DatabaseServer) -> None:
    with connect(_settings(mariadb, mariadb.user, mariadb.password)) as session, mariadb.connect():
        held = everywhere(session)
        found, [unseen] = database(Server(session.query, session.server, session.mariadb, session.version, held))
    assert Account(mariadb.user, mariadb.host, None, None, 1) in found.accounts
    assert unseen.why.endswith("performance_schema is off.")


@pytest.mark.parametrize("server", [MariaDB], indirect=True)
def test_the_role_asks_where_it_is_told_to(
    server: DatabaseServer, account: Callable[..., None], playbook: RunPlaybook, tmp_path: Path
) -> None:
    account(*_all(server))
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(json.dumps({"username": "survey", "password": PASSWORD}))
    local = {
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "survey_login_host": server.host,
        "survey_login_port": server.port,
        "survey_secret_id": str(secret),
        "survey_secret_store": "file",
    }
    hosts = {
        "db": {**local, "survey_mysql": True},
        "refused": {**local, "survey_mysql": True, "survey_login_password": WRONG},
        "web": local,
    }
    variables = {"survey_duration": 1, "survey_interval": 1, "survey_dir": str(tmp_path / "survey")}
    with _applications(server):
        result = playbook("dbops.migrations.survey", {"all": {"hosts": hosts}}, "-vvvv", extra_vars=variables)
    assert result.rc == 0, result.stdout
    folder = tmp_path / "survey"
    for text in (result.stdout, *(path.read_text() for path in folder.rglob("*.*"))):
        assert not [one for one in (PASSWORD, WRONG, CANARY) if one in text]
    documents = {one.host: one for one in (read(path.read_text()) for path in folder.glob("*/*/*.json"))}
    answers = {host: one.mysql for host, one in documents.items()}
    assert (answers["web"], answers["refused"]) == (None, None)
    assert answers["db"]
    assert documents["refused"].listeners
    unseen = {host: [why for what, why, _remedy in one.unseen if what == "mysql"] for host, one in documents.items()}
    assert (unseen["web"], unseen["db"]) == ([], [])
    [refused] = unseen["refused"]
    assert refused.startswith("The database server was not asked: Cannot log in as survey@127.0.0.1:")
    assert "(1045)" in refused
    # Other tests' servers run on the same machine.
    sheet = next(text for path in folder.glob("components/*.md") if "| shop | 16.0 KiB |" in (text := path.read_text()))
    assert f"| admin | {server.host} | shop | shop | 2 |" in sheet
    assert f"The server reports version {answers['db'].version}, replication: none." in sheet
    assert "migrate_databases=empty,shop" in (folder / "waves.md").read_text()


def test_the_library_is_needed_only_where_a_database_is_asked(run_module: RunModule, tmp_path: Path) -> None:
    (tmp_path / "pymysql.py").write_text("raise ImportError('there is none')\n")
    path = f"{tmp_path}:{':'.join(sys.path)}"
    result = run_module("host_survey", {"duration": 1, "mysql": True}, env={"PYTHONPATH": path})
    [unseen] = [one for one in result["survey"]["unseen"] if one["what"] == "mysql"]
    assert "The Python library PyMySQL[rsa] is missing" in unseen["why"]
    module = "ansible_collections.dbops.migrations.plugins.modules.host_survey"
    told = f"import sys, {module}; print([name for name in ('pymysql', 'boto3') if name in sys.modules])"
    command = [sys.executable, "-c", told]
    done = subprocess.run(command, env={"PYTHONPATH": path}, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[]\n", "")
