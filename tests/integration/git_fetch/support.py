# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the tests of git_fetch share: contents, servers of other kinds, looks at the destination."""

from __future__ import annotations

import base64
import os
import subprocess
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any, Protocol

from parts.http_stand_in import HttpStandIn, body, respond
from parts.sshd import GIT_ENVIRONMENT

MIGRATIONS = {
    "db/migrations/0001_a.up.sql": "CREATE TABLE a (id INT);\n",
    "db/migrations/0001_a.down.sql": "DROP TABLE a;\n",
    "db/seeds/one.sql": "INSERT INTO a VALUES (1);\n",
    "README.md": "A shop.\n",
}
NAMES = ["0001_a.down.sql", "0001_a.up.sql"]


class Fetch(Protocol):
    """Call git_fetch; what is not given is the test's repository and a fresh destination."""

    def __call__(
        self, *, check: bool = False, diff: bool = False, env: Mapping[str, str] | None = None, **args: Any
    ) -> dict[str, Any]:
        """Return the module's result."""


def listing(folder: Path) -> dict[str, tuple[int, int, str]]:
    """Return every path below a folder, and itself, with mode, time of change and content."""
    found = {}
    for path in [folder, *folder.rglob("*")]:
        status = path.lstat()
        content = os.readlink(path) if path.is_symlink() else path.read_text() if path.is_file() else ""
        found[str(path)] = (status.st_mode, status.st_mtime_ns, content)
    return found


class HttpGit(HttpStandIn):
    """A Git server for HTTP: git http-backend behind a user name and a token.

    :param location: answer every request with a redirect to this address.
    :param old: speak git's first protocol only.
    :param corrupt: what becomes of git's answer to a request, the first ones that name the refs included.
    """

    def __init__(
        self,
        root: Path,
        tls: Path | None = None,
        location: str | None = None,
        corrupt: Callable[[bytes], bytes] = lambda content: content,
        old: bool = False,
    ) -> None:
        self.root = root
        self.user, self.token = "deployer", "t0ken-in-the-clear"
        self.location = location
        self._corrupt = corrupt
        self._old = old
        self.authorizations: list[str] = []
        super().__init__(tls)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Answer one request."""
        given = request.headers.get("Authorization", "")
        self.authorizations.append(given)
        if self.location is not None:
            respond(request, 302, Location=self.location + request.path)
            return
        if given != "Basic " + base64.b64encode(f"{self.user}:{self.token}".encode()).decode():
            respond(request, 401, WWW_Authenticate='Basic realm="git"')
            return
        self._run_backend(request)

    def _run_backend(self, request: BaseHTTPRequestHandler) -> None:
        path, _mark, query = request.path.partition("?")
        given = body(request)
        environment = {
            **os.environ,
            **GIT_ENVIRONMENT,
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "REMOTE_USER": self.user,
            "REQUEST_METHOD": request.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(given)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": "" if self._old else request.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(["git", "http-backend"], input=given, env=environment, capture_output=True, check=True)
        head, _gap, content = done.stdout.partition(b"\r\n\r\n")
        headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        request.send_response(int(headers.pop("Status", "200").split()[0]))
        for name, value in headers.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(self._corrupt(content))
