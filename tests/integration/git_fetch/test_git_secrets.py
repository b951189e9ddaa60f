# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Keys, passphrases and tokens that git_fetch reads itself, from where a secret is kept."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import uuid
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from integration.git_fetch.support import NAMES, Fetch, HttpGit
from integration.secret.faulty_endpoint import FaultyEndpoint
from parts.http_stand_in import HttpStandIn, respond
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, Repository, fingerprint

PASSPHRASE = "canary 'sesame' $HOME"


@pytest.fixture(autouse=True)
def no_aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the caller's AWS settings away."""
    for name in list(os.environ):
        if name.startswith("AWS_") or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def file(tmp_path: Path) -> Callable[[str], dict[str, Any]]:
    """Keep a text in a file, and return its address."""

    def keep(text: str) -> dict[str, Any]:
        path = tmp_path / f"secret-{uuid.uuid4().hex[:8]}"
        path.write_text(text)
        path.chmod(0o600)
        return {"id": str(path), "store": "file"}

    return keep


@pytest.fixture
def aws(secrets_manager: SecretsManager) -> dict[str, Any]:
    """The options that lead to the Secrets Manager."""
    return {name: getattr(secrets_manager, name) for name in ("region", "endpoint_url", "access_key", "secret_key")}


@pytest.fixture
def locked(git_server: GitServer, tmp_path: Path) -> Path:
    """The deploy key, protected by the passphrase."""
    key = tmp_path / "locked"
    key.write_text(git_server.private_key)
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", key], check=True, capture_output=True)
    return key


@pytest.fixture
def no_programs(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system where no program may be run."""
    folder = tmp_path / "noexec"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "noexec,mode=700", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root can mount such a file system, and not on every machine")
    try:
        (folder / "script").write_text("#!/bin/sh\n")
        (folder / "script").chmod(0o755)
        with pytest.raises(PermissionError):
            subprocess.run([folder / "script"], check=True)
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


class TestWhereNoProgramMayBeRun:
    """``remote_tmp`` is on such a file system."""

    def test_a_passphrase(self, fetch: Fetch, ssh: dict[str, Any], locked: Path, no_programs: Path) -> None:
        options = {**ssh, "private_key": locked.read_text(), "private_key_passphrase": PASSPHRASE}
        result = fetch(**options, _ansible_tmpdir=str(no_programs))
        assert hidden(result, PASSPHRASE)["files"] == NAMES

    def test_a_token(self, fetch: Fetch, http_git: HttpGit, repository: Repository, no_programs: Path) -> None:
        repo = f"{http_git.url}/{repository.path.name}"
        result = fetch(repo=repo, username=http_git.user, token=http_git.token, _ansible_tmpdir=str(no_programs))
        assert hidden(result, http_git.token)["files"] == NAMES

    def test_fingerprints(self, fetch: Fetch, ssh: dict[str, Any], git_server: GitServer, no_programs: Path) -> None:
        listed = [fingerprint(git_server.host_keys["ed25519"])]
        options = {**ssh, "known_hosts": None, "known_hosts_fingerprints": listed}
        assert fetch(**options, _ansible_tmpdir=str(no_programs))["files"] == NAMES


def hidden(result: dict[str, Any], *secrets: str) -> dict[str, Any]:
    """Check that none of the secrets is in a result, and return it."""
    for secret in secrets:
        for line in secret.splitlines():
            if not line.startswith("-----"):
                assert line not in str(result)
    return result


class TestKeys:
    @pytest.mark.parametrize(
        ("store", "field"),
        [
            ("aws_secrets_manager", None),
            ("aws_secrets_manager", "deploy"),
            ("aws_parameter_store", None),
            ("file", None),
            ("file", "deploy"),
        ],
    )
    def test_from_every_store(
        self,
        fetch: Fetch,
        ssh: dict[str, Any],
        secrets_manager: SecretsManager,
        aws: dict[str, Any],
        file: Callable[[str], dict[str, Any]],
        store: str,
        field: str | None,
    ) -> None:
        key, name = ssh["private_key"], f"/deploy/{uuid.uuid4().hex}"
        text = json.dumps({"deploy": key, "other": 1}) if field else key
        if store == "file":
            address, options = file(text), {}
        else:
            put = secrets_manager.put if store == "aws_secrets_manager" else secrets_manager.put_parameter
            put(name, text)
            address, options = {"id": name, "store": store}, aws
        secret = {**address, **({"field": field} if field else {})}
        result = fetch(**{**ssh, "private_key": None}, **options, private_key_secret=secret, check=field is not None)
        assert hidden(result, key)["files"] == NAMES

    def test_a_version(
        self, fetch: Fetch, ssh: dict[str, Any], secrets_manager: SecretsManager, aws: dict[str, Any]
    ) -> None:
        name = f"deploy/{uuid.uuid4().hex}"
        secrets_manager.put(name, ssh["private_key"])
        secrets_manager.put(name, "the new one")
        options = {**ssh, **aws, "private_key": None}
        newest = fetch(**options, private_key_secret={"id": name})
        assert newest["msg"].startswith("private_key is not a private key")
        secret = {"id": name, "version_stage": "AWSPREVIOUS"}
        assert fetch(**options, private_key_secret=secret)["files"] == NAMES

    def test_key_and_passphrase_of_one_secret_are_one_request(
        self, fetch: Fetch, ssh: dict[str, Any], locked: Path
    ) -> None:
        with FaultyEndpoint() as endpoint:
            endpoint.secret(json.dumps({"key": locked.read_text(), "phrase": PASSPHRASE}))
            aws = endpoint.options()
            name = aws.pop("secret_id")
            result = fetch(
                **{**ssh, **aws, "private_key": None},
                private_key_secret={"id": name, "field": "key"},
                private_key_passphrase_secret={"id": name, "field": "phrase"},
            )
            assert hidden(result, PASSPHRASE, locked.read_text())["files"] == NAMES
            assert len(endpoint.requests) == 1

    def test_a_passphrase_for_a_key_in_a_file(
        self, fetch: Fetch, ssh: dict[str, Any], locked: Path, file: Callable[[str], dict[str, Any]]
    ) -> None:
        # A file ends with a line ending, which is not the passphrase's.
        options = {**ssh, "private_key": None, "private_key_file": str(locked)}
        result = fetch(**options, private_key_passphrase_secret=file(f"{PASSPHRASE}\n"))
        assert hidden(result, PASSPHRASE)["files"] == NAMES

    def test_a_wrong_passphrase(
        self, fetch: Fetch, ssh: dict[str, Any], locked: Path, file: Callable[[str], dict[str, Any]]
    ) -> None:
        options = {**ssh, "private_key": locked.read_text()}
        result = fetch(**options, private_key_passphrase_secret=file("canary barley"))
        assert result["msg"] == "private_key_passphrase does not open the private key. (DBM-1337)"
        alone = fetch(**{**ssh, "private_key": None}, private_key_passphrase_secret=file("canary barley"))
        assert alone["msg"] == (
            "private_key_passphrase needs the key that it protects: give private_key, private_key_file or "
            "private_key_secret. (DBM-1317)"
        )
        assert "canary" not in str((result, alone))


class TestTokens:
    def test_a_token(
        self,
        fetch: Fetch,
        http_git: HttpGit,
        repository: Repository,
        secrets_manager: SecretsManager,
        aws: dict[str, Any],
        file: Callable[[str], dict[str, Any]],
        tmp_path: Path,
    ) -> None:
        name = f"token/{uuid.uuid4().hex}"
        secrets_manager.put(name, json.dumps({"read": http_git.token}))
        repo = f"{http_git.url}/{repository.path.name}"
        ways: list[dict[str, Any]] = [
            {"token_secret": file(f"{http_git.token}\n")},
            {"token_secret": {"id": name, "field": "read"}, **aws},
        ]
        for number, options in enumerate(ways):
            result = fetch(repo=repo, username=http_git.user, **options, dest=f"{tmp_path}/{number}")
            assert hidden(result, http_git.token)["files"] == NAMES

    def test_a_wrong_one(
        self, fetch: Fetch, http_git: HttpGit, repository: Repository, file: Callable[[str], dict[str, Any]]
    ) -> None:
        result = fetch(repo=f"{http_git.url}/{repository.path.name}", token_secret=file("canary"))
        assert "the server does not accept username and token" in result["msg"]
        assert "canary" not in str(result)


class TestWhatDoesNotGo:
    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ("private_key", "private_key_secret"),
            ("private_key_file", "private_key_secret"),
            ("private_key_passphrase", "private_key_passphrase_secret"),
            ("token", "token_secret"),
        ],
    )
    def test_two_at_once(self, fetch: Fetch, dest: Path, first: str, second: str) -> None:
        options: dict[str, Any] = {first: "/canary", second: {"id": "/nowhere", "store": "file"}}
        result = fetch(**options)
        assert result["msg"].startswith("parameters are mutually exclusive: ")
        assert second in result["msg"]
        assert not dest.exists()

    @pytest.mark.parametrize("field", ["c", None])
    def test_a_field_that_is_invalid(
        self, fetch: Fetch, dest: Path, file: Callable[[str], dict[str, Any]], field: str | None
    ) -> None:
        address = file('{"a": "canary", "b": "canary"}')
        result = fetch(token_secret={**address, **({"field": field} if field else {})})
        reason = (
            "it has no key c. Its keys are: a, b. (DBM-1472)"
            if field
            else "it is a JSON object, whose keys are: a, b. Name the one to use: field: KEY. (DBM-1471)"
        )
        assert result["msg"] == f"Secret {address['id']}: {reason}"
        assert "canary" not in str(result)
        assert not dest.exists()

    @pytest.mark.parametrize("check", [False, True])
    def test_a_secret_that_is_not_there(
        self, fetch: Fetch, dest: Path, tmp_path: Path, aws: dict[str, Any], check: bool
    ) -> None:
        """Nothing is touched, and nobody falls back on the account's own key."""
        result = fetch(private_key_secret={"id": f"{tmp_path}/x", "store": "file"}, check=check)
        assert result["msg"] == (
            f"Secret {tmp_path}/x: the file cannot be read: No such file or directory. "
            "Check the path, its mode and the account that runs this. (DBM-1416)"
        )
        missing = fetch(private_key_secret={"id": "missing"}, **aws, check=check)
        assert missing["msg"].startswith("Secret missing: there is no secret with this name, ")
        assert not dest.exists()

    def test_an_address_without_an_id(self, fetch: Fetch) -> None:
        assert "missing required arguments: id" in fetch(token_secret={"field": "x"})["msg"]
        assert "value of store must be one of" in fetch(token_secret={"id": "x", "store": "vault"})["msg"]


class TestServersThatRepeatIt:
    """git shows what a server answers as plain text."""

    @pytest.fixture
    def parrot(self) -> Iterator[str]:
        """A Git server that asks for credentials and repeats them, in every form that one may think of."""

        class Parrot(HttpStandIn):
            def answer(self, request: BaseHTTPRequestHandler) -> None:
                given = request.headers.get("Authorization", "")
                if not given:
                    respond(request, 401, WWW_Authenticate='Basic realm="git"')
                    return
                token = base64.b64decode(given.removeprefix("Basic ")).decode().partition(":")[2]
                beginning = "x" * int(request.path.split("/")[1])
                text = f"no {beginning} {token} and {quote(token, safe='')} and {given} and \x1b[2J"
                respond(request, 404, text.encode(), Content_Type="text/plain; charset=utf-8")

        with Parrot() as parrot:
            yield parrot.url

    @pytest.mark.parametrize("length", [1, 270])
    @pytest.mark.parametrize("token", ["canary/t0ken+and=more", "cänary tökens"])
    def test_they_are_masked(
        self, fetch: Fetch, parrot: str, file: Callable[[str], dict[str, Any]], token: str, length: int
    ) -> None:
        results = [
            fetch(repo=f"{parrot}/{length}/x.git", **option)
            for option in ({"token": token}, {"token_secret": file(token)})
        ]
        assert results[0]["msg"] == results[1]["msg"]
        message = results[0]["msg"]
        assert message.startswith(
            f"There is no repository {parrot}/{length}/x.git, or these credentials may not see it"
        )
        if length == 1:
            assert "(remote: no x ******** and ******** and Basic ******** and ?[2J)" in message
        authorization = base64.b64encode(f"x-access-token:{token}".encode()).decode()
        for piece in (token[:6], "c?nary", quote(token)[:6], authorization[:12]):
            assert piece not in str(results)
