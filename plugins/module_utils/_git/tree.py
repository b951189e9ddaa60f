# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The destination: complete releases, and a link to the current one. Private to the collection.

::

    dest/
      .lock                      held by whoever changes something here
      current -> releases/NAME   moved by one rename
      releases/NAME/             the files of one directory at one commit, complete from the moment it has this name
      releases/.tmp-...          being made or removed; of a dead run when nobody holds the lock
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterable, Iterator

from .._core.errors import Error

_NAME = re.compile(r"[0-9a-f]{40}-([0-9a-f]{12}|[0-9a-f]{40})\Z")
_TEMPORARY = ".tmp-"
# A release is handed on only while it is the current one. A run that got it then may still be reading it later.
_KEEP_SECONDS = 24 * 60 * 60


def release_name(commit: str, directory: str, verified: str = "") -> str:
    """Return the name of a release: whoever fetches the same directory of the same commit fetches the same files.

    :param verified: what was verified, and by whose keys: a release that was not is another one.
    """
    if not verified:
        return f"{commit}-{hashlib.sha256(directory.encode()).hexdigest()[:12]}"
    # Longer: a server chooses a tag's id, and must not find one that gives the name of a release that is here.
    digest = hashlib.sha256(directory.encode() + b"\0" + verified.encode()).hexdigest()
    return f"{commit}-{digest[:40]}"


def commit_of(name: str | None) -> str | None:
    """Return the commit of a release's name."""
    return name[:40] if name else None


class Store:
    """A destination directory. Reading needs no lock.

    :param option: its name, for messages.
    :param keep: how many releases stay, the current one included.
    """

    def __init__(self, option: str, path: str, keep: int = 1) -> None:
        if not os.path.isabs(path) or "\0" in path:
            raise Error(f"{option} must be an absolute path: {path!r}.")
        self.option = option
        self._keep = keep
        self.root = os.path.normpath(path)
        self._releases = os.path.join(self.root, "releases")
        self._link = os.path.join(self.root, "current")

    def path(self, name: str) -> str:
        """Return where the release's files are, or would be."""
        return os.path.join(self._releases, name)

    def current(self) -> str | None:
        """Return the name of the current release."""
        try:
            name = os.path.basename(os.readlink(self._link))
        except FileNotFoundError:
            return None
        except OSError as error:
            raise self._foreign() if os.path.lexists(self._link) else self._error(error) from None
        if not _NAME.match(name):
            raise self._foreign()
        return name

    def files(self, name: str | None) -> list[str] | None:
        """Return the names of a release's files, sorted; None when it is not here."""
        if name is None:
            return None
        try:
            return sorted(os.listdir(self.path(name)))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise self._error(error) from None

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Make the destination if need be, and hold its lock."""
        with self._errors():
            os.makedirs(self.root, mode=0o750, exist_ok=True)
            number = os.open(os.path.join(self.root, ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
        try:
            self._lock(number, timeout)
            with self._errors():
                os.makedirs(self._releases, mode=0o750, exist_ok=True)
                self._sweep()
            yield
        finally:
            os.close(number)

    def add(self, name: str, contents: Iterable[tuple[str, bytes]]) -> None:
        """Make a release, which appears under its name only when it is complete and on the disk."""
        with self._errors():
            folder = tempfile.mkdtemp(prefix=_TEMPORARY, dir=self._releases)
        try:
            # Errors of ``contents`` itself, which asks git, pass as they are.
            for file, content in contents:
                with self._errors():
                    _write(os.path.join(folder, file), content)
            with self._errors():
                os.chmod(folder, 0o750)
                _sync(folder, *(os.path.join(folder, file) for file in os.listdir(folder)))
                if not os.path.isdir(self.path(name)):
                    os.rename(folder, self.path(name))
                    _sync(self._releases)
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def switch(self, name: str) -> None:
        """Make a release the current one; releases that nobody needs any more are removed."""
        previous = self.current()
        with self._errors():
            temporary = os.path.join(self._releases, f"{_TEMPORARY}current")
            os.symlink(os.path.join("releases", name), temporary)
            os.replace(temporary, self._link)
            _sync(self.root)
            for used in (previous, name):
                if used is not None and os.path.isdir(self.path(used)):
                    os.utime(self.path(used))
            self._prune(name)

    def _prune(self, current: str) -> None:
        """Remove what is neither among the releases to keep nor was current during the last day."""
        found = [(os.stat(self.path(name)).st_mtime, name) for name in os.listdir(self._releases) if _NAME.match(name)]
        for used, name in sorted(found, reverse=True)[self._keep :]:
            if name != current and used < time.time() - _KEEP_SECONDS:
                # Not under its own name: a run that dies here must not leave half a release.
                os.rename(self.path(name), self.path(f"{_TEMPORARY}{name}"))
        self._sweep()

    def _sweep(self) -> None:
        """Remove what dead runs left: living ones hold the lock."""
        for name in os.listdir(self._releases):
            if name.startswith(_TEMPORARY):
                path = self.path(name)
                if os.path.islink(path):
                    os.unlink(path)
                else:
                    shutil.rmtree(path)

    def _lock(self, number: int, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            with self._errors(), contextlib.suppress(BlockingIOError):
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > end:
                raise Error(
                    f"Another run is fetching into {self.root}: its lock was not free within {timeout:g} seconds. "
                    f"Try again, or see who holds it: fuser {self.root}/.lock"
                )
            time.sleep(0.05)

    @contextlib.contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise self._error(error) from None

    def _error(self, error: OSError) -> Error:
        where = error.filename or self.root
        return Error(
            f"Cannot use {self.option} {self.root} on the runner: {error.strerror} ({where}). "
            "Check its owner and mode, the account that runs this task, and the free space."
        )

    def _foreign(self) -> Error:
        return Error(f"{self._link} on the runner was not made by git_fetch. Choose another {self.option}.")


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o640), "wb") as file:
        os.fchmod(file.fileno(), 0o640)
        file.write(content)


def _sync(*paths: str) -> None:
    """Wait until files or directories are on the disk: a migration emptied by a power failure would pass as applied."""
    for path in paths:
        number = os.open(path, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def difference(before: str | None, after: str) -> str:
    """Return a text that says which files of directory ``before`` were added, changed or removed in ``after``."""
    try:
        old = _contents(before) if before is not None and os.path.isdir(before) else {}
        new = _contents(after)
    except OSError as error:
        raise Error(f"Cannot compare with {before} on the runner: {error.strerror} ({error.filename}).") from None
    lines = [f"added    {name}\n" for name in new.keys() - old.keys()]
    lines += [f"removed  {name}\n" for name in old.keys() - new.keys()]
    lines += [f"changed  {name}\n" for name in old.keys() & new.keys() if old[name] != new[name]]
    return "".join(sorted(lines, key=lambda line: line[9:]))


def _contents(folder: str) -> dict[str, bytes]:
    return {entry.name: _digest(entry.path) for entry in os.scandir(folder)}


def _digest(path: str) -> bytes:
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).digest()
