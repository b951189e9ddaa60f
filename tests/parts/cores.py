# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other versions of ansible-core, each in an environment of its own with an interpreter that it supports."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

from . import CACHE, NotAvailable

# What to install, and the Pythons of a controller: 3.N. Without its first letters, pip would leave out a pre-release.
CORES = {
    "2.16": ("ansible-core==2.16.*", range(10, 13)),
    "2.19": ("ansible-core==2.19.*", range(11, 14)),
    "2.21": ("ansible-core==2.21.*", range(12, 15)),
    "2.22": ("ansible-core~=2.22.0rc1", range(13, 16)),
}


def programs(version: str) -> Path:
    """Return the folder of a version's programs; it is installed when it is not in the cache."""
    requirement, minors = CORES[version]
    folder = CACHE / "cores"
    folder.mkdir(parents=True, exist_ok=True)
    environment = folder / version
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (environment / "bin" / "ansible-playbook").exists():
            _install(environment, requirement, _interpreter(version, minors))
    return environment / "bin"


def _interpreter(version: str, minors: range) -> Path:
    """Return the newest interpreter of this machine that the version supports, pyenv's included."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    for minor in reversed(minors):
        found = [*pyenv.glob(f"3.{minor}.*/bin/python")]
        on_path = shutil.which(f"python3.{minor}")
        for python in [*map(Path, filter(None, [on_path])), *found]:
            # pyenv's shim is there for a version that is not chosen, too, and then does nothing but fail.
            if subprocess.run([python, "-c", "import venv"], capture_output=True, check=False).returncode == 0:
                return python
    raise NotAvailable(f"ansible-core {version} wants Python 3.{minors[0]} to 3.{minors[-1]}, and none is found here.")


def _install(environment: Path, requirement: str, python: Path) -> None:
    shutil.rmtree(environment, ignore_errors=True)
    pip: list[str | Path] = [
        environment / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
    ]
    make: list[str | Path] = [python, "-m", "venv", environment]
    for command in (make, [*pip, requirement]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotAvailable(f"{requirement} cannot be installed: {(done.stderr or done.stdout).strip()[-500:]}")
