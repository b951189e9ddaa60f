# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""AWS Secrets Manager as a store. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import Error, Message
from .aws import AwsClient
from .aws_reasons import denied
from .store import StoredSecret, chosen_version


class AwsSecretsManager:
    """A store, for the options of the spec AWS."""

    staged = "AWSPENDING"

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._client = AwsClient("secretsmanager", options)

    def read(self, secret_id: str, options: Mapping[str, Any]) -> StoredSecret:
        """Read the version that version_stage or version_id names, by default the current one."""
        stage, version_id = chosen_version(options)
        if not secret_id:
            raise Error(1401, "the name is empty. Give the secret's name or ARN.")
        version = {"VersionId": version_id} if version_id else {"VersionStage": stage or "AWSCURRENT"}
        return self._client.call("GetSecretValue", {"SecretId": secret_id, **version}, _secret, _reason)


def _secret(answer: Mapping[str, Any]) -> StoredSecret:
    return StoredSecret(text=_text(answer), arn=answer["ARN"], version_id=answer.get("VersionId", ""))


def _text(answer: Mapping[str, Any]) -> str:
    if answer.get("SecretString") is not None:
        return str(answer["SecretString"])
    try:
        # Someone stored a text file as bytes.
        return bytes(answer.get("SecretBinary") or b"").decode()
    except UnicodeDecodeError:
        raise Error(1402, "it is binary and not UTF-8 text. Store a JSON object or a connection URL in it.") from None


def _reason(code: str, text: str) -> Message | None:
    """Say what an error of GetSecretValue means; its text is read only to tell cases apart."""
    if code == "ResourceNotFoundException":
        if "value for" in text:
            return Message(1403, "it has no such version. Check version_stage or version_id")
        return Message(
            1404, "there is no secret with this name, or not in this version. Check the name, region and account"
        )
    if code == "AccessDeniedException":
        return denied(text, "secretsmanager:GetSecretValue")
    if code == "DecryptionFailure":
        return Message(
            1405, "AWS cannot decrypt it. Check that its KMS key is enabled and that the identity has kms:Decrypt"
        )
    if code == "InvalidRequestException" and "delet" in text:
        return Message(1406, "it is marked for deletion. Restore it, or name another")
    if code in ("InvalidParameterException", "InvalidRequestException", "ValidationException"):
        return Message(1407, "AWS rejects the request. Check the secret's name, version_stage and version_id")
    return None
