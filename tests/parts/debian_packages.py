# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages of Debian, of this machine's suite or another, which are unpacked and not installed."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from . import NotAvailable, NotOnThisSystem

# Dependencies that a database server never loads.
LEFT_OUT = ("perl", "libperl", "libc-gconv")


@dataclass(frozen=True)
class Packages:
    """A package and its dependencies.

    :param package: its name.
    :param suites: where it is looked for; the name of a security suite ends with ``-security``.
    :param alone: without its dependencies.
    """

    package: str
    suites: Sequence[str]
    alone: bool = False

    def unpack(self, folder: Path, log: Path) -> None:
        """Download the packages and make ``folder/root`` of them; NotAvailable is raised if that fails."""
        if shutil.which("apt-get") is None:
            raise NotOnThisSystem(f"Debian's {self.package} is not available: this machine has no apt-get.")
        self._download(folder, log)
        root = folder / "root"
        root.mkdir()
        for package in sorted((folder / "cache/archives").glob("*.deb")):
            if not package.name.startswith(LEFT_OUT):
                self._run(log, "dpkg-deb", "-x", str(package), str(root))

    def launcher(self, root: Path) -> list[str | Path]:
        """Return the command that runs a program of theirs: its C library is not this system's, nor is its loader."""
        # Only the older suites have the first one; all of the C library is there then.
        folders = [root / name / f"{platform.machine()}-linux-gnu" for name in ("lib", "usr/lib")]
        loader = next(found for folder in folders for found in folder.glob("ld-linux-*.so.*"))
        return [loader, "--library-path", ":".join(map(str, folders))]

    def _download(self, folder: Path, log: Path) -> None:
        """Download the packages with a state of apt's own: nothing of the machine's is read or changed."""
        for name in ("lists/partial", "cache/archives/partial"):
            (folder / name).mkdir(parents=True)
        (folder / "status").touch()
        (folder / "sources.list").write_text("".join(f"deb {_archive(suite)} {suite} main\n" for suite in self.suites))
        settings = {
            "Dir::State::lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Dir::Etc::sourcelist": folder / "sources.list",
            "Dir::Etc::sourceparts": "/dev/null",
            # Release notes of the suite "unstable" go out of date on purpose.
            "Acquire::Check-Valid-Until": "false",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "",
            "APT::Install-Recommends": "false",
        }
        options = [text for name, value in settings.items() for text in ("-o", f"{name}={value}")]
        self._run(log, "apt-get", *options, "update", "--error-on=any")
        what = ["download"] if self.alone else ["install", "--yes", "--download-only"]
        self._run(log, "apt-get", *options, *what, self.package, folder=folder / "cache/archives")

    def _run(self, log: Path, *command: str, folder: Path | None = None) -> None:
        with log.open("ab") as output:
            environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
            done = subprocess.run(
                command,
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=environment,
                check=False,
            )
        if done.returncode != 0:
            last = " ".join(log.read_text(errors="replace").strip().splitlines()[-1:])
            raise NotAvailable(f"Debian's {self.package} is not available: {command[0]} failed: {last} (log: {log})")


def debian_mirror(pocket: str = "") -> str:
    """Return the address of the Debian archive that this machine's own apt uses, or of its ``-security`` archive."""
    if shutil.which("apt-get") is None:
        raise NotOnThisSystem("Debian's packages are not available: this machine has no apt-get.")
    release = platform.freedesktop_os_release()
    form = ["--format", "$(REPO_URI) $(RELEASE)", "Identifier: Packages"]
    listed = subprocess.run(["apt-get", "indextargets", *form], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        address, suite = line.rsplit(" ", 1)
        if release["ID"] == "debian" and suite == f"{release.get('VERSION_CODENAME')}{pocket}":
            return address
    if pocket == "-security":
        # A bare system names none; it is beside the other.
        return f"{debian_mirror().rstrip('/')}{pocket}"
    if release["ID"] == "debian":
        raise NotAvailable(f"This machine's apt sources name no Debian{pocket} archive. Add it to them.")
    raise NotOnThisSystem("Debian's packages are not available: this machine's apt sources name no Debian archive.")


def _archive(suite: str) -> str:
    return debian_mirror("-security" if suite.endswith("-security") else "")
