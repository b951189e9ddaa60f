# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of the survey's directory: named after anything, written whole, and only if they differ."""

from __future__ import annotations

import hashlib
import os
import re
import tempfile
from contextlib import suppress
from pathlib import Path

from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error

# Bytes of a name, with room for an ending.
_LONGEST = 100


def file_name(text: str) -> str:
    """Return a name for a file, without an ending: the text itself where that can be one, and different for each text.

    Capital letters count as what cannot be, as there are file systems on which they are small ones.
    """
    safe = re.sub(r"[^a-z0-9@._-]+", "-", text.lower()).lstrip(".-")[:_LONGEST]
    if safe and safe == text:
        return safe
    return f"{safe or 'name'}-{hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"


class Writer:
    """Writes files below a directory.

    What is new is for this account alone, as it is a map of an infrastructure; what is there keeps its mode.

    :param writes: False: nothing is written, only noted.
    :ivar written: the paths in the directory that differed, in the order of writing.
    """

    def __init__(self, directory: Path, writes: bool = True) -> None:
        self.directory = directory
        self.written: list[str] = []
        self._writes = writes

    def differs(self, name: str, text: str) -> bool:
        """Return whether a file is there, and is something else.

        :raises Error: it cannot be read.
        """
        path = self.directory / name
        try:
            return path.is_file() and path.read_bytes() != text.encode("utf-8", "replace")
        except OSError as error:
            raise Error(2512, f"{path} cannot be read: {error.strerror}. Fix its owner or mode.") from error

    def write(self, name: str, text: str) -> bool:
        """Write a file whole, unless it is that already; return whether it was not.

        :raises Error: it cannot be written; what was there before still is.
        """
        path, data = self.directory / name, text.encode("utf-8", "replace")
        try:
            if path.is_file() and path.read_bytes() == data:
                return False
            if self._writes:
                _replace(path, data)
        except OSError as error:
            raise Error(
                2513, f"{path} cannot be written: {error.strerror}. Fix its owner or mode, or free some space."
            ) from error
        self.written.append(name)
        return True

    def remove(self, name: str) -> None:
        """Remove a file.

        :raises Error: it cannot be removed.
        """
        try:
            if self._writes:
                (self.directory / name).unlink()
        except OSError as error:
            path = self.directory / name
            raise Error(2514, f"{path} cannot be removed: {error.strerror}. Fix its owner or mode.") from error
        self.written.append(name)


def _replace(path: Path, data: bytes) -> None:
    # One by one, as the mode of a parent that mkdir makes by the way is anybody's.
    for parent in reversed([path.parent, *path.parent.parents]):
        if not parent.is_dir():
            parent.mkdir(mode=0o700)
    mode = path.stat().st_mode & 0o777 if path.exists() else 0o600
    descriptor, name = tempfile.mkstemp(prefix=".survey-", dir=path.parent)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(path)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
