# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A MySQL server, from the packages of Debian's unstable suite, which are unpacked and not installed."""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import CACHE, NotAvailable
from .mariadb import DatabaseServer

FAST = (
    "--innodb-flush-log-at-trx-commit=0",
    "--sync-binlog=0",
    "--skip-log-bin",
    "--innodb-doublewrite=OFF",
    "--innodb-flush-method=nosync",
    "--innodb-buffer-pool-size=64M",
    "--innodb-redo-log-capacity=64M",
    "--performance-schema=OFF",
)
DURABLE = ("--innodb-flush-log-at-trx-commit=1",)
# Dependencies that the server never loads.
LEFT_OUT = ("perl", "libperl", "libc-gconv")
FOLDER = CACHE / "mysql"


class MySQL(DatabaseServer):
    """A MySQL server; NotAvailable is raised when its packages cannot be had.

    :param durable: whether a commit reaches the disk, as in production; the tests are quicker without.
    :param options: further options of the server.
    """

    # Another account could not read the packages in a checkout that is private, as below /root.
    account = None

    def __init__(self, folder: Path, durable: bool = False, options: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._options = [*(DURABLE if durable else FAST), *options]

    def prepare(self) -> None:
        _provide()
        _copy(FOLDER / "data", self.folder / "data")

    def command(self) -> Sequence[str | Path]:
        return [*_server(FOLDER / "root"), *self.common_options(), "--mysqlx=OFF", *self._options]


def _server(root: Path) -> list[str | Path]:
    libraries = root / "usr/lib" / f"{platform.machine()}-linux-gnu"
    return [
        # The packages are newer than this system's C library, so they run with their own loader and libraries.
        next(libraries.glob("ld-linux-*.so.*")),
        "--library-path",
        libraries,
        root / "usr/sbin/mysqld",
        "--no-defaults",
        f"--basedir={root / 'usr'}",
        f"--lc-messages-dir={root / 'usr/share/mysql'}",
        "--secure-file-priv=NULL",
        *(["--user=root"] if os.geteuid() == 0 else []),
    ]


def _provide() -> None:
    """Have the packages and an initialised data directory in the cache."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    with (FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        for name, make in (("root", _unpack), ("data", _initialise)):
            if not (FOLDER / name).exists():
                with tempfile.TemporaryDirectory(dir=FOLDER) as unfinished:
                    make(Path(unfinished))
                    (Path(unfinished) / name).rename(FOLDER / name)


def _unpack(folder: Path) -> None:
    if shutil.which("apt-get") is None:
        raise NotAvailable("MySQL's packages cannot be had: this machine has no apt-get.")
    _download(folder)
    root = folder / "root"
    root.mkdir()
    # Suites with a merged /usr expect these; tar must not make them folders.
    for name in ("bin", "sbin", "lib", "lib64"):
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for package in sorted((folder / "cache/archives").glob("*.deb")):
        if not package.name.startswith(LEFT_OUT):
            _apt(folder, "dpkg-deb", "-x", str(package), str(root))


def _download(folder: Path) -> None:
    """Download the server's packages with a state of apt's own: nothing of the machine's is read or changed."""
    for name in ("lists/partial", "cache/archives/partial"):
        (folder / name).mkdir(parents=True)
    (folder / "status").touch()
    (folder / "sources.list").write_text(f"deb {debian_mirror()} sid main\n")
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
    _apt(folder, "apt-get", *options, "update", "--error-on=any")
    _apt(folder, "apt-get", *options, "install", "--yes", "--download-only", "mysql-server-core")


def debian_mirror() -> str:
    """Return the address of the Debian archive that this machine's own apt uses."""
    release = platform.freedesktop_os_release()
    form = ["--format", "$(REPO_URI) $(RELEASE)", "Identifier: Packages"]
    listed = subprocess.run(["apt-get", "indextargets", *form], capture_output=True, text=True, check=True).stdout
    for line in listed.splitlines():
        address, suite = line.rsplit(" ", 1)
        if release["ID"] == "debian" and suite == release.get("VERSION_CODENAME"):
            return address
    raise NotAvailable("Debian's packages cannot be had: this machine's apt sources name no Debian archive.")


def _apt(folder: Path, *command: str) -> None:
    log = folder.parent / "log"
    with log.open("ab") as output:
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=environment, check=False
        )
    if done.returncode != 0:
        last = log.read_text(errors="replace").strip().splitlines()[-1:]
        raise NotAvailable(f"MySQL's packages cannot be had: {command[0]} failed: {' '.join(last)} (log: {log})")


def _initialise(folder: Path) -> None:
    with (FOLDER / "log").open("ab") as output:
        command = [*_server(FOLDER / "root"), "--initialize-insecure", f"--datadir={folder / 'data'}"]
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, check=True)


def _copy(source: Path, target: Path) -> None:
    # Most of an initialised data directory is holes.
    subprocess.run(["cp", "-a", "--sparse=always", source, target], check=True)
