# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An endpoint that speaks the protocols of AWS Secrets Manager, and of what is beside it."""

from __future__ import annotations

import secrets
import sys
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import boto3

from .process import Server

if TYPE_CHECKING:
    from mypy_boto3_secretsmanager import SecretsManagerClient


class SecretsManager(Server):
    """moto's server. It takes any key, and keeps everything in memory."""

    region = "eu-central-1"

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.endpoint_url = f"http://{self.host}:{self.port}"
        self.access_key = f"AKIA{secrets.token_hex(8).upper()}"
        self.secret_key = secrets.token_urlsafe(30)

    def command(self) -> Sequence[str | Path]:
        return [sys.executable, "-m", "moto.server", "-H", self.host, "-p", str(self.port)]

    @cached_property
    def client(self) -> SecretsManagerClient:
        """A client of the endpoint."""
        return boto3.client("secretsmanager", **self._access)

    @cached_property
    def parameters(self) -> Any:
        """A client of the Parameter Store."""
        return boto3.client("ssm", **self._access)

    @property
    def _access(self) -> dict[str, Any]:
        return {
            "endpoint_url": self.endpoint_url,
            "region_name": self.region,
            "aws_access_key_id": self.access_key,
            "aws_secret_access_key": self.secret_key,
        }

    def put(self, name: str, text: str) -> str:
        """Store a secret, or a new version of it, and return its ARN."""
        try:
            return self.client.create_secret(Name=name, SecretString=text)["ARN"]
        except self.client.exceptions.ResourceExistsException:
            return self.client.put_secret_value(SecretId=name, SecretString=text)["ARN"]

    def put_binary(self, name: str, content: bytes) -> str:
        """Store a secret that is not text, and return its ARN."""
        return self.client.create_secret(Name=name, SecretBinary=content)["ARN"]

    def put_parameter(self, name: str, text: str, kind: str = "SecureString") -> str:
        """Store a parameter, or a new version of it, and return its ARN."""
        self.parameters.put_parameter(Name=name, Value=text, Type=kind, Overwrite=True)
        return str(self.parameters.get_parameter(Name=name)["Parameter"]["ARN"])
