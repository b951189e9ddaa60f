# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a thousand schemas of one server cost, in one call of migration_apply_many, beside golang-migrate in a loop."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from parts import NotAvailable, golang_migrate, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL

from .contestants import compiled
from .report import Figure

SCHEMAS, TURNS = 1000, 5
# How many sessions are running, the default last.
PARALLEL = (1, 4, 8)
_MODULES = "ansible_collections.dbops.migrations.plugins.modules"
# Seconds with nothing to do and with one migration each, and the share of golang-migrate's.
_BARS = {"MariaDB": (1.5, 6.0, 0.65), "MySQL": (1.5, 17.0, 0.80)}


class Many(NamedTuple):
    """Medians on one server, in seconds.

    :param busy: one migration each, for each number of sessions.
    :param status: migration_info_many, of schemas that have the same status.
    :param peer: golang-migrate, schema by schema.
    """

    server: str
    idle: float
    status: float
    busy: dict[int, float]
    peer: float

    def rows(self) -> Iterator[str]:
        """Yield the lines of a table: what, seconds, bar."""
        idle, busy, share = _BARS[self.server]
        ours = self.busy[PARALLEL[-1]]
        yield f"| {self.server} | nothing to do | {self.idle:.1f} s | {_verdict(self.idle, idle, ' s')} |"
        yield f"| {self.server} | the status of all | {self.status:.1f} s | |"
        for sessions, seconds in self.busy.items():
            limit = _verdict(seconds, busy, " s") if sessions == PARALLEL[-1] else ""
            yield f"| {self.server} | one migration each, `parallel: {sessions}` | {seconds:.1f} s | {limit} |"
        yield f"| {self.server} | one migration each, golang-migrate in a loop | {self.peer:.1f} s | |"
        ratio = ours / self.peer
        yield f"| {self.server} | ours as a share of golang-migrate's | {ratio:.2f} | {_verdict(ratio, share)} |"

    def figures(self) -> Iterator[Figure]:
        """Yield what can be drawn."""
        ours, share = self.busy[PARALLEL[-1]], _BARS[self.server][2]
        yield Figure(f"{SCHEMAS:,} schemas: one call/golang-migrate", self.server, ours, self.peer, share, "s")


def _verdict(value: float, limit: float, unit: str = "") -> str:
    return f"{limit:g}{unit}: {'met' if value <= limit else 'missed'}"


def table(found: list[Many]) -> str:
    """Return the table of what was measured."""
    lines = ["| server | what | median | bar |", "|" + " --- |" * 4]
    return "\n".join([*lines, *(row for many in found for row in many.rows())])


def measure() -> Iterator[Many]:
    """Measure on each server that is available."""
    for kind in (MariaDB, MySQL):
        try:
            with (
                private_folder("many-files") as files,
                private_folder("many-db") as data,
                kind(data, durable=True) as server,
            ):
                yield _Bench(server, files).run()
        except NotAvailable as reason:
            print(f"Not run on {kind.__name__}: {reason}")


class _Bench:
    def __init__(self, server: DatabaseServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._names = [f"tenant_{number:04}" for number in range(SCHEMAS)]
        self._version = 0

    def run(self) -> Many:
        for name in self._names:
            self._server.create_schema(name)
        self._next("CREATE TABLE users (id INT PRIMARY KEY, name VARCHAR(100)) ENGINE=InnoDB")
        self._ours(PARALLEL[-1])
        idle: list[float] = []
        status: list[float] = []
        peer: list[float] = []
        busy: dict[int, list[float]] = {sessions: [] for sessions in PARALLEL}
        for _turn in range(TURNS):
            for sessions in PARALLEL:
                self._next()
                busy[sessions].append(self._ours(sessions))
            self._next()
            peer.append(self._golang_migrate())
            # What something else has done is recorded first.
            self._ours(PARALLEL[-1])
            idle.append(self._ours(PARALLEL[-1]))
            status.append(self._timed("migration_info_many", {}))
        medians = {sessions: statistics.median(seconds) for sessions, seconds in busy.items()}
        return Many(
            type(self._server).__name__,
            statistics.median(idle),
            statistics.median(status),
            medians,
            statistics.median(peer),
        )

    def _next(self, text: str = "") -> None:
        self._version += 1
        text = text or f"ALTER TABLE users ADD COLUMN c{self._version} INT NULL"
        (self._folder / f"{self._version}_m.up.sql").write_text(f"{text};\n")

    def _ours(self, sessions: int) -> float:
        # As the role gets it from git_fetch: another one with each migration.
        return self._timed("migration_apply_many", {"commit": f"{self._version:040x}", "parallel": sessions})

    def _timed(self, module: str, options: dict[str, Any]) -> float:
        server = self._server
        arguments = {
            "login_host": server.host,
            "login_port": server.port,
            "login_user": server.user,
            "login_password": server.password,
            "databases": ["tenant\\_%"],
            "directory": str(self._folder),
            **options,
        }
        text = json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode()
        started = time.perf_counter()
        done = subprocess.run(
            [sys.executable, "-m", f"{_MODULES}.{module}"], input=text, env=compiled(), capture_output=True, check=False
        )
        seconds = time.perf_counter() - started
        assert done.returncode == 0, (done.stdout + done.stderr)[-2000:]
        return seconds

    def _golang_migrate(self) -> float:
        program = golang_migrate.binary()
        started = time.perf_counter()
        for name in self._names:
            done = golang_migrate.run(program, self._server, name, self._folder, "up")
            assert done.returncode == 0, done.stderr[-2000:]
        return time.perf_counter() - started
