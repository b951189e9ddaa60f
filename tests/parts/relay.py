# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much comes over a connection, and what if it ends before its time."""

from __future__ import annotations

import socket
import threading


class Relay:
    """A port that passes everything on to another one, and counts what comes back.

    :param most: of what comes back, only so many bytes are passed on; None for all.
    :param hangs: whether nothing more happens then, or the connection is closed.
    :ivar sent: what the client has sent.
    """

    def __init__(self, port: int, most: int | None = None, hangs: bool = False) -> None:
        self.target = port
        self._most, self._hangs = most, hangs
        self.received = self.connections = 0
        self.sent = bytearray()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            server = socket.create_connection(("127.0.0.1", self.target))
            for source, sink in ((client, server), (server, client)):
                threading.Thread(target=self._pass, args=(source, sink, sink is client), daemon=True).start()

    def _pass(self, source: socket.socket, sink: socket.socket, count: bool) -> None:
        try:
            while data := source.recv(65536):
                if count:
                    if self._most is not None:
                        data = data[: self._most - self.received]
                    self.received += len(data)
                else:
                    self.sent += data
                sink.sendall(data)
                if count and self.received == self._most:
                    if self._hangs:
                        return
                    break
            sink.shutdown(socket.SHUT_WR)
        except OSError:
            source.close()
            sink.close()
