# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real dbmate, another tool of the same kind, for comparison."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import CACHE, NotAvailable
from .mariadb import DatabaseServer

PACKAGE = "dbmate@2.36.0"


def binary() -> Path:
    """Return the program's path; it is installed with npm when it is not in the cache."""
    folder = CACHE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "dbmate"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _install(program)
    return program


def _install(program: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        raise NotAvailable("dbmate cannot be installed: there is no npm on this machine.")
    with tempfile.TemporaryDirectory(dir=program.parent) as folder:
        options = ["--prefix", folder, "--no-save", "--no-audit", "--no-fund", "--ignore-scripts"]
        done = subprocess.run([npm, "install", *options, PACKAGE], capture_output=True, text=True, check=False)
        # The package for this machine's processor holds the program; the one that is named only calls it.
        found = list(Path(folder).glob("node_modules/@dbmate/*/bin/dbmate"))
        if done.returncode != 0 or not found:
            raise NotAvailable(f"dbmate cannot be installed: {done.stderr.strip()[-500:]}")
        found[0].rename(program)


def run(
    program: Path, server: DatabaseServer, database: str, directory: Path, *arguments: str
) -> subprocess.CompletedProcess[str]:
    """Run dbmate on one schema, for instance with the argument ``"migrate"``."""
    url = f"mysql://{server.user}:{server.password}@{server.host}:{server.port}/{database}"
    return subprocess.run(
        [program, "--migrations-dir", directory, "--no-dump-schema", *arguments],
        env={**os.environ, "DATABASE_URL": url},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
