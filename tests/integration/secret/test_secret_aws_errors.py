# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong with AWS: one message each, which holds no key and no text of AWS's.

moto knows no denial, throttling or failure, so an HTTP server of our own gives AWS's answers here.
"""

from __future__ import annotations

import json
import random
import re
import socket
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from socketserver import BaseRequestHandler, ThreadingTCPServer
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._secret.aws_secrets_manager import AwsSecretsManager
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import Resolved, resolve
from faulty_endpoint import FaultyEndpoint

if TYPE_CHECKING:
    from conftest import RunModule

KEYS = {"access_key": "AKIAEXAMPLE", "secret_key": "canary-secret-key"}
REFUSED = (
    "AWS does not accept the credentials. Check access_key, secret_key and session_token, "
    "or the credentials that the host itself has"
)
OWN = "the host's own credentials cannot be used. Check the profile, role or sign-on behind them"
THROTTLED = "AWS still throttles the request after repeating it. Wait a little, or run fewer hosts at once"
FAILED = "AWS still fails after repeating the request. Try again later"
NOT_VALID = "AWS rejects the request. Check the secret's name, version_stage and version_id"


def read(options: dict[str, Any]) -> Resolved:
    return resolve(AwsSecretsManager(options), options.get("secret_id", "prod/shop"), options)


def failure(options: dict[str, Any]) -> str:
    with pytest.raises(Error) as caught:
        read(options)
    assert "canary" not in str(caught.value)
    return str(caught.value)


ANSWERS = {
    "denied": (
        "AccessDeniedException",
        "User: arn:aws:sts::123456789012:assumed-role/runner/i-0abc is not authorized to perform: "
        "secretsmanager:GetSecretValue on resource: canary",
        400,
        "access is denied. Allow arn:aws:sts::123456789012:assumed-role/runner/i-0abc secretsmanager:GetSecretValue "
        "on it, and kms:Decrypt on its key if that is a key of your own",
    ),
    "key denied": (
        "AccessDeniedException",
        "Access to KMS is not allowed",
        400,
        "access is denied. Allow the identity secretsmanager:GetSecretValue on it, "
        "and kms:Decrypt on its key if that is a key of your own",
    ),
    "key disabled": (
        "DecryptionFailure",
        "canary",
        400,
        "AWS cannot decrypt it. Check that its KMS key is enabled and that the identity has kms:Decrypt",
    ),
    "wrong key id": (
        "UnrecognizedClientException",
        "The security token included in the request is invalid. canary",
        400,
        f"{REFUSED}; a region that is not enabled for the account refuses them, too",
    ),
    "wrong key": (
        "InvalidSignatureException",
        "The Canonical String for this request should have been x-amz-security-token:canary-token",
        400,
        f"{REFUSED}; check the host's clock, too",
    ),
    "expired": ("ExpiredTokenException", "canary", 400, "the credentials have expired. Get new ones"),
    "an old request": (
        "RequestExpired",
        "canary",
        400,
        "the request was too old when it arrived. Check the host's clock",
    ),
    "no version at a stage": (
        "ResourceNotFoundException",
        "Secrets Manager can't find the specified secret value for staging label: canary",
        400,
        "it has no such version. Check version_stage or version_id",
    ),
    "deleted": (
        "InvalidRequestException",
        "You can't perform this operation on the secret because it was marked for deletion.",
        400,
        "it is marked for deletion. Restore it, or name another",
    ),
    "an invalid name": ("ValidationException", "canary", 400, NOT_VALID),
    "an invalid parameter": ("InvalidParameterException", "canary", 400, NOT_VALID),
    "a code that nobody knows": ("NewException", "canary", 400, "AWS refuses the request"),
    "throttled": ("ThrottlingException", "canary", 400, THROTTLED),
    "throttled by status": ("Whatever", "canary", 429, THROTTLED),
    "a failure": ("InternalServiceError", "canary", 500, FAILED),
    "a service that is not there": ("Whatever", "canary", 503, FAILED),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_what_aws_answers(faulty: FaultyEndpoint, case: str) -> None:
    code, text, status, reason = ANSWERS[case]
    faulty.error(code, text, status)
    assert failure(faulty.options()) == (
        f"Secret prod/shop: {reason}. ({code} from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )
    assert len(faulty.requests) == (3 if reason in (THROTTLED, FAILED) else 1)


def test_throttled_twice_then_served(faulty: FaultyEndpoint) -> None:
    faulty.error("ThrottlingException")
    faulty.error("ThrottlingException")
    faulty.secret('{"password": "pa55"}')
    # boto3 draws its pauses: up to one second, then up to two.
    random.seed(403)
    drawn = [random.random(), 2 * random.random()]
    random.seed(403)
    assert read(faulty.options()).credentials.password == "pa55"
    first, second, third = (request["time"] for request in faulty.requests)
    assert [second - first, third - second] == pytest.approx(drawn, abs=0.2)


def test_the_hosts_settings_do_not_change_how_often(faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    monkeypatch.setenv("AWS_RETRY_MODE", "legacy")
    faulty.raw(500, b"canary")
    assert FAILED in failure(faulty.options())
    assert len(faulty.requests) == 3


def test_a_failure_then_served(faulty: FaultyEndpoint) -> None:
    faulty.raw(500, b"<html>canary</html>")
    faulty.secret('{"password": "pa55"}')
    assert read(faulty.options()).credentials.password == "pa55"


def test_one_request_is_what_it_takes(faulty: FaultyEndpoint) -> None:
    faulty.secret('{"password": "pa55"}')
    read(faulty.options())
    assert [json.loads(request["body"]) for request in faulty.requests] == [
        {"SecretId": "prod/shop", "VersionStage": "AWSCURRENT"},
    ]


def test_a_session_token_of_the_environment_is_not_combined_with_given_keys(
    faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SESSION_TOKEN", "from-the-environment")
    faulty.secret('{"password": "pa55"}')
    read(faulty.options(session_token=None))
    read(faulty.options(session_token="given"))
    assert [request["headers"].get("X-Amz-Security-Token") for request in faulty.requests] == [None, "given"]


def test_an_error_page_of_something_else(faulty: FaultyEndpoint) -> None:
    faulty.raw(404, b"<html>canary</html>")
    assert failure(faulty.options()) == (
        f"Secret prod/shop: AWS refuses the request. "
        f"(404 from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


def test_an_error_code_that_is_invalid(faulty: FaultyEndpoint) -> None:
    faulty.error("a canary in the code", "")
    assert failure(faulty.options()).endswith(
        f"(an error without a code from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


@pytest.mark.parametrize("status", [200, 400])
@pytest.mark.parametrize(
    "body",
    [b"[]", b'"canary"', b"null", b"\xff", b"[" * 100_000, b'{"__type": 5, "ARN": "x", "CreatedDate": "canary"}'],
)
def test_an_answer_that_is_not_one_of_aws(faulty: FaultyEndpoint, status: int, body: bytes) -> None:
    faulty.raw(status, body)
    assert re.fullmatch(
        r"Secret prod/shop: the answer is not from AWS\. Check endpoint_url and proxies\. "
        rf"\(\w+ from GetSecretValue, region eu-central-1, endpoint_url {re.escape(faulty.url)}\)",
        failure(faulty.options()),
    )


@pytest.mark.parametrize("body", [b"", b"{}", b"<html>canary</html>"])
def test_a_page_of_something_else(faulty: FaultyEndpoint, body: bytes) -> None:
    faulty.raw(200, body)
    assert failure(faulty.options()) == (
        "Secret prod/shop: the answer is not from AWS. Check endpoint_url and proxies. (IncompleteAnswer from "
        f"GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


def test_a_secret_without_a_value(faulty: FaultyEndpoint) -> None:
    faulty.raw(200, b'{"ARN": "arn:aws:x"}')
    assert failure(faulty.options()) == (
        "Secret prod/shop: it is empty. Store a JSON object or a connection URL in it."
    )


def test_no_server_at_the_endpoint() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"
        assert failure({**KEYS, "region": "eu-central-1", "endpoint_url": url}) == (
            "Secret prod/shop: cannot connect to the endpoint. Check region, endpoint_url, DNS and firewalls. "
            f"(EndpointConnectionError from GetSecretValue, region eu-central-1, endpoint_url {url})"
        )


def test_a_region_that_does_not_exist() -> None:
    # Its endpoint's name cannot be resolved, with or without a network.
    assert failure({**KEYS, "region": "eu-centrl-1"}) == (
        "Secret prod/shop: cannot connect to the endpoint. Check region, endpoint_url, DNS and firewalls. boto3 "
        "knows no region eu-centrl-1. (EndpointConnectionError from GetSecretValue, region eu-centrl-1, endpoint_url "
        "https://secretsmanager.eu-centrl-1.amazonaws.com)"
    )


@contextmanager
def silent_listener(accepts: bool) -> Iterator[str]:
    """Give the URL of a port that takes connections and says nothing, or that does not even take them."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(100 if accepts else 0)
        if not accepts:
            # The kernel drops the packets of whoever comes when the queue of an accepting program is full.
            for waiting in (stack.enter_context(socket.socket()) for _number in range(3)):
                waiting.setblocking(False)
                waiting.connect_ex(listener.getsockname())
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"


def test_silence_is_given_up_within_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    def seconds(more: dict[str, str]) -> tuple[str, float]:
        start = time.monotonic()
        message = failure({**KEYS, "region": "eu-central-1", **more})
        return message, time.monotonic() - start

    role = "arn:aws:iam::123456789012:role/shop"
    with silent_listener(True) as silent, silent_listener(False) as closed, ThreadPoolExecutor() as pool:
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", silent)
        (no_answer, answer_seconds), (no_connection, connect_seconds), (no_role, role_seconds) = pool.map(
            seconds, [{"endpoint_url": silent}, {"endpoint_url": closed}, {"assume_role_arn": role}]
        )
    assert no_answer == (
        "Secret prod/shop: the endpoint accepts connections, but does not answer. Check endpoint_url and proxies. "
        f"(ReadTimeoutError from GetSecretValue, region eu-central-1, endpoint_url {silent})"
    )
    assert no_connection == (
        "Secret prod/shop: the connection attempt timed out. Check region, endpoint_url, routes and firewalls. "
        f"(ConnectTimeoutError from GetSecretValue, region eu-central-1, endpoint_url {closed})"
    )
    assert no_role == (
        "Secret prod/shop: the endpoint accepts connections, but does not answer. Check endpoint_url and proxies. "
        f"(ReadTimeoutError from AssumeRole, region eu-central-1, assume_role_arn {role}, endpoint_url {silent})"
    )
    # Three times the time limit, and not earlier. By itself boto3 waits a minute for a single answer.
    assert 11 < answer_seconds < 50
    assert 8 < connect_seconds < 50
    assert 11 < role_seconds < 50


def test_no_tls_where_tls_is_asked_for(faulty: FaultyEndpoint) -> None:
    url = faulty.url.replace("http://", "https://")
    assert failure(faulty.options(endpoint_url=url)) == (
        "Secret prod/shop: the endpoint's TLS certificate is not trusted. Check endpoint_url, and set ca_bundle, or "
        "AWS_CA_BUNDLE on the host, if your own CA signs it. (SSLError from GetSecretValue, region eu-central-1, "
        f"endpoint_url {url})"
    )


def test_a_connection_that_is_cut() -> None:
    class Handler(BaseRequestHandler):
        def handle(self) -> None:
            self.request.recv(65536)

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server, ThreadPoolExecutor() as pool:
        pool.submit(server.serve_forever)
        url = f"http://127.0.0.1:{server.server_address[1]}"
        message = failure({**KEYS, "region": "eu-central-1", "endpoint_url": url})
        server.shutdown()
    assert message == (
        "Secret prod/shop: the connection was closed before an answer came. Check endpoint_url and proxies. "
        f"(ConnectionClosedError from GetSecretValue, region eu-central-1, endpoint_url {url})"
    )


def test_a_token_of_the_environment_that_cannot_be_sent(
    faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Python's own exception repeats the whole token.
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "canary-token\nmore")
    assert failure({"region": "eu-central-1", "endpoint_url": faulty.url}) == (
        "Secret prod/shop: the request could not be sent. Check endpoint_url, proxies, and the AWS keys on the host. "
        f"(HTTPClientError from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


def test_a_version_id_that_is_invalid(faulty: FaultyEndpoint) -> None:
    assert failure(faulty.options(version_id="canary")) == (
        "Secret prod/shop: a parameter is not valid. Check the secret's name and version, assume_role_arn and "
        "external_id. "
        f"(ParamValidationError from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


def test_another_setting_that_is_invalid(faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULTS_MODE", "canary")
    assert failure(faulty.options()) == (
        "Secret prod/shop: boto3 gives up. Check the AWS settings of the host, in its environment and ~/.aws. "
        f"(InvalidDefaultsMode from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


def test_a_proxy_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://user:canary@127.0.0.1:1")
    url = "http://secretsmanager.example.com"
    assert failure({**KEYS, "region": "eu-central-1", "endpoint_url": url}) == (
        "Secret prod/shop: the proxy cannot be reached, or refuses. Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY on "
        "the host, and the name and password in them. "
        f"(ProxyConnectionError from GetSecretValue, region eu-central-1, endpoint_url {url})"
    )


def test_no_credentials(faulty: FaultyEndpoint) -> None:
    options = faulty.options(access_key="", secret_key="", session_token="")
    assert failure(options) == (
        "Secret prod/shop: there are no AWS credentials. Give access_key and secret_key or profile, "
        "or give the host an instance role, the AWS_ environment variables or ~/.aws. "
        f"(NoCredentialsError from GetSecretValue, region eu-central-1, endpoint_url {faulty.url})"
    )


def test_no_region(faulty: FaultyEndpoint) -> None:
    assert failure(faulty.options(region=None)) == (
        "Secret prod/shop: there is no region. Set region, or AWS_DEFAULT_REGION or the profile's region on the host. "
        f"(NoRegionError from GetSecretValue, endpoint_url {faulty.url})"
    )


def test_a_region_that_is_invalid() -> None:
    assert failure({**KEYS, "region": "Frankfurt am Main"}) == (
        "Secret prod/shop: the region is not valid. Write it like eu-central-1. (InvalidRegionError from "
        "GetSecretValue, region Frankfurt am Main)"
    )


def test_an_unknown_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    reason = (
        "the host has no such profile. Check profile, AWS_PROFILE and the files in ~/.aws of the user who runs this. "
        "(ProfileNotFound from GetSecretValue, "
    )
    assert failure({"profile": "nobody", "region": "eu-central-1"}) == (
        f"Secret prod/shop: {reason}profile nobody, region eu-central-1)"
    )
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert failure({**KEYS, "region": "eu-central-1"}) == f"Secret prod/shop: {reason}region eu-central-1)"


def profile(home: Path, text: str) -> dict[str, Any]:
    (home / ".aws" / "config").write_text(f"[profile deploy]\nregion = eu-central-1\n{text}\n")
    return {"profile": "deploy"}


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("aws_access_key_id = canary", "PartialCredentialsError"),
        ("role_arn = arn:aws:iam::1:role/x", "PartialCredentialsError"),
        ("role_arn = arn:aws:iam::1:role/x\nsource_profile = nobody", "InvalidConfigError"),
        ("credential_process = sh -c 'echo canary; exit 1'", "CredentialRetrievalError"),
        (
            "sso_start_url = https://x\nsso_region = eu-central-1\nsso_account_id = 1\nsso_role_name = x",
            "SSOTokenLoadError",
        ),
    ],
)
def test_credentials_of_the_host_that_do_not_work(no_aws_settings: Path, text: str, code: str) -> None:
    message = failure(profile(no_aws_settings, text))
    assert message.startswith(f"Secret prod/shop: {OWN}. ({code} from GetSecretValue, profile deploy")


def test_a_program_for_credentials_that_is_not_there(no_aws_settings: Path) -> None:
    message = failure(profile(no_aws_settings, "credential_process = /canary/not-there"))
    assert message.startswith(
        "Secret prod/shop: a file or program that the host's AWS settings name cannot be used. "
        "Check ~/.aws and AWS_CA_BUNDLE. (FileNotFoundError from GetSecretValue, "
    )


def test_a_configuration_that_cannot_be_read(no_aws_settings: Path) -> None:
    (no_aws_settings / ".aws" / "config").write_text("canary\n")
    assert failure({**KEYS, "region": "eu-central-1"}) == (
        "Secret prod/shop: the host's AWS configuration files cannot be read. "
        "Check ~/.aws/config and ~/.aws/credentials. "
        "(ConfigParseError from GetSecretValue, region eu-central-1)"
    )


def test_an_endpoint_of_the_environment_that_is_invalid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "canary")
    assert failure({**KEYS, "region": "eu-central-1"}) == (
        "Secret prod/shop: boto3 cannot use what it was given. Check endpoint_url, and AWS_ENDPOINT_URL "
        "and ~/.aws on the host. "
        "(ValueError from GetSecretValue, region eu-central-1)"
    )


def test_a_role_that_may_not_be_taken(
    faulty: FaultyEndpoint, no_aws_settings: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", faulty.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
    faulty.raw(
        403,
        b"<ErrorResponse><Error><Code>AccessDenied</Code><Message>canary</Message></Error></ErrorResponse>",
    )
    options = profile(no_aws_settings, "role_arn = arn:aws:iam::1:role/x\ncredential_source = Environment")
    assert failure(options).startswith(
        "Secret prod/shop: the identity may not assume the role. Check assume_role_arn or the profile, the role's "
        "trust policy with its external_id, and that the identity is allowed sts:AssumeRole. (AccessDenied from "
        "AssumeRole, "
    )


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"secret_id": ""}, "Secret : the name is empty. Give the secret's name or ARN."),
        (
            {"version_stage": "AWSCURRENT", "version_id": "x"},
            "Secret prod/shop: version_stage and version_id are mutually exclusive. Leave one of them out.",
        ),
        ({"access_key": "A"}, "access_key and secret_key go together, and only one of them is set."),
        ({"secret_key": "canary"}, "access_key and secret_key go together, and only one of them is set."),
        (
            {"session_token": "canary"},
            "session_token belongs to access_key and secret_key, and these are not set.",
        ),
        (
            {"access_key": "A", "secret_key": "canary", "profile": "p"},
            "profile and access_key are mutually exclusive. Leave one of them out.",
        ),
        (
            {"external_id": "canary"},
            "external_id belongs to assume_role_arn, which is not set.",
        ),
        (
            {"access_key": "A", "secret_key": "canary\n"},
            "secret_key contains a space, a line break or another character that no AWS key has.",
        ),
        (
            {"endpoint_url": "secretsmanager.example.com"},
            "endpoint_url is not a URL of the form https://HOST or https://HOST:PORT.",
        ),
        (
            {"endpoint_url": "https://user:canary@secretsmanager.example.com"},
            "endpoint_url is not a URL of the form https://HOST or https://HOST:PORT.",
        ),
    ],
)
def test_options_that_do_not_go_together(more: dict[str, Any], message: str) -> None:
    assert failure({"secret_id": "prod/shop", "region": "eu-central-1", **more}) == message


def test_nothing_of_the_keys_shows_in_a_module_that_fails(faulty: FaultyEndpoint, run_module: RunModule) -> None:
    faulty.error("InvalidSignatureException", "x-amz-security-token:canary-token")
    result = run_module("secret_lookup", faulty.options())
    assert result["failed"]
    assert "canary" not in str(result)
    assert result["msg"].startswith("Secret prod/shop: AWS does not accept the credentials. ")


def test_the_library_is_missing(run_module: RunModule, tmp_path: Path) -> None:
    # A package of the same name that cannot be imported comes before the real one.
    (tmp_path / "botocore.py").write_text("raise ImportError('No module named botocore')")
    result = run_module(
        "secret_lookup", {"secret_id": "x"}, env={"PYTHONPATH": ":".join([str(tmp_path), *filter(None, sys.path)])}
    )
    assert result["msg"].startswith("The Python library boto3 is missing for ")
    assert "-m pip install 'boto3'" in result["msg"]
