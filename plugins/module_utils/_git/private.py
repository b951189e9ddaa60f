# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A private directory for one run, and secrets that a child process reads. Private to the collection."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from types import TracebackType

from .._core.errors import Error

# Of Linux 6.3.
_MFD_EXEC = 0x10


class PrivateFolder:
    """A directory of mode 0700, removed at the end of the ``with`` block whatever happens."""

    def __init__(self, parent: str) -> None:
        with _errors(parent):
            self.path = tempfile.mkdtemp(prefix="git_fetch-", dir=parent)
        self._memory: list[int] = []

    def __enter__(self) -> PrivateFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for number in self._memory:
            os.close(number)
        shutil.rmtree(self.path, ignore_errors=True)

    def join(self, *names: str) -> str:
        """Return a path in this directory."""
        return os.path.join(self.path, *names)

    def file(self, name: str, text: str, mode: int = 0o600) -> str:
        """Write a file and return its path."""
        path = self.join(name)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with _errors(self.path), open(os.open(path, flags, mode), "wb") as file:
            file.write(_encoded(text))
        return path

    def folder(self, name: str) -> str:
        """Make a directory of mode 0700 and return its path."""
        path = self.join(name)
        with _errors(self.path):
            os.mkdir(path, 0o700)
        return path

    def program(self, name: str, text: str) -> str:
        """Write a script and return a path by which it can be run, even where this directory's file system forbids it.

        There it is run out of this process's memory.
        """
        path = self.file(name, text, 0o700)
        if os.access(path, os.X_OK):
            return path
        try:
            # Where programs in memory are off unless they are asked for, there is a flag to ask by.
            try:
                number = os.memfd_create(name, os.MFD_CLOEXEC | _MFD_EXEC)
            except OSError:
                number = os.memfd_create(name)
            with open(number, "wb") as file:
                os.fchmod(number, 0o700)
                file.write(_encoded(text))
                file.flush()
                # What is open for writing is not run.
                self._memory.append(os.open(f"/proc/self/fd/{number}", os.O_RDONLY))
        except (AttributeError, OSError):
            raise Error(
                1107,
                f"{self.path} on the runner is mounted noexec, and git or ssh must run a program there. Set "
                "ansible_remote_tmp to a directory on another file system.",
            ) from None
        return f"/proc/{os.getpid()}/fd/{self._memory[-1]}"

    def secret(self, name: str, text: str) -> str:
        """Return a path at which this account's processes read ``text`` while this process lives.

        The text is kept in this process's memory: it is not written to a disk, and nothing is left even if the
        process is killed. Where the system cannot do that, it is a file of mode 0600 in this directory.
        """
        try:
            number = os.memfd_create(name)
        except (AttributeError, OSError):
            return self.file(name, text)
        self._memory.append(number)
        os.fchmod(number, 0o600)
        with open(number, "wb", closefd=False) as file:
            file.write(_encoded(text))
        return f"/proc/{os.getpid()}/fd/{number}"


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@contextlib.contextmanager
def _errors(place: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Error(1108, f"Cannot write temporary files to {place} on the runner: {error.strerror}.") from None
