# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Cases: migrations with what must be true at the end of them, each a YAML document in the folder ``cases``.

A file holds one case, or several with names. A case has:

``why``
    one line
``servers``
    ``mariadb``, ``mysql``, or both (the default); each stands for all of its versions
``except``
    the names of servers that cannot run it
``options``
    ``{mariadb: [...], mysql: [...]}``: the options of a server of its own
``before``
    SQL that a plain client runs first. In all texts, ``{db}`` is the schema, ``{other}`` a second one, and ``{lock}``
    the name of the schema's lock
``files``
    the migrations by their names; !!binary is written as it is
``steps``
    one after the other, each one of:

    ``run: ok | fail | asks | any``
        migration_apply; ``asks`` fails and names resume_from, ``fail`` does not name it.
        ``with`` has further options; ``user`` and ``password`` another account. ``says`` (a text or a list) must be in
        the message, ``not`` must not; ``or_says`` must be if it fails. ``warns`` must be in one warning.
        ``kill: {when: text, do: module | query | connection}``: as soon as a statement with that text is running.
        ``meanwhile: {when: text, client: SQL}`` or ``{when: text, run: …}``: another client, or a second run, then
    ``force: {version: …}``
        migration_force
    ``info: {value: …}``
        values that migration_info returns; ``attempt.done`` is one within another
    ``put: {file: text}``
        writes files; null removes one
    ``client: SQL``
        a plain client again
    ``check: {sql: SELECT, is: [[…]]}``
        what it gives
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest
import yaml
from integration.migration.support import server_names
from parts import private_folder
from parts.forks import Forks
from parts.mariadb import DatabaseServer
from parts.mysql import MySQL
from parts.servers import SERVERS
from pymysql.constants.CLIENT import MULTI_STATEMENTS

FOLDER = Path(__file__).parent / "cases"
# How long what a client has left is waited for, in seconds.
PATIENCE = 60
Case = dict[str, Any]


def read(folder: Path) -> Iterator[tuple[str, Case]]:
    """Give each case with its name."""
    for file in sorted(folder.glob("*.yml")):
        for case in yaml.safe_load_all(file.read_text()):
            yield f"{file.stem}-{case['name']}" if "name" in case else file.stem, case


def kind_of(server: str) -> str:
    """Return the kind of a server that is meant by its name."""
    return "mysql" if issubclass(SERVERS[server], MySQL) else "mariadb"


def options_of(server: str, case: Case) -> tuple[str, ...]:
    """Return the options of the case's own server; none if it needs no server of its own."""
    return tuple(case.get("options", {}).get(kind_of(server), ()))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "case" not in metafunc.fixturenames:
        return
    pairs = [
        (server, case, f"{name}-{server}")
        for server in server_names(metafunc)
        for name, case in read(FOLDER)
        if kind_of(server) in case.get("servers", ("mariadb", "mysql")) and server not in case.get("except", ())
    ]
    # Those that share a server of their own come one after the other.
    pairs.sort(key=lambda pair: options_of(*pair[:2]))
    metafunc.parametrize(("server", "case"), [pair[:2] for pair in pairs], ids=[pair[2] for pair in pairs])


class OwnServers:
    """Servers with options of their own, one at a time."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._now: tuple[str, tuple[str, ...]] | None = None
        self._server: DatabaseServer | None = None

    def get(self, name: str, options: tuple[str, ...]) -> DatabaseServer:
        """Return a server; the one before is ended if it is another one."""
        if self._server is None or self._now != (name, options):
            self.close()
            folder = self._stack.enter_context(private_folder(name))
            self._server = self._stack.enter_context(SERVERS[name](folder, options=options))
            self._now = (name, options)
        return self._server

    def close(self) -> None:
        """End the server."""
        self._server = None
        self._stack.close()


@pytest.fixture(scope="session")
def own_servers() -> Iterator[OwnServers]:
    """Servers with options of their own."""
    servers = OwnServers()
    yield servers
    servers.close()


@pytest.fixture(scope="session")
def second() -> Iterator[Forks]:
    """Modules that run beside others."""
    forks = Forks()
    yield forks
    forks.close()


def test_case_holds(
    server: str, case: Case, servers: Any, own_servers: OwnServers, forks: Forks, second: Forks, tmp_path: Path
) -> None:
    # It is skipped where the server is not available.
    found: DatabaseServer = servers.get(server)
    options = options_of(server, case)
    stage = Stage(own_servers.get(server, options) if options else found, tmp_path, forks, second)
    try:
        stage.play(case)
    finally:
        stage.strike()


class Stage:
    """Two schemas and a directory, on which a case is played."""

    def __init__(self, server: DatabaseServer, folder: Path, forks: Forks, second: Forks) -> None:
        self.server, self.folder, self.forks, self.second = server, folder, forks, second
        number = uuid.uuid4().hex[:12]
        self.names = {"{db}": f"case_{number}", "{other}": f"other_{number}"}
        key = zlib.crc32(f"{self.names['{db}']}:schema_migrations".encode()) * 1486364155
        for name in self.names.values():
            server.create_schema(name)
        self.names["{lock}"] = str(key & 0xFFFFFFFF)

    def strike(self) -> None:
        """Remove the schemas."""
        self.client("DROP DATABASE IF EXISTS {other}; DROP DATABASE IF EXISTS {db}", "")

    def play(self, case: Case) -> None:
        """Play a case. AssertionError is raised with the first step that does not hold."""
        if "before" in case:
            self.client(case["before"])
        self.put(case["files"])
        for number, step in enumerate(case["steps"], 1):
            trouble = self.step(step)
            assert trouble is None, f"step {number}: {trouble}"

    def step(self, step: Case) -> str | None:
        """Do one step and return what does not hold."""
        if "put" in step:
            self.put(step["put"])
        elif "client" in step:
            self.client(step["client"])
        elif "check" in step:
            rows = self.client(step["check"]["sql"])
            return None if rows == step["check"]["is"] else f"{step['check']['sql']} gives {rows}"
        elif "force" in step:
            result = self.forks("migration_force", {**self.login(step), **step["force"]})
            return f"force: {result['msg']}" if result["failed"] else None
        elif "info" in step:
            result = self.forks("migration_info", {**self.arguments(step)})
            found = {key: _value(result, key) for key in step["info"]}
            return None if found == step["info"] else f"migration_info gives {found}: {result['msg']}"
        else:
            return self.judge(step, self.run(step))
        return None

    def put(self, files: dict[str, str | bytes | None]) -> None:
        """Write files, or remove them."""
        for name, text in files.items():
            if text is None:
                (self.folder / name).unlink()
            else:
                (self.folder / name).write_bytes(text if isinstance(text, bytes) else self.fill(text).encode())

    def fill(self, text: str) -> str:
        """Put the names into a text."""
        for word, name in self.names.items():
            text = text.replace(word, name)
        return text

    def client(self, sql: str, schema: str = "{db}") -> list[list[Any]]:
        """Run statements as a plain client does, and return the rows of the first."""
        with (
            pymysql.connect(
                host=self.server.host,
                port=self.server.port,
                user=self.server.user,
                password=self.server.password,
                database=self.fill(schema) or None,
                autocommit=True,
                charset="utf8mb4",
                client_flag=MULTI_STATEMENTS,
                ssl_disabled=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(self.fill(sql))
            rows = [list(row) for row in cursor.fetchall()]
            while cursor.nextset():
                pass
            return rows

    def login(self, step: Case) -> dict[str, Any]:
        """Return the options that name the schema and the account."""
        return {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_user": self.fill(step.get("user", self.server.user)),
            "login_password": step.get("password", "" if "user" in step else self.server.password),
            "login_db": self.names["{db}"],
        }

    def arguments(self, step: Case) -> dict[str, Any]:
        """Return the options of a module that reads the directory."""
        return {**self.login(step), "directory": str(self.folder), **step.get("with", {})}

    def run(self, step: Case) -> dict[str, Any]:
        """Run migration_apply with what befalls it, and return its result."""
        process = self.forks.begin("migration_apply", self.arguments(step))
        event = step.get("kill", step.get("meanwhile"))
        if event is None:
            return self.forks.result()
        thread = self.wait_for(event["when"])
        assert thread is not None, f"{event['when']} was not seen: {self.forks.result()['msg']}"
        killed = False
        if "do" in event:
            time.sleep(float(event.get("after", 0.05)))
            killed = event["do"] == "module"
            if killed:
                os.kill(process, signal.SIGKILL)
            else:
                self.client(f"KILL {event['do'].upper()} {thread}")
        elif "client" in event:
            self.client(event["client"])
        else:
            trouble = self.judge(event, self.second("migration_apply", self.arguments(event)))
            assert trouble is None, f"the second run: {trouble}"
        if not killed:
            return self.forks.result()
        assert self.forks.status() == -signal.SIGKILL
        self.wait_for_the_server()
        return {"failed": True, "msg": "killed"}

    def wait_for(self, text: str) -> int | None:
        """Wait until a statement with this text runs, and return its session; None if the module ends before."""
        # Sessions of the case before may still end.
        seen = self.fill("SELECT id, info FROM information_schema.processlist WHERE db IN ('{db}', '{other}')")
        with self.server.connect() as connection, connection.cursor() as cursor:
            while not self.forks.ended():
                cursor.execute(seen)
                for thread, info in cursor.fetchall():
                    if info and text in info:
                        return int(thread)
                time.sleep(0.01)
        return None

    def wait_for_the_server(self) -> None:
        """Wait until the server has done what a client that is gone had sent."""
        end = time.monotonic() + PATIENCE
        left = f"SELECT COUNT(*) FROM information_schema.processlist WHERE db = '{self.names['{db}']}'"
        while self.server.query(left) != [(0,)]:
            assert time.monotonic() < end, "the server is not done"
            time.sleep(0.02)

    def judge(self, step: Case, result: dict[str, Any]) -> str | None:
        """Return what does not hold of a run's result."""
        message, failed = str(result["msg"]), bool(result["failed"])
        asked = failed and "resume_from" in message
        outcome = "asks" if asked else "fail" if failed else "ok"
        if step["run"] not in (outcome, "any"):
            return f"must be {step['run']}, is {outcome}: {message}"
        wanted = [*_listed(step.get("says")), *(_listed(step.get("or_says")) if failed else [])]
        lacks = [text for text in wanted if self.fill(text) not in message]
        has = [text for text in _listed(step.get("not")) if self.fill(text) in message]
        warnings = str(result.get("warnings", []))
        lacks += [text for text in _listed(step.get("warns")) if self.fill(text) not in warnings]
        return f"lacks {lacks}, has {has}: {message} {warnings}" if lacks or has else None


def _listed(value: str | list[str] | None) -> list[str]:
    return [] if value is None else [value] if isinstance(value, str) else value


def _value(result: Any, key: str) -> Any:
    for part in key.split("."):
        result = (result or {}).get(part)
    return result
