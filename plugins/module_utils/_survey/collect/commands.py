# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The host's own programs, where they are there, and only to ask. Private to the collection."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from typing import Optional

# An account that is not root does not have the latter ones.
_PATH = "/usr/sbin:/usr/bin:/sbin:/bin:/usr/local/sbin:/usr/local/bin"

_SECONDS = 20


def find(program: str) -> Optional[str]:
    """Return where a program is; None: it is not there."""
    return shutil.which(program, path=_PATH)


def answer(program: str, *arguments: str) -> Optional[str]:
    """Return what a program prints; None if it does not exist, fails, or takes too long."""
    done = _run(program, arguments)
    return _text(done) if done and done.returncode == 0 else None


def printed(program: str, *arguments: str) -> str:
    """Return what a program prints, even if it fails: one that is asked for many things may not know each."""
    done = _run(program, arguments)
    return _text(done) if done else ""


def _text(done: subprocess.CompletedProcess[bytes]) -> str:
    return done.stdout.decode("utf-8", "replace")


def _run(program: str, arguments: Sequence[str]) -> Optional[subprocess.CompletedProcess[bytes]]:
    path = find(program)
    if path is None:
        return None
    try:
        return subprocess.run(
            [path, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=_SECONDS,
            env={"PATH": _PATH, "LC_ALL": "C", "HOME": "/"},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
