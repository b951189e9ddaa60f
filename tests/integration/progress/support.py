# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Long statements under a real ansible-playbook: what it prints, when, and what the server said at that moment."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from parts.ansible import PROGRAMS, Results, ansible_runner, environment
from parts.mariadb import DatabaseServer
from parts.sshd import GitServer

# With these a server says all that it can.
RECORDING = (
    "--performance-schema=ON",
    "--performance-schema-instrument=stage/%=ON",
    "--performance-schema-instrument=wait/lock/metadata/sql/mdl=ON",
    "--performance-schema-consumer-events-stages-current=ON",
    "--performance-schema-consumer-events-statements-current=ON",
)
TASK = "Apply"
# At the end of the first line.
GOES_ON = ". It continues after Ctrl-C: see dbops.migrations.status"


@dataclass
class Printed(Results):
    """A run of ansible-playbook that is read while it is on.

    :ivar lines: with the moments at which they came.
    """

    rc: int | None = None
    lines: list[tuple[float, str]] = field(default_factory=list)

    def about(self, database: str) -> list[tuple[float, str]]:
        """Return the lines of progress about a database, the first one without what is about Ctrl-C."""
        found = [(moment, line) for moment, line in self.lines if line.startswith(f"{database} ")]
        # Ansible's recap has a line for each host, which has the database's name here.
        return [(moment, line.replace(GOES_ON, "")) for moment, line in found if " : ok=" not in line]

    @property
    def text(self) -> str:
        return "".join(line for _moment, line in self.lines)


@dataclass
class Book:
    """A playbook with one task for each of several databases.

    :param variables: of Ansible, for all of them.
    :param git_server: the SSH server of the runner.
    :param inside: the start of the command, for a controller in a network of its own.
    """

    folder: Path
    server: DatabaseServer
    variables: dict[str, Any]
    git_server: GitServer
    inside: Sequence[str] = ()
    hosts: dict[str, dict[str, Any]] = field(default_factory=dict)

    def add(self, database: str, directory: Path, **options: Any) -> None:
        """Add a database."""
        server = self.server
        login = {
            "login_host": server.host,
            "login_port": server.port,
            "login_user": server.user,
            "login_password": server.password,
        }
        named = {} if "databases" in options else {"login_db": database}
        self.hosts[database] = {"options": {**login, **named, "directory": str(directory), **options}}

    def write(self, **keywords: Any) -> tuple[Path, Path]:
        """Write the playbook and its inventory.

        :param keywords: of the task.
        """
        task = {"name": TASK, "dbops.migrations.migration_apply": "{{ options }}", **keywords}
        play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
        book, inventory = self.folder / "book.yml", self.folder / "inventory.json"
        book.write_text(json.dumps([play]))
        inventory.write_text(json.dumps({"all": {"hosts": self.hosts, "vars": self.variables}}))
        return book, inventory

    def start(
        self,
        *options: str,
        programs: Path = PROGRAMS,
        env: Mapping[str, str] | None = None,
        **keywords: Any,
    ) -> Running:
        """Begin to run it."""
        book, inventory = self.write(**keywords)
        results = self.folder / "results"
        results.write_text("")
        command = [*self.inside, programs / "ansible-playbook", book, "-i", inventory, *options]
        return Running(command, {**environment(results, programs), "ANSIBLE_NOCOLOR": "true", **(env or {})}, results)

    def run(self, *options: str, **more: Any) -> Printed:
        """Run it."""
        return self.start(*options, **more).end()

    def run_by_runner(self, programs: Path = PROGRAMS, **more: Any) -> Printed:
        """Run it by ansible-runner; the lines are its events, at the moments at which it has made them."""
        awx = self.folder / "awx"
        book, inventory = self.write()
        for folder in ("project", "inventory"):
            (awx / folder).mkdir(parents=True)
        book.rename(awx / "project" / book.name)
        inventory.rename(awx / "inventory" / "hosts.json")
        results = self.folder / "results"
        results.write_text("")
        done = subprocess.run(
            [ansible_runner(), "run", awx, "--playbook", book.name],
            env=environment(results, programs),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        # The events have the time of day.
        difference = time.time() - time.monotonic()
        printed = Printed(rc=done.returncode)
        for path in awx.glob("artifacts/*/job_events/*.json"):
            event = json.loads(path.read_text())
            moment = datetime.fromisoformat(event["created"]).replace(tzinfo=timezone.utc).timestamp() - difference
            printed.lines += [(moment, f"{line}\n") for line in event["stdout"].splitlines()]
        printed.lines.sort()
        printed.read(results)
        return printed


class Running:
    """ansible-playbook running."""

    def __init__(self, command: list[Any], env: Mapping[str, str], results: Path) -> None:
        self.printed = Printed()
        self._results = results
        self.process = subprocess.Popen(
            command,
            env=dict(env),
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.printed.lines.append((time.monotonic(), line.rstrip("\n") + "\n"))

    def end(self, seconds: float = 300) -> Printed:
        """Wait for its end."""
        try:
            self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self._thread.join(60)
            raise AssertionError(f"It has not ended: {self.printed.text}") from None
        self._thread.join(60)
        self.printed.rc = self.process.returncode
        self.printed.read(self._results)
        return self.printed


@dataclass(frozen=True)
class Sample:
    """What the server said about a run's connection at one moment."""

    moment: float
    text: str
    state: str
    percent: float
    rows: int


class Samples:
    """Asks the server again and again what runs in schemas."""

    def __init__(self, server: DatabaseServer, schemas: list[str]) -> None:
        self._server = server
        self._schemas = schemas
        self._over = threading.Event()
        self.of: dict[str, list[Sample]] = {schema: [] for schema in schemas}

    @contextmanager
    def taken(self) -> Iterator[Samples]:
        """Ask for the length of a ``with`` block."""
        thread = threading.Thread(target=self._run)
        thread.start()
        try:
            yield self
        finally:
            self._over.set()
            thread.join()

    def _run(self) -> None:
        names = ", ".join(f"'{schema}'" for schema in self._schemas)
        question = (
            "SELECT p.db, p.info, p.state, p.progress, COALESCE(t.trx_rows_modified, 0) "
            "FROM information_schema.processlist p LEFT JOIN information_schema.innodb_trx t "
            f"ON t.trx_mysql_thread_id = p.id WHERE p.db IN ({names}) AND p.info IS NOT NULL"
        )
        with self._server.connect() as connection, connection.cursor() as cursor:
            while not self._over.wait(0.2):
                cursor.execute(question)
                moment = time.monotonic()
                for schema, text, state, percent, rows in cursor.fetchall():
                    self.of[schema].append(Sample(moment, str(text), str(state), float(percent), int(rows)))

    def began(self, schema: str, word: str) -> float:
        """Return when a statement with a word in it was seen first."""
        return min(sample.moment for sample in self.of[schema] if word in sample.text)

    def ended(self, schema: str, word: str) -> float:
        """Return when a statement with a word in it was seen last."""
        return max(sample.moment for sample in self.of[schema] if word in sample.text)

    def between(self, schema: str, word: str, moment: float, before: float = 14) -> list[Sample]:
        """Return what was seen of a statement up to the moment of a line about it, and the next time."""
        seen = [sample for sample in self.of[schema] if word in sample.text and moment - before <= sample.moment]
        return seen[: sum(sample.moment <= moment for sample in seen) + 1]


def number(pattern: str, line: str) -> int | None:
    """Return a number in a line; None where there is none."""
    found = re.search(pattern, line)
    return int(found[1].replace(",", "")) if found else None


def gaps(moments: list[float], began: float, ended: float) -> tuple[float, float]:
    """Return how long it took until the first line, and the longest time without one after that."""
    told = [moment for moment in moments if began <= moment <= ended + 1]
    assert told, "there is no line"
    ends = [*told[1:], max(ended, told[-1])]
    return told[0] - began, max(later - earlier for earlier, later in zip(told, ends))
