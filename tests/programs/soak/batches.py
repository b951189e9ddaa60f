# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults inside batches, again and again: ``python -m programs.soak.batches TRIALS [SEED [SERVERS]]``.

In each trial migration_apply runs a file of INSERTs, which share transactions, and something happens meanwhile: it is
interrupted as in ``soak``, a statement is refused, waits for a lock that somebody else has, or has a deadlock with
somebody else. After each run the rows that are there must be those of the statements that the history says are done,
once; and after the last one, all.
"""

from __future__ import annotations

import random
import signal
import sys
import time
import traceback
from collections import Counter
from typing import Any

import pymysql
from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.proxy import Proxy
from parts.servers import SERVERS

from .__main__ import OPTIONS
from .bench import CUTS, Bench
from .script import SCHEMA
from .trial import Wrong, short

FAULTS = (*CUTS, "refused", "lock wait", "deadlock")
NAME = "1_rows.up.sql"
# So many files, each with its own number of statements.
WORKS = 12
_ROUNDS = 8
_AGAIN = 0.3
_GRACE = 30


class Trials:
    """The trials on one server."""

    def __init__(self, bench: Bench, name: str, seed: int) -> None:
        self._bench, self._name, self._seed = bench, name, seed
        self._works: dict[int, tuple[str, int, dict[str, int]]] = {}
        self.found: Counter[str] = Counter()

    def trial(self, number: int) -> None:
        """Run one trial, and print what is wrong."""
        fault, dice = FAULTS[number % len(FAULTS)], random.Random(f"{self._seed} {self._name} {number}")
        told: list[str] = []
        try:
            ended = self._play(number // len(FAULTS) % WORKS, fault, dice, told)
        except Exception as error:
            what = str(error) if isinstance(error, Wrong) else traceback.format_exc()
            print(
                f"{self._name} seed {self._seed} trial {number}: wrong: {fault}: {what}", *told, sep="\n  ", flush=True
            )
            ended = "wrong"
        self.found[ended] += 1

    def _play(self, work: int, fault: str, dice: random.Random, told: list[str]) -> str:
        count, passing = self._prepare(work)
        if fault == "refused":
            self._refuse(dice.randint(1, count), told)
        elif fault in CUTS:
            self._cut(fault, dice, passing, told)
        else:
            self._wait(dice, count, fault == "deadlock", told)
        for _round in range(_ROUNDS):
            if self._check(count):
                return "done"
            if dice.random() < _AGAIN:
                self._cut(dice.choice(CUTS), dice, passing, told)
            else:
                told.append(short(self._bench.apply({})))
        raise Wrong("It never came to an end.")

    def _prepare(self, number: int) -> tuple[int, dict[str, int]]:
        """Make the schema again, write a file, and return how many statements it has and what passes when it is run."""
        bench = self._bench
        if number not in self._works:
            dice = random.Random(f"{self._seed} work {number}")
            count = dice.randint(40, 500)
            texts = [
                f"INSERT INTO {dice.choice('tu')} (n, c) VALUES ({n}, '{'x' * dice.choice([1, 40, 400])}');\n"
                for n in range(1, count + 1)
            ]
            self._works[number] = "".join(texts), count, {}
            self._fresh(number)
            result, passing = bench.measure({})
            bench.settle()
            if result is None or result["failed"]:
                raise Wrong(f"Undisturbed: {short(result)}")
            self._works[number] = "".join(texts), count, passing
        self._fresh(number)
        return self._works[number][1:]

    def _fresh(self, number: int) -> None:
        self._bench.server.query(f"DROP DATABASE IF EXISTS {SCHEMA}")
        self._bench.server.create_schema(SCHEMA)
        for table in "tuw":
            self._query(f"CREATE TABLE {table} (n INT, c VARCHAR(400), UNIQUE (n)) ENGINE=InnoDB")
        (self._bench.folder / NAME).write_text(self._works[number][0])

    def _query(self, sql: str) -> list[tuple[Any, ...]]:
        return self._bench.server.query(sql, SCHEMA)

    def _cut(self, fault: str, dice: random.Random, passing: dict[str, int], told: list[str]) -> None:
        result, what = self._bench.cut(fault, {}, dice, passing)
        told.append(f"{what or 'nothing'}: {short(result)}")

    def _refuse(self, number: int, told: list[str]) -> None:
        """Have a statement refused: its row is somebody else's already."""
        table = self._table_of(number)
        self._query(f"INSERT INTO {table} (n) VALUES ({number})")
        result = self._bench.apply({})
        told.append(f"{number} is there: {short(result)}")
        if result is None or not result["failed"] or (result["statement"], result["error_code"]) != (number, 1062):
            raise Wrong("It is not refused.")
        self._query(f"DELETE FROM {table} WHERE n = {number} AND c IS NULL")

    def _wait(self, dice: random.Random, count: int, deadlock: bool, told: list[str]) -> None:
        """Have a statement wait for a row that somebody else has locked, who may then wait for one of the run's."""
        later = dice.randint(2, count)
        sooner = dice.randint(max(1, later - 12), later - 1)
        bench = self._bench
        with bench.server.connect(SCHEMA) as other, other.cursor() as cursor:
            other.autocommit(False)
            # The one that has written less is the one that is rolled back.
            cursor.execute("INSERT INTO w (n) VALUES " + ", ".join(f"({n})" for n in range(2000)))
            cursor.execute(f"INSERT INTO {self._table_of(later)} (n) VALUES ({later})")
            bench.begin("apply", {}, proxied=False)
            self._until_waiting()
            time.sleep(dice.choice([0, 0.1, dice.uniform(0, 2.5)]))
            said = "it waits"
            if deadlock:
                try:
                    cursor.execute(f"INSERT INTO {self._table_of(sooner)} (n) VALUES ({sooner})")
                    said = "deadlock"
                except pymysql.MySQLError as error:
                    said = f"the other one: {error.args[0]}"
            other.rollback()
        result = bench.ended()
        self.found[said] += 1
        told.append(f"{later} is locked, {said}: {short(result)}")
        if result is None or result["failed"]:
            raise Wrong("It fails.")

    def _until_waiting(self) -> None:
        deadline = time.monotonic() + _GRACE
        question = "SELECT COUNT(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"
        while self._query(question) != [(1,)]:
            if time.monotonic() > deadline:
                raise Wrong("Nobody waits.")
            # Both servers show what they showed last until nobody has asked for 0.1 s.
            time.sleep(0.15)

    def _table_of(self, number: int) -> str:
        text = (self._bench.folder / NAME).read_text().splitlines()[number - 1]
        return text.split()[2]

    def _check(self, count: int) -> bool:
        """Compare what is there with what the history says; tell whether all is done.

        :raises Wrong: they differ.
        """
        self._bench.settle()
        rows = sorted(n for table in "tu" for (n,) in self._query(f"SELECT n FROM {table}"))
        record = self._bench.record()
        done = 0 if record is None else count if record[2] == "applied" else record[3]
        if rows != list(range(1, done + 1)):
            raise Wrong(f"{done} of {count} are done, but there are {len(rows)}, the last of them {rows[-1:]}.")
        dirty = self._bench.state()
        if record is not None and record[2] != "applied" and record[3] != record[4]:
            raise Wrong(f"Nothing can be in doubt: {record}")
        if (dirty == [(1, 0)]) != (done == count and record is not None and record[2] == "applied"):
            raise Wrong(f"The newest attempt is {record}, and the state says {dirty}.")
        return dirty == [(1, 0)]


def run(name: str, trials: int, seed: int) -> Counter[str]:
    """Run so many trials on one server, and return how they ended."""
    options = OPTIONS["mysql" if name.startswith("mysql") else "mariadb"]
    with private_folder("soak") as data, private_folder("files") as files:
        try:
            with (
                SERVERS[name](data, durable=True, options=options) as server,
                Proxy(server.host, server.port, delay=0) as proxy,
            ):
                forks = Forks()
                found = Trials(Bench(server, files, proxy, forks), name, seed)
                for number in range(trials):
                    found.trial(number)
                    if (number + 1) % 50 == 0:
                        print(f"{name}: {dict(found.found)}", flush=True)
                forks.close()
                return found.found
        except NotAvailable as reason:
            print(f"not run on {name}: {reason}", flush=True)
    return Counter()


def main(trials: int, seed: int, servers: list[str]) -> int:
    """Run so many trials on the servers, one after the other, and return how many went wrong."""
    found: Counter[str] = Counter()
    for place, name in enumerate(servers):
        found += run(name, trials // len(servers) + (place < trials % len(servers)), seed)
    print(f"of these: {found['deadlock']} deadlocks, {found['it waits']} waits")
    print(f"{found['done'] + found['wrong']} trials: {found['wrong']} wrong")
    return found["wrong"]


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = dict(enumerate(sys.argv))
    sys.exit(main(int(words[1]), int(words.get(2, 1)), words.get(3, "mariadb,mysql").split(",")) > 0)
