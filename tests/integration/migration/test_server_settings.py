# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The whole cycle beside golang-migrate, under many settings of the servers: both must end each step alike.

Apply, fail, look, check, correct, resume, down, and up a second time. golang-migrate cannot resume: what its user does
manually is done for it. The tools use an account without SUPER, as ``init_connect`` wants, and a setting holds only
while a tool runs.
"""

from __future__ import annotations

import contextlib
import copy
import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from integration.migration.scenarios import Step
from integration.migration.server_settings import FILES, PLAIN, STARTED, THIRD, Setting
from integration.migration.support import Database
from integration.migration.turns import Golang, Ours
from parts import private_folder
from parts.forks import Forks
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL
from parts.servers import SERVERS


class Pool:
    """One server of each kind; it is started again when other options are asked for."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._servers: dict[str, MariaDB | MySQL] = {}
        # Without further options, and those that it runs with.
        self._plain: dict[str, list[str]] = {}
        self._options: dict[str, tuple[str, ...] | None] = {}

    def get(self, kind: str, options: tuple[str, ...]) -> DatabaseServer:
        """Return a server of that kind with these options, and with the account ``plain``."""
        if kind not in self._servers:
            folder = self._stack.enter_context(private_folder(kind))
            server = SERVERS[kind](folder)
            self._stack.enter_context(server)
            server.query(f"CREATE USER plain@'%' IDENTIFIED BY '{server.password}'")
            server.query("GRANT ALL ON `test\\_%`.* TO plain@'%'")
            self._servers[kind], self._plain[kind], self._options[kind] = server, server._options, ()
        server = self._servers[kind]
        if self._options[kind] != options:
            self._options[kind] = None
            logs = any(option.startswith("--log-bin") for option in options)
            server.stop()
            server._options = [
                *(option for option in self._plain[kind] if not logs or option != "--skip-log-bin"),
                *options,
            ]
            server.start()
            self._options[kind] = options
        return server


@pytest.fixture(scope="session")
def pool() -> Iterator[Pool]:
    with ExitStack() as stack:
        yield Pool(stack)


class Twins:
    """Two schemas, one for each tool, under one setting."""

    def __init__(self, server: DatabaseServer, setting: Setting, folder: Path, forks: Forks) -> None:
        self.server, self.setting, self.forks = server, setting, forks
        account = copy.copy(server)
        account.user = "plain"
        self.ours, self.theirs = (self._make(account, folder / name) for name in ("ours", "theirs"))
        self.rounds: list[str] = []

    def _make(self, account: DatabaseServer, folder: Path) -> Database:
        folder.mkdir()
        name = f"test_{uuid.uuid4().hex[:12]}"
        with self.under_setting():
            self.server.query(f"CREATE DATABASE {name}")
        return Database(account, name, folder, self.forks)

    @contextlib.contextmanager
    def under_setting(self) -> Iterator[None]:
        """The setting holds."""
        before = {}
        try:
            for name, value in self.setting.variables.items():
                [(before[name],)] = self.server.query(f"SELECT @@GLOBAL.{name}")
                self.server.query(f"SET GLOBAL {name} = {value}")
            yield
        finally:
            for name, value in before.items():
                text = repr(value) if isinstance(value, (int, float)) else f"'{value}'"
                self.server.query(f"SET GLOBAL {name} = {'DEFAULT' if value is None else text}")

    def write(self, **files: tuple[str, str]) -> None:
        """Write files; of each the first text is ours, the second is golang-migrate's."""
        for name, texts in files.items():
            for database, text in zip((self.ours, self.theirs), texts):
                (database.directory / f"{name}.sql").write_text(text)

    def do_ours(self, step: Step, **settings: Any) -> str:
        with self.under_setting():
            return Ours(self.ours, self.forks, step, settings).outcome()

    def do_theirs(self, step: Step) -> str:
        with contextlib.nullcontext() if self.setting.better else self.under_setting():
            return Golang(self.theirs, step).outcome()

    def info(self) -> dict[str, Any]:
        with self.under_setting():
            return self.ours.module("info")

    def check(self) -> dict[str, Any]:
        with self.under_setting():
            return self.ours.module("apply", check=True)

    def both(self, step: Step, **settings: Any) -> str:
        """Have both tools do a step, compare how it ended and what there is then, and return how it ended."""
        theirs, ours = self.do_theirs(step), self.do_ours(step, **settings)
        self.rounds.append(f"{step.action}: {ours}")
        held, wanted = self.everything(self.ours), self.everything(self.theirs)
        differing = [name for name in sorted(held | wanted) if held.get(name) != wanted.get(name)]
        if ours != theirs or differing:
            raise AssertionError(
                "\n".join(
                    [
                        *self.rounds,
                        f"golang-migrate: {theirs}",
                        *(f"{name}: {held.get(name)}\n  theirs: {wanted.get(name)}" for name in differing),
                    ]
                )
            )
        return ours

    @staticmethod
    def everything(database: Database) -> dict[str, Any]:
        found = database.snapshot()
        # golang-migrate makes the state table when it looks, and we when we write: none is as good as an empty one.
        if found.get("rows schema_migrations", []) == []:
            found = {name: value for name, value in found.items() if not name.endswith(" schema_migrations")}
        return found

    def drop(self) -> None:
        for database in (self.ours, self.theirs):
            self.server.query(f"DROP DATABASE {database.name}")


def _cases() -> Iterator[Any]:
    for setting in (*PLAIN, *STARTED):
        for kind in setting.servers:
            marks = [] if setting.short else [pytest.mark.settings]
            yield pytest.param(kind, setting, id=f"{kind}, {setting}", marks=marks)


@pytest.fixture
def twins(kind: str, setting: Setting, pool: Pool, tmp_path: Path, forks: Forks) -> Iterator[Twins]:
    server = pool.get(kind, setting.options)
    if not setting.options:
        # The files make programs.
        server.query("SET GLOBAL log_bin_trust_function_creators = 1")
    twins = Twins(server, setting, tmp_path, forks)
    yield twins
    twins.drop()


@pytest.mark.parametrize(("kind", "setting"), list(_cases()))
def test_the_cycle_is_golang_migrates(setting: Setting, twins: Twins, golang_migrate: Path) -> None:
    up = Step("up")
    head, done, bad, good, rest = setting.third or THIRD
    more, less = setting.more
    for name, text in {**FILES, **setting.files}.items():
        twins.write(**{name.removesuffix(".sql"): (text, text)})
    twins.write(
        **{"3_third.up": (head + done + bad + rest,) * 2, "4_more.up": (more, more), "4_more.down": (less, less)}
    )

    stops, error = setting.stops or (None, "")
    first = twins.both(up)
    if stops is not None and stops < 3:
        assert first == error
        return
    assert first.startswith("error ")
    assert twins.both(Step("version")) == "3 (dirty)"

    info = twins.info()
    assert (info["version"], info["dirty"]) == (3, True)
    if not setting.by_hand:
        assert info["attempt"]["done"] == (head + done + bad).count(";\n") - 1
    before = twins.ours.query("SELECT * FROM schema_migrations_history ORDER BY id"), twins.everything(twins.ours)
    planned = twins.check()
    if not setting.by_hand:
        assert not planned["failed"], planned["msg"]
        assert [item["version"] for item in planned["pending"]] == [3, 4]
    after = twins.ours.query("SELECT * FROM schema_migrations_history ORDER BY id"), twins.everything(twins.ours)
    assert after == before
    assert twins.both(up, resume=False) == "Dirty database version"

    # golang-migrate's user continues manually.
    left = head + good + rest
    assert twins.do_theirs(Step("force", 2)) == "done"
    if setting.by_hand:
        assert twins.do_ours(Step("force", 2)) == "done"
    twins.write(**{"3_third.up": (left if setting.by_hand else head + done + good + rest, left)})
    if stops == 4:
        assert twins.both(up) == error
        return
    assert twins.both(up) == "done"
    twins.write(**{"3_third.up": (head + done + good + rest,) * 2})
    assert twins.both(Step("version")) == "4"
    assert twins.both(Step("down")) == "done"
    assert twins.both(up) == "done"
    assert twins.both(up) == "done"
    assert twins.info()["healthy"]


@pytest.mark.settings
@pytest.mark.parametrize(("kind", "setting"), [case for case in _cases() if case.values[1].better])
def test_golang_migrate_fails_there(setting: Setting, twins: Twins, golang_migrate: Path) -> None:
    """Where a setting is documented as one that only we support, that is so."""
    for name, text in {**FILES, **setting.files}.items():
        twins.write(**{name.removesuffix(".sql"): (text, text)})
    twins.write(**{"4_more.up": (setting.more[0],) * 2})
    with twins.under_setting():
        assert Golang(twins.theirs, Step("up")).outcome() != "done"
