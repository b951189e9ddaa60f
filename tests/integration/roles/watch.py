# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks for texts in all the places of this machine where a run could have left them, also for a moment."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType

SYSLOG = Path("/dev/log")
LOGS = Path("/var/log")
# Where programs put files that they mean to remove.
SCRATCH = [Path("/tmp"), Path("/var/tmp"), Path("/dev/shm"), Path("/run")]
# Seconds between two looks at what passes.
PAUSE = 0.02
# How the folders of the tests' own servers begin, of which another process of the tests may start some.
SERVERS = "dbops-"
# Of the flags of a process.
KERNEL_THREAD = 0x200000
# Bytes; what passes is looked at as long as it is not larger.
LARGE = 1 << 21


class Watch:
    """A context: watches processes, the system's log and files that come and go; afterwards it searches what is left.

    :param texts: what to look for.
    :param folders: where the run may have left files, besides the system's own places for them.
    :param exempt: where the texts are by right: the servers' own folders, the controller's inventory.
    :param transient: where files of the run come and go, besides the system's own places.
    :ivar processes: the arguments and environments that were seen.
    :ivar searched: how many files were searched afterwards.
    :ivar passing: which files were seen while they were there, by path.
    :ivar core_limits: for each program of ours, and git and ssh under it, the limits of core dumps that were seen.
    """

    def __init__(
        self, texts: Sequence[str], folders: Iterable[Path], exempt: Iterable[Path], transient: Iterable[Path] = ()
    ) -> None:
        self.texts = [text.encode() for text in texts]
        self.transient = list(transient)
        self.folders = [*folders, *SCRATCH, Path.home() / ".ansible"]
        self.exempt = [str(path) for path in exempt]
        self.output = b""
        self.processes: set[bytes] = set()
        self.messages = b""
        self.searched = 0
        self.passing: dict[str, tuple[int, int]] = {}
        self.core_limits: dict[str, set[str]] = {}
        self._caught: set[str] = set()
        self._is_ours: dict[str, str | None] = {}
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Watch:
        self.started = time.time()
        self._old = {entry.path for folder in SCRATCH if folder.exists() for entry in os.scandir(folder)}
        if not SYSLOG.exists() and os.access(SYSLOG.parent, os.W_OK):
            # A machine without a log service: be one, for Ansible's modules write there.
            self._start(self._serve_syslog, self._syslog_socket())
        self._start(self._sample_processes)
        self._start(self._sample_files)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def places(self) -> dict[str, list[str]]:
        """Return where the texts were found: the place, and what or which file held them."""
        found = {
            "output": self._lines(self.output.splitlines()),
            "processes": self._lines(self.processes),
            "log": self._lines([*self.messages.splitlines(), *self._journal()]) + list(self._files([LOGS])),
            "files": list(self._files(self.folders)),
            "passing": sorted(self._caught),
        }
        return {place: what for place, what in found.items() if what}

    def _lines(self, lines: Iterable[bytes]) -> list[str]:
        return [line[:300].decode(errors="replace") for line in lines if any(text in line for text in self.texts)]

    def _files(self, folders: Iterable[Path]) -> Iterator[str]:
        """Find the files written since the start that hold one of the texts."""
        for folder in filter(Path.exists, folders):
            device = folder.stat().st_dev
            waiting = [str(folder)]
            while waiting:
                for entry in _entries(waiting.pop()):
                    with contextlib.suppress(OSError):
                        status = entry.stat(follow_symlinks=False)
                        # What is mounted there is left out: another machine's root may have its /proc.
                        if entry.path in self.exempt or status.st_dev != device:
                            continue
                        if stat.S_ISDIR(status.st_mode):
                            waiting.append(entry.path)
                        elif stat.S_ISREG(status.st_mode) and status.st_mtime >= self.started - 1:
                            self.searched += 1
                            if self._is_in(entry.path):
                                yield entry.path

    def _is_in(self, path: str) -> bool:
        content = Path(path).read_bytes()
        return any(text in content for text in self.texts)

    def _journal(self) -> list[bytes]:
        if not shutil.which("journalctl"):
            return []
        since = f"--since=@{int(self.started)}"
        done = subprocess.run(["journalctl", "--no-pager", "--output=cat", since], capture_output=True, check=False)
        return done.stdout.splitlines()

    def _start(self, work: object, *arguments: object) -> None:
        assert callable(work)
        thread = threading.Thread(target=work, args=arguments)
        thread.start()
        self._threads.append(thread)

    def _sample_processes(self) -> None:
        """Read every process's arguments and environment, again and again."""
        known: dict[str, bytes] = {}
        kernel = set(_kernel_threads())
        while not self._over.wait(PAUSE):
            here = [name for name in os.listdir("/proc") if name.isdigit() and name not in kernel]
            for name in here:
                with contextlib.suppress(OSError):
                    arguments = Path("/proc", name, "cmdline").read_bytes()
                    if known.get(name) != arguments:
                        environment = Path("/proc", name, "environ").read_bytes()
                        self.processes.update(part.replace(b"\0", b" ") for part in (arguments, environment))
                        # With its environment, because a new program has new ones of both.
                        known[name] = arguments
                        self._is_ours[name] = _program(arguments, environment)
                    program = self._is_ours.get(name)
                    if program:
                        limits = Path("/proc", name, "limits").read_text()
                        found = re.search(r"^Max core file size +(\S+)", limits, re.MULTILINE)
                        if found:
                            self.core_limits.setdefault(program, set()).add(found[1])
            for name in known.keys() - here:
                del known[name]

    def _sample_files(self) -> None:
        """Read every file that has come or changed, again and again."""
        while not self._over.wait(PAUSE):
            for folder in [*self.transient, *self._new()]:
                for parent, directories, names in os.walk(folder):
                    directories[:] = [name for name in directories if os.path.join(parent, name) not in self.exempt]
                    for name in names:
                        self._look_at(os.path.join(parent, name))

    def _new(self) -> Iterator[Path]:
        """Find what has come to the system's places for passing files."""
        for folder in filter(Path.exists, SCRATCH):
            for entry in os.scandir(folder):
                if entry.path in self._old or entry.path in self.exempt or entry.name.startswith(SERVERS):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    yield Path(entry.path)
                else:
                    self._look_at(entry.path)

    def _look_at(self, path: str) -> None:
        with contextlib.suppress(OSError):
            status = os.lstat(path)
            state = (status.st_mtime_ns, status.st_size)
            if path in self.exempt or not stat.S_ISREG(status.st_mode) or self.passing.get(path) == state:
                return
            self.passing[path] = state
            if status.st_size <= LARGE and self._is_in(path):
                self._caught.add(path)

    def _syslog_socket(self) -> socket.socket:
        server = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        server.bind(str(SYSLOG))
        server.settimeout(0.1)
        return server

    def _serve_syslog(self, server: socket.socket) -> None:
        try:
            while not self._over.is_set():
                with contextlib.suppress(TimeoutError):
                    self.messages += server.recv(65536) + b"\n"
        finally:
            server.close()
            SYSLOG.unlink()


def _kernel_threads() -> Iterator[str]:
    """Yield the numbers of the kernel's own processes, which have no arguments and never come to have any."""
    for name in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            flags = int(Path("/proc", name, "stat").read_text().rpartition(")")[2].split()[6])
            if flags & KERNEL_THREAD:
                yield name


def _entries(folder: str) -> list[os.DirEntry[str]]:
    with contextlib.suppress(OSError):
        return list(os.scandir(folder))
    return []


def _program(arguments: bytes, environment: bytes) -> str | None:
    """Return the name of a program whose core dump would hold a secret: a module of ours, git and ssh under it."""
    words = arguments.split(b"\0")
    module = re.search(rb"/AnsiballZ_(git_fetch|migration_\w+)\.py$", words[1]) if len(words) > 1 else None
    if module:
        return module[1].decode()
    if b"GIT_SSH_COMMAND=" in environment:
        return f"under git_fetch: {os.path.basename(words[0].decode())}"
    return None
