# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ran, as a table and as a page."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from parts import cores

FAILED = "FAILED"
MISSING = "missing"
_LIBRARIES = ("boto3", "GitPython", "PyMySQL")
_ASK = "import platform, ansible.release as r; print(r.__version__, platform.python_version())"
_ASK_LIBRARIES = "import platform, importlib.metadata as m; print(platform.python_version(), *map(m.version, {}))"
# Nothing that this finds out: the limits are those of _mysql/versions.py, the tests' servers those of parts/servers.py.
SERVERS = """\
## Database servers

| | MySQL | MariaDB |
| --- | --- | --- |
| supported | 8.0 to 9.7 | 10.6 to 11.8 |
| work, with a warning at each run | 5.6, 5.7 | 10.2 to 10.5 |
| refused | before 5.6 | before 10.2 |

- **supported**: a DDL statement takes effect completely or not at all. A run that was interrupted in one finds out
  which, and resumes.
- **with a warning**: a DDL statement may take effect in part. A run that was interrupted in one stops, and you answer
  with `migrate_resume_from`. Of these servers the tests use MariaDB 10.5 only.
- **refused**: they lack features on which the history and its transactions depend.

Newer versions than these are accepted without a warning. Both servers keep their protocol and their SQL compatible,
golang-migrate does not check the version either, and a server upgrade should not have to wait for this collection.
`migration_info` returns a server's version as `server`, and whether it is supported as `supported`.

`make test-servers` runs the engine's tests on each of these servers:

| | also run by `make test` |
| --- | --- |
| MariaDB 10.5.29 | no |
| MariaDB 10.11.19 | yes |
| MariaDB 11.4.5 | no |
| MariaDB 11.8.9 | yes |
| MySQL 8.0.33 | no |
| MySQL 9.7.4 | yes |
"""
_PAGE = """\
# Versions

Written by `make test-matrix` on {date}. `make test` runs the lowest and the highest versions of it.

{table}

- **unit**: the unit tests, with that Python and that ansible-core.
- **sanity**: `ansible-test sanity` of that ansible-core, on every Python that it found; once for each ansible-core.
  A test is *not run* if it needs a host that this machine does not reach.
- **3.9** and so on: the main path, with that ansible-core and Python on the controller, and the Python of the column on
  the runner, over SSH. The role fetches from Git over SSH with a key, reads the password from Secrets Manager and
  migrates a MariaDB. Check mode says what it would do, a run does it, the next run changes nothing, a rollback rolls
  back, and a broken migration fails with its file, line and column.
- **{missing}**: this machine does not have that Python, so nothing ran. **–**: this ansible-core does not support it;
  or, for sanity, it ran in another row.

{gaps}

{servers}
## Libraries on the hosts

{libraries}
"""


@dataclass(frozen=True)
class Part:
    """What became of one part.

    :param outcome: what the table says.
    :param said: all that was printed.
    """

    outcome: str
    said: str

    @property
    def failed(self) -> bool:
        """Whether it did not pass."""
        return self.outcome.startswith(FAILED)


@dataclass
class Row:
    """An ansible-core on a Python, 3.N.

    :param hosts: the Pythons, 3.N, on which the main path is run; none if nothing can be run.
    """

    core: str
    minor: int
    hosts: list[int]
    version: str = ""
    python: str = ""
    parts: dict[str, Part] = field(default_factory=dict)

    def asked(self, python: Path) -> None:
        """Ask an interpreter for the exact versions."""
        said = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, check=True).stdout
        self.version, self.python = said.split()

    def cells(self, columns: Iterable[str]) -> list[str]:
        """Return what the table says about each part."""
        versions = [self.version or self.core, self.python or f"3.{self.minor}"]
        return versions + [self._cell(column) for column in columns]

    def _cell(self, column: str) -> str:
        if column in self.parts:
            return self.parts[column].outcome
        if not column.startswith("3."):
            return "–" if self.hosts else MISSING
        minor = int(column[2:])
        there = self.hosts and cores.available(minor)
        return MISSING if minor in cores.CORES[self.core].hosts and not there else "–"


def table(rows: Sequence[Row]) -> str:
    """Return the table of what ran."""
    minors = sorted({minor for row in rows for minor in cores.CORES[row.core].hosts})
    columns = ["unit", "sanity", *(f"3.{minor}" for minor in minors)]
    return _table(["ansible-core", "Python", *columns], [row.cells(columns) for row in rows])


def libraries(minors: Iterable[int]) -> Mapping[str, Sequence[str]]:
    """Return the libraries' versions on each Python that was a host's."""
    found = {}
    for minor in minors:
        if cores.available(minor):
            question = _ASK_LIBRARIES.format(_LIBRARIES)
            said = subprocess.run(
                [cores.host(minor), "-c", question], capture_output=True, text=True, check=True
            ).stdout
            python, *versions = said.split()
            found[python] = versions
    return found


def page(rows: Sequence[Row], missing: Sequence[int], found: Mapping[str, Sequence[str]]) -> str:
    """Return the page."""
    gaps = ", ".join(f"3.{minor}" for minor in missing)
    return _PAGE.format(
        date=date.today(),
        table=table(rows),
        missing=MISSING,
        servers=SERVERS,
        gaps=f"Not run, because it was missing: Python {gaps}." if gaps else "No Python was missing.",
        libraries=_table(["Python", *_LIBRARIES], [[python, *versions] for python, versions in found.items()]),
    )


def _table(heading: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
