# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Run random trials: ``python -m programs.simulation RUNS [SEED]``.

A trial is named by its seed, and 0 as RUNS plays that one.

A run is one run of the engine, after which everything is checked; a trial has one or more.
"""

from __future__ import annotations

import multiprocessing
import os
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from .case import Case, make, shrink
from .engine import Engine, shared_folder
from .trial import Trial

_CHUNK = 200
# Of each kind of violation so many are shown.
_SHOWN = 1


class Found(NamedTuple):
    """What some trials gave."""

    runs: int
    counts: Counter[str]
    violations: list[tuple[int, str, str]]


def play(seeds: range) -> Found:
    """Play the trials of some seeds."""
    counts: Counter[str] = Counter()
    violations = []
    runs = 0
    with Engine() as engine:
        for seed in seeds:
            found = Trial(engine, make(seed)).run()
            runs += found.runs
            counts["trials"] += 1
            counts["questions"] += found.asked
            for kind in found.struck:
                counts[f"fault: {kind}"] += 1
            if found.apart:
                counts[f"apart: {found.apart}"] += 1
            violations += [(seed, violation.kind, violation.about) for violation in found.violations]
    return Found(runs, counts, violations)


def show(seed: int, kind: str) -> str:
    """Return a violation's trial, shrunk, with its trace."""
    with Engine() as engine:

        def shows(case: Case) -> bool:
            return any(violation.kind == kind for violation in Trial(engine, case).run().violations)

        case = shrink(make(seed), shows)
        trace: list[str] = []
        found = Trial(engine, case, trace).run()
    return "\n".join([*trace, *(f"VIOLATION {item.kind}: {item.detail}" for item in found.violations)])


def _chunks(first: int) -> Iterator[range]:
    while True:
        yield range(first, first + _CHUNK)
        first += _CHUNK


def main(runs: int, seed: int, processes: int = 2) -> int:
    """Play trials until so many runs are done, print what was found, and return the number of violations."""
    if runs == 0:
        with Engine() as engine:
            trace: list[str] = []
            for violation in Trial(engine, make(seed), trace).run().violations:
                trace.append(f"VIOLATION {violation.kind}: {violation.detail}")
            print("\n".join(trace))
        return 0
    total: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    done, began = 0, time.monotonic()
    with shared_folder(), multiprocessing.get_context("fork").Pool(min(processes, os.cpu_count() or 1)) as pool:
        chunks = _chunks(seed * 1_000_000_000)
        waiting = [pool.apply_async(play, (next(chunks),)) for _process in range(2 * processes)]
        while done < runs and waiting:
            found = waiting.pop(0).get()
            done += found.runs
            total.update(found.counts)
            for number, kind, about in found.violations:
                named = f"{kind} ({about})" if about else kind
                kinds[named] += 1
                if kinds[named] <= _SHOWN:
                    print(f"seed {number}:\n{pool.apply(show, (number, kind))}\n", flush=True)
            if done < runs:
                waiting.append(pool.apply_async(play, (next(chunks),)))
        pool.terminate()
    seconds = time.monotonic() - began
    print(f"{total.pop('trials')} trials in {seconds:.0f} s, {done / seconds:.0f} runs a second, from seed {seed}")
    for name, count in (
        *sorted(total.items()),
        *(("violation: " + kind, count) for kind, count in kinds.most_common()),
    ):
        print(f"  {name}: {count}")
    print(f"{done} runs, {sum(kinds.values())} violations")
    return sum(kinds.values())


if __name__ == "__main__":
    arguments = [int(text) for text in sys.argv[1:]]
    sys.exit(main(arguments[0], arguments[1] if len(arguments) > 1 else 1) > 0)
