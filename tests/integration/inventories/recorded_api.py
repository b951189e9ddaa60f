# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server that gives the recorded answers of Amazon RDS's API."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qsl

from parts.http_stand_in import HttpStandIn, body, respond

ANSWERS = Path(__file__).parent / "answers"
DENIED = (
    "<ErrorResponse><Error><Type>Sender</Type><Code>AccessDenied</Code><Message>You may not</Message></Error>"
    "<RequestId>5d54ef0f-1f46-4b43-a1c8-7d6e2f2ff1d6</RequestId></ErrorResponse>"
)


class RecordedApi(HttpStandIn):
    """Answers a request with the file that is named after its action, and its marker or resource.

    :ivar requests: the parameters of those that came.
    :ivar changes: texts that are in an answer, and what to send in their place.
    :ivar denied: the actions that are refused.
    """

    def __init__(self) -> None:
        self.requests: list[dict[str, str]] = []
        self.changes: dict[str, str] = {}
        self.denied: set[str] = set()
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer with what was recorded, or refuse."""
        asked = dict(parse_qsl(body(request).decode()))
        self.requests.append(asked)
        status, text = (403, DENIED) if asked["Action"] in self.denied else (200, self._recorded(asked))
        respond(request, status, text.encode(), Content_Type="text/xml")

    def _recorded(self, request: dict[str, str]) -> str:
        """Return what was recorded for a request."""
        resource = request.get("ResourceName", "").rpartition(":")[2]
        name = [request["Action"], request.get("Marker", resource), "xml"]
        text = (ANSWERS / ".".join(filter(None, name))).read_text()
        for old, new in self.changes.items():
            text = text.replace(old, new)
        return text
