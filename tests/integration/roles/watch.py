# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Looks for texts in all the places of this machine where a run could have left them."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
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


class Watch:
    """A context: watches the processes and the system's log while it is open, and searches files afterwards.

    :param texts: what to look for.
    :param folders: where the run may have left files, besides the system's own places for them.
    :param exempt: where the texts are by right: the servers' own folders, the controller's inventory.
    """

    def __init__(self, texts: Sequence[str], folders: Iterable[Path], exempt: Iterable[Path]) -> None:
        self.texts = [text.encode() for text in texts]
        self.folders = [*folders, *SCRATCH, Path.home() / ".ansible"]
        self.exempt = [str(path) for path in exempt]
        self.output = b""
        self.processes: set[bytes] = set()
        self.messages = b""
        self._over = threading.Event()
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Watch:
        self.started = time.time()
        if not SYSLOG.exists() and os.access(SYSLOG.parent, os.W_OK):
            # A machine without a log service: be one, for Ansible's modules write there.
            self._start(self._serve_syslog, self._syslog_socket())
        self._start(self._sample_processes)
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
        }
        return {place: what for place, what in found.items() if what}

    def _lines(self, lines: Iterable[bytes]) -> list[str]:
        return [line[:300].decode(errors="replace") for line in lines if any(text in line for text in self.texts)]

    def _files(self, folders: Iterable[Path]) -> Iterator[str]:
        """Find the files written since the start that hold one of the texts."""
        for folder in filter(Path.exists, folders):
            device = folder.stat().st_dev
            for parent, directories, names in os.walk(folder):
                directories[:] = [name for name in directories if self._is_searched(os.path.join(parent, name), device)]
                for name in names:
                    path = Path(parent, name)
                    with contextlib.suppress(OSError):
                        if path.is_file() and not path.is_symlink() and path.stat().st_mtime >= self.started - 1:
                            content = path.read_bytes()
                            if any(text in content for text in self.texts):
                                yield str(path)

    def _is_searched(self, path: str, device: int) -> bool:
        """Leave out what is exempt, and what is mounted there: another machine's root may have its /proc."""
        with contextlib.suppress(OSError):
            return path not in self.exempt and os.lstat(path).st_dev == device
        return False

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
        while not self._over.wait(0.02):
            for name in os.listdir("/proc"):
                if name.isdigit():
                    for part in ("cmdline", "environ"):
                        with contextlib.suppress(OSError):
                            self.processes.add(Path("/proc", name, part).read_bytes().replace(b"\0", b" "))

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
