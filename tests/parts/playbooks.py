# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""ansible-playbook in processes of its own, without the time that importing it takes: a fifth of a small playbook's."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path

SERVER = Path(__file__).parent / "startup" / "playbook_copies.py"
# No playbook takes as long in a test.
SECONDS = 600
# What may differ between the runs: Ansible reads its settings from the environment as it is imported.
OF_A_RUN = ("TASK_RESULTS", "PYTEST_CURRENT_TEST")


class Playbooks:
    """The ansible-playbook that has been imported. It runs one at a time, in the environment of the first."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._settings: dict[str, str] = {}
        self._process: subprocess.Popen[bytes] | None = None
        self._running = threading.Lock()

    def free(self, environment: Mapping[str, str]) -> bool:
        """Tell whether a playbook that is to have this environment can be run now."""
        return not self._running.locked() and (self._process is None or _settings(environment) == self._settings)

    def run(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        """Run a command of ansible-playbook in a folder, and return what it gave."""
        with self._running:
            return self._run(command, environment, folder)

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.communicate()
        self._folder.cleanup()

    def _run(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.CompletedProcess[str]:
        if self._process is None:
            self._settings = _settings(environment)
            self._process = subprocess.Popen(
                [sys.executable, SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0, env=environment
            )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        line = json.dumps([command, dict(environment), str(folder), self._folder.name])
        self._process.stdin.write(line.encode() + b"\n")
        child = int(self._process.stdout.readline())
        if not select.select([self._process.stdout], [], [], SECONDS)[0]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        status = int(self._process.stdout.readline())
        stdout, stderr = ((Path(self._folder.name) / name).read_text() for name in ("stdout", "stderr"))
        return subprocess.CompletedProcess(list(command), status, stdout, stderr)


def _settings(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name not in OF_A_RUN}
