# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A scenario on two schemas: on one golang-migrate does every step, on the other the two tools take turns."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from ansible_collections.dbops.migrations.plugins.modules import migration_apply
from integration.migration.scenarios import Scenario, Step
from integration.migration.support import Database, make
from parts import golang_migrate
from parts.forks import Forks
from parts.mariadb import DatabaseServer

STATE = "schema_migrations"
_PATIENCE = 60
_LOST_CONNECTION = ("invalid connection", "bad connection", "unexpected EOF")


class Running(Protocol):
    """A tool running on a schema."""

    pid: int

    def ended(self) -> bool:
        """Tell whether it has ended by itself."""

    def wait(self) -> None:
        """Wait for a tool that was killed."""

    def outcome(self) -> str:
        """Wait, and tell in a few words how it ended, in the same words for both tools."""


class Golang:
    """golang-migrate running."""

    def __init__(self, database: Database, step: Step) -> None:
        number = "-all" if step.number is None and step.action == "down" else step.number
        # A negative number would look like an option.
        arguments = [step.action, *(["-f"] if step.action == "drop" else []), *(["--"] if number == -1 else [])]
        arguments += [] if number is None else [str(number)]
        server = database.server
        url = f"mysql://{server.user}:{server.password}@tcp({server.host}:{server.port})/{database.name}"
        self._action = step.action
        self._process = subprocess.Popen(
            [golang_migrate.binary(), "-path", database.directory, "-database", url, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        self.pid = self._process.pid

    def ended(self) -> bool:
        return self._process.poll() is not None

    def wait(self) -> None:
        self._process.communicate()

    def outcome(self) -> str:
        said, _nothing = self._process.communicate()
        return self._spoken(said)

    def _spoken(self, said: str) -> str:
        if found := re.search(r"Error (\d+)[ :]", said):
            return f"error {found[1]}"
        for known in ("Dirty database version", "no migration found for version", "duplicate migration file"):
            if known in said:
                return known
        if any(text in said for text in _LOST_CONNECTION):
            return "lost connection"
        if self._action == "version":
            # An empty table has no version, which is an error there; -1, dirty, it takes for the same.
            return "no version" if "error: no migration" in said else said.strip()
        # It calls it an error when there are fewer migrations than it was told to take, and takes those; the same when
        # there are none. For us all that is worth a warning.
        if re.search(r"error: (limit \d+ short|(first \.: )?file does not exist)\n", said):
            return "done"
        # This includes "no change".
        return "done" if self._process.returncode == 0 else said


class Ours:
    """One of our modules running."""

    def __init__(self, database: Database, forks: Forks, step: Step, settings: dict[str, Any]) -> None:
        options: dict[str, Any]
        module = "apply"
        if step.action == "force":
            module, options = "force", {"version": "none" if step.number == -1 else str(step.number)}
        elif step.action == "version":
            module, options = "info", {}
        elif step.action == "drop":
            module, options = "drop", {"confirm_database": database.name}
        elif step.action == "goto":
            options = {"target": str(step.number), "allow_down": True}
        elif step.number is not None:
            options = {"steps": step.number if step.action == "up" else -step.number, "allow_down": True}
        else:
            options = {"target": "latest" if step.action == "up" else "none", "allow_down": True}
        if module == "apply":
            options |= settings
        self._forks, self._action = forks, step.action
        self.pid = forks.begin(f"migration_{module}", database.arguments(module, options))

    def ended(self) -> bool:
        return self._forks.ended()

    def wait(self) -> None:
        self._forks.status()

    def outcome(self) -> str:
        return self._spoken(self._forks.result())

    def _spoken(self, result: dict[str, Any]) -> str:
        said: str = result["msg"]
        if "error_code" in result:
            # 0 and the client's own codes: no answer came.
            return "lost connection" if result["error_code"] in (0, 2006, 2013) else f"error {result['error_code']}"
        if result["failed"]:
            for known, golangs in (
                ("The database is dirty", "Dirty database version"),
                ("was interrupted", "Dirty database version"),
                ("no file in ", "no migration found for version"),
                ("Two files are the ", "duplicate migration file"),
                # It writes its state there, to a table that may be somebody else's, or is not there.
                ("leaves the session in a schema other than", "error 1146"),
            ):
                if known in said:
                    return golangs
            return said
        if self._action == "version":
            version, dirty = result["version"], result["dirty"]
            return "no version" if version is None else f"{version}{' (dirty)' if dirty else ''}"
        return "done"


@dataclass
class Look:
    """What one schema holds."""

    state: list[str]
    table: str | None
    rest: dict[str, Any]

    def same(self, other: Look) -> bool:
        """Tell whether both hold the same."""
        # golang-migrate makes the state table when it looks, and we when we write: none is as good as an empty one.
        same_table = self.table == other.table or None in (self.table, other.table)
        return (self.state, self.rest) == (other.state, other.rest) and same_table


class Turns:
    """Two schemas over one directory, and what has been done there.

    :ivar kills: how many times a tool was killed.
    """

    def __init__(self, golang: Database, shared: Database, forks: Forks, scenario: Scenario) -> None:
        self._golang, self._shared, self._forks = golang, shared, forks
        self._scenario = scenario
        self._told: list[str] = []
        # What the state table holds, and who wrote that on the schema that is shared.
        self._state: list[str] = []
        self._made_by = ""
        self._deadly = any(part.startswith("killed") for part in scenario.parts)
        self.kills = 0

    def play(self) -> None:
        """Do every step on both schemas and compare them after each.

        :raises AssertionError: there is a difference.
        """
        self._write({**self._scenario.files})
        for step in self._scenario.steps:
            needs_clean = step.action in ("up", "down", "goto", "files") and not step.dirty
            if needs_clean and (dirty := self._dirty()) is not None:
                # Something failed that was not foreseen.
                self._both(replace(step, action="force", number=dirty))
            if step.action == "files":
                self._told.append(str(step))
                self._write(step.files)
            else:
                self._both(step)

    def _write(self, files: dict[str, Any]) -> None:
        for name, content in files.items():
            place = self._golang.directory / name
            if content is None:
                place.unlink()
            else:
                place.write_bytes(content)

    def _settings(self) -> dict[str, Any]:
        """Return the options with which we do no more than golang-migrate can."""
        # It may have rolled back what our history has as applied, and asks nobody.
        settings: dict[str, Any] = {"history_ahead": "ignore"}
        if self._dirty() is not None and self._made_by == "ours":
            # Where golang-migrate was interrupted we do not know how far it got, and refuse anyway.
            settings["resume"] = False
        if "arrives below" in self._scenario.parts:
            settings["out_of_order"] = "ignore"
        return {name: value for name, value in settings.items() if name in migration_apply.SPEC.argument_spec}

    def _dirty(self) -> int | None:
        found = re.fullmatch(r"\((-?\d+), 1\)", "".join(self._state))
        return int(found[1]) if found else None

    def _both(self, step: Step) -> None:
        alone = self._do(self._golang, Golang(self._golang, step))
        ours = step.tool == "ours"
        tool = Ours(self._shared, self._forks, step, self._settings()) if ours else Golang(self._shared, step)
        mixed = self._do(self._shared, tool)
        theirs, both = self._look(self._golang), self._look(self._shared)
        if self._state != theirs.state:
            self._state, self._made_by = theirs.state, step.tool
        self._told.append(f"{step}: {alone}, {theirs.state}")
        if alone != mixed or not theirs.same(both):
            raise AssertionError(self._difference(step, alone, mixed, theirs, both))

    def _do(self, database: Database, running: Running) -> str:
        """Wait until a tool has ended, or kill it when it is asleep."""
        deadline = time.monotonic() + _PATIENCE
        while not running.ended():
            asleep = self._deadly and self._connections(database, "AND state = 'User sleep'")
            if asleep or time.monotonic() > deadline:
                self._kill(database, running, asleep or [])
                return "killed" if asleep else "never ended"
            time.sleep(0.002)
        return running.outcome()

    def _kill(self, database: Database, running: Running, asleep: list[tuple[Any, ...]]) -> None:
        os.kill(running.pid, signal.SIGKILL)
        running.wait()
        self.kills += 1
        for number, statement in asleep:
            # The server would continue with a file that it was sent whole: it is told to end that.
            if "SLEEP(1)" not in str(statement):
                database.server.query(f"KILL {number}")
        deadline = time.monotonic() + _PATIENCE
        while self._connections(database):
            assert time.monotonic() < deadline
            time.sleep(0.002)

    def _connections(self, database: Database, condition: str = "") -> list[tuple[Any, ...]]:
        return database.server.query(
            f"SELECT id, info FROM information_schema.processlist WHERE db = '{database.name}' {condition}"
        )

    def _look(self, database: Database) -> Look:
        found = database.snapshot()
        return Look(found.pop(f"rows {STATE}", []), found.pop(f"table {STATE}", None), found)

    def _difference(self, step: Step, alone: str, mixed: str, theirs: Look, both: Look) -> str:
        differing = {
            name: (theirs.rest.get(name), both.rest.get(name))
            for name in sorted(theirs.rest | both.rest)
            if theirs.rest.get(name) != both.rest.get(name)
        }
        files = {path.name: path.read_bytes() for path in sorted(self._golang.directory.iterdir()) if path.is_file()}
        return "\n".join(
            [
                f"Seed {self._scenario.seed} ({self._scenario.kind}) on {type(self._golang.server).__name__}, {step}",
                f"golang-migrate alone: {alone}, {theirs.state}",
                f"both: {mixed}, {both.state}",
                *(f"{name}: {one!r}\n  both: {other!r}" for name, (one, other) in differing.items()),
                f"Tables: {theirs.table} {both.table}" if theirs.table != both.table else "",
                "Steps:",
                *self._told,
                "Files:",
                *(f"{name}: {text!r}" for name, text in files.items()),
            ]
        )


@contextmanager
def turns(server: DatabaseServer, directory: Path, forks: Forks, scenario: Scenario) -> Iterator[Turns]:
    """Make two schemas and a directory for a scenario, and remove them."""
    golang, shared = (make(server, directory, forks) for _number in range(2))
    try:
        yield Turns(golang, shared, forks, scenario)
    finally:
        for database in (golang, shared):
            server.query(f"DROP DATABASE `{database.name}`")
        shutil.rmtree(directory)
