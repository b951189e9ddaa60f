# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place that knows how the engine is run, and what it says: migration_apply on a simulated server.

It is driven where Ansible would drive it, by ``apply`` of the module, with the module, the login, the clock and the
signals replaced.
"""

from __future__ import annotations

import os
import re
import signal
import tempfile
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Optional
from unittest import mock

from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.modules import migration_apply

from .faults import Faults, Killed
from .own_sql import HISTORY, STATE
from .session import SimulatedSession
from .storage import SCHEMA, Server
from .work import File

OWN_TABLES = (STATE, HISTORY)
_ANSWER = re.compile(r"resume_from: (\d+)")
_LOST = "which was lost with its connection"
_DONE = re.compile(r"(?i)(?:statements 1 to (\d+) are|statement 1 is) done|(none of its statements is done)")
_FOLDER = "SIMULATION_FOLDER"


def _defaults(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options as Ansible has them if none is given."""
    return {
        name: _defaults(option["options"]) if option.get("apply_defaults") else option.get("default")
        for name, option in options.items()
    }


_OPTIONS = _defaults(migration_apply.SPEC.argument_spec)


class Outcome(NamedTuple):
    """What a run of the engine said.

    :param kind: ``applied``, ``asked``, ``failed``, ``killed``, or ``bug`` for an exception that is not one of ours.
    :param answers: the numbers that the question names; empty if it names none.
    :param done: how many statements of the file the message says are done; None if it says nothing about that.
    :param lost: the question is about something that went with its session.
    """

    kind: str
    message: str
    results: dict[str, Any]
    answers: tuple[int, ...] = ()
    done: Optional[int] = None
    lost: bool = False


class Attempt(NamedTuple):
    """The newest row of the history."""

    version: int
    direction: str
    done: int
    begun: int
    outcome: str

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.outcome != "applied"


class _Module:
    check_mode = _diff = False

    def __init__(self, params: dict[str, Any]) -> None:
        self.params = params
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)


class _Login:
    """Opens simulated sessions."""

    database = SCHEMA
    server: Server
    faults: Faults

    def __init__(self, _module: Any) -> None:
        pass

    @contextmanager
    def session(self) -> Iterator[SimulatedSession]:
        session = SimulatedSession(self.server, self.faults, SCHEMA)
        try:
            yield session
        finally:
            session.close()


def folder() -> tempfile.TemporaryDirectory[str]:
    """Make a folder in memory, in that of the process that has started this one if it has made one so."""
    memory = os.environ.get(_FOLDER) or "/dev/shm"
    return tempfile.TemporaryDirectory(prefix="simulation-", dir=memory if os.path.isdir(memory) else None)


@contextmanager
def shared_folder() -> Iterator[None]:
    """Have the processes that are started make theirs in one that goes with this process, however they end."""
    with folder() as name, mock.patch.dict(os.environ, {_FOLDER: name}):
        yield


class Engine:
    """Runs the engine; for the length of a ``with`` block, in which the process has a clock of its own."""

    def __enter__(self) -> Engine:
        self._folder = folder()
        self._written: dict[str, str] = {}
        self._server: Optional[Server] = None
        self._faults: Optional[Faults] = None
        self._patches = ExitStack()
        for place, name, replacement in (
            (time, "sleep", self._sleep),
            (time, "monotonic", self._now),
            (signal, "signal", self._register),
            (migration_apply, "Login", _Login),
        ):
            self._patches.enter_context(mock.patch.object(place, name, replacement))
        return self

    def __exit__(self, *_error: object) -> None:
        self._patches.close()
        self._folder.cleanup()

    def _sleep(self, seconds: float) -> None:
        if self._server is not None:
            self._server.now += seconds

    def _now(self) -> float:
        return self._server.now - 1_700_000_000 if self._server is not None else 0.0

    def _register(self, number: int, handler: Any) -> None:
        if self._faults is not None:
            self._faults.handlers[int(number)] = handler

    def put(self, files: Sequence[File]) -> None:
        """Write the files, and remove what else is in the directory."""
        place = Path(self._folder.name)
        texts = {file.name: file.text for file in files}
        for name in self._written.keys() - texts.keys():
            (place / name).unlink()
        for name, text in texts.items():
            if self._written.get(name) != text:
                (place / name).write_bytes(text.encode())
        self._written = texts

    def apply(self, server: Server, faults: Faults, **options: Any) -> Outcome:
        """Run the module once.

        :param options: of migration_apply.
        """
        self._server, self._faults = server, faults
        _Login.server, _Login.faults = server, faults
        server.point = faults.point
        params = {
            **_OPTIONS, "directory": self._folder.name, "login_db": SCHEMA, "run_by": "simulation",
            "migrations_table": STATE, "portability": "ignore", "resume": True, **options,
        }  # fmt: skip
        module = _Module(params)
        try:
            results = migration_apply.apply(module)
        except Error as error:
            return _outcome(str(error), error.results)
        except Killed:
            return Outcome("killed", "", {})
        except Exception:
            return Outcome("bug", traceback.format_exc(), {})
        finally:
            for session in faults.sessions:
                session.close()
            server.point = _nothing
        return Outcome("applied", results["msg"], results)


def _nothing(_where: str, _connection: Any) -> None:
    pass


def _outcome(message: str, results: dict[str, Any]) -> Outcome:
    found = _DONE.search(message)
    done = None if found is None else int(found[1] or not found[2])
    if _LOST in message:
        return Outcome("asked", message, results, (), done, lost=True)
    doubt = results.get("in_doubt")
    if doubt is not None:
        answers = (doubt["first"], doubt["last"] + 1)
        if answers != (
            min(named := [int(text) for text in _ANSWER.findall(message)], default=0),
            max(named, default=0),
        ):
            return Outcome("bug", f"in_doubt is {doubt}, but the message says: {message}", results)
        return Outcome("asked", message, results, answers, done)
    return Outcome("failed", message, results, (), done)


def state(server: Server) -> tuple[Optional[int], bool]:
    """Return what golang-migrate's table says: the version, and whether it is dirty."""
    table = server.find(SCHEMA, "TABLE", STATE)
    rows = table.rows if table is not None else []
    if not rows:
        return None, False
    return (None if rows[0]["version"] == -1 else rows[0]["version"]), bool(rows[0]["dirty"])


def newest(server: Server) -> Optional[Attempt]:
    """Return the newest row of the history; None without one."""
    table = server.find(SCHEMA, "TABLE", HISTORY)
    if table is None or not table.rows:
        return None
    row = max(table.rows, key=lambda row: int(row["id"]))
    return Attempt(row["version"], row["direction"], row["done"], row["begun"], row["outcome"])


def applied(server: Server) -> list[tuple[str, Optional[int]]]:
    """Return the files that the history has as applied, each with the number of its statements."""
    table = server.find(SCHEMA, "TABLE", HISTORY)
    rows = table.rows if table is not None else []
    return [
        (f"{row['version']}_work.{row['direction']}.sql", row["statements"])
        for row in rows
        if row["outcome"] == "applied"
    ]
