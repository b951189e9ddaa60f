# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Questions to the kernel over netlink(7). Private to the collection."""

from __future__ import annotations

import os
import socket
import struct
import sys
from collections.abc import Iterator

HEADER = 16
# netlink(7): NLM_F_REQUEST | NLM_F_DUMP, NLMSG_ERROR, NLMSG_DONE.
_DUMP, _ERROR, _DONE = 0x301, 2, 3
# A kernel gives at most 32 KiB at a time.
_SIZE = 1 << 17
# The places of the lower two bytes of a length; the upper two are zero.
_LOW, _HIGH = (0, 1) if sys.byteorder == "little" else (3, 2)


def ask(protocol: int, kind: int, body: bytes) -> Iterator[bytes]:
    """Yield the kernel's answer in pieces, each of whole messages.

    :param protocol: NETLINK_ROUTE and so on.
    :param kind: the message's type.
    :param body: what follows its header.
    :raises OSError: the kernel does not answer this.
    """
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as kernel:
        kernel.settimeout(5)
        kernel.send(struct.pack("=IHHII", HEADER + len(body), kind, _DUMP, 1, 0) + body)
        while True:
            piece = kernel.recv(_SIZE)
            # The end comes alone, or after the last messages.
            for offset, _number, _length in runs(piece):
                answered = struct.unpack_from("=H", piece, offset + 4)[0]
                if answered == _ERROR:
                    number = -struct.unpack_from("=i", piece, offset + HEADER)[0]
                    raise OSError(number, os.strerror(number))
                if answered == _DONE:
                    yield piece[:offset]
                    return
            yield piece


def runs(piece: bytes) -> Iterator[tuple[int, int, int]]:
    """Yield where messages of one length follow each other: the offset, their number, and their length.

    It takes no look at each message: of 20,000 most are as long as their neighbour.
    """
    offset = 0
    while offset < len(piece):
        length = struct.unpack_from("=I", piece, offset)[0]
        step = (length + 3) & ~3
        same = (piece[offset + place :: step] for place in (_LOW, _HIGH))
        number = min(len(octets) - len(octets.lstrip(octets[:1])) for octets in same)
        yield offset, number, length
        offset += number * step


def messages(piece: bytes) -> Iterator[bytes]:
    """Yield the body of each message of a piece."""
    for start, number, length in runs(piece):
        step = (length + 3) & ~3
        for offset in range(start, start + number * step, step):
            yield piece[offset + HEADER : offset + length]


def attributes(body: bytes) -> dict[int, bytes]:
    """Return the attributes of a message by their type."""
    found = {}
    while len(body) >= 4:
        length, kind = struct.unpack_from("=HH", body)
        found[kind] = body[4:length]
        body = body[(max(length, 4) + 3) & ~3 :]
    return found
