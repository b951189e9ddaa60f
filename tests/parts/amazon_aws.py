# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The collection amazon.aws, out of the package ansible that belongs to the environment's ansible-core."""

from __future__ import annotations

import fcntl
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from ansible.release import __version__ as core

from . import CACHE, NotAvailable

# ansible-core 2.19 is in ansible 12, 2.20 in 13, and so on.
REQUIREMENT = f"ansible=={int(core.split('.')[1]) - 7}.*"
PLACE = "ansible_collections/amazon/aws/"


def provide() -> Path:
    """Return the folder of collections; the package is downloaded when it is not in the cache."""
    folder = CACHE / "collections" / REQUIREMENT.partition("==")[2].rstrip(".*")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            with tempfile.TemporaryDirectory(dir=folder.parent) as unfinished:
                _unpack(_download(Path(unfinished)), Path(unfinished, "unpacked"))
                Path(unfinished, "unpacked").rename(folder)
    return folder


def _download(folder: Path) -> Path:
    pip = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--quiet", "--no-deps"]
    command = [*pip, "--only-binary=:all:", "--dest", str(folder), REQUIREMENT]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotAvailable(f"{REQUIREMENT} cannot be downloaded: {(done.stderr or done.stdout).strip()[-500:]}")
    [wheel] = folder.glob("*.whl")
    return wheel


def _unpack(wheel: Path, folder: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder, [name for name in archive.namelist() if name.startswith(PLACE)])
