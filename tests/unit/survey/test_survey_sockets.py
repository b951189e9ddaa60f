# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's tables of sockets, against sockets that the test has opened."""

from __future__ import annotations

import os
import socket

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.sockets import (
    CLOSE,
    ESTABLISHED,
    LISTEN,
    Socket,
    address,
    sockets,
)


def _found(inode: int) -> list[Socket]:
    return [entry for entry in sockets("/proc/net") if entry.inode == inode]


@pytest.mark.parametrize(
    ("family", "bound", "called", "shown"),
    [
        (socket.AF_INET, "127.0.0.1", "127.0.0.1", "127.0.0.1"),
        (socket.AF_INET6, "::1", "::1", "::1"),
        (socket.AF_INET6, "::", "::ffff:127.0.0.1", "127.0.0.1"),
    ],
    ids=["IPv4", "IPv6", "IPv4-mapped"],
)
def test_both_ends_of_a_connection_are_found(family: socket.AddressFamily, bound: str, called: str, shown: str) -> None:
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((bound, 0))
        listener.listen()
        port = listener.getsockname()[1]
        client.connect((called, port))
        server, _peer = listener.accept()
        with server:
            own = client.getsockname()[1]
            ends = [os.fstat(end.fileno()).st_ino for end in (listener, client, server)]
            assert _found(ends[0]) == [
                Socket("tcp", bound, port, "::" if ":" in bound else "0.0.0.0", 0, LISTEN, ends[0])
            ]
            assert _found(ends[1]) == [Socket("tcp", shown, own, shown, port, ESTABLISHED, ends[1])]
            assert _found(ends[2]) == [Socket("tcp", shown, port, shown, own, ESTABLISHED, ends[2])]


def test_a_bound_socket_of_udp_is_found() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waiting:
        waiting.bind(("127.0.0.1", 0))
        inode = os.fstat(waiting.fileno()).st_ino
        assert _found(inode) == [Socket("udp", "127.0.0.1", waiting.getsockname()[1], "0.0.0.0", 0, CLOSE, inode)]


def test_every_address_is_written_as_people_write_it() -> None:
    assert address("00000000") == "0.0.0.0"
    assert address("0" * 32) == "::"


def test_tables_that_are_not_there_are_an_error() -> None:
    with pytest.raises(FileNotFoundError):
        list(sockets("/proc/0/net"))
