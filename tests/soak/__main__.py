# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Kills, again and again: ``python -m soak TRIALS [SEED]``.

In each trial a run of migration_apply is cut off at a random instant: by SIGKILL of its process, by SIGKILL of the
server, or by cutting its connection. It is run again, perhaps to be cut off again, until it is done; then the schema
must be what a run that nobody disturbed makes of the same files. The servers write durably.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import random
import signal
import sys
import time
from collections import Counter
from multiprocessing.pool import AsyncResult
from pathlib import Path
from typing import Any

from integration.migration.forks import Forks
from parts import NotAvailable, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL
from parts.proxy import Proxy
from parts.snapshot import snapshot

from .work import Work

SCHEMA = "soak"
FILES = 5
# So many trials have the same files.
SHARE = 5
CUTS = ("process", "server", "connection")
# When a run has been cut off again and again, it is left alone.
MOST_CUTS = 3


class Bench:
    """A server, a proxy before it, and the module."""

    def __init__(self, server: DatabaseServer, folder: Path, proxy: Proxy, forks: Forks) -> None:
        self.server, self.folder, self.proxy, self.forks = server, folder, proxy, forks

    def begin(self, proxied: bool) -> int:
        """Begin a run and return its process's number."""
        arguments = {
            "login_host": self.server.host,
            "login_port": self.proxy.port if proxied else self.server.port,
            "login_user": self.server.user,
            "login_password": self.server.password,
            "login_db": SCHEMA,
            "directory": str(self.folder),
            "tls": "disabled",
            "lock_timeout": 60,
        }
        return self.forks.begin("migration_apply", arguments)

    def fresh(self, files: dict[str, str]) -> None:
        """Make the schema empty, and write the files."""
        for old in self.folder.iterdir():
            old.unlink()
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.server.query(f"DROP DATABASE IF EXISTS {SCHEMA}")
        self.server.create_schema(SCHEMA)

    def state(self) -> dict[str, Any]:
        return snapshot(self.server, SCHEMA, without="_history")

    def expected(self, files: dict[str, str]) -> tuple[dict[str, Any], float]:
        """Return what a run makes of the files that nobody disturbs, and its time in seconds."""
        self.fresh(files)
        started = time.monotonic()
        self.begin(proxied=False)
        result = self.forks.result()
        seconds = time.monotonic() - started
        assert not result["failed"], result["msg"]
        return self.state(), seconds

    def cut_off(self, cut: str, seconds: float) -> bool:
        """Begin a run and cut it off after some time; return whether it had not ended by itself."""
        process = self.begin(proxied=cut == "connection")
        time.sleep(seconds)
        ended = self.forks.ended()
        if cut == "process":
            # While its end has not been asked for, the number is still its own, or free.
            if not ended:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
            return self.forks.status() == -signal.SIGKILL
        if cut == "server":
            self.server.stop(kill=True)
        else:
            self.proxy.cut()
        status = self.forks.status()
        if cut == "server":
            self.server.start()
        return not ended and status != 0


def trial(bench: Bench, dice: random.Random, seconds: float) -> tuple[str, str]:
    """Cut a run off, run it to its end, and return what became of it and how it was cut off."""
    cuts: list[str] = []
    while not cuts or (len(cuts) < MOST_CUTS and dice.random() < 0.3):
        cut = dice.choice(CUTS)
        if not bench.cut_off(cut, dice.uniform(0, seconds)):
            break
        cuts.append(cut)
    if not cuts:
        return "missed", ""
    bench.begin(proxied=False)
    result = bench.forks.result()
    if not result["failed"]:
        return "resumed", " and ".join(cuts)
    return ("asked" if "resume_from" in result["msg"] else "wrong"), f"{' and '.join(cuts)}: {result['msg']}"


def soak(kind: type[MariaDB] | type[MySQL], trials: int, seed: int) -> Counter[str]:
    """Run so many trials on one server, print what is wrong, and return how they ended."""
    found: Counter[str] = Counter()
    with private_folder("soak") as data, private_folder("files") as files:
        try:
            with kind(data, durable=True) as server, Proxy(server.host, server.port, delay=0) as proxy:
                forks = Forks()
                bench = Bench(server, files, proxy, forks)
                number = 0
                while found.total() - found["missed"] < trials:
                    dice = random.Random(f"{seed} {kind.__name__} {number}")
                    if number % SHARE == 0:
                        work = Work(dice).files(FILES)
                        expected, seconds = bench.expected(work)
                    bench.fresh(work)
                    ended, how = trial(bench, dice, seconds)
                    if ended == "resumed" and bench.state() != expected:
                        ended = "wrong"
                    found[ended] += 1
                    if ended in ("asked", "wrong"):
                        print(f"{kind.__name__} seed {seed} trial {number}: {ended}: {how}", flush=True)
                        if ended == "wrong":
                            show(work, expected, bench.state())
                    number += 1
                    if number % 50 == 0:
                        print(f"{kind.__name__}: {dict(found)}", flush=True)
                forks.close()
        except NotAvailable as reason:
            print(f"not run on {kind.__name__}: {reason}", flush=True)
    return found


def show(files: dict[str, str], expected: dict[str, Any], state: dict[str, Any]) -> None:
    """Print what differs, and the files."""
    for name in sorted({*expected, *state}):
        if expected.get(name) != state.get(name):
            print(f"  {name}: expected {expected.get(name)!r}, found {state.get(name)!r}")
    for name, text in files.items():
        print(f"  {name}:", *text.splitlines(), sep="\n    ")


def main(trials: int, seed: int) -> int:
    """Run so many trials, on both servers side by side, and return how many went wrong."""
    with multiprocessing.get_context("fork").Pool(2) as pool:
        halves = ((MariaDB, trials - trials // 2), (MySQL, trials // 2))
        running: list[AsyncResult[Counter[str]]] = [
            pool.apply_async(soak, (kind, count, seed)) for kind, count in halves if count
        ]
        found = sum((each.get() for each in running), Counter[str]())
        pool.close()
        pool.join()
    count = found.total() - found["missed"]
    print(f"{count} trials: {found['resumed']} resumed, {found['asked']} asked, {found['wrong']} wrong")
    return found["wrong"]


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main(int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1) > 0)
