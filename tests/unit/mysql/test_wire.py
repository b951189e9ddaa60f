# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Answers that no server of ours can be made to give, on one side of a pair of sockets."""

from __future__ import annotations

import socket
import struct
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql import wire
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session_track import SessionState
from pymysql.err import OperationalError


@pytest.fixture
def ends() -> Iterator[tuple[Any, socket.socket]]:
    """A connection that is past its login, and the server's end of it."""
    ours, theirs = socket.socketpair()
    connection: Any = object.__new__(wire._Connection)
    connection.state, connection.client_flag, connection.encoding = SessionState(), wire._EXTENSIONS, "latin1"
    connection._sock, connection._rfile = ours, ours.makefile("rb")
    connection._next_seq_id, connection._result = 1, None
    connection._read_timeout = connection._current_timeout = None
    with ours, theirs:
        yield connection, theirs


def packet(number: int, content: bytes) -> bytes:
    """A packet of the protocol."""
    return struct.pack("<I", len(content))[:3] + bytes([number]) + content


def test_a_file_of_the_clients_is_never_sent(ends: tuple[Any, socket.socket]) -> None:
    connection, server = ends
    server.sendall(packet(1, b"\xfb/etc/passwd"))
    with pytest.raises(OperationalError, match="asks for a file of the client's"):
        connection.next_answer(None)
    assert server.recv(100) == b""


def test_what_a_server_says_about_an_error_is_bounded() -> None:
    error = wire._server_error(OperationalError(1064, "x" * (8 << 20)), "The server refused it")
    assert str(error) == f"The server refused it: (1064) {'x' * 2000}"


@pytest.mark.parametrize("extensions", [True, False])
def test_a_row_may_look_like_an_end(ends: tuple[Any, socket.socket], extensions: bool) -> None:
    """A first value of more than 16 MiB begins with the byte that the packet after the last row begins with."""
    connection, _server = ends
    connection.client_flag = wire._EXTENSIONS if extensions else 0
    long = b"\xfe" + struct.pack("<Q", 1 << 24)
    assert connection.ending(long + b"x" * (1 << 24)) is None
    if extensions:
        assert connection.ending(b"\xfe\0\0\x02\0\0\0").status == 2
        return
    assert connection.ending(b"\xfe\0\0\x02\0").status == 2
    assert connection.ending(b"\xfe" + bytes(8)) is None
