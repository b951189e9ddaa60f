# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A TCP proxy on loopback that makes a server far away, and that can fail as a network does."""

from __future__ import annotations

import contextlib
import ctypes
import select
import socket
import struct
import subprocess
import sys
import time
from collections import deque
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # It came with Python 3.11.
    from typing import Self

_CUT, _STALL = b"c", b"s"
_CHUNK = 1 << 16
# How much is under way in one direction, in chunks, before the sender has to wait.
_WINDOW = 256
_PR_SET_TIMERSLACK = 29
# Seconds. The kernel wakes a process too late by up to as much: the rest is waited for awake.
_EARLY = 0.0002
# Seconds that pass, out of sight of a chunk's own delay, until it is seen here and until it is gone.
_UNSEEN = 0.0001


class Proxy:
    """Forwards connections to a server, each chunk some time after it has arrived, whatever else is under way.

    It is a process of its own, so that its delays do not depend on what this one does; it ends with this one.

    :param delay: seconds each way.
    :ivar port: where it listens, on loopback.
    """

    host = "127.0.0.1"

    def __init__(self, host: str, port: int, delay: float = 0.001) -> None:
        self._command = [sys.executable, "-I", str(Path(__file__)), host, str(port), str(delay)]

    def __enter__(self) -> Self:
        self._orders, theirs = socket.socketpair()
        with theirs:
            # A session of its own keeps Ctrl-C away from it.
            self._process = subprocess.Popen(self._command, stdin=theirs.fileno(), start_new_session=True)
        self.port = int(self._answer())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._orders, self._process:
            self._process.kill()

    def cut(self) -> None:
        """Reset every connection, on both sides; what is under way is lost. New connections are let through."""
        self._order(_CUT)

    def stall(self) -> None:
        """Forward nothing from now on, and close nothing: a network that has gone away."""
        self._order(_STALL)

    def _order(self, order: bytes) -> None:
        self._orders.sendall(order)
        self._answer()

    def _answer(self) -> bytes:
        answer = self._orders.recv(16)
        if not answer:
            raise RuntimeError("The proxy has ended.")
        return answer


class _Way:
    """One direction of a connection: what has arrived, and when it is due."""

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.chunks: deque[tuple[float, bytes]] = deque()
        self.open = True

    def take(self, delay: float) -> None:
        chunk = self.source.recv(_CHUNK)
        self.chunks.append((time.monotonic() + delay, chunk))
        self.open = bool(chunk)

    def give(self) -> None:
        due, chunk = self.chunks.popleft()
        if not chunk:
            self.sink.shutdown(socket.SHUT_WR)
            return
        with contextlib.suppress(BlockingIOError):
            chunk = chunk[self.sink.send(chunk) :]
        if chunk:
            self.chunks.appendleft((due, chunk))


class _Forwarder:
    """The process: one loop, in which nothing blocks."""

    def __init__(self, address: tuple[str, int], delay: float) -> None:
        self._address, self._delay = address, delay
        self._orders = socket.socket(fileno=0)
        self._listener = socket.create_server((Proxy.host, 0))
        self._connections: list[tuple[_Way, _Way]] = []
        self._stalled = False

    def run(self) -> None:
        self._orders.sendall(b"%d" % self._listener.getsockname()[1])
        while True:
            now = time.monotonic()
            reading = [way.source for way in self._ways() if way.open and len(way.chunks) < _WINDOW]
            waiting = [way for way in self._ways() if way.chunks]
            writing = [way.sink for way in waiting if way.chunks[0][0] <= now]
            later = [way.chunks[0][0] - now for way in waiting if way.chunks[0][0] > now]
            # Not epoll or poll, whose time counts in whole milliseconds.
            wait = max(0, min(later) - _EARLY) if later else None
            readable, writable, _errors = select.select([self._orders, self._listener, *reading], writing, [], wait)
            if self._orders in readable and not self._obey(self._orders.recv(1)):
                return
            if self._listener in readable:
                self._accept()
            for connection in list(self._connections):
                self._forward(connection, readable, writable)

    def _ways(self) -> list[_Way]:
        return [] if self._stalled else [way for connection in self._connections for way in connection]

    def _accept(self) -> None:
        client, _address = self._listener.accept()
        try:
            server = socket.create_connection(self._address)
        except OSError:
            _reset(client)
            return
        for end in (client, server):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connections.append((_Way(client, server), _Way(server, client)))

    def _forward(
        self, connection: tuple[_Way, _Way], readable: list[socket.socket], writable: list[socket.socket]
    ) -> None:
        try:
            for way in connection:
                if way.sink in writable:
                    way.give()
                if way.source in readable:
                    way.take(self._delay)
        except OSError:
            self._end(connection)
            return
        if not any(way.open or way.chunks for way in connection):
            self._end(connection)

    def _end(self, connection: tuple[_Way, _Way]) -> None:
        self._connections.remove(connection)
        for way in connection:
            way.source.close()

    def _obey(self, order: bytes) -> bool:
        if order == _CUT:
            for connection in self._connections:
                for way in connection:
                    _reset(way.source)
            self._connections.clear()
        elif order == _STALL:
            self._stalled = True
        if order:
            self._orders.sendall(order)
        # No order is the end of the process that gives them.
        return bool(order)


def _reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


if __name__ == "__main__":
    # The kernel may wake a process 50 µs late, unless it says that it minds.
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    _Forwarder((sys.argv[1], int(sys.argv[2])), max(0, float(sys.argv[3]) - _UNSEEN)).run()
