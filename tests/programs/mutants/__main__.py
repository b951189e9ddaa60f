# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How many faults the unit tests find: ``python -m programs.mutants [MUTANTS [SEED [COMMIT]]]``.

Faults are planted in ``plugins/module_utils`` of a commit, one at a time, drawn at random with SEED. The unit tests
that run the fault's line, or read its file, are run, the quickest first, until one fails. A fault that none notices
survives; so does one in a line that no unit test runs, though the integration tests may. What has been judged is kept
in ``.cache/mutants``, from where a run that was interrupted resumes.
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from parts import CACHE, CHECKOUT

from .mutate import Mutant, mutants, mutated

JUDGE = Path(__file__).with_name("judge.py")
UTILS = Path("plugins/module_utils")
# What a test may take longer with a fault than without before it counts as noticed.
PATIENCE = 60


class Judge:
    """The unit tests of a copy of the checkout."""

    def __init__(self, checkout: Path, known: dict[str, Any]) -> None:
        self._checkout = checkout
        self._lines, self._readers, self._seconds = known["lines"], known["readers"], known["seconds"]
        self._process = subprocess.Popen(
            [sys.executable, JUDGE, "serve"],
            cwd=checkout,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def verdict(self, file: str, mutant: Mutant) -> str:
        """Tell what became of a mutant: killed, survived, or not run by any test."""
        path = self._checkout / UTILS / file
        source = path.read_text()
        tests = sorted(self.tests(file, mutant.line), key=lambda test: self._seconds[test])
        if not tests:
            return "not run"
        patience = PATIENCE + int(sum(self._seconds[test] for test in tests) * 4)
        path.write_text(mutated(source, mutant))
        try:
            status = self._ask(patience, tests)
        finally:
            path.write_text(source)
        # With a fault, what cannot be imported any more is not found. Without one, all must be.
        if status == 4 and self._ask(patience, tests) == 0:
            return "killed"
        if status not in (None, 0, 1, 2):
            raise RuntimeError(f"pytest ended with {status} for {file}:{mutant.line} and {tests}")
        return "survived" if status == 0 else "killed"

    def tests(self, file: str, line: int) -> set[str]:
        """Return the tests that run a line, and those of modules that read its file.

        If it is run as the file is imported, these are the tests that run any line of the file.
        """
        lines = self._lines.get(file, {})
        found = set(lines.get(str(line), []))
        if "" in found:
            found = {test for tests in lines.values() for test in tests}
        readers = self._readers.get(file, [])
        return {*found, *(test for test in self._seconds if test.split("::")[0] in readers)} - {""}

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, seconds: int, tests: list[str]) -> int | None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        print(json.dumps([seconds, tests]), file=self._process.stdin, flush=True)
        answer: int | None = json.loads(self._process.stdout.readline())
        return answer


def environment() -> dict[str, str]:
    """Return an environment in which nothing of this checkout is found, and no bytecode outlives its text."""
    return {**os.environ, "PYTHONPATH": "", "PYTHONDONTWRITEBYTECODE": "1"}


def copy(commit: str, folder: Path) -> None:
    """Make a checkout of a commit that finds itself as the collection."""
    archive = subprocess.run(["git", "archive", commit], cwd=CHECKOUT, check=True, capture_output=True)
    subprocess.run(["tar", "--extract", f"--directory={folder}"], input=archive.stdout, check=True)
    home = folder / ".venv/collections/ansible_collections/dbops"
    home.mkdir(parents=True)
    (home / "migrations").symlink_to(folder)
    # What asks Git for its files.
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    subprocess.run(["git", "add", "--all"], cwd=folder, check=True)


def recorded(checkout: Path, file: Path) -> dict[str, Any]:
    """Return which tests run each line, and how long each takes."""
    if not file.exists():
        with tempfile.NamedTemporaryFile(dir=file.parent) as unfinished:
            command: list[str | Path] = [sys.executable, JUDGE, "record", unfinished.name]
            subprocess.run(command, cwd=checkout, env=environment(), check=True)
            file.write_bytes(Path(unfinished.name).read_bytes())
    known: dict[str, Any] = json.loads(file.read_text())
    return known


def sample(checkout: Path, count: int, seed: int) -> list[tuple[str, Mutant]]:
    """Draw mutants from all that there can be."""
    folder = checkout / UTILS
    every = [
        (file.relative_to(folder).as_posix(), mutant)
        for file in sorted(folder.rglob("*.py"))
        for mutant in mutants(file.read_text())
    ]
    print(f"{len(every)} mutants can be made.", flush=True)
    random.Random(seed).shuffle(every)
    return every[:count]


def main(count: int, seed: int, commit: str) -> None:
    """Judge a sample, and print the share that is killed."""
    commit = subprocess.check_output(["git", "rev-parse", "--short", commit], cwd=CHECKOUT, text=True).strip()
    kept = CACHE / "mutants"
    kept.mkdir(parents=True, exist_ok=True)
    verdicts_file = kept / f"{commit}-{seed}.jsonl"
    verdicts: dict[tuple[str, Mutant], str] = {}
    for line in verdicts_file.read_text().splitlines() if verdicts_file.exists() else []:
        file, mutant, verdict = json.loads(line)
        verdicts[file, Mutant(*mutant)] = verdict
    with tempfile.TemporaryDirectory() as folder:
        copy(commit, Path(folder))
        drawn = sample(Path(folder), count, seed)
        judge = Judge(Path(folder), recorded(Path(folder), kept / f"{commit}.json"))
        for file, mutant in drawn:
            if (file, mutant) not in verdicts:
                verdicts[file, mutant] = judge.verdict(file, mutant)
                with verdicts_file.open("a") as more:
                    print(json.dumps([file, mutant, verdicts[file, mutant]]), file=more)
                print(f"{file}:{mutant.line}: {mutant.kind}: {verdicts[file, mutant]}", flush=True)
        judge.close()
    report([(file.split("/")[0].removesuffix(".py"), verdicts[file, mutant]) for file, mutant in drawn])


def report(verdicts: list[tuple[str, str]]) -> None:
    """Print the share that is killed, of each wing and of all."""
    print(f"{'':14}{'mutants':>8}{'killed':>8}{'survived':>9}{'not run':>8}")
    for wing in [*sorted({wing for wing, _verdict in verdicts}), "all"]:
        counts = Counter(verdict for own, verdict in verdicts if wing in (own, "all"))
        killed, survived, not_run = counts["killed"], counts["survived"], counts["not run"]
        share = f"{killed / counts.total():5.1%}"
        print(f"{wing:14}{counts.total():8}{killed:8}{survived:9}{not_run:8}  {share} killed")


if __name__ == "__main__":
    number, dice, of = [*sys.argv[1:4], *["500", "1", "HEAD"][len(sys.argv) - 1 :]]
    main(int(number), int(dice), of)
