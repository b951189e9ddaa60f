# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server for what moto cannot be brought to do: deny, throttle, fail, talk nonsense."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Self


class FaultyEndpoint:
    """Gives the answers it has been told, one a request; the last one again and again."""

    def __init__(self) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answers: list[tuple[int, bytes]] = []
        endpoint = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                endpoint.requests.append({"headers": dict(self.headers), "body": body.decode()})
                status, answer = endpoint._answers[min(len(endpoint.requests), len(endpoint._answers)) - 1]
                self.send_response(status)
                self.send_header("Content-Type", "application/x-amz-json-1.1")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_arguments: object) -> None: ...

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def raw(self, status: int, body: bytes) -> None:
        """Have the next answer be this."""
        self._answers.append((status, body))

    def error(self, code: str, message: str = "", status: int = 400) -> None:
        """Have the next answer be an error in AWS's form."""
        self.raw(status, json.dumps({"__type": code, "message": message}).encode())

    def secret(self, text: str) -> None:
        """Have the next answer be a secret."""
        self.raw(200, json.dumps({"ARN": "arn:aws:x", "VersionId": "v1", "SecretString": text}).encode())

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the options of secret_lookup that lead here."""
        keys = {"access_key": "AKIAEXAMPLE", "secret_key": "canary-secret-key", "session_token": "canary-token"}
        return {"secret_id": "prod/shop", "region": "eu-central-1", "endpoint_url": self.url, **keys, **more}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
