# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Artifacts of Maven repositories: some hold a whole database server."""

from __future__ import annotations

import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import NotAvailable, NotOnThisSystem

PLUGIN = "org.apache.maven.plugins:maven-dependency-plugin:3.6.1"


@dataclass(frozen=True)
class Artifact:
    """An archive with a server.

    :param coordinates: group:artifact:version:packaging, or with :classifier after them.
    :param files: patterns of the files that the server needs.
    """

    coordinates: str
    files: Sequence[str]

    def unpack(self, folder: Path, log: Path) -> None:
        """Download the archive and make ``folder/root`` of it; NotAvailable is raised when it is not available.

        Maven takes it from where this machine's own settings say. The downloads go with ``folder``.
        """
        if platform.machine() != "x86_64":
            raise NotOnThisSystem(f"The artifact {self.coordinates} holds programs for x86_64 only.")
        maven = shutil.which("mvn")
        if maven is None:
            raise NotAvailable(f"The artifact {self.coordinates} is not available: this machine has no Maven (mvn).")
        properties = {
            "maven.repo.local": folder / "repository",
            "artifact": self.coordinates,
            "outputDirectory": folder / "root",
            "style.color": "never",
            "mdep.unpack.includes": ",".join(self.files),
        }
        options = [f"-D{name}={value}" for name, value in properties.items()]
        command = [maven, "--batch-mode", "--quiet", f"{PLUGIN}:unpack", *options]
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, text=True, cwd=folder, check=False
        )
        log.write_text(done.stdout + done.stderr)
        if done.returncode != 0:
            first = next((line for line in done.stdout.splitlines() if "ERROR" in line), done.stderr.strip())
            raise NotAvailable(f"The artifact {self.coordinates} is not available: {first} (log: {log})")

    def launcher(self, root: Path) -> list[str | Path]:
        """Return the command that runs a program of theirs: it runs on this system as it is."""
        return []
