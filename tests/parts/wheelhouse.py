# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Wheels of all that the modules need, made by the very command that the role's README gives."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
import subprocess
import tempfile
from pathlib import Path

from . import CACHE, CHECKOUT
from .ansible import PROGRAMS


def provide(python: str) -> Path:
    """Return the folder with the wheels for a version of Python; it is kept in the cache."""
    readme = (CHECKOUT / "roles/runner/README.md").read_text()
    found = re.search(r"^ +python3 -m pip download(?:.*\\\n)*.*$", readme, re.MULTILINE)
    assert found is not None
    command = found[0].replace("--python-version 3.12", f"--python-version {python}")
    folder = CACHE / f"wheelhouse-{hashlib.sha256(command.encode()).hexdigest()[:12]}"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "wheelhouse.lock").open("w") as lock, tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            path = f"{PROGRAMS}:{os.environ['PATH']}"
            subprocess.run(["sh", "-ec", command], cwd=unfinished, env={**os.environ, "PATH": path}, check=True)
            (Path(unfinished) / "wheelhouse").rename(folder)
    return folder
