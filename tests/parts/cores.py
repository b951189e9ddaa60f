# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Other versions of ansible-core and of Python, each in an environment of its own."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from . import CACHE, CHECKOUT, NotAvailable, NotOnThisSystem, private_folder


@dataclass(frozen=True)
class Core:
    """A version of ansible-core, with the Pythons, 3.N, of its controller and of the hosts where modules run.

    :param requirement: what to install. Without its first letters, pip would leave out a pre-release.
    """

    requirement: str
    controllers: range
    hosts: range


# Modules of ours need Python 3.9.
CORES = {
    "2.16": Core("ansible-core==2.16.*", range(10, 13), range(9, 13)),
    "2.18": Core("ansible-core==2.18.*", range(11, 14), range(9, 14)),
    "2.19": Core("ansible-core==2.19.*", range(11, 14), range(9, 14)),
    "2.20": Core("ansible-core==2.20.*", range(12, 15), range(9, 15)),
    "2.21": Core("ansible-core==2.21.*", range(12, 15), range(9, 15)),
    "2.22": Core("ansible-core~=2.22.0rc1", range(13, 16), range(9, 16)),
}
# What the collection needs on a controller.
LIBRARY = "networkx >= 3.2"
RUNNER = CHECKOUT / "roles" / "runner" / "defaults" / "main.yml"


def programs(version: str, minor: int | None = None, more: Path | None = None) -> Path:
    """Return the folder of a version's programs; it is installed when it is not in the cache.

    :param minor: of the controller's Python; the newest of this machine if none is given.
    :param more: a file of requirements, to be installed as well.
    """
    core = CORES[version]
    if minor is None:
        found = [minor for minor in core.controllers if available(minor)]
        if not found:
            first, *_others, last = core.controllers
            raise NotOnThisSystem(f"ansible-core {version} wants Python 3.{first} to 3.{last}, and none is found here.")
        minor = found[-1]
    name = f"{version}-3.{minor}" + (f"-{more.stem}" if more else "")
    return _environment(name, minor, [core.requirement, LIBRARY, *(["--requirement", str(more)] if more else [])])


def host(minor: int) -> Path:
    """Return a Python that has what the role runner installs."""
    return _environment(f"host-3.{minor}", minor, yaml.safe_load(RUNNER.read_text())["runner_libraries"]) / "python"


def available(minor: int) -> bool:
    """Tell whether this machine has an interpreter."""
    return _interpreter(minor) is not None


@functools.cache
def _interpreter(minor: int) -> Path | None:
    """Return an interpreter of this machine, pyenv's included."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_path = shutil.which(f"python3.{minor}")
    for python in [*map(Path, filter(None, [on_path])), *pyenv.glob(f"3.{minor}.*/bin/python")]:
        # pyenv's shim is there for a version that is not chosen, too, and then does nothing but fail.
        if subprocess.run([python, "-c", "import ensurepip"], capture_output=True, check=False).returncode == 0:
            return python
    return None


def _environment(name: str, minor: int, requirements: Sequence[str]) -> Path:
    """Return the folder of an environment's programs; it is made again when it is to hold something else."""
    python = _interpreter(minor)
    if python is None:
        raise NotOnThisSystem(f"There is no Python 3.{minor} on this machine.")
    folder = CACHE / "cores" / name
    folder.parent.mkdir(parents=True, exist_ok=True)
    files = [Path(text).read_text() for text in requirements if text.startswith("/")]
    stamp = hashlib.sha256(repr([str(python), *requirements, *files]).encode()).hexdigest()
    with folder.with_name(f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        installed = folder / "stamp"
        if not installed.exists() or installed.read_text() != stamp:
            _install(folder, python, requirements)
            installed.write_text(stamp)
    return folder / "bin"


def _install(folder: Path, python: Path, requirements: Sequence[str]) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    pip: list[str | Path] = [
        folder / "bin" / "python",
        "-m",
        "pip",
        "install",
        "--disable-pip-version-check",
        "--quiet",
    ]
    make: list[str | Path] = [python, "-m", "venv", folder]
    for command in (make, [*pip, *requirements]):
        # The pip that comes with Python 3.9 leaves its certificates among the temporary files.
        with private_folder("pip") as temporary:
            environ = {**os.environ, "TMPDIR": str(temporary)}
            done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise NotAvailable(f"{folder.name} cannot be installed: {(done.stderr or done.stdout).strip()[-500:]}")
