# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""assume_role_arn: the role is taken with the identity that there is, and the secret is asked for with the role's keys.

moto takes any key for any role, so an HTTP server of our own shows which keys come.
"""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._secret.rds import rds_token
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import Texts, resolve
from ansible_collections.dbops.migrations.plugins.module_utils._secret.store import open_store
from faulty_endpoint import FaultyEndpoint

if TYPE_CHECKING:
    from conftest import RunModule
    from parts.secretsmanager import SecretsManager

ROLE = "arn:aws:iam::123456789012:role/shop"
NO_ROLE = (
    "the identity may not assume the role. Check assume_role_arn or the profile, the role's trust policy with its "
    "external_id, and that the identity is allowed sts:AssumeRole"
)


@pytest.fixture
def sts(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyEndpoint]:
    """The service that gives a role's keys."""
    with FaultyEndpoint() as endpoint:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", endpoint.url)
        yield endpoint


def password(options: dict[str, Any]) -> str:
    store = open_store(options.get("store", "aws_secrets_manager"), options)
    return resolve(store, "prod/shop", options).credentials.password


def failure(options: dict[str, Any]) -> str:
    with pytest.raises(Error) as caught:
        password(options)
    assert "canary" not in str(caught.value)
    return str(caught.value)


def asked(request: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of a request to STS."""
    return {name: values[0] for name, values in parse_qs(request["body"]).items()}


def signer(request: dict[str, Any]) -> tuple[str, str, str | None]:
    """Return by whose key a request is signed, for which service, and its session token."""
    credential = re.search(r"Credential=(\w[\w-]*)/\d+/eu-central-1/(\w+)/", request["headers"]["Authorization"])
    assert credential
    return credential[1], credential[2], request["headers"].get("X-Amz-Security-Token")


@pytest.mark.parametrize("store", ["aws_secrets_manager", "aws_parameter_store"])
@pytest.mark.parametrize("external_id", [None, "", "shop-4711"])
def test_the_role_is_taken_and_used(
    faulty: FaultyEndpoint, sts: FaultyEndpoint, store: str, external_id: str | None
) -> None:
    sts.role("SHOP")
    text = '{"password": "pa55"}'
    (faulty.secret if store == "aws_secrets_manager" else faulty.parameter)(text)
    options = faulty.options(store=store, assume_role_arn=ROLE, external_id=external_id)
    assert password(options) == "pa55"

    [request] = sts.requests
    expected = {"Action": "AssumeRole", "RoleArn": ROLE, "RoleSessionName": "dbops-migrations", "Version": "2011-06-15"}
    assert asked(request) == {**expected, **({"ExternalId": external_id} if external_id else {})}
    assert signer(request) == ("AKIAEXAMPLE", "sts", "canary-token")
    [request] = faulty.requests
    service = "secretsmanager" if store == "aws_secrets_manager" else "ssm"
    assert signer(request) == ("ASIASHOP", service, "canary-token-SHOP")


def test_no_role_asks_no_sts(faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
    faulty.secret('{"password": "pa55"}')
    assert password(faulty.options(assume_role_arn="", external_id="")) == "pa55"
    assert sts.requests == []


def test_several_secrets_take_the_role_once(faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
    sts.role("SHOP")
    faulty.secret("pa55")
    texts = Texts(faulty.options(assume_role_arn=ROLE))
    address = {"store": "aws_secrets_manager", "version_stage": None, "version_id": None, "field": None}
    assert texts.read({"id": "one", **address}) == texts.read({"id": "two", **address}) == "pa55"
    assert len(sts.requests) == 1
    assert [json.loads(request["body"])["SecretId"] for request in faulty.requests] == ["one", "two"]


class TestWhoTakesIt:
    """Whatever identity boto3 finds."""

    def options(self, faulty: FaultyEndpoint, sts: FaultyEndpoint, **more: str) -> dict[str, Any]:
        sts.role("SHOP")
        faulty.secret('{"password": "pa55"}')
        nothing = dict.fromkeys(("access_key", "secret_key", "session_token"), "")
        options: dict[str, Any] = faulty.options(**nothing, assume_role_arn=ROLE, **more)
        return options

    def taker(self, options: dict[str, Any], faulty: FaultyEndpoint, sts: FaultyEndpoint) -> tuple[str, str | None]:
        assert password(options) == "pa55"
        assert signer(faulty.requests[-1])[0] == "ASIASHOP"
        name, service, token = signer(sts.requests[-1])
        assert service == "sts"
        return name, token

    def test_a_profile(self, faulty: FaultyEndpoint, sts: FaultyEndpoint, no_aws_settings: Path) -> None:
        (no_aws_settings / ".aws" / "credentials").write_text(
            "[deploy]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = canary\n"
        )
        options = self.options(faulty, sts, profile="deploy")
        assert self.taker(options, faulty, sts) == ("AKIAPROFILE", None)

    def test_the_environment(
        self, faulty: FaultyEndpoint, sts: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
        assert self.taker(self.options(faulty, sts), faulty, sts) == ("AKIAENVIRONMENT", None)

    def test_an_instance_role(
        self,
        faulty: FaultyEndpoint,
        sts: FaultyEndpoint,
        secrets_manager: SecretsManager,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        # moto plays the metadata service of an instance.
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "false")
        monkeypatch.setenv("AWS_EC2_METADATA_SERVICE_ENDPOINT", secrets_manager.endpoint_url)
        assert self.taker(self.options(faulty, sts), faulty, sts) == ("test-key", "test-session-token")

    def test_a_role_of_the_profile(self, faulty: FaultyEndpoint, sts: FaultyEndpoint, no_aws_settings: Path) -> None:
        (no_aws_settings / ".aws" / "config").write_text(
            "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = canary\n"
            "[profile deploy]\nsource_profile = base\nrole_arn = arn:aws:iam::123456789012:role/first\n"
        )
        sts.role("FIRST")
        options = self.options(faulty, sts, profile="deploy")
        assert self.taker(options, faulty, sts) == ("ASIAFIRST", "canary-token-FIRST")
        assert [asked(request)["RoleArn"].rpartition("/")[2] for request in sts.requests] == ["first", "shop"]

    def test_nobody(self, faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
        assert failure(self.options(faulty, sts)) == (
            "Secret prod/shop: there are no AWS credentials. Give access_key and secret_key or profile, or give the "
            "host an instance role, the AWS_ environment variables or ~/.aws. (NoCredentialsError from AssumeRole, "
            f"region eu-central-1, assume_role_arn {ROLE}, endpoint_url {sts.url})"
        )


def test_with_moto(run_module: RunModule, secrets_manager: SecretsManager) -> None:
    secrets_manager.put("role/shop", '{"password": "pa55"}')
    server = secrets_manager
    keys = {"access_key": server.access_key, "secret_key": server.secret_key}
    options = {"secret_id": "role/shop", "region": server.region, **keys, "endpoint_url": server.endpoint_url}
    role = {"assume_role_arn": ROLE, "external_id": "shop-4711"}
    result = run_module("secret_lookup", {**options, **role}, env={"AWS_ENDPOINT_URL_STS": server.endpoint_url})
    assert result["credentials"]["password"] == "pa55"


class TestTrouble:
    """It is said about the role, not about the secret."""

    @pytest.mark.parametrize(
        ("code", "status", "reason"),
        [
            ("AccessDenied", 403, NO_ROLE),
            ("ValidationError", 400, "AWS rejects the role. Check assume_role_arn and external_id"),
            ("ExpiredToken", 403, "the credentials have expired. Get new ones"),
            (
                "Throttling",
                400,
                "AWS still throttles the request after repeating it. Wait a little, or run fewer hosts at once",
            ),
            ("InternalFailure", 500, "AWS still fails after repeating the request. Try again later"),
        ],
    )
    def test_what_sts_answers(
        self, faulty: FaultyEndpoint, sts: FaultyEndpoint, code: str, status: int, reason: str
    ) -> None:
        sts.sts_error(code, status)
        assert failure(faulty.options(assume_role_arn=ROLE)) == (
            f"Secret prod/shop: {reason}. "
            f"({code} from AssumeRole, region eu-central-1, assume_role_arn {ROLE}, endpoint_url {sts.url})"
        )
        assert len(sts.requests) == (3 if "still" in reason else 1)
        assert faulty.requests == []

    def test_throttled_twice_then_served(self, faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
        sts.sts_error("Throttling")
        sts.sts_error("Throttling")
        sts.role("SHOP")
        faulty.secret('{"password": "pa55"}')
        assert password(faulty.options(assume_role_arn=ROLE)) == "pa55"
        assert len(sts.requests) == 3

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"canary",
            b"<html>canary</html>",
            b"<R><AssumeRoleResult><Credentials><SecretAccessKey>canary</SecretAccessKey></Credentials>"
            b"</AssumeRoleResult></R>",
        ],
    )
    def test_an_answer_that_is_not_one_of_aws(self, faulty: FaultyEndpoint, sts: FaultyEndpoint, body: bytes) -> None:
        sts.raw(200, body)
        assert re.fullmatch(
            r"Secret prod/shop: the answer is not from AWS\. Check endpoint_url and proxies\. \(\w+ from AssumeRole, "
            rf"region eu-central-1, assume_role_arn {ROLE}, endpoint_url {sts.url}\)",
            failure(faulty.options(assume_role_arn=ROLE)),
        )

    def test_nothing_listens(self, faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        with socket.socket() as unused:
            unused.bind(("127.0.0.1", 0))
            url = f"http://127.0.0.1:{unused.getsockname()[1]}"
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", url)
            assert failure(faulty.options(assume_role_arn=ROLE)) == (
                "Secret prod/shop: cannot connect to the endpoint. Check region, endpoint_url, DNS and firewalls. "
                f"(EndpointConnectionError from AssumeRole, region eu-central-1, assume_role_arn {ROLE}, endpoint_url "
                f"{url})"
            )

    @pytest.mark.parametrize("more", [{"assume_role_arn": "shop"}, {"assume_role_arn": ROLE, "external_id": "x"}])
    def test_texts_that_are_invalid(self, faulty: FaultyEndpoint, sts: FaultyEndpoint, more: dict[str, str]) -> None:
        assert failure(faulty.options(**more)) == (
            "Secret prod/shop: a parameter is not valid. Check the secret's name and version, assume_role_arn and "
            f"external_id. (ParamValidationError from AssumeRole, region eu-central-1, "
            f"assume_role_arn {more['assume_role_arn']}, endpoint_url {sts.url})"
        )
        assert sts.requests == []

    def test_the_role_may_not_read_it(self, faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
        sts.role("SHOP")
        who = "arn:aws:sts::123456789012:assumed-role/shop/dbops-migrations"
        faulty.error("AccessDeniedException", f"User: {who} is not authorized to perform: canary")
        assert failure(faulty.options(assume_role_arn=ROLE)) == (
            f"Secret prod/shop: access is denied. Allow {who} secretsmanager:GetSecretValue on it, and kms:Decrypt on "
            "its key if that is a key of your own. (AccessDeniedException from GetSecretValue, region eu-central-1, "
            f"assume_role_arn {ROLE}, endpoint_url {faulty.url})"
        )


class TestTokens:
    """login_auth iam: the role's keys sign the token."""

    def test_with_a_role(self, faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
        sts.role("SHOP")
        options = faulty.options(assume_role_arn=ROLE, external_id="shop-4711", endpoint_url=None)
        token = rds_token(options, "db.example.com", 3306, "iam")
        query = {name: values[0] for name, values in parse_qs(urlsplit(f"//{token}").query).items()}
        assert re.fullmatch(r"ASIASHOP/\d+/eu-central-1/rds-db/aws4_request", query["X-Amz-Credential"])
        assert query["X-Amz-Security-Token"] == "canary-token-SHOP"
        assert query["DBUser"] == "iam"
        [request] = sts.requests
        assert asked(request)["ExternalId"] == "shop-4711"

    def test_denied(self, faulty: FaultyEndpoint, sts: FaultyEndpoint) -> None:
        sts.sts_error("AccessDenied", 403)
        with pytest.raises(Error) as caught:
            rds_token(faulty.options(assume_role_arn=ROLE, endpoint_url=None), "db.example.com", 3306, "iam")
        assert str(caught.value) == (
            f"The token for login_auth iam: {NO_ROLE}. (AccessDenied from AssumeRole, region eu-central-1, "
            f"assume_role_arn {ROLE}, endpoint_url {sts.url})"
        )
