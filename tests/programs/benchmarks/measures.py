# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is measured, on one server."""

from __future__ import annotations

import contextlib
import copy
import shutil
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pymysql
from parts.mariadb import DatabaseServer
from parts.proxy import Proxy
from parts.sshd import GitServer

from .contestants import FLOOR, SCHEMA, Contestant, contestants, engine_alone, engine_peak, forget
from .splitting import split
from .work import Work, data, inserts, like_real, mix, mix_back, new_tables, write_data, write_work

DELAY = 0.001
MEMORY = 100.0


@dataclass(frozen=True)
class Sizes:
    """How much is measured; all of it follows from two numbers."""

    runs: int
    migrations: int

    @property
    def far(self) -> int:
        """Migrations over the slow network: all of them would take more than ten minutes."""
        return max(1, self.migrations // 5)

    @property
    def idle(self) -> int:
        """Files of which none is pending."""
        return self.migrations * 5

    @property
    def few(self) -> int:
        """Statements of a file whose process takes about as long to start as to run."""
        return max(1, self.migrations * 3 // 2)

    @property
    def many(self) -> int:
        """Statements of a large file."""
        return self.migrations * 20

    @property
    def real(self) -> int:
        """Files as they are in real repositories."""
        return max(1, self.migrations * 96 // 1000)

    @property
    def present(self) -> int:
        """Tables that are there before a run."""
        return max(1, self.migrations * 3 // 2)

    @property
    def large(self) -> int:
        """Megabytes of a file of data that each of them can take."""
        return max(1, self.migrations * 64 // 1000)

    @property
    def megabytes(self) -> int:
        """The size of the file of data for the memory."""
        return max(1, self.migrations // 5)


@dataclass(frozen=True)
class Round:
    """One measure on one server.

    :param values: each contestant's median; the first is ours.
    :param bars: the most that ours may be of another's.
    """

    title: str
    server: str
    values: Mapping[str, float]
    bars: Mapping[str, float] = field(default_factory=dict)
    unit: str = "s"


class Bench:
    """Everything that is measured, on one server."""

    def __init__(self, server: DatabaseServer, git: GitServer, folder: Path, sizes: Sizes) -> None:
        self._server, self._git, self._folder, self._sizes = server, git, folder, sizes
        self._name = type(server).__name__
        self._home = folder / "home"
        self._contestants = list(contestants(git, self._home))

    def rounds(self) -> Iterator[Round]:
        """Measure, one after the other."""
        yield self._apply()
        with Proxy(self._server.host, self._server.port, DELAY) as proxy:
            far = copy.copy(self._server)
            far.port = proxy.port
            yield self._round_trip(far)
            yield self._apply_far(far)
        yield self._nothing_to_do()
        yield self._start()
        yield self._roll_back()
        yield self._like_real()
        yield self._inserts(self._sizes.few, 1.0 if self._name == "MySQL" else 1.5)
        yield self._inserts(self._sizes.many, 0.8)
        yield self._locks(self._sizes.many)
        yield self._beside_many()
        yield self._large_file()
        yield self._data_file()

    def _work(self, name: str, texts: Mapping[str, str], downs: Mapping[str, str] | None = None) -> Work:
        return write_work(self._folder / f"{self._name}-{name}", texts, self._git, downs)

    @property
    def _programs(self) -> list[Contestant]:
        """Those that run nothing but migrations."""
        return [contestant for contestant in self._contestants if contestant.name != "ansible-playbook"]

    def _apply(self) -> Round:
        on_mysql = self._name == "MySQL"
        bars = {
            "golang-migrate": 0.85 if on_mysql else 0.95,
            "dbmate": 1.25,
            "client": 1.45 if on_mysql else 1.70,
        }
        work = self._work("near", mix(self._sizes.migrations))
        medians = self._contest(self._contestants, self._server, work, self._empty)
        return Round(f"{self._sizes.migrations:,} migrations", self._name, medians, bars)

    def _apply_far(self, far: DatabaseServer) -> Round:
        medians = self._contest(self._contestants, far, self._work("far", mix(self._sizes.far)), self._empty)
        title = f"{self._sizes.far:,} migrations, 1 ms each way"
        return Round(title, self._name, medians, {"golang-migrate": 0.35})

    def _nothing_to_do(self) -> Round:
        work = self._work("idle", mix(self._sizes.idle))
        self._empty()
        able = [contestant for contestant in self._contestants if contestant.repeats]
        for contestant in able:
            if contestant.name != "golang-migrate":
                contestant.run(self._server, work)
        medians = self._contest(able, self._server, work, lambda: None)
        return Round(f"nothing to do in {self._sizes.idle:,} files", self._name, medians, {"golang-migrate": 0.12})

    def _start(self) -> Round:
        """Measure what a run costs that has nothing to do, beside what every module of Ansible costs."""
        count = max(1, self._sizes.migrations // 10)
        work = self._work("start", mix(count))
        self._empty()
        able = [contestant for contestant in self._programs if contestant.repeats]
        for contestant in able:
            contestant.run(self._server, work)
        medians = self._contest([*able, FLOOR], self._server, work, lambda: None)
        return Round(f"nothing to do in {count:,} files", self._name, medians, {FLOOR.name: 1.35})

    def _roll_back(self) -> Round:
        """Take all back. dbmate takes one back at a time, and the client cannot roll back."""
        work = self._work("back", mix(self._sizes.far), mix_back(self._sizes.far))
        able = [contestant.turned() for contestant in self._programs if contestant.back is not None]
        ways = {contestant.name: contestant for contestant in self._programs}

        def applied() -> None:
            self._empty()
            ways["engine"].run(self._server, work)

        medians = self._contest(able, self._server, work, applied)
        title = f"a rollback of {self._sizes.far:,} migrations"
        return Round(title, self._name, medians)

    def _like_real(self) -> Round:
        work = self._work("real", like_real(self._sizes.real))
        medians = self._contest(self._programs, self._server, work, self._empty)
        return Round(f"{self._sizes.real} realistic files", self._name, medians, {"golang-migrate": 1.70})

    def _inserts(self, count: int, limit: float) -> Round:
        work = self._work(f"rows-{count}", inserts(count))
        medians = self._contest(self._programs, self._server, work, self._empty)
        return Round(f"a file of {count:,} INSERTs", self._name, medians, {"golang-migrate": limit})

    def _beside_many(self) -> Round:
        count = max(1, self._sizes.present // 15)
        work = self._work("beside", new_tables(count))
        self._empty()
        schemas = {contestant.schema for contestant in self._programs}
        for schema in schemas:
            for number in range(self._sizes.present):
                self._server.query(f"CREATE TABLE present{number} (id INT PRIMARY KEY) ENGINE=InnoDB", schema)

        def without_the_new() -> None:
            new = ", ".join(f"new{number}" for number in range(1, count + 1))
            for schema in schemas:
                self._server.query(f"DROP TABLE IF EXISTS {new}, schema_migrations, schema_migrations_history", schema)

        medians = self._contest(self._programs, self._server, work, without_the_new)
        title = f"{count} tables and rows beside {self._sizes.present:,} tables"
        return Round(title, self._name, medians, {"golang-migrate": 1.45})

    def _round_trip(self, far: DatabaseServer) -> Round:
        """Tell how good the proxy is: what it adds beyond the 2 ms would count against those who ask more often."""
        values = {"proxy": _round_trip(far) * 1000, "direct plus 2 ms": (_round_trip(self._server) + 2 * DELAY) * 1000}
        return Round("SELECT 1, 1 ms each way", self._name, values, unit="ms")

    def _locks(self, count: int) -> Round:
        """Measure how long somebody waits at most who wants the newest row, while a file of INSERTs is run."""
        work = self._work("locks", inserts(count))
        values = {}
        for name, run in (("in batches", self._contestants[0].run), ("batch: false", engine_alone)):
            longest = []
            for _turn in range(self._sizes.runs):
                self._empty()
                with _Waiting(self._server) as waiting:
                    run(self._server, work)
                longest.append(waiting.longest)
            values[name] = max(longest) * 1000
        title = f"the longest wait for a row of a file of {count:,} INSERTs"
        return Round(title, self._name, values, unit="ms")

    def _large_file(self) -> Round:
        text = b"".join(data(self._sizes.large)).decode()
        work = self._work("large", {"00001_data": text})
        self._server.query(f"SET GLOBAL max_allowed_packet = {1 << 30}")
        # golang-migrate sends a file in one packet, of 4 MiB at most.
        able = [contestant for contestant in self._programs if contestant.name != "golang-migrate"]
        medians = self._contest(able, self._server, work, self._empty)
        shutil.rmtree(work.migrations.parent)
        return Round(f"a file of {self._sizes.large} MB", self._name, medians)

    def _data_file(self) -> Round:
        directory = write_data(self._folder / "data", self._sizes.megabytes)
        self._empty()
        peak = engine_peak(self._server, directory)
        shutil.rmtree(directory)
        title = f"peak memory, a data file of {self._sizes.megabytes} MB"
        return Round(title, self._name, {"engine": peak, "limit": MEMORY}, {"limit": 1.0}, "MB")

    def _empty(self) -> None:
        """Have empty schemas, and a runner on which nothing has run."""
        for schema in {contestant.schema for contestant in self._contestants}:
            self._server.query(f"DROP DATABASE IF EXISTS {schema}")
            self._server.create_schema(schema)
        forget(self._home)

    def _contest(
        self, able: Sequence[Contestant], server: DatabaseServer, work: Work, prepare: Callable[[], None]
    ) -> dict[str, float]:
        """Return each contestant's median, in seconds. They take turns, and another one begins in each run."""
        seconds: dict[str, list[float]] = {contestant.name: [] for contestant in able}
        for run in range(self._sizes.runs):
            first = run % len(able)
            for contestant in [*able[first:], *able[:first]]:
                prepare()
                started = time.perf_counter()
                contestant.run(server, work)
                seconds[contestant.name].append(time.perf_counter() - started)
        return {name: statistics.median(values) for name, values in seconds.items()}


class _Waiting:
    """Asks for the newest row again and again, with its lock.

    :ivar longest: how long one of the answers took, in seconds.
    """

    def __init__(self, server: DatabaseServer) -> None:
        self.longest = 0.0
        self._server = server
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._ask)

    def __enter__(self) -> _Waiting:
        self._thread.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self._over.set()
        self._thread.join()

    def _ask(self) -> None:
        question = f"SELECT id FROM {SCHEMA}.rows_of ORDER BY id DESC LIMIT 1 LOCK IN SHARE MODE"
        with self._server.connect() as connection, connection.cursor() as cursor:
            while not self._over.is_set():
                started = time.perf_counter()
                # There is no such table yet, or a deadlock.
                with contextlib.suppress(pymysql.err.Error):
                    cursor.execute(question)
                    self.longest = max(self.longest, time.perf_counter() - started)
                connection.rollback()


def splitting() -> Iterator[Round]:
    """Measure how fast files are taken apart, beside the second that it was first meant to take."""
    for name, load, size, bar in (
        ("statements of 100 bytes", "small INSERTs", 60, 1.2),
        ("stored programs", "stored programs", 8, 1.6),
    ):
        _count, seconds = split(load, size * 1_000_000)
        yield Round(f"splitting {size} MB of {name}", "–", {"engine": seconds, "a second": 1.0}, {"a second": bar})


def _round_trip(server: DatabaseServer) -> float:
    """Return the median of a thousand round trips, in seconds."""
    seconds = []
    with server.connect() as connection, connection.cursor() as cursor:
        for _trip in range(1000):
            started = time.perf_counter()
            cursor.execute("SELECT 1")
            seconds.append(time.perf_counter() - started)
    return statistics.median(seconds)
