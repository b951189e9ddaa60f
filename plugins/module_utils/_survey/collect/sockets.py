# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The tables of sockets in /proc, of which each may have 200,000 lines. Private to the collection."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import NamedTuple, Optional

# The kernel's numbers of states, as the table has them.
ESTABLISHED, SYN_SENT, LISTEN, CLOSE = "01", "02", "0A", "07"
PROTOCOLS = ("tcp", "udp")


class Socket(NamedTuple):
    """One line of a table. An inode of 0: it belongs to no process any more (TIME_WAIT)."""

    protocol: str
    local_address: str
    local_port: int
    remote_address: str
    remote_port: int
    state: str
    inode: int


@lru_cache(maxsize=65536)
def address(text: str) -> str:
    """Return an address as people write it; an IPv4-mapped one as IPv4.

    :param text: the kernel's: hexadecimal, each group of four bytes in the processor's own order.
    """
    packed = b"".join(struct.pack("=I", int(text[start : start + 8], 16)) for start in range(0, len(text), 8))
    if len(packed) == 4:
        return socket.inet_ntop(socket.AF_INET, packed)
    if packed.startswith(b"\0" * 10 + b"\xff\xff"):
        return socket.inet_ntop(socket.AF_INET, packed[12:])
    return socket.inet_ntop(socket.AF_INET6, packed)


# The inode with the spaces around it, and the socket, by what comes before the line's counters.
Known = dict[str, tuple[str, Socket]]


def sockets(root: str, known: Optional[Known] = None) -> Iterator[Socket]:
    """Yield the TCP and UDP sockets of a network namespace.

    :param root: its tables: /proc/net, or /proc/PID/net.
    :param known: what the previous sample has left, and the next one will find: taking a line apart costs most.
    :raises OSError: no table can be read.
    """
    for protocol in PROTOCOLS:
        yield from _table(f"{root}/{protocol}", protocol, 30, known)
        try:
            yield from _table(f"{root}/{protocol}6", protocol, 78, known)
        except FileNotFoundError:
            # A kernel without IPv6.
            continue


def _table(path: str, protocol: str, width: int, known: Optional[Known]) -> Iterator[Socket]:
    """Yield a table's sockets.

    :param width: of both addresses with their ports, and the state, which the kernel pads.
    """
    old = {} if known is None else known
    with open(path, encoding="ascii", errors="replace") as table:
        next(table, None)
        for line in table:
            start = line.find(": ") + 2
            key = protocol + line[start : start + width]
            found = old.get(key)
            if found and found[0] in line:
                yield found[1]
                continue
            fields = line.split(None, 10)
            if len(fields) < 10:
                continue
            entry = _socket(protocol, fields)
            old[key] = (f" {fields[9]} ", entry)
            yield entry


def _socket(protocol: str, fields: list[str]) -> Socket:
    local, _colon, local_port = fields[1].partition(":")
    remote, _colon, remote_port = fields[2].partition(":")
    return Socket(
        protocol,
        address(local),
        int(local_port, 16),
        address(remote),
        int(remote_port, 16),
        fields[3],
        int(fields[9]),
    )
