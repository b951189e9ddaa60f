# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The way to AWS: a CA of one's own, proxies, VPC endpoints."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import resolve
from ansible_collections.dbops.migrations.plugins.module_utils._secret.store import open_store
from faulty_endpoint import FaultyEndpoint, certify
from forward_proxy import ForwardProxy

if TYPE_CHECKING:
    from conftest import RunModule

ROLE = "arn:aws:iam::123456789012:role/shop"
NOT_TRUSTED = (
    "the endpoint's TLS certificate is not trusted. Check endpoint_url, and set ca_bundle, or AWS_CA_BUNDLE on the "
    "host, if your own CA signs it"
)
SECRET = '{"password": "pa55"}'


def password(options: dict[str, Any]) -> str:
    return resolve(open_store("aws_secrets_manager", options), "prod/shop", options).credentials.password


def failure(options: dict[str, Any]) -> str:
    with pytest.raises(Error) as caught:
        password(options)
    assert "canary" not in str(caught.value)
    return str(caught.value)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A CA of one's own, and a certificate of its."""
    files: tuple[Path, Path] = certify(tmp_path_factory.mktemp("authority"), "own")
    return files


@pytest.fixture
def encrypted(authority: tuple[Path, Path]) -> Iterator[FaultyEndpoint]:
    """An endpoint with a certificate of that CA."""
    with FaultyEndpoint(authority[1]) as endpoint:
        endpoint.secret(SECRET)
        yield endpoint


class TestCaBundle:
    def test_it_is_needed(
        self, encrypted: FaultyEndpoint, authority: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        place = f"(SSLError from GetSecretValue, region eu-central-1, endpoint_url {encrypted.url})"
        assert failure(encrypted.options()) == f"Secret prod/shop: {NOT_TRUSTED}. {place}"
        other, _server = certify(tmp_path, "other")
        assert failure(encrypted.options(ca_bundle=str(other))) == f"Secret prod/shop: {NOT_TRUSTED}. {place}"
        assert encrypted.requests == []

        assert password(encrypted.options(ca_bundle=str(authority[0]))) == "pa55"
        monkeypatch.setenv("AWS_CA_BUNDLE", str(authority[0]))
        assert password(encrypted.options(ca_bundle="")) == "pa55"
        # What is given counts.
        assert failure(encrypted.options(ca_bundle=str(other))) == f"Secret prod/shop: {NOT_TRUSTED}. {place}"
        monkeypatch.setenv("AWS_CA_BUNDLE", str(other))
        assert password(encrypted.options(ca_bundle=str(authority[0]))) == "pa55"

    def test_another_name(self, encrypted: FaultyEndpoint, authority: tuple[Path, Path]) -> None:
        url = encrypted.url.replace("127.0.0.1", "localhost")
        message = failure(encrypted.options(ca_bundle=str(authority[0]), endpoint_url=url))
        assert message.startswith(f"Secret prod/shop: {NOT_TRUSTED}. ")

    def test_it_holds_for_a_role(
        self,
        encrypted: FaultyEndpoint,
        authority: tuple[Path, Path],
        no_aws_settings: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        with FaultyEndpoint(authority[1]) as sts:
            sts.role("SHOP")
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            options = encrypted.options(assume_role_arn=ROLE)
            assert failure(options) == (
                f"Secret prod/shop: {NOT_TRUSTED}. (SSLError from AssumeRole, region eu-central-1, "
                f"assume_role_arn {ROLE}, endpoint_url {sts.url})"
            )
            assert password({**options, "ca_bundle": str(authority[0])}) == "pa55"
            # A profile's role is taken by boto3 itself.
            (no_aws_settings / ".aws" / "config").write_text(
                "[profile base]\naws_access_key_id = AKIABASE\naws_secret_access_key = canary\n"
                f"[profile deploy]\nsource_profile = base\nrole_arn = {ROLE}\n"
            )
            keys = dict.fromkeys(("access_key", "secret_key", "session_token"), "")
            profile = encrypted.options(**keys, profile="deploy")
            assert NOT_TRUSTED in failure(profile)
            assert password({**profile, "ca_bundle": str(authority[0])}) == "pa55"
            assert len(sts.requests) == 2

    def test_a_path_that_is_invalid(self, encrypted: FaultyEndpoint, tmp_path: Path) -> None:
        def message(path: Path) -> str:
            return failure(encrypted.options(ca_bundle=str(path)))

        assert message(tmp_path / "missing") == (
            f"Cannot read ca_bundle {tmp_path}/missing: No such file or directory. Check the path and its mode."
        )
        assert message(tmp_path) == (f"Cannot read ca_bundle {tmp_path}: Is a directory. Check the path and its mode.")
        for content in ("", "canary", "-----BEGIN CERTIFICATE-----\ncanary\n-----END CERTIFICATE-----\n"):
            (tmp_path / "nonsense").write_text(content)
            assert message(tmp_path / "nonsense") == (
                f"ca_bundle {tmp_path}/nonsense holds no certificate in PEM format, or a broken one."
            )

    def test_through_a_module(
        self, run_module: RunModule, encrypted: FaultyEndpoint, authority: tuple[Path, Path], no_aws_settings: Path
    ) -> None:
        (no_aws_settings / "ca.pem").write_text(authority[0].read_text())
        result = run_module("secret_lookup", encrypted.options(ca_bundle="~/ca.pem"))
        assert result["credentials"]["password"] == "pa55"


class TestProxies:
    """They are boto3's own business, by the environment; what they cannot do is said without their passwords."""

    NAME = "http://secretsmanager.eu-central-1.example.com"
    WHO = "proxy-user:canary-proxy"

    @pytest.fixture
    def proxy(self, faulty: FaultyEndpoint) -> Iterator[ForwardProxy]:
        faulty.secret(SECRET)
        with ForwardProxy(faulty.url) as proxy:
            yield proxy

    @pytest.fixture
    def tls_proxy(self, encrypted: FaultyEndpoint) -> Iterator[ForwardProxy]:
        with ForwardProxy(encrypted.url) as proxy:
            yield proxy

    @property
    def authorization(self) -> str:
        return "Basic " + base64.b64encode(self.WHO.encode()).decode()

    def test_plain(self, faulty: FaultyEndpoint, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"http://{self.WHO}@{proxy.address}")
        assert password(faulty.options(endpoint_url=self.NAME)) == "pa55"
        assert proxy.requests == [(f"POST {self.NAME}/", self.authorization)]
        assert "Proxy-Authorization" not in faulty.requests[0]["headers"]

    def test_connect(
        self,
        encrypted: FaultyEndpoint,
        tls_proxy: ForwardProxy,
        authority: tuple[Path, Path],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setenv("HTTPS_PROXY", f"http://{self.WHO}@{tls_proxy.address}")
        assert password(encrypted.options(ca_bundle=str(authority[0]))) == "pa55"
        assert tls_proxy.requests == [(f"CONNECT {encrypted.url.removeprefix('https://')}", self.authorization)]
        # Whoever looks into the connection in between is not trusted.
        assert NOT_TRUSTED in failure(encrypted.options())

    def test_a_role_goes_the_same_way(
        self, faulty: FaultyEndpoint, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        sts = "http://sts.eu-central-1.example.com"
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts)
        faulty._answers.clear()
        faulty.role("SHOP")
        faulty.secret(SECRET)
        assert password(faulty.options(endpoint_url=self.NAME, assume_role_arn=ROLE)) == "pa55"
        assert [line for line, _who in proxy.requests] == [f"POST {sts}/", f"POST {self.NAME}/"]

    @pytest.mark.parametrize("exception", ["127.0.0.1", "*", "example.com,127.0.0.1"])
    def test_no_proxy(
        self, faulty: FaultyEndpoint, proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, exception: str
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.address}")
        monkeypatch.setenv("NO_PROXY", exception)
        assert password(faulty.options()) == "pa55"
        assert proxy.requests == []
        if exception == "127.0.0.1":
            assert password(faulty.options(endpoint_url=self.NAME)) == "pa55"
            assert len(proxy.requests) == 1

    @pytest.mark.parametrize(
        ("status", "reason"),
        [
            (407, "the proxy asks for a name and password. Put them into HTTPS_PROXY and HTTP_PROXY on the host"),
            (403, "AWS refuses the request"),
            (502, "AWS still fails after repeating the request. Try again later"),
        ],
    )
    def test_a_plain_request_is_refused(
        self,
        faulty: FaultyEndpoint,
        proxy: ForwardProxy,
        monkeypatch: pytest.MonkeyPatch,
        status: int,
        reason: str,
    ) -> None:
        proxy.refusal = status
        monkeypatch.setenv("HTTP_PROXY", f"http://{self.WHO}@{proxy.address}")
        assert failure(faulty.options(endpoint_url=self.NAME)) == (
            f"Secret prod/shop: {reason}. ({status} from GetSecretValue, region eu-central-1, endpoint_url {self.NAME})"
        )

    @pytest.mark.parametrize("status", [407, 403, 502])
    def test_a_connection_is_refused(
        self, encrypted: FaultyEndpoint, tls_proxy: ForwardProxy, monkeypatch: pytest.MonkeyPatch, status: int
    ) -> None:
        tls_proxy.refusal = status
        monkeypatch.setenv("HTTPS_PROXY", f"http://{self.WHO}@{tls_proxy.address}")
        assert failure(encrypted.options()) == (
            "Secret prod/shop: the proxy cannot be reached, or refuses. Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY on "
            "the host, and the name and password in them. "
            f"(ProxyConnectionError from GetSecretValue, region eu-central-1, endpoint_url {encrypted.url})"
        )

    @pytest.mark.parametrize("url", ["http://proxy-user:canary proxy@127.0.0.1:1", "http://[canary", "canary://"])
    def test_an_address_that_is_invalid(
        self, faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv("HTTP_PROXY", url)
        assert failure(faulty.options()).startswith("Secret prod/shop: ")


class TestVpcEndpoints:
    def test_by_option_and_by_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        with contextlib.ExitStack() as stack:
            one, two = (stack.enter_context(FaultyEndpoint()) for _number in range(2))
            one.secret('{"password": "one"}')
            two.secret('{"password": "two"}')
            monkeypatch.setenv("AWS_ENDPOINT_URL_SECRETS_MANAGER", one.url)
            assert password(two.options(endpoint_url="")) == "one"
            assert password(two.options()) == "two"
            # It is nobody else's.
            monkeypatch.setenv("AWS_ENDPOINT_URL_SSM", two.url)
            assert password(two.options(endpoint_url="")) == "one"
            assert f"endpoint_url {one.url})" in failure({**two.options(endpoint_url=""), "version_id": "x"})

    def test_the_role_is_not_asked_for_there(self, faulty: FaultyEndpoint, monkeypatch: pytest.MonkeyPatch) -> None:
        """endpoint_url is the secret's; STS has a setting of its own, as the documentation says."""
        with FaultyEndpoint() as sts:
            sts.role("SHOP")
            monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
            faulty.secret(SECRET)
            assert password(faulty.options(assume_role_arn=ROLE)) == "pa55"
            assert (len(sts.requests), len(faulty.requests)) == (1, 1)

    def test_a_path_below_the_host(self, faulty: FaultyEndpoint) -> None:
        faulty.secret(SECRET)
        assert password(faulty.options(endpoint_url=f"{faulty.url}/aws")) == "pa55"
