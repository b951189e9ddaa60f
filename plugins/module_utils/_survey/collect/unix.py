# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Connections over Unix sockets between services of the host. Private to the collection."""

from __future__ import annotations

import socket
import struct
from collections.abc import Mapping
from typing import Optional

from ..document import UnixFlow
from .netlink import ask, attributes, messages
from .texts import shown

# sock_diag(7): NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, UDIAG_SHOW_NAME | UDIAG_SHOW_PEER, UNIX_DIAG_NAME and _PEER.
_SOCK_DIAG, _BY_FAMILY, _SHOW, _NAME, _PEER = 4, 20, 5, 0, 2
_QUESTION = struct.pack("=BBxxIIIII", socket.AF_UNIX, 0, 0xFFFFFFFF, 0, _SHOW, 0, 0)

# The inodes of who is connected, and of the other end, which has a path.
_Pair = tuple[int, int]


class _Connection:
    """One that is open; ``since`` is the sample at which it came."""

    __slots__ = ("client", "path", "server", "since")

    def __init__(self, path: str, since: int) -> None:
        self.path, self.since = path, since
        self.client: Optional[str] = None
        self.server: Optional[str] = None


class Paths:
    """The connections in the window.

    :raises OSError: the kernel does not tell.
    """

    def __init__(self) -> None:
        self._open: dict[_Pair, _Connection] = {}
        # The samples of each flow, as bits.
        self._flows: dict[tuple[Optional[str], Optional[str], str], int] = {}
        self._samples = 0
        # What the kernel told at the last sample. Mostly it is the same.
        self._told: set[bytes] = set()
        _messages()

    def look(self) -> tuple[list[int], list[int]]:
        """Take a sample; return the inodes that came, and those that went.

        :raises OSError: the kernel does not tell any more.
        """
        self._samples += 1
        told = _messages()
        if told == self._told:
            return [], []
        self._told = told
        now = _pairs(told)
        gone = [pair for pair in self._open if pair not in now]
        for pair in gone:
            self._end(self._open.pop(pair), self._samples - 1)
        came = [pair for pair in now if pair not in self._open]
        for pair in came:
            self._open[pair] = _Connection(now[pair], self._samples - 1)
        return [inode for pair in came for inode in pair], [inode for pair in gone for inode in pair]

    def own(self, owners: Mapping[int, str]) -> None:
        """Take note of whose they are."""
        for (client, server), one in self._open.items():
            one.client = one.client or owners.get(client)
            one.server = one.server or owners.get(server)

    def flows(self) -> list[UnixFlow]:
        """Return the connections of two different services, sorted. No other sample follows."""
        while self._open:
            self._end(self._open.popitem()[1], self._samples)
        return [
            UnixFlow(client, server, path, bin(samples).count("1"))
            for (client, server, path), samples in sorted(self._flows.items(), key=str)
        ]

    def _end(self, one: _Connection, until: int) -> None:
        if one.client != one.server:
            key = (one.client, one.server, one.path)
            bits = (1 << until) - (1 << one.since)
            self._flows[key] = self._flows.get(key, 0) | bits


def _messages() -> set[bytes]:
    return {message for piece in ask(_SOCK_DIAG, _BY_FAMILY, _QUESTION) for message in messages(piece)}


def _pairs(told: set[bytes]) -> dict[_Pair, str]:
    """Return the connected sockets whose other end has a path, which is that of the one that made it."""
    names: dict[int, bytes] = {}
    peers: dict[int, int] = {}
    for message in told:
        inode = struct.unpack_from("=I", message, 4)[0]
        found = attributes(message[16:])
        if found.get(_NAME):
            names[inode] = found[_NAME]
        if _PEER in found:
            peers[inode] = struct.unpack("=I", found[_PEER])[0]
    return {(inode, peer): _path(names[peer]) for inode, peer in peers.items() if peer in names and inode not in names}


def _path(name: bytes) -> str:
    text = (
        name.rstrip(b"\0").decode("utf-8", "replace")
        if name[:1] != b"\0"
        else f"@{name[1:].decode('utf-8', 'replace')}"
    )
    return shown(text)
