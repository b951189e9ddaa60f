# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Every ansible-core on every Python: ``python -m programs.matrix [ends]``.

With ``ends``, only the lowest and the highest, without the sanity tests, generated inputs and hostile texts, which is
what CI runs; without, what ran is also written into docs. A missing interpreter is reported, and is not a failure;
everything else that does not pass is one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from parts import CHECKOUT, NotAvailable, cores

from .report import FAILED, Part, Row, libraries, page, table

UNIT = CHECKOUT / "tests" / "requirements" / "unit.txt"
# The oldest ansible-core also looks at Pythons that are not ours.
_SANITY = re.compile(r'^Running sanity test "([^"]+)"(?: on Python (3\.9|3\.\d\d)$)?', re.MULTILINE)
_FAILED = re.compile(r"sanity test\(s\) listed below .*\n((?:[\w-]+\n)+)")
_SKIPPED = re.compile(r'^Not run: sanity test "([^"]+)"', re.MULTILINE)


def all_rows() -> Iterator[Row]:
    """Every core on every Python of a controller; where that is missing, nothing will run."""
    for name, core in cores.CORES.items():
        found = [minor for minor in core.hosts if cores.available(minor)]
        for minor in core.controllers:
            yield Row(name, minor, found if cores.available(minor) else [])


def ends() -> Iterator[Row]:
    """The lowest and the highest that are available of the first and the last core."""
    names = list(cores.CORES)
    for name, place in ((names[0], 0), (names[-1], -1)):
        controllers, hosts = cores.CORES[name].controllers, cores.CORES[name].hosts
        found = [[minor for minor in minors if cores.available(minor)] for minors in (controllers, hosts)]
        minor = found[0][place] if found[0] else controllers[place]
        yield Row(name, minor, [found[1][place]] if all(found) else [])


def run(row: Row, sanity: bool, whole: bool) -> None:
    """Run what there is to run on a core and a Python.

    :param whole: whether generated inputs and hostile texts are tried, too.
    """
    steps: dict[str, Callable[[], dict[str, Part]]] = {
        "unit": lambda: {"unit": unit(row, whole)},
        "sanity": lambda: {"sanity": sanity_tests(row)} if sanity else {},
        "main path": lambda: path(row, whole),
    }
    for name, step in steps.items():
        try:
            row.asked(cores.programs(row.core, row.minor) / "python")
            parts = step()
        except NotAvailable as reason:
            # The interpreter is there, so this is not a gap of the machine's.
            parts = {name: Part(FAILED, str(reason))}
        row.parts |= parts
        for part in parts:
            say(row, part)


def say(row: Row, name: str) -> None:
    """Print what became of a part, and what it said if it failed."""
    part = row.parts[name]
    print(f"ansible-core {row.version or row.core}, Python 3.{row.minor}: {name}: {part.outcome}", flush=True)
    if part.failed:
        print(part.said, flush=True)


def unit(row: Row, whole: bool) -> Part:
    """Run the unit tests in an environment with the core."""
    python = cores.programs(row.core, row.minor, UNIT) / "python"
    # The simulation asks nothing of Ansible, and takes as long as all others.
    without = "--deselect=tests/unit/migration/test_simulation.py::test_no_run_violates_the_invariant"
    marks = [] if whole else ["-m", "not hypothesis"]
    cases, output = pytest(python, "tests/unit", "-p", "no:cacheprovider", without, *marks)
    counts = Counter(
        next((child.get("type", child.tag) for child in case if child.tag in ("failure", "error", "skipped")), "passed")
        for case in cases
    )
    passed, skipped, xfailed = counts.pop("passed", 0), counts.pop("pytest.skip", 0), counts.pop("pytest.xfail", 0)
    figures = {"passed": passed, "failed": counts.total(), "skipped": skipped, "expected to fail": xfailed}
    outcome = ", ".join(f"{number} {name}" for name, number in figures.items() if number)
    bad = counts.total() or not passed
    return Part(f"{FAILED}: {outcome or 'nothing ran'}" if bad else outcome, output)


def pytest(python: Path, *arguments: str, **variables: str) -> tuple[list[ET.Element], str]:
    """Run pytest and return its cases and its output."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        options = ["-m", "pytest", "-q", "-o", "junit_family=xunit1", f"--junitxml={report}", *arguments]
        output = execute([python, *options], variables)[1]
        return (ET.parse(report).findall(".//testcase") if report.exists() else []), output


def sanity_tests(row: Row) -> Part:
    """Run ansible-test sanity of the core."""
    programs = str(cores.programs(row.core, row.minor))
    code, output = execute([CHECKOUT / "tests" / "sanity.sh"], {"PROGRAMS": programs})
    ran = _SANITY.findall(output)
    tests = len({test for test, _python in ran})
    pythons = sorted({python for _test, python in ran if python}, key=lambda text: int(text.split(".")[1]))
    without = "".join(f"; {test} not run" for test in _SKIPPED.findall(output))
    outcome = f"{tests} tests, Python {', '.join(pythons)}{without}"
    failed = ", ".join(_FAILED.findall(output)[0].split()) if _FAILED.search(output) else outcome
    return Part(f"{FAILED}: {failed}" if code or not pythons else outcome, output)


def path(row: Row, whole: bool) -> dict[str, Part]:
    """Go the main path, and return what became of it on each host's Python."""
    # Made here, as it takes longer than a playbook is given.
    for minor in row.hosts:
        cores.host(minor)
    file, cell = "tests/integration/roles/test_matrix.py", f"[{row.core}-3.{row.minor}]"
    names = ["test_main_path", *(["test_nothing_is_a_template"] if whole else [])]
    tests = [f"{file}::{name}{cell}" for name in names]
    hosts = " ".join(map(str, row.hosts))
    cases, output = pytest(Path(sys.executable), *tests, MATRIX_HOSTS=hosts)
    said = {each.get("name"): each.get("value", "") for case in cases for each in case.iter("property")}
    safe = [case.find("failure") is case.find("error") is None for case in cases] == [True] * len(tests)
    return {
        f"3.{minor}": Part("passed", "") if safe and said.get(f"3.{minor}") == "passed" else Part(FAILED, output)
        for minor in row.hosts
    }


def execute(command: list[str | Path], variables: Mapping[str, str]) -> tuple[int, str]:
    """Run a command in the checkout and return its exit status and what it printed."""
    done = subprocess.run(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


def main(only_ends: bool) -> int:
    """Run, print the table, write it down, and return how many parts failed."""
    rows = list(ends() if only_ends else all_rows())
    wanted = sorted({minor for core in cores.CORES.values() for minor in (*core.controllers, *core.hosts)})
    missing = [minor for minor in wanted if not cores.available(minor)]
    for minor in missing:
        print(f"Python 3.{minor} is missing on this machine: nothing that needs it is run.", flush=True)
    newest = {row.core: row.minor for row in rows if row.hosts}
    for row in rows:
        if row.hosts:
            # It tests every Python itself, so once is enough.
            run(row, sanity=not only_ends and newest[row.core] == row.minor, whole=not only_ends)
    print(f"\n{table(rows)}", flush=True)
    if not only_ends:
        (CHECKOUT / "docs" / "versions.md").write_text(page(rows, missing, libraries(wanted)))
    return sum(part.failed for row in rows for part in row.parts.values())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] == ["ends"]) > 0)
