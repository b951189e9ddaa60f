# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The file on the runner that contains the progress line of a run. Private to the collection."""

from __future__ import annotations

import fcntl
import json
import os
import re
import stat
from contextlib import suppress
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ..._core.errors import Error
from ..._core.secrets import without_secrets

PREFIX = "dbops-migrations-"
_RUN = re.compile(r"[0-9a-f]{32}")


class ProgressFile:
    """A file that only the account of the run may read, that always holds one whole text, and that goes with the run.

    The process that writes it has it locked, so that what a killed one has left is known.

    :param folder: Ansible's temporary folder on the runner.
    :param run: the run's number: 32 hexadecimal digits, in small letters.
    """

    def __init__(self, folder: str, run: str) -> None:
        """Remove what runs of this account that were killed have left.

        :raises Error: ``run`` is no such number.
        """
        if not _RUN.fullmatch(run):
            raise Error(1635, f"run_id is {run!r}. It must be 32 lowercase hexadecimal digits; leave it out.")
        self._folder = folder
        self._path = os.path.join(folder, PREFIX + run)
        self._held: Optional[int] = None
        self._closed = False
        _sweep(folder)

    def write(self, values: dict[str, Any]) -> None:
        """Replace its values. A failure is ignored: readers then find nothing, or the previous values."""
        with suppress(OSError):
            os.makedirs(self._folder, mode=0o700, exist_ok=True)
            new = f"{self._path}.new"
            with suppress(FileNotFoundError):
                os.unlink(new)
            file = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.write(file, json.dumps(without_secrets(values)).encode())
            os.replace(new, self._path)
            before, self._held = self._held, file
            if before is not None:
                os.close(before)
            if self._closed:
                self.remove()

    def remove(self) -> None:
        """Remove it, for good."""
        self._closed = True
        for path in (self._path, f"{self._path}.new"):
            with suppress(OSError):
                os.unlink(path)


def progress_of(module: AnsibleModule) -> Optional[ProgressFile]:
    """Return the file of a module's run; None if it has no number, or is in check mode."""
    run = module.params["run_id"]
    if run is None or module.check_mode:
        return None
    return ProgressFile(os.path.expanduser(os.path.expandvars(module._remote_tmp or "~/.ansible/tmp")), run)


def _sweep(folder: str) -> None:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.name.startswith(PREFIX):
                with suppress(OSError):
                    _remove_abandoned(entry.path)


def _remove_abandoned(path: str) -> None:
    file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        status = os.fstat(file)
        if stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid():
            # A run that is still alive holds a lock on its file.
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.unlink(path)
    finally:
        os.close(file)
