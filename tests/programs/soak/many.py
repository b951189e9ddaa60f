# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills of migration_apply_many, again and again: ``python -m programs.soak.many TRIALS [SEED [SERVERS [SCHEMAS]]]``.

In each trial a migration is added, and the module is ended at a random instant, up to three times: by SIGKILL, alone,
with all of its processes, or only one of these, or by SIGTERM. It is then run to completion. Each schema must be what
migration_apply makes of one, each migration must be in each history once as applied, and no process of the killed
runs may remain.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

from integration.migration.fleet import Fleet, make_fleet
from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.servers import SERVERS

WAYS = ("module", "all", "one", "signal")
# Seconds in which the processes of a module that was killed have ended.
GONE_WITHIN = 30


def migration(number: int) -> str:
    """Return a file whose statements can all be looked after, in place of the table of the file before it."""
    table, before = f"t{number}", f"t{number - 1}"
    return (
        f"CREATE TABLE {table} (i INT PRIMARY KEY, t VARCHAR(40));\nINSERT INTO {table} VALUES (1, 'x'), (2, 'y');\n"
        f"ALTER TABLE {table} ADD n INT NOT NULL DEFAULT 0;\nUPDATE {table} SET n = n + i;\n"
        f"DELETE FROM {table} WHERE i = 1;\nUPDATE {table} SET n = n + 1;\nDROP TABLE IF EXISTS {before};\n"
    )


def children(number: int) -> list[int]:
    """Return the processes that a process has started."""
    with suppress(OSError):
        return [int(text) for text in Path(f"/proc/{number}/task/{number}/children").read_text().split()]
    return []


def end(number: int, way: str, dice: random.Random) -> list[int]:
    """End a module, and return its processes."""
    workers = children(number)
    chosen = {
        "module": [number],
        "all": [number, *workers],
        "one": dice.sample(workers, 1) if workers else [number],
        "signal": [number],
    }[way]
    for process in chosen:
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGTERM if way == "signal" else signal.SIGKILL)
    return workers


class Soak:
    """The trials on one server.

    :ivar seconds: about how long a run takes.
    """

    def __init__(self, fleet: Fleet, forks: Forks, schemas: int) -> None:
        self._fleet, self._forks = fleet, forks
        self._names, [self._alone] = fleet.create(schemas), fleet.create(1, "alone")
        self._number = 0
        self.seconds = 0.0
        self.found: Counter[str] = Counter()

    def prepare(self) -> None:
        """Bring all schemas to the first version, which makes their tables, and to the second."""
        for _version in range(2):
            wrong = self._next()
            start = time.monotonic()
            result = self._finish()
            self.seconds = time.monotonic() - start
            wrong += self._judged(result)
            assert not wrong, wrong

    def trial(self, dice: random.Random) -> list[str]:
        """Run one trial, and return what is wrong."""
        wrong = self._next()
        workers: list[int] = []
        for _cut in range(dice.randint(1, 3)):
            way = dice.choice(WAYS)
            number = self._forks.begin("migration_apply_many", self._arguments(dice.randint(1, 12)))
            time.sleep(dice.uniform(0.02, self.seconds))
            late = self._forks.ended()
            self.found["late" if late else way] += 1
            # How fast the machine is changes, and little may be left to do.
            self.seconds *= 0.8 if late else 1.1
            workers += end(number, way, dice)
            self._forks.status()
        return wrong + self._judged(self._finish()) + self._left(workers)

    def _next(self) -> list[str]:
        self._number += 1
        self._fleet.write(**{f"{self._number}_m": migration(self._number)})
        result = self._fleet.of(self._alone).apply(run_by="me")
        return [f"alone: {result['msg']}"] if result["failed"] else []

    def _arguments(self, parallel: int) -> dict[str, Any]:
        # Others may be running on a schema still: processes of a module that was killed.
        return self._fleet.arguments(self._names, parallel=parallel, lock_timeout=60, max_fail_percentage=50)

    def _finish(self) -> dict[str, Any]:
        return self._forks("migration_apply_many", self._arguments(8))

    def _judged(self, result: dict[str, Any]) -> list[str]:
        if result["failed"]:
            return [f"the last run: {result['msg']}"]
        wrong, wanted = [], self._fleet.found(self._alone)
        for name in self._names:
            found = self._fleet.found(name)
            applied = [row[0] for row in found["history"] if row[5] == "applied"]
            if {**found, "history": None} != {**wanted, "history": None}:
                wrong.append(f"{name}: {found} is not {wanted}")
            if applied != list(range(1, self._number + 1)):
                wrong.append(f"{name}: its history has {applied} as applied")
        return wrong

    def _left(self, workers: list[int]) -> list[str]:
        until = time.monotonic() + GONE_WITHIN
        while any(Path(f"/proc/{number}").exists() for number in workers):
            if time.monotonic() > until:
                return [f"processes are left of {workers}"]
            time.sleep(0.05)
        return []


def soak(name: str, trials: int, seed: int, schemas: int) -> Counter[str]:
    """Run so many trials on one server, and return how they ended."""
    with private_folder("soak") as data, private_folder("files") as files:
        try:
            with SERVERS[name](data) as server:
                forks = Forks()
                fleet = make_fleet(server, files / "migrations", forks)
                run = Soak(fleet, forks, schemas)
                run.prepare()
                for number in range(trials):
                    wrong = run.trial(random.Random(f"{seed} {name} {number}"))
                    run.found["trials"] += 1
                    run.found["wrong"] += bool(wrong)
                    for line in wrong[:5]:
                        print(f"{name} seed {seed} trial {number}: wrong: {line}", flush=True)
                    if run.found["trials"] % 10 == 0:
                        print(f"{name}: {dict(run.found)}", flush=True)
                forks.close()
                return run.found
        except NotAvailable as reason:
            print(f"not run on {name}: {reason}", flush=True)
    return Counter()


def main(trials: int, seed: int, servers: list[str], schemas: int) -> int:
    """Run so many trials, shared among the servers, and return how many went wrong."""
    shares = [trials // len(servers) + (place < trials % len(servers)) for place in range(len(servers))]
    found = sum((soak(name, share, seed, schemas) for name, share in zip(servers, shares)), Counter[str]())
    cuts = ", ".join(f"{found[way]} {way}" for way in (*WAYS, "late"))
    print(f"{found['trials']} trials over {schemas} schemas, cut off by: {cuts}; {found['wrong']} wrong")
    return found["wrong"]


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = dict(enumerate(sys.argv))
    sys.exit(
        main(
            int(words[1]), int(words.get(2, 1)), words.get(3, "mariadb,mysql").split(","), int(words.get(4, 300))
        ) > 0
    )  # fmt: skip
