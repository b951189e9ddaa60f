# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Systems Manager Parameter Store as a store. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import Error, Message
from .aws import AwsClient
from .aws_reasons import denied
from .store import StoredSecret, chosen_version


class AwsParameterStore:
    """A store, for the options of the spec AWS."""

    staged = None

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._client = AwsClient("ssm", options)

    def read(self, secret_id: str, options: Mapping[str, Any]) -> StoredSecret:
        """Read the version that a label (version_stage) or a number (version_id) names, by default the latest."""
        stage, version_id = chosen_version(options)
        if not secret_id:
            raise Error(1408, "the name is empty. Give the parameter's name or ARN.")
        version = stage or version_id
        name = f"{secret_id}:{version}" if version else secret_id
        return self._client.call("GetParameter", {"Name": name, "WithDecryption": True}, _secret, _reason)


def _secret(answer: Mapping[str, Any]) -> StoredSecret:
    parameter = answer["Parameter"]
    return StoredSecret(text=parameter["Value"], arn=parameter["ARN"], version_id=str(parameter["Version"]))


def _reason(code: str, text: str) -> Message | None:
    """Say what an error of GetParameter means."""
    if code == "ParameterNotFound":
        return Message(
            1409,
            "there is no parameter with this name, or not with this label. Check the name, version_stage, region and "
            "account",
        )
    if code == "ParameterVersionNotFound":
        return Message(1410, "it has no such version. Check version_stage (a label) or version_id (a number)")
    if code == "AccessDeniedException":
        return denied(text, "ssm:GetParameter")
    if code == "InvalidKeyId":
        return Message(
            1405, "AWS cannot decrypt it. Check that its KMS key is enabled and that the identity has kms:Decrypt"
        )
    if code == "ValidationException":
        return Message(1412, "AWS rejects the request. Check the parameter's name, version_stage and version_id")
    return None
