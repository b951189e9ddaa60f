# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP proxy as companies have them: plain requests by their whole address, CONNECT for TLS."""

from __future__ import annotations

import socket
import threading
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit


class ForwardProxy:
    """Forwards every request to one server, whatever it is addressed to, so that names need not exist.

    :param target: the server's URL.
    :ivar requests: the first line of each, and what came as Proxy-Authorization.
    :ivar refusal: the status by which the next ones are refused.
    """

    def __init__(self, target: str) -> None:
        self.requests: list[tuple[str, str | None]] = []
        self.refusal: int | None = None
        self._target = urlsplit(target)
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                if not self.refused():
                    proxy._forward(self)

            def do_CONNECT(self) -> None:
                if not self.refused():
                    proxy._tunnel(self)

            def refused(self) -> bool:
                proxy.requests.append((f"{self.command} {self.path}", self.headers["Proxy-Authorization"]))
                if proxy.refusal:
                    self.send_error(proxy.refusal, "canary")
                return bool(proxy.refusal)

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.address = f"127.0.0.1:{self._server.server_address[1]}"

    def _forward(self, request: BaseHTTPRequestHandler) -> None:
        path = urlsplit(request.path).path
        body = request.rfile.read(int(request.headers["Content-Length"]))
        headers = {name: value for name, value in request.headers.items() if not name.startswith("Proxy-")}
        there = urllib.request.Request(f"{self._target.geturl()}{path}", body, headers)
        # Without the proxies of the environment, of which this is one.
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(there) as answer:
            content = answer.read()
        request.send_response(200)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _tunnel(self, request: BaseHTTPRequestHandler) -> None:
        with socket.create_connection((str(self._target.hostname), self._target.port or 443)) as server:
            request.send_response(200)
            request.end_headers()
            back = threading.Thread(target=_pump, args=(server, request.connection))
            back.start()
            _pump(request.connection, server)
            back.join()
        request.close_connection = True

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    try:
        while chunk := source.recv(65536):
            sink.sendall(chunk)
        sink.shutdown(socket.SHUT_WR)
    except OSError:
        # One end has gone.
        pass
