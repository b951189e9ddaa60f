# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The kernel's lists of sockets, against sockets that the test has opened, over netlink and from the text."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import sockets
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.sockets import (
    CLOSE,
    ESTABLISHED,
    LISTEN,
    PROTOCOLS,
    TIME_WAIT,
    Socket,
    Table,
    address,
)


@pytest.fixture(params=["netlink", "proc"], autouse=True)
def _source(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a kernel has no sock_diag, which the machine of the tests has, the text is read."""
    if request.param == "proc":

        def refuse(_protocol: int, _kind: int, _body: bytes) -> Iterator[bytes]:
            raise FileNotFoundError(2, "No such file or directory")

        monkeypatch.setattr(sockets, "ask", refuse)
    assert Table("tcp").source == request.param


def _found(inode: int) -> list[Socket]:
    return [entry for name in PROTOCOLS for entry in Table(name).changes(ended=False).opened if entry.inode == inode]


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


def test_only_what_has_changed_is_told() -> None:
    table = Table("tcp")
    table.changes(ended=False)
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as client:
        waiting = os.fstat(listener.fileno()).st_ino
        assert [entry.inode for entry in table.changes(ended=False).opened if entry.inode == waiting] == [waiting]
        client.connect(listener.getsockname())
        own, theirs = (client.getsockname()[1], listener.getsockname()[1])
        # Nobody has accepted it: it is there, and nobody's.
        found = {(entry.local_port, entry.inode) for entry in table.changes(ended=False).opened}
        assert {(own, os.fstat(client.fileno()).st_ino), (theirs, 0)} <= found
        server, _peer = listener.accept()
        inode = os.fstat(server.fileno()).st_ino
        changes = table.changes(ended=False)
        mine = [[one.inode for one in side if own == one.remote_port] for side in (changes.opened, changes.closed)]
        assert mine == [[inode], [0]]
        changes = table.changes(ended=False)
        assert not [entry for entry in changes.opened + changes.closed if own in (entry.local_port, entry.remote_port)]
        server.close()
        client.close()
        closed: set[int] = set()
        ended: list[tuple[int, int]] = []
        # The kernel takes a moment to end it.
        for _number in range(100):
            changes = table.changes(ended=True)
            closed |= {entry.inode for entry in changes.closed}
            ended += [
                (one.local_port, one.inode)
                for one in changes.opened
                if one.state == TIME_WAIT and one[2:5:2] == (theirs, own)
            ]
            time.sleep(0.01)
        assert inode in closed
        # Reported once.
        assert ended == [(theirs, 0)]


def test_the_changes_add_up_to_what_there_is() -> None:
    """The changes of many looks, with connections that come and go, are what one look at everything shows."""
    table = Table("tcp")
    there: dict[Socket, int] = {}
    ends: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0), backlog=50) as listener:
        port = listener.getsockname()[1]
        for number in range(12):
            for _count in range(number % 5):
                ends.append(socket.create_connection(("127.0.0.1", port)))
                ends.append(listener.accept()[0])
            while len(ends) > 10 + number % 3:
                ends.pop(number % len(ends)).close()
            changes = table.changes(ended=False)
            for entry in changes.closed:
                there[entry] -= 1
            for entry in changes.opened:
                there[entry] = there.get(entry, 0) + 1
            now = {one for one in Table("tcp").changes(ended=False).opened if port in (one.local_port, one.remote_port)}
            assert {one[:5] for one, count in there.items() if count and port in (one[2], one[4])} == {
                one[:5] for one in now
            }
        for end in ends:
            end.close()


def test_every_address_is_written_as_people_write_it() -> None:
    assert address(bytes(4)) == "0.0.0.0"
    assert address(bytes(16)) == "::"
    link = bytes.fromhex("fe80000000000000000000000000000a")
    assert address(link, 1) == "fe80::a%lo"
    assert address(link, 99999) == address(link) == "fe80::a"
    assert address(bytes(15) + b"\1", 1) == "::1"


def test_tables_that_are_not_there_are_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_path: str) -> None:
        raise FileNotFoundError(2, "No such file or directory")

    monkeypatch.setattr(sockets, "ask", lambda *_arguments: refuse(""))
    monkeypatch.setattr(sockets, "_lines", refuse)
    with pytest.raises(FileNotFoundError):
        Table("tcp")
