# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Starting and ending one server process."""

from __future__ import annotations

import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # It came with Python 3.11.
    from typing import Self


# The start of a command that SIGINT is to reach: whatever has started us may ignore it, as a shell does for ``&``.
INTERRUPTIBLE = ("env", "--default-signal=INT")


def free_port() -> int:
    """Return a port that nothing listens on, below those that the kernel gives to outgoing connections."""
    while True:
        port = random.randrange(20000, 32000)
        with socket.socket() as probe:
            # As a server would: connections that have just ended do not count.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def accepts_connections(port: int) -> bool:
    """Tell whether something listens on this port."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def own(folder: Path, account: str | None) -> None:
    """Make ``folder``, private to ``account`` (this process's own one when None), and check that it can be reached."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    if account is None:
        return
    entry = pwd.getpwnam(account)
    os.chown(folder, entry.pw_uid, entry.pw_gid)
    for parent in folder.resolve().parents:
        if not parent.stat().st_mode & 0o001:
            raise RuntimeError(f"{folder}: the account {account} may not enter {parent}. Use parts.private_folder().")


class Server:
    """One server in a private folder: a context manager that starts it, waits until it is ready, and ends it.

    :param folder: where the server keeps its files; its log is ``folder/log``.
    """

    host = "127.0.0.1"
    account: str | None = None
    start_seconds = 30.0
    stop_seconds = 20.0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Make the files that the server needs, once."""

    def command(self) -> Sequence[str | Path]:
        """Return the command line that runs the server in the foreground."""
        raise NotImplementedError

    def environment(self) -> Mapping[str, str]:
        """Return the server's environment."""
        return os.environ

    def ready(self) -> bool:
        """Tell whether the server answers."""
        return accepts_connections(self.port)

    def __enter__(self) -> Self:
        own(self.folder, self.account)
        self.prepare()
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> None:
        """Start the server and wait until it answers."""
        with self.log.open("ab") as log:
            # A session of its own keeps Ctrl-C away from the server, which is then ended in order.
            self._process = subprocess.Popen(
                [*self._launcher(), *self.command()],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=self.folder,
                env=dict(self.environment()),
                start_new_session=True,
            )
        try:
            self._wait(self.ready)
        except BaseException:
            self.stop()
            raise

    def stop(self, kill: bool = False) -> None:
        """End the server by its process id: SIGTERM, and SIGKILL when that does not help (or at once)."""
        process, self._process = self._process, None
        if process is None:
            return
        if not kill:
            process.terminate()
            try:
                process.wait(self.stop_seconds)
            except subprocess.TimeoutExpired:
                kill = True
        # What the server itself has started (sshd: one process per connection) is in its process group.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        if kill:
            process.kill()
        process.wait()

    def run(self, command: Sequence[str | Path]) -> None:
        """Run a command that prepares the server, as its account."""
        with self.log.open("ab") as log:
            full = [*self._launcher(), *command]
            done = subprocess.run(full, stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=self.folder, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{command[0]} failed with {done.returncode}. {self._tail()}")

    def _launcher(self) -> list[str]:
        """Return the command that runs another one as the server's account.

        The kernel kills that one when this process ends, even by SIGKILL. (A preexec_fn is not safe beside threads.)
        """
        identity = []
        if self.account is not None:
            identity = ["--reuid", self.account, "--regid", str(pwd.getpwnam(self.account).pw_gid), "--clear-groups"]
        return ["setpriv", *identity, "--pdeathsig", "KILL", "--"]

    def _wait(self, ready: Callable[[], bool]) -> None:
        assert self._process is not None
        end = time.monotonic() + self.start_seconds
        while not ready():
            code = self._process.poll()
            if code is not None:
                raise RuntimeError(f"{type(self).__name__} ended with {code} before it was ready. {self._tail()}")
            if time.monotonic() > end:
                raise RuntimeError(
                    f"{type(self).__name__} was not ready after {self.start_seconds:.0f} seconds. {self._tail()}"
                )
            time.sleep(0.02)

    def _tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-60:] if self.log.exists() else []
        return "\n".join([f"The end of its log {self.log}:", *lines])
