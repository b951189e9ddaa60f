# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An HTTP server for what moto cannot be brought to do: deny, throttle, fail, talk nonsense."""

from __future__ import annotations

import json
import subprocess
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

from parts.http_stand_in import HttpStandIn, body, respond


class FaultyEndpoint(HttpStandIn):
    """Gives the answers it has been told, one a request; the last one again and again.

    :param certificate: with its key, in one file; the endpoint then speaks TLS.
    """

    def __init__(self, certificate: Path | None = None) -> None:
        self.requests: list[dict[str, Any]] = []
        self._answers: list[tuple[int, bytes]] = []
        super().__init__(certificate)

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Give the next answer."""
        came = {"headers": dict(request.headers), "body": body(request).decode(), "time": time.monotonic()}
        self.requests.append(came)
        status, content = self._answers[min(len(self.requests), len(self._answers)) - 1]
        respond(request, status, content, Content_Type="application/x-amz-json-1.1")

    def raw(self, status: int, body: bytes) -> None:
        """Have the next answer be this."""
        self._answers.append((status, body))

    def error(self, code: str, message: str = "", status: int = 400) -> None:
        """Have the next answer be an error in AWS's form."""
        self.raw(status, json.dumps({"__type": code, "message": message}).encode())

    def secret(self, text: str) -> None:
        """Have the next answer be a secret."""
        self.raw(200, json.dumps({"ARN": "arn:aws:x", "VersionId": "v1", "SecretString": text}).encode())

    def parameter(self, text: str) -> None:
        """Have the next answer be a parameter of the Parameter Store."""
        self.raw(200, json.dumps({"Parameter": {"ARN": "arn:aws:x", "Version": 1, "Value": text}}).encode())

    def role(self, name: str) -> None:
        """Have the next answer be a role's keys, as STS gives them."""
        keys = (f"ASIA{name}", f"canary-secret-key-{name}", f"canary-token-{name}", "2099-01-01T00:00:00Z")
        names = ("AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
        text = "".join(f"<{name}>{key}</{name}>" for name, key in zip(names, keys))
        self.raw(200, f"<R><AssumeRoleResult><Credentials>{text}</Credentials></AssumeRoleResult></R>".encode())

    def sts_error(self, code: str, status: int = 400) -> None:
        """Have the next answer be an error as STS gives it."""
        text = f"<ErrorResponse><Error><Code>{code}</Code><Message>canary</Message></Error></ErrorResponse>"
        self.raw(status, text.encode())

    def options(self, **more: Any) -> dict[str, Any]:
        """Return the options of secret_lookup that lead here."""
        keys = {"access_key": "AKIAEXAMPLE", "secret_key": "canary-secret-key", "session_token": "canary-token"}
        return {"secret_id": "prod/shop", "region": "eu-central-1", "endpoint_url": self.url, **keys, **more}


def certify(folder: Path, name: str) -> tuple[Path, Path]:
    """Make a CA and a certificate for the loopback address; return the CA's and, with its key, the other's file."""
    authority, server = folder / f"{name}-ca.pem", folder / f"{name}-server.pem"
    new = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"]
    key, own_key = folder / f"{name}-ca.key", folder / f"{name}-server.key"
    its = ["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]
    commands: list[list[str | Path]] = [
        [*new, "-subj", f"/CN={name} CA", "-keyout", key, "-out", authority],
        [*new, "-subj", "/CN=aws", *its, "-CA", authority, "-CAkey", key, "-keyout", own_key, "-out", server],
    ]
    for command in commands:
        subprocess.run(command, check=True, capture_output=True)
    server.write_text(server.read_text() + own_key.read_text())
    return authority, server
