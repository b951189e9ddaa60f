# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Faults, again and again: ``python -m programs.soak TRIALS [SEED [SERVERS [FIRST]]]``.

In each trial a run of migration_apply is interrupted: its process or the server is killed, its connection is cut at a
random byte, or killed by the server, its statement is ended, it is told to stop, or the server refuses a statement. It
is run again, perhaps to be interrupted again, until it is done. Then the schema must be what a plain client makes of
the same files. A question on the way is answered with what the schema shows, and must offer that answer.

Each kind of work meets each fault. The servers (names of parts.servers, with commas) write durably. One trial can be
run alone: ``python -m programs.soak 1 SEED SERVER TRIAL``.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
import sys
import traceback
from collections import Counter
from multiprocessing.pool import AsyncResult

from parts import NotAvailable, private_folder
from parts.forks import Forks
from parts.proxy import Proxy
from parts.servers import SERVERS

from .bench import Bench
from .script import Work
from .trial import FAULTS, Trial, Wrong, differences, short
from .truth import Place, clean, look, places, prepare
from .work import kinds_of, make

OPTIONS = {
    "mariadb": ("--event-scheduler=ON", "--myisam-recover-options=FORCE", "--innodb-buffer-pool-size=64M"),
    # Without its log it has no rules about what a transaction may hold.
    "mysql": (
        "--event-scheduler=ON",
        "--myisam-recover-options=FORCE",
        "--skip-log-bin",
        "--innodb-buffer-pool-size=64M",
        "--performance-schema=OFF",
    ),
}
# A fault may come too late: it is then tried again, so often.
TRIES = 4


class Soak:
    """The trials on one server."""

    def __init__(self, name: str, bench: Bench, seed: int) -> None:
        self._name, self._bench, self._seed = name, bench, seed
        self._kinds = kinds_of(SERVERS[name].__name__)
        self._work: tuple[int, Work, list[Place], dict[str, int]] | None = None
        self.found: Counter[str] = Counter()

    def step(self, trials: int) -> int:
        """Return how far apart so few trials are that each meets another kind and another fault."""
        step = max(1, len(self._kinds) * len(FAULTS) // trials)
        return step + (step % len(FAULTS) == 0)

    def trial(self, number: int) -> None:
        """Run one trial, and print what is wrong."""
        group, fault = number // len(FAULTS), FAULTS[number % len(FAULTS)]
        where = f"{self._name} seed {self._seed} trial {number}"
        try:
            work, known, passing = self._prepared(group)
        except Wrong as wrong:
            self._work = None
            self._report(where, self._dealt(group), "nothing", [], str(wrong))
            return
        for attempt in range(TRIES):
            dice = random.Random(f"{self._seed} {self._name} {number} {attempt}")
            trial = Trial(self._bench, work, known, dice, passing)
            try:
                ended = trial.run("process" if fault == "server" and work.not_killed else fault)
            except Wrong as wrong:
                self._report(where, work, fault, trial.told, str(wrong))
                return
            except Exception:
                # A fault of this program must not hide the others.
                self._report(where, work, fault, trial.told, traceback.format_exc())
                return
            if ended != "missed":
                break
        self.found[ended] += 1
        for note in trial.notes:
            self.found[note] += 1
            print(f"{where}: {note}: {work.kind}, {fault}", flush=True)

    def _dealt(self, group: int) -> Work:
        dice = random.Random(f"{self._seed} {self._name} work {group}")
        return make(self._kinds[group % len(self._kinds)], SERVERS[self._name].__name__, dice)

    def _prepared(self, group: int) -> tuple[Work, list[Place], dict[str, int]]:
        """Return a group's work, the truth about it, and what passes.

        :raises Wrong: a run that nobody disturbs does not do what a plain client does.
        """
        if self._work is None or self._work[0] != group:
            bench, work = self._bench, self._dealt(group)
            known = places(bench.server, work)
            prepare(bench.server, work)
            bench.write(work)
            options = {"target": "none", "allow_down": True} if work.downs else {}
            if work.downs:
                bench.apply({})
            result, passing = bench.measure(options)
            bench.settle()
            view = look(bench.server, work)
            if result is None or result["failed"] or view != known[-1].view:
                raise Wrong(f"Undisturbed: {short(result)} {differences(known[-1].view, view)}")
            self._work = group, work, known, passing
        return self._work[1:]

    def _report(self, where: str, work: Work, fault: str, told: list[str], what: str) -> None:
        self.found["wrong"] += 1
        lines = [f"{where}: wrong: {work.kind}, {fault}: {what}", *(f"  {line}" for line in told)]
        for file in (*work.ups, *work.downs):
            lines += [f"  {file.name}:", *(f"    {line!r}"[:300] for line in file.text().splitlines())]
        print("\n".join(lines), flush=True)
        for piece in work.pieces:
            print("".join(f"    before: {text}\n" for text in piece.before), end="", flush=True)


def soak(name: str, trials: int, seed: int, first: int) -> Counter[str]:
    """Run so many trials on one server, and return how they ended."""
    kind = SERVERS[name]
    options = OPTIONS["mysql" if name.startswith("mysql") else "mariadb"]
    with private_folder("soak") as data, private_folder("files") as files:
        try:
            with kind(data, durable=True, options=options) as server, Proxy(server.host, server.port, delay=0) as proxy:
                server.query("SET GLOBAL log_bin_trust_function_creators = 1")
                forks = Forks()
                run = Soak(name, Bench(server, files, proxy, forks), seed)
                for count in range(1, trials + 1):
                    run.trial(first + (count - 1) * run.step(trials))
                    if count % 50 == 0:
                        print(f"{name}: {dict(run.found)}", flush=True)
                if run._work is not None:
                    clean(server, run._work[1])
                forks.close()
                return run.found
        except NotAvailable as reason:
            print(f"not run on {name}: {reason}", flush=True)
    return Counter()


def main(trials: int, seed: int, servers: list[str], first: int) -> int:
    """Run so many trials, on the servers side by side, and return how many went wrong."""
    shares = [trials // len(servers) + (place < trials % len(servers)) for place in range(len(servers))]
    with multiprocessing.get_context("fork").Pool(len(servers)) as pool:
        running: list[AsyncResult[Counter[str]]] = [
            pool.apply_async(soak, (name, share, seed, first)) for name, share in zip(servers, shares) if share
        ]
        found = sum((each.get() for each in running), Counter[str]())
        pool.close()
        pool.join()
    listed = ", ".join(f"{found[name]} {name}" for name in ("part", "lost", "manually", "missed"))
    print(f"of these: {listed}")
    count = found["resumed"] + found["asked"] + found["wrong"]
    print(f"{count} trials: {found['resumed']} resumed, {found['asked']} asked, {found['wrong']} wrong")
    return found["wrong"]


if __name__ == "__main__":
    # So that the servers end, and their folders go, also when it is ended from outside.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    words = dict(enumerate(sys.argv))
    sys.exit(
        main(int(words[1]), int(words.get(2, 1)), words.get(3, "mariadb,mysql").split(","), int(words.get(4, 0))) > 0
    )
