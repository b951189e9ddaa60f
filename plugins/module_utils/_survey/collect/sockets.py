# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sockets of the host, of which there may be 200,000: what has changed since the last look. Private.

The kernel is asked over sock_diag(7), which costs it half of what its text in /proc does, and Python a fifth. Where it
does not answer, the text is read.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from functools import lru_cache
from itertools import chain
from operator import itemgetter
from typing import Any, NamedTuple, Union

from ..document import Protocol, Source
from .netlink import ask, runs
from .texts import read_or_empty

PROTOCOLS: tuple[Protocol, ...] = ("tcp", "udp")
# The kernel's numbers of states.
ESTABLISHED, SYN_SENT, SYN_RECV, TIME_WAIT, CLOSE, LISTEN = 1, 2, 3, 6, 7, 10
# Somebody asks, and nothing is established.
ATTEMPTS = (SYN_SENT, SYN_RECV)

# sock_diag(7): NETLINK_SOCK_DIAG, SOCK_DIAG_BY_FAMILY, and TCPDIAG_GETSOCK, which asks for both families at once.
_SOCK_DIAG, _BY_FAMILY, _BOTH = 4, 20, 18
# The states but TIME_WAIT, as bits.
_OPEN = 0xFFE & ~(1 << TIME_WAIT)
# Of a message with an inet_diag_msg: its identity, which with its cookie no other socket has, and all of it.
_IDENTITY_AT, _IDENTITY = 20, 48
_PARTS = struct.Struct("=16xBBxx2s2s16s16sI8x16xI")


class Socket(NamedTuple):
    """One socket. An inode of 0: it belongs to no process, as nobody has accepted it, or it has ended."""

    protocol: Protocol
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    state: int
    inode: int


class Changes(NamedTuple):
    """What came and what went. A socket that has changed is in both; one in TIME_WAIT comes only."""

    opened: list[Socket]
    closed: list[Socket]


class Table:
    """The sockets of one protocol in this network namespace.

    :param protocol: tcp or udp.
    :raises OSError: the kernel does not show them.
    """

    def __init__(self, protocol: Protocol) -> None:
        self._list: Union[_Diagnosis, _Text] = _Diagnosis(protocol)
        try:
            self._list.read(ended=False)
        except OSError:
            # This kernel has no tcp_diag, or netlink is closed to this account.
            self._list = _Text(protocol)
            self._list.read(ended=False)
        self._known: dict[Any, Socket] = {}
        # Those that will have another state or inode.
        self._unready: set[Any] = set()
        self._ended: set[Any] = set()

    @property
    def source(self) -> Source:
        """Return its source, as in Flow.sources."""
        return self._list.source

    def changes(self, ended: bool) -> Changes:
        """Return what has changed since the last call; at the first, everything has come.

        :param ended: look at the connections that have ended, too; those of the last such look are not in it again.
        :raises OSError: the kernel does not show them any more.
        """
        self._list.read(ended)
        now, known = self._list.open, self._known
        closed = [known.pop(key) for key in [key for key in known if key not in now]]
        opened = []
        self._unready.intersection_update(known)
        for key in [*self._unready, *(key for key in now if key not in known)]:
            found, before = self._list.socket(key), known.get(key)
            if found == before:
                continue
            closed += [before] if before else []
            opened.append(found)
            known[key] = found
            (self._unready.discard if found.inode and found.state not in ATTEMPTS else self._unready.add)(key)
        if ended:
            opened += [self._list.socket(key) for key in self._list.ended - self._ended]
            self._ended = self._list.ended
        return Changes(opened, closed)


class _Diagnosis:
    """A list over netlink."""

    source: Source = "netlink"

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self._pieces = b""
        # Where in the pieces each socket is, by its identity.
        self.open: dict[bytes, int] = {}
        self.ended: set[bytes] = set()
        self._ended_at: dict[bytes, int] = {}

    def read(self, ended: bool) -> None:
        """Ask for it.

        :param ended: for those in TIME_WAIT, too.
        :raises OSError: the kernel does not answer.
        """
        pieces = [self._answer(_OPEN)]
        if ended and self._protocol == "tcp":
            pieces.append(self._answer(1 << TIME_WAIT))
        self._pieces = b"".join(pieces)
        self.open = _identities(self._pieces, 0, len(pieces[0]))
        self._ended_at = _identities(self._pieces, len(pieces[0]), len(self._pieces))
        self.ended = set(self._ended_at)

    def socket(self, key: Any) -> Socket:
        """Return a socket of the list."""
        offset = self.open[key] if key in self.open else self._ended_at[key]
        family, state, local_port, remote_port, local, remote, interface, inode = _PARTS.unpack_from(
            self._pieces, offset
        )
        width = 4 if family == socket.AF_INET else 16
        return Socket(
            self._protocol,
            address(local[:width], interface),
            int.from_bytes(local_port, "big"),
            address(remote[:width], interface),
            int.from_bytes(remote_port, "big"),
            state,
            inode,
        )

    def _answer(self, states: int) -> bytes:
        identity = bytes(_IDENTITY)
        if self._protocol == "tcp":
            return b"".join(ask(_SOCK_DIAG, _BOTH, bytes(4) + identity + struct.pack("=II", states, 0)))
        number = socket.IPPROTO_UDP
        return b"".join(
            piece
            for family in (socket.AF_INET, socket.AF_INET6)
            for piece in ask(_SOCK_DIAG, _BY_FAMILY, struct.pack("=BBxxI", family, number, states) + identity)
        )


def _identities(pieces: bytes, start: int, end: int) -> dict[bytes, int]:
    """Return where each message is, by its identity."""
    found: dict[bytes, int] = {}
    view = memoryview(pieces)
    for offset, number, length in runs(pieces[start:end]):
        first, after = start + offset, start + offset + number * length
        record = struct.Struct(f"={_IDENTITY_AT}x{_IDENTITY}s{length - _IDENTITY_AT - _IDENTITY}x")
        found.update(zip(chain.from_iterable(record.iter_unpack(view[first:after])), range(first, after, length)))
    return found


def chosen_ports() -> range:
    """Return the ports that the kernel chooses for those who name none."""
    first, last = (read_or_empty("/proc/sys/net/ipv4/ip_local_port_range").split() or ["32768", "60999"])[:2]
    return range(int(first), int(last) + 1)


# The addresses with their ports, the state, and the inode, as the text has them.
_Line = tuple[str, str, str, str]


class _Text:
    """A list from /proc."""

    source: Source = "proc"

    def __init__(self, protocol: Protocol) -> None:
        self._protocol = protocol
        self.open: set[_Line] = set()
        self.ended: set[_Line] = set()

    def read(self, ended: bool) -> None:
        """Read it.

        :param ended: those in TIME_WAIT, too.
        :raises OSError: there is no table.
        """
        # /proc/net is that of the first thread, which may be in another network namespace.
        root = f"/proc/self/task/{threading.get_native_id()}/net"
        lines = set(_lines(f"{root}/{self._protocol}"))
        # A kernel may be without IPv6.
        with contextlib.suppress(FileNotFoundError):
            lines.update(_lines(f"{root}/{self._protocol}6"))
        gone = f"{TIME_WAIT:02X}"
        self.ended = {line for line in lines if line[2] == gone}
        self.open = lines - self.ended

    def socket(self, key: Any) -> Socket:
        """Return a socket of the list."""
        local, _colon, local_port = key[0].partition(":")
        remote, _colon, remote_port = key[1].partition(":")
        return Socket(
            self._protocol,
            address(_packed(local)),
            int(local_port, 16),
            address(_packed(remote)),
            int(remote_port, 16),
            int(key[2], 16),
            int(key[3]),
        )


def _lines(path: str) -> list[_Line]:
    parts = itemgetter(1, 2, 3, 9)
    with open(path, encoding="ascii", errors="replace") as table:
        next(table, None)
        return [parts(fields) for fields in (line.split(None, 10) for line in table) if len(fields) > 9]


def _packed(text: str) -> bytes:
    """Return an address of the text: hexadecimal, each group of four bytes in the processor's own order."""
    return b"".join(struct.pack("=I", int(text[start : start + 8], 16)) for start in range(0, len(text), 8))


@lru_cache(maxsize=4096)
def address(packed: bytes, interface: int = 0) -> str:
    """Return an address as people write it; an IPv4-mapped one as IPv4.

    :param interface: the number of that to which a link-local one belongs; 0: not known.
    """
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    text = socket.inet_ntop(socket.AF_INET6, packed)
    if interface and packed[0] == 0xFE and packed[1] & 0xC0 == 0x80:
        try:
            return f"{text}%{socket.if_indextoname(interface)}"
        except OSError:
            # It has just been removed.
            return text
    return text
