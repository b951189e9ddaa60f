# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A client of an AWS service. Private to the collection.

The one place that knows botocore, of which boto3 is made; the rest of boto3 would only take time here. No text of an
exception or of an answer goes into a message: a signature error, for instance, repeats the session token. A message
holds our words and AWS's error code.
"""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, Optional, TypeVar

from .._core.dependency import Dependency
from .._core.errors import Error, Message
from .arguments import AWS
from .aws_reasons import NOT_AWS, library_reason, service_reason

with Dependency("boto3") as BOTO3:
    import botocore.session
    from botocore import xform_name
    from botocore.config import Config
    from botocore.exceptions import BotoCoreError, ClientError

T = TypeVar("T")
OwnReason = Callable[[str, str], Optional[Message]]

# One request takes 3 + 4 seconds at most. Three of them with the pauses in between bridge a moment of throttling,
# and are given up within 15 seconds when nothing answers.
CONNECT_TIMEOUT = 3
READ_TIMEOUT = 4
ATTEMPTS = 3
# What AWS's log calls whoever acts in a role.
_SESSION_NAME = "dbops-migrations"


class AwsClient:
    """A service, reached as the options of the spec AWS say; what they leave open is boto3's to find."""

    def __init__(self, service: str, options: Mapping[str, Any]) -> None:
        """Check the library and the options; no request to AWS is made yet."""
        BOTO3.check()
        self._service = service
        self._given: dict[str, str] = {name: options[name] for name in AWS.argument_spec if options.get(name)}
        _check(self._given)

    def call(
        self,
        operation: str,
        parameters: Mapping[str, Any],
        take: Callable[[Any], T],
        own_reason: OwnReason = lambda code, text: None,
    ) -> T:
        """Call an operation of the service and return what is wanted of its answer.

        :param operation: its name in the API, for instance ``GetSecretValue``.
        :param take: takes the answer, returns what is wanted; raises KeyError for one that is not AWS's.
        :param own_reason: takes an error's code and text, returns what the caller has to say about it.
        """
        try:
            client = self._client
        except Error:
            raise
        except Exception as error:
            raise self._error(library_reason(error), type(error).__name__, operation) from None
        return self._ask(client, operation, parameters, take, own_reason)

    def login_token(self, host: str, port: int, user: str) -> str:
        """Return what a user of an Amazon RDS server logs in with, for 15 minutes.

        It is signed here. AWS is asked for no more than credentials, where the host has none of its own.
        """
        return self.call("GenerateDBAuthToken", {"DBHostname": host, "Port": port, "DBUsername": user}, str)

    def _ask(
        self,
        client: Any,
        operation: str,
        parameters: Mapping[str, Any],
        take: Callable[[Any], T],
        own_reason: OwnReason = lambda code, text: None,
    ) -> T:
        try:
            return take(getattr(client, xform_name(operation))(**parameters))
        except Error:
            raise
        except ClientError as error:
            # For a profile that names a role, botocore calls an operation of another service first.
            own = error.operation_name == operation
            code, text = (str(error.response.get("Error", {}).get(key, "")) for key in ("Code", "Message"))
            status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            reason = (own_reason(code, text) if own else None) or service_reason(code, status, error.operation_name)
            raise self._error(reason, code, error.operation_name, client) from None
        except (BotoCoreError, OSError) as error:
            raise self._error(library_reason(error), type(error).__name__, operation, client) from None
        except KeyError:
            raise self._error(NOT_AWS, "IncompleteAnswer", operation, client) from None
        except Exception as error:
            # botocore lets through whatever its parsers stumble over when something else than AWS answers.
            raise self._error(NOT_AWS, type(error).__name__, operation, client) from None

    @cached_property
    def _client(self) -> Any:
        session = botocore.session.Session()
        loader = session.get_component("data_loader")
        # botocore would look into the folders of its 400 services for each client, which takes a tenth of a run.
        loader.list_available_services = lambda _type: _names_in(loader.search_paths)
        # As the session's default it also binds the requests with which botocore gets itself credentials.
        session.set_default_client_config(
            Config(
                connect_timeout=CONNECT_TIMEOUT,
                read_timeout=READ_TIMEOUT,
                retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
            )
        )
        given = self._given
        if "ca_bundle" in given:
            # As the session's setting it holds for those requests, too, as AWS_CA_BUNDLE does.
            session.set_config_variable("ca_bundle", given["ca_bundle"])
        if "profile" in given:
            session.set_config_variable("profile", given["profile"])
        if "region" in given:
            session.set_config_variable("region", given["region"])
        if "access_key" in given:
            session.set_credentials(given["access_key"], given["secret_key"], given.get("session_token"))
        if "assume_role_arn" in given:
            session.set_credentials(*self._role_keys(session))
        return session.create_client(self._service, endpoint_url=given.get("endpoint_url"))

    def _role_keys(self, session: Any) -> tuple[str, str, str]:
        role = {"RoleArn": self._given["assume_role_arn"], "RoleSessionName": _SESSION_NAME}
        if "external_id" in self._given:
            role["ExternalId"] = self._given["external_id"]
        return self._ask(session.create_client("sts"), "AssumeRole", role, _keys)

    def _error(self, reason: Message, code: str, operation: str, client: Any = None) -> Error:
        """Return an error that names what is known of where it came from.

        :param client: the one that was asked; None if it is the making of one that failed.
        """
        known = {name: self._given.get(name) for name in ("profile", "region", "assume_role_arn", "endpoint_url")}
        if client:
            meta = client.meta
            known.update(region=meta.region_name, endpoint_url=re.sub("//.*@", "//", meta.endpoint_url))
            if code == "EndpointConnectionError" and not _is_known(meta.service_model.service_name, meta.region_name):
                reason = reason._replace(text=f"{reason.text}. boto3 knows no region {meta.region_name}")
        shown = code if re.fullmatch(r"[\w.:-]{1,64}", code) else "an error without a code"
        where = "".join(f", {name} {value}" for name, value in known.items() if value)
        return Error(reason.number, f"{reason.text}. ({shown} from {operation}{where})")


def _names_in(folders: Sequence[str]) -> list[str]:
    return [name for folder in folders if os.path.isdir(folder) for name in os.listdir(folder)]


def _keys(answer: Mapping[str, Any]) -> tuple[str, str, str]:
    keys = answer["Credentials"]
    return keys["AccessKeyId"], keys["SecretAccessKey"], keys["SessionToken"]


def _check(given: Mapping[str, str]) -> None:
    if ("access_key" in given) != ("secret_key" in given):
        raise Error(1421, "access_key and secret_key go together, and only one of them is set.")
    if "session_token" in given and "access_key" not in given:
        raise Error(1422, "session_token belongs to access_key and secret_key, and these are not set.")
    if "profile" in given and "access_key" in given:
        raise Error(1423, "profile and access_key are mutually exclusive. Leave one of them out.")
    if "external_id" in given and "assume_role_arn" not in given:
        raise Error(1424, "external_id belongs to assume_role_arn, which is not set.")
    if "ca_bundle" in given:
        _check_ca_bundle(given["ca_bundle"])
    for name in ("access_key", "secret_key", "session_token"):
        if not re.fullmatch("[!-~]*", given.get(name, "")):
            raise Error(1425, f"{name} contains a space, a line break or another character that no AWS key has.")
    if not re.fullmatch(r"(https?://[^\s/?#@]+(/[^\s?#@]*)?)?", given.get("endpoint_url", "")):
        raise Error(1426, "endpoint_url is not a URL of the form https://HOST or https://HOST:PORT.")


def _check_ca_bundle(path: str) -> None:
    """Raise Error for what would else be said about AWS's certificate."""
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise Error(1427, f"ca_bundle {path} holds no certificate in PEM format, or a broken one.") from None
    except OSError as error:
        raise Error(1428, f"Cannot read ca_bundle {path}: {error.strerror}. Check the path and its mode.") from None


def _is_known(service: str, region: str) -> bool:
    session = botocore.session.Session()
    return any(
        region in session.get_available_regions(service, partition) for partition in session.get_available_partitions()
    )
