# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy as companies have them: plain requests by their whole address, CONNECT for TLS."""

from __future__ import annotations

import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

from parts.http_stand_in import HttpStandIn, body, respond


class ForwardProxy(HttpStandIn):
    """Forwards every request to one server, whatever it is addressed to, so that names need not exist.

    :param target: the server's URL.
    :ivar requests: the first line of each, and what came as Proxy-Authorization.
    :ivar refusal: the status by which the next ones are refused.
    """

    def __init__(self, target: str) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.refusal: int | None = None
        self._target = urlsplit(target)
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Forward a request, or refuse it."""
        self.requests.append((f"{request.command} {request.path}", request.headers["Proxy-Authorization"]))
        if self.refusal:
            request.send_error(self.refusal, "canary")
        elif request.command == "CONNECT":
            self._tunnel(request)
        else:
            self._forward(request)

    def _forward(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        headers = {name: value for name, value in request.headers.items() if not name.startswith("Proxy-")}
        there = urllib.request.Request(f"{self._target.geturl()}{path}", body(request), headers)
        # Without the proxies of the environment, of which this is one.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(there) as answer:
            content = answer.read()
        respond(request, 200, content)

    def _tunnel(self, request: BaseHTTPRequestHandler) -> None:
        with socket.create_connection((str(self._target.hostname), self._target.port or 443)) as server:
            request.send_response(200)
            request.end_headers()
            back = threading.Thread(target=_pump, args=(server, request.connection))
            back.start()
            _pump(request.connection, server)
            back.join()
        request.close_connection = True


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One end has gone.
        pass
