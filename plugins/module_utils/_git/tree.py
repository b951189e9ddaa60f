# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The destination: complete releases, and a link to the current one. Private to the collection.

::

    dest/
      .lock                      held by the run that changes something here
      current -> releases/NAME   moved by one rename
      releases/NAME/             the files of one directory at one commit, complete from the moment it has this name
      .contents/NAME             git's names for what is in these files, by which it is known that they are whole
      releases/.tmp-...          being made or removed; of a dead run when nobody holds the lock
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import re
import shutil
import stat
import tempfile
import time
from collections.abc import Iterable, Iterator

from .._core.errors import Error
from .._core.paths import native, text_of
from .blob import blob_name, read_regular

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


class ReleaseStore:
    """A destination directory. Reading needs no lock.

    :param option: its name, for messages.
    :param keep: how many releases stay, the current one included.
    """

    def __init__(self, option: str, path: str, keep: int = 1) -> None:
        if not os.path.isabs(path) or "\0" in path:
            raise Error(1109, f"{option} must be an absolute path: {path!r}.")
        self.option = option
        self._keep = keep
        self.root = native(os.path.normpath(path))
        self._releases = os.path.join(self.root, "releases")
        self._contents = os.path.join(self.root, ".contents")
        self._link = os.path.join(self.root, "current")

    def path(self, name: str) -> str:
        """Return where the release's files are, or would be."""
        return os.path.join(self._releases, name)

    def current(self) -> str | None:
        """Return the name of the current release.

        :raises Error: others could change what is here, or it was not made here.
        """
        self._check()
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
        """Return the names of a release's files, sorted; None when it is not here as it was fetched.

        :raises Error: others could change what is here.
        """
        if name is None or not os.path.lexists(self.path(name)):
            return None
        self._check(self.path(name))
        try:
            wanted = json.loads(read_regular(os.path.join(self._contents, name)))
            found = {text_of(file): self._content(name, file) for file in os.listdir(self.path(name))}
        except (OSError, ValueError):
            return None
        return sorted(found) if found == wanted else None

    def _content(self, name: str, file: str) -> str | None:
        """Return git's name for what is in a file; None if others could change it."""
        path = os.path.join(self.path(name), file)
        return blob_name(read_regular(path)) if _problem(os.lstat(path)) is None else None

    def _check(self, *more: str) -> None:
        """Raise Error for directories that others could put something into."""
        for path in (self.root, self._releases, self._contents, *more):
            try:
                status = os.lstat(path)
                if path == self.root and stat.S_ISLNK(status.st_mode) and status.st_uid in (0, os.geteuid()):
                    # Where it is may be the administrator's choice.
                    status = os.stat(path)
            except OSError:
                # What is not here is made; what cannot be used, whoever tries to says.
                continue
            problem = _problem(status)
            if problem is not None:
                raise Error(
                    1110,
                    f"{self.option}: {text_of(path)} on the runner {problem}. Nothing was touched. Only the account "
                    "that runs this task may be able to change what is run from there: fix owner and mode (chmod "
                    f"go-w), or choose another {self.option}.",
                )

    @contextlib.contextmanager
    def locked(self, timeout: float) -> Iterator[None]:
        """Make the destination if need be, and hold its lock."""
        self._check()
        with self._errors():
            os.makedirs(self.root, mode=0o750, exist_ok=True)
            number = os.open(os.path.join(self.root, ".lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o640)
        try:
            self._lock(number, timeout)
            with self._errors():
                for folder in (self._releases, self._contents):
                    os.makedirs(folder, mode=0o750, exist_ok=True)
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
            blobs = {}
            for file, content in contents:
                blobs[file] = blob_name(content)
                with self._errors():
                    _write(os.path.join(folder, native(file)), content)
            with self._errors():
                os.chmod(folder, 0o750)
                self._note(name, blobs)
                _sync(folder, *(os.path.join(folder, file) for file in os.listdir(folder)))
                if os.path.lexists(self.path(name)):
                    # It is not what was fetched any more.
                    os.rename(self.path(name), self.path(f"{_TEMPORARY}{name}"))
                os.rename(folder, self.path(name))
                _sync(self._releases)
                self._sweep()
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def _note(self, name: str, blobs: dict[str, str]) -> None:
        """Write down what is in a release's files, before it has its name."""
        temporary = os.path.join(self._contents, f"{_TEMPORARY}{name}")
        _write(temporary, json.dumps(blobs).encode())
        _sync(temporary)
        os.rename(temporary, os.path.join(self._contents, name))
        _sync(self._contents)

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
                if os.path.isdir(path) and not os.path.islink(path):
                    shutil.rmtree(path)
                else:
                    os.unlink(path)
        for name in os.listdir(self._contents):
            if not os.path.lexists(self.path(name)):
                os.unlink(os.path.join(self._contents, name))

    def _lock(self, number: int, timeout: float) -> None:
        end = time.monotonic() + timeout
        while True:
            with self._errors(), contextlib.suppress(BlockingIOError):
                fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            if time.monotonic() > end:
                raise Error(
                    1111,
                    f"Another run is fetching into {text_of(self.root)}: its lock was not free within {timeout:g} "
                    f"seconds. Try again, or see who holds it: fuser {text_of(self.root)}/.lock",
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
            1112,
            f"Cannot use {self.option} {text_of(self.root)} on the runner: {error.strerror} ({text_of(where)}). "
            "Check its owner and mode, the account that runs this task, and the free space.",
        )

    def _foreign(self) -> Error:
        return Error(
            1113, f"{text_of(self._link)} on the runner was not made by git_fetch. Choose another {self.option}."
        )


def _problem(status: os.stat_result) -> str | None:
    """Return what is wrong with the owner or mode of a directory or file, in words to follow its name."""
    if stat.S_ISLNK(status.st_mode):
        return "is a link, and none is followed"
    if status.st_uid != os.geteuid():
        return f"belongs to another account (UID {status.st_uid}) than the one that runs this task (UID {os.geteuid()})"
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        return f"is writable for others (mode {stat.S_IMODE(status.st_mode):04o})"
    return None


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
        raise Error(1114, f"Cannot compare with {before} on the runner: {error.strerror} ({error.filename}).") from None
    lines = [f"added    {name}\n" for name in new.keys() - old.keys()]
    lines += [f"removed  {name}\n" for name in old.keys() - new.keys()]
    lines += [f"changed  {name}\n" for name in old.keys() & new.keys() if old[name] != new[name]]
    return "".join(sorted(lines, key=lambda line: line[9:]))


def _contents(folder: str) -> dict[str, bytes]:
    return {text_of(entry.name): _digest(entry) for entry in os.scandir(folder)}


def _digest(entry: os.DirEntry[str]) -> bytes:
    """Return a digest of a file's content; nothing for anything but a file."""
    return hashlib.sha256(read_regular(entry.path)).digest() if entry.is_file(follow_symlinks=False) else b""
