# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server that gives the recorded answers of Amazon RDS's API."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import parse_qsl

ANSWERS = Path(__file__).parent / "answers"
DENIED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>You may not</Message></Error>"
    "<RequestId>5d54ef0f-1f46-4b43-a1c8-7d6e2f2ff1d6</RequestId></ErrorResponse>"
)


class RecordedApi:
    """Answers a request with the file that is named after its action, and its marker or resource.

    :ivar requests: the parameters of those that came.
    :ivar changes: texts that stand in an answer, and what to send in their place.
    :ivar denied: the actions that are refused.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.changes: dict[str, str] = {}
        self.denied: set[str] = set()
        api = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                request = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
                api.requests.append(request)
                status, text = (403, DENIED) if request["Action"] in api.denied else (200, api.answer(request))
                self.send_response(status)
                self.send_header("Content-Type", "text/xml")
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def answer(self, request: dict[str, str]) -> str:
        """Return what was recorded for a request."""
        resource = request.get("ResourceName", "").rpartition(":")[2]
        name = [request["Action"], request.get("Marker", resource), "xml"]
        text = (ANSWERS / ".".join(filter(None, name))).read_text()
        for old, new in self.changes.items():
            text = text.replace(old, new)
        return text

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
