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
        self.has_sprung = False
        self._orders, theirs = socket.socketpair()
        # Unbuffered, so that a line that has come shows to select.
        self._answers = self._orders.makefile("rb", buffering=0)
        with theirs:
            # A session of its own keeps Ctrl-C away from it.
            self._process = subprocess.Popen(self._command, stdin=theirs.fileno(), start_new_session=True)
        self.port = int(self._line() or 0)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with self._orders, self._process:
            self._process.kill()

    def cut(self) -> None:
        """Reset every connection, on both sides; what is under way is lost. New connections are let through."""
        self._order("cut")

    def trap(self, way: str, offset: int, then: str) -> None:
        """Lay a trap for the next connection, which springs when so many bytes have passed in one direction.

        :param way: ``up`` to the server, ``down`` to the client; or ``packets``: what is counted is not bytes then, but
            whole packets of MySQL's protocol that have gone up, so that the server works on the last one.
        :param then: ``reset`` cuts the connection on both sides; ``close`` lets the server read all that has passed,
            and then see the end; ``hold`` forwards nothing until release() or cut().
        """
        self.has_sprung = False
        self._order(f"trap {way} {offset} {then}")

    def release(self) -> None:
        """Let a connection that is held continue."""
        self._order("release")

    def passed(self) -> dict[str, int]:
        """Return how much has passed on the latest connection, by the ways of trap()."""
        return dict(zip(("up", "down", "packets"), map(int, self._order("passed").split())))

    def sprung(self) -> bool:
        """Tell whether the trap has sprung."""
        while select.select([self._orders], [], [], 0)[0]:
            self._line()
        return self.has_sprung

    def _order(self, order: str) -> str:
        self._orders.sendall(order.encode() + b"\n")
        while (answer := self._line()) is None:
            pass
        return answer

    def _line(self) -> str | None:
        """Return an answer; None for word of the trap."""
        line = self._answers.readline()
        if not line:
            raise RuntimeError("The proxy has ended.")
        if line == b"sprung\n":
            self.has_sprung = True
            return None
        return line.decode().strip()


class _Way:
    """One direction of a connection: what has arrived, and when it is due.

    :ivar passed: how many bytes were passed on.
    :ivar limit: how many may.
    :ivar packets: how many packets of MySQL's protocol were passed on whole.
    :ivar last: how many may.
    """

    def __init__(self, source: socket.socket, sink: socket.socket) -> None:
        self.source, self.sink = source, sink
        self.chunks: deque[tuple[float, bytes]] = deque()
        self.open = True
        self.passed = 0
        self.limit: int | None = None
        self.packets = 0
        self.last: int | None = None
        # What has arrived of a packet's header, and how many bytes of its body are to come.
        self._header, self._body = b"", 0

    def is_full(self) -> bool:
        full = self.limit is not None and self.passed >= self.limit
        return full or (self.last is not None and self.packets >= self.last)

    def _count(self, sent: bytes) -> None:
        """Count packets: each has three bytes that tell its length, one of a number, and a body."""
        while sent:
            if not self._body:
                self._header, sent = self._header + sent[: 4 - len(self._header)], sent[4 - len(self._header) :]
                if len(self._header) < 4:
                    return
                self._body = int.from_bytes(self._header[:3], "little")
            taken = min(self._body, len(sent))
            self._body, sent = self._body - taken, sent[taken:]
            if not self._body:
                self._header = b""
                self.packets += 1

    def take(self, delay: float) -> None:
        chunk = self.source.recv(_CHUNK)
        self.chunks.append((time.monotonic() + delay, chunk))
        self.open = bool(chunk)

    def give(self) -> None:
        due, chunk = self.chunks.popleft()
        if not chunk:
            self.sink.shutdown(socket.SHUT_WR)
            return
        allowed = chunk if self.limit is None else chunk[: self.limit - self.passed]
        sent = 0
        with contextlib.suppress(BlockingIOError):
            sent = self.sink.send(allowed)
        self.passed += sent
        self._count(allowed[:sent])
        if chunk[sent:]:
            self.chunks.appendleft((due, chunk[sent:]))


class _Forwarder:
    """The process: one loop, in which nothing blocks."""

    def __init__(self, address: tuple[str, int], delay: float) -> None:
        self._address, self._delay = address, delay
        self._orders = socket.socket(fileno=0)
        self._listener = socket.create_server((Proxy.host, 0))
        self._connections: list[tuple[_Way, _Way]] = []
        # What is done about the next connection, and about the one for which that was meant.
        self._trap: tuple[str, int, str] | None = None
        self._trapped: tuple[tuple[_Way, _Way], _Way, str] | None = None
        self._held: tuple[_Way, _Way] | None = None
        self._latest: tuple[_Way, _Way] | None = None
        # They are read until the server has seen that nothing more comes.
        self._closing: list[socket.socket] = []

    def run(self) -> None:
        self._say(str(self._listener.getsockname()[1]))
        while True:
            now = time.monotonic()
            reading = [way.source for way in self._ways() if way.open and len(way.chunks) < _WINDOW]
            waiting = [way for way in self._ways() if way.chunks]
            writing = [way.sink for way in waiting if way.chunks[0][0] <= now]
            later = [way.chunks[0][0] - now for way in waiting if way.chunks[0][0] > now]
            # Not epoll or poll, whose time counts in whole milliseconds.
            wait = max(0, min(later) - _EARLY) if later else None
            readable, writable, _errors = select.select(
                [self._orders, self._listener, *self._closing, *reading], writing, [], wait
            )
            if self._orders in readable and not self._obey(self._orders.recv(_CHUNK)):
                return
            for end in [each for each in self._closing if each in readable]:
                self._drain(end)
            if self._listener in readable:
                self._accept()
            for connection in list(self._connections):
                self._forward(connection, readable, writable)

    def _ways(self) -> list[_Way]:
        return [way for connection in self._connections if connection is not self._held for way in connection]

    def _say(self, line: str) -> None:
        self._orders.sendall(line.encode() + b"\n")

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
        self._latest = _Way(client, server), _Way(server, client)
        self._connections.append(self._latest)
        if self._trap is not None:
            direction, offset, then = self._trap
            way = self._latest[direction == "down"]
            way.limit, way.last = (None, offset) if direction == "packets" else (offset, None)
            self._trap, self._trapped = None, (self._latest, way, then)

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
        if self._trapped is not None and self._trapped[0] is connection and self._trapped[1].is_full():
            self._spring(*self._trapped)
        elif not any(way.open or way.chunks for way in connection):
            self._end(connection)

    def _end(self, connection: tuple[_Way, _Way]) -> None:
        self._connections.remove(connection)
        for way in connection:
            way.source.close()

    def _spring(self, connection: tuple[_Way, _Way], way: _Way, then: str) -> None:
        self._trapped, way.limit, way.last = None, None, None
        # Before anybody can see what it does.
        self._say("sprung")
        if then == "hold":
            self._held = connection
        else:
            self._connections.remove(connection)
            client, server = connection[0].source, connection[0].sink
            if then == "reset":
                _reset(server)
                _reset(client)
            else:
                for end in (client, server):
                    self._closing.append(end)
                    with contextlib.suppress(OSError):
                        end.shutdown(socket.SHUT_WR)

    def _drain(self, end: socket.socket) -> None:
        try:
            left = end.recv(_CHUNK)
        except OSError:
            left = b""
        if not left:
            self._closing.remove(end)
            end.close()

    def _obey(self, order: bytes) -> bool:
        """Do what an order says; no order is the end of the process that gives them."""
        what, *words = order.decode().split() or [""]
        answer = "done"
        if what == "cut":
            for connection in self._connections:
                for way in connection:
                    _reset(way.source)
            self._connections.clear()
            self._held = self._trapped = None
        elif what == "trap":
            self._trap = words[0], int(words[1]), words[2]
        elif what == "release":
            self._held = None
        elif what == "passed":
            up, down = self._latest or (None, None)
            answer = f"{up.passed} {down.passed} {up.packets}" if up and down else "0 0 0"
        if what:
            self._say(answer)
        return bool(what)


def _reset(end: socket.socket) -> None:
    end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.close()


if __name__ == "__main__":
    # The kernel may wake a process 50 µs late, unless it says that it minds.
    ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, 1, 0, 0, 0)
    _Forwarder((sys.argv[1], int(sys.argv[2])), max(0, float(sys.argv[3]) - _UNSEEN)).run()
