# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy that notes where it is asked to go."""

from __future__ import annotations

import socket
import threading
from urllib.parse import urlsplit


class HttpProxy:
    """A proxy on loopback, for HTTP and, by CONNECT, for HTTPS.

    :ivar hosts: the names of those that were asked for.
    """

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self) -> HttpProxy:
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
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with client:
            head = b""
            while b"\r\n\r\n" not in head:
                data = client.recv(65536)
                if not data:
                    return
                head += data
            method, target = head.split(maxsplit=2)[:2]
            tunnel = method == b"CONNECT"
            url = urlsplit(f"//{target.decode()}" if tunnel else target.decode())
            assert url.hostname is not None
            self.hosts.add(url.hostname)
            with socket.create_connection((url.hostname, url.port or 80)) as server:
                # A server understands a whole URL, too, so everything is passed on as it is.
                if tunnel:
                    client.sendall(b"HTTP/1.1 200 Connected\r\n\r\n")
                else:
                    server.sendall(head)
                back = threading.Thread(target=_pass, args=(server, client), daemon=True)
                back.start()
                _pass(client, server)
                back.join()


def _pass(source: socket.socket, sink: socket.socket) -> None:
    try:
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        source.close()
        sink.close()
