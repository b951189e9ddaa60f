# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A network of its own for a program, which a link joins to this machine."""

from __future__ import annotations

import os
import random
import subprocess
from ipaddress import IPv4Address
from types import TracebackType
from typing import TYPE_CHECKING

from . import NotOnThisSystem

if TYPE_CHECKING:
    # It came with Python 3.11.
    from typing import Self

_PROBE = ("unshare", "--net", "ip", "link", "add", "probe0", "type", "veth", "peer", "name", "probe1")


class Link:
    """A network namespace, and a pair of virtual Ethernet devices between it and this machine's.

    Both are the kernel's, and go with the process that holds the namespace open.

    :ivar here: this machine's address on it.
    :raises NotOnThisSystem: not everybody may make one, and not on every machine.
    """

    def __init__(self) -> None:
        if os.geteuid() or subprocess.run(_PROBE, capture_output=True, check=False).returncode:
            raise NotOnThisSystem("Only root can make a network and a link to it, and not on every machine.")
        number = random.randrange(1 << 15)
        self._name = f"dbops{number}"
        # Four addresses of the range that is for tests of networks (RFC 2544).
        first = IPv4Address("198.18.0.0") + 4 * number
        self.here, self._there = str(first + 1), str(first + 2)

    def __enter__(self) -> Self:
        # A session of its own keeps Ctrl-C away from it.
        self._process = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "--", "unshare", "--net", "sh", "-c", "echo; exec cat"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            self._connect()
        except BaseException:
            self._process.kill()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._process:
            self._process.kill()

    def _connect(self) -> None:
        assert self._process.stdout
        # The network is there once the line has come.
        self._process.stdout.readline()
        pid = str(self._process.pid)
        self._ip("link", "add", self._name, "type", "veth", "peer", "name", self._name, "netns", pid)
        self._ip("address", "add", f"{self.here}/30", "dev", self._name)
        self.up()
        for command in (
            ["link", "set", "lo", "up"],
            ["address", "add", f"{self._there}/30", "dev", self._name],
            ["link", "set", self._name, "up"],
        ):
            subprocess.run([*self.inside, "ip", *command], check=True)

    @property
    def inside(self) -> list[str]:
        """The start of a command that runs in that network."""
        return ["nsenter", f"--net=/proc/{self._process.pid}/ns/net"]

    def down(self) -> None:
        """Take the link down; what is under way is lost, and nobody is told."""
        self._ip("link", "set", self._name, "down")

    def up(self) -> None:
        """Have the link work again."""
        self._ip("link", "set", self._name, "up")

    @staticmethod
    def _ip(*arguments: str) -> None:
        subprocess.run(["ip", *arguments], check=True)
