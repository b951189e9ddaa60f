# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A bare Debian in a folder: what a new machine is, for the tests of the first steps."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from . import CACHE, NotAvailable, NotOnThisSystem
from .debian_packages import debian_mirror

# What a person has who has just cloned a repository and seen a Makefile.
PACKAGES = "git,make,python3"
# How this machine reaches the package registries; copied at run time.
NETWORK_FILES = (
    "/etc/resolv.conf",
    "/etc/hosts",
    "/etc/apt/apt.conf.d",
    "/etc/pip.conf",
    "/root/.config/pip/pip.conf",
    "/root/.pip/pip.conf",
)
NETWORK_VARIABLES = ("PIP_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
# The authorities that this machine trusts, in a place that no package of the new one writes to.
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
TRUSTED = "/etc/authorities.crt"


def create(root: Path, suite: str = "bookworm") -> None:
    """Make the system in the folder ``root``; a packed one is kept in the cache."""
    # A machine that is itself no more than a folder, as this one is to be, has no mounts of its own.
    if os.geteuid() != 0 or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
        raise NotOnThisSystem("A Debian root can be made by root only, and only where it may have mounts of its own.")
    if shutil.which("debootstrap") is None:
        raise NotAvailable("A Debian root cannot be made: debootstrap is missing. Run make packages-test.")
    packed = CACHE / f"debian-{suite}.tar"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "debian.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packed.exists():
            _bootstrap(suite, packed)
    unpack(packed, root)
    (root / "etc/apt/sources.list").write_text(f"deb {debian_mirror()} {suite} main\n")
    _use_this_network(root)


def run(root: Path, command: Sequence[str], folder: str) -> int:
    """Run a command in the system, in a folder of it, with processes and mounts of its own; return its exit code.

    When the command ends, the kernel kills every process that it has left, and the mounts are gone.
    """
    variables = {name: value for name, value in os.environ.items() if name.startswith(NETWORK_VARIABLES)}
    if (root / TRUSTED[1:]).exists():
        variables |= {"PIP_CERT": TRUSTED, "SSL_CERT_FILE": TRUSTED}
    variables |= {"HOME": "/root", "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8"}
    inside = 'mount -t proc proc "$0/proc" && mount -t tmpfs -o mode=1777 shm "$0/dev/shm" && exec chroot "$0" "$@"'
    enter = ["unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "sh", "-c", inside, str(root)]
    (root / "dev/shm").mkdir(exist_ok=True)
    return subprocess.run(
        [*enter, "sh", "-c", 'cd "$0" && exec "$@"', folder, *command], env=variables, check=False
    ).returncode


def pack(root: Path, packed: Path) -> None:
    """Pack a system, without its package lists and archives: a new machine has to load them."""
    unfinished = packed.with_suffix(".unfinished")
    leave_out = ["--exclude=./var/lib/apt/lists/*", "--exclude=./var/cache/apt/*"]
    options = ["--one-file-system", "--numeric-owner", *leave_out]
    _run(["tar", "--create", *options, "--file", str(unfinished), "--directory", str(root), "."])
    unfinished.rename(packed)


def unpack(packed: Path, root: Path) -> None:
    """Unpack a system into an empty folder."""
    _run(["tar", "--extract", "--numeric-owner", "--file", str(packed), "--directory", str(root)])


def _bootstrap(suite: str, packed: Path) -> None:
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:
        root = Path(folder) / "root"
        try:
            # With mounts of its own, of which it leaves some.
            _run(
                [
                    "unshare",
                    "--mount",
                    "debootstrap",
                    "--variant=minbase",
                    f"--include={PACKAGES}",
                    suite,
                    str(root),
                    debian_mirror(),
                ]
            )
        except RuntimeError as error:
            raise NotAvailable(f"A Debian root cannot be made: {error}") from error
        pack(root, packed)


def _use_this_network(root: Path) -> None:
    for name in NETWORK_FILES:
        source, target = Path(name), root / name[1:]
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, dirs_exist_ok=True)
        elif source.exists():
            shutil.copyfile(source, target)
    if AUTHORITIES.exists():
        shutil.copyfile(AUTHORITIES, root / TRUSTED[1:])


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed: {(done.stdout + done.stderr).strip()[-500:]}")
