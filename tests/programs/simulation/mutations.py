# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plants faults in a copy of the engine, one at a time, and has the simulation find them.

``python -m programs.simulation.mutations [RUNS]``: each must be found within so many runs.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple, Optional

from .case import make
from .engine import Engine, shared_folder
from .trial import Trial

CHECKOUT = Path(__file__).resolve().parents[3]
ENGINE = CHECKOUT / "plugins/module_utils/_migration"
_FIRST = 7_000_000_000


class Mutation(NamedTuple):
    """A fault.

    :param file: in which it is planted, below ``_migration``.
    :param old: what is there, exactly once.
    """

    name: str
    file: str
    old: str
    new: str


MUTATIONS = (
    Mutation(
        "writes of ours under LOCK TABLES and in XA",
        "run/transaction.py",
        "if state.sealed or chained:",
        "if chained:",
    ),
    Mutation("SET TRANSACTION is not waited for", "run/transaction.py", "    if state.next_only:", "    if False:"),
    Mutation("a section is not recorded before it", "run/transaction.py", "    if facts.section:", "    if False:"),
    Mutation(
        "DDL is sent without a record",
        "run/transaction.py",
        "return PacketPlan((*lead, Act.RECORD), begins=True)",
        "return PacketPlan()",
    ),
    Mutation(
        "rows and their record are not in one transaction",
        "run/transaction.py",
        "return PacketPlan((*ahead, Act.START), behind)",
        "return PacketPlan(flush)",
    ),
    Mutation(
        "a definition is treated as recorded that is not",
        "run/executor.py",
        "facts = facts._replace(begun=in_flight == self.recorder.in_flight)",
        "facts = facts._replace(begun=True)",
    ),
    Mutation(
        "what is not proven is sent without a record",
        "run/transaction.py",
        "return PacketPlan((*committed, Act.START) if facts.wrapped else committed, begins=True)",
        "return PacketPlan(flush)",
    ),
    Mutation(
        "a record of ours commits the user's transaction",
        "run/transaction.py",
        "before = (Act.RECORD,) if in_transaction else (Act.START, Act.RECORD, Act.COMMIT)",
        "before = (Act.START, Act.RECORD, Act.COMMIT)",
    ),
    Mutation("autocommit off is not seen", "run/transaction.py", "if not answer.autocommit:", "if False:"),
    Mutation(
        "table locks are forgotten where the server does not tell them",
        "run/transaction.py",
        "return state.locked or bool(answer.table_locks)",
        "return bool(answer.table_locks)",
    ),
    Mutation(
        "what ends a user's transaction is not recorded as begun",
        "run/transaction.py",
        "begins = facts.section or facts.kind in _ENDS_TRANSACTION",
        "begins = facts.section",
    ),
    Mutation(
        "what is done is not written with the next record",
        "run/attempt.py",
        "self._changed = self._changed or (lasting and not recorded)",
        "self._changed = self._changed and not recorded",
    ),
    Mutation(
        "a statement counts as done before it is sent",
        "run/attempt.py",
        "done if plan.counts else self.reached, begun, self._stored)",
        "done, begun, self._stored)",
    ),
    Mutation(
        "what a deadlock has taken back counts as done",
        "run/runner.py",
        "if digests and session.in_transaction and error.code != _DEADLOCK:",
        "if digests:",
    ),
    Mutation(
        "what came before a refused statement of a batch is run again",
        "run/runner.py",
        "return RanBatch(done, place + 1 - done, [])",
        "return RanBatch(0, place + 1, [])",
    ),
    Mutation(
        "the refused statement of a batch counts as done",
        "run/runner.py",
        "done = self._end_batch(batch.rows, digests[:place], error)",
        "done = self._end_batch(batch.rows, digests[: place + 1], error)",
    ),
    Mutation(
        "what was given a value in one packet with others is forgotten",
        "run/executor.py",
        "                self._log(item, ran.answer if item is last else None)",
        "                pass",
    ),
    Mutation(
        "the lock is not looked at",
        "run/attempt.py",
        "before = [self._lock.guard, *before]",
        "pass",
    ),
    Mutation(
        "what somebody else has written is not seen",
        "run/attempt.py",
        "return self._state_table.read(now=True) == self._state and (",
        "return True or (",
    ),
    Mutation(
        "a section is treated as over as soon as it begins",
        "run/attempt.py",
        "return flight if flight is not None and flight.last is not None and flight.last > done else None",
        "return None",
    ),
    Mutation(
        "all of a series counts as done when one is",
        "run/recovery.py",
        "(place + 1 for place, found in enumerate(outcomes) if",
        "(len(outcomes) for found in outcomes if",
    ),
    Mutation(
        "an attempt is resumed without a question",
        "run/recovery.py",
        "return self.checkpoint.in_flight or InFlightStatement(\"\")",
        "return None",
    ),
    Mutation(
        "the session is not brought back",
        "run/recovery.py",
        "checkpoint.log.restore(session, statement.number)",
        "pass",
    ),
)  # fmt: skip


def plant(mutation: Mutation, folder: Path) -> None:
    """Make a copy of the collection that has the fault."""
    root = folder / "ansible_collections/dbops/migrations"
    shutil.copytree(CHECKOUT / "plugins", root / "plugins", ignore=shutil.ignore_patterns("__pycache__"))
    path = root / "plugins/module_utils/_migration" / mutation.file
    text = path.read_text()
    assert text.count(mutation.old) == 1, f"{mutation.name}: {mutation.old!r} stands {text.count(mutation.old)} times"
    path.write_text(text.replace(mutation.old, mutation.new))


def search(runs: int) -> None:
    """Print the seeds of trials that show something, with how many runs it took, as they are found."""
    done, seed = 0, _FIRST
    with Engine() as engine:
        while done < runs:
            found = Trial(engine, make(seed)).run()
            done += found.runs
            for violation in found.violations:
                print(f"{seed}\t{done}\t{violation.kind}", flush=True)
            seed += 1


def find(mutation: Mutation, runs: int) -> Optional[str]:
    """Return how a fault was found; None if it was not."""
    with tempfile.TemporaryDirectory() as folder, shared_folder():
        plant(mutation, Path(folder))
        process = subprocess.Popen(
            [sys.executable, "-c", f"from programs.simulation.mutations import search; search({runs})"],
            env={**os.environ, "PYTHONPATH": f"{folder}:{CHECKOUT / 'tests'}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        try:
            for line in process.stdout:
                seed, done, kind = line.rstrip("\n").split("\t")
                # What the engine shows without it says nothing about the fault.
                with Engine() as engine:
                    if not Trial(engine, make(int(seed))).run().violations:
                        return f"after {done} runs: {kind}"
        finally:
            process.kill()
            process.wait()
            process.stdout.close()
    return None


def main(runs: int) -> int:
    """Plant every fault, print how each was found, and return how many were not."""
    missed = 0
    for mutation in MUTATIONS:
        began = time.monotonic()
        how = find(mutation, runs)
        missed += how is None
        print(f"{mutation.name}: {how or 'NOT FOUND'} ({time.monotonic() - began:.0f} s)", flush=True)
    print(f"{len(MUTATIONS)} mutations, {missed} not found")
    return missed


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 50_000) > 0)
