# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The stores of secrets beside AWS Secrets Manager, and that every shape of a secret may be in any of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import Resolved, resolve
from ansible_collections.dbops.migrations.plugins.module_utils._secret.store import open_store
from faulty_endpoint import FaultyEndpoint

if TYPE_CHECKING:
    from conftest import RunModule, RunPlaybook
    from parts.secretsmanager import SecretsManager

OLD = {"hostname": "db.example.com", "port": "3307", "database": "shop_db", "username": "shop", "password": "pa55"}
OWN = {"server": "db.example.com", "p": 3307, "schema": "shop_db", "account": "shop", "pw": "pa55"}
OWN_FIELDS = {"host": "server", "port": "p", "database": "schema", "user": "account", "password": "pw"}
SHAPES: dict[str, tuple[Any, dict[str, str]]] = {
    "old": (OLD, {}),
    "rds": (
        {
            **{"engine": "mysql", "host": "db.example.com", "port": 3307, "dbname": "shop_db"},
            **{"username": "shop", "password": "pa55", "dbInstanceIdentifier": "instance-1"},
        },
        {},
    ),
    "url": ("mysql://shop:pa55@db.example.com:3307/shop_db", {}),
    "golang-migrate": ("mysql://shop:pa55@tcp(db.example.com:3307)/shop_db?x-migrations-table=m\n", {}),
    "own keys": (OWN, OWN_FIELDS),
}
FULL = {"host": "db.example.com", "port": 3307, "user": "shop", "password": "pa55", "database": "shop_db"}

# Stores a text and returns what secret_lookup needs to read it.
Put = Callable[[str], dict[str, Any]]


@pytest.fixture
def name() -> str:
    """The name of a parameter that is not there yet."""
    return f"/prod/shop-{uuid.uuid4().hex[:8]}"


def where(server: SecretsManager) -> dict[str, str]:
    names = ("region", "endpoint_url", "access_key", "secret_key")
    return {name: getattr(server, name) for name in names}


def parameter(server: SecretsManager, name: str, **more: Any) -> dict[str, Any]:
    return {"secret_id": name, "store": "aws_parameter_store", **where(server), **more}


def write(path: Path, content: bytes | str) -> dict[str, Any]:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(0o640)
    return {"secret_id": str(path), "store": "file"}


@pytest.fixture(params=["aws_secrets_manager", "aws_parameter_store", "file"])
def put(request: pytest.FixtureRequest, name: str, tmp_path: Path) -> Put:
    """A store."""
    if request.param == "file":
        return lambda text: write(tmp_path / "secret", text)
    server: SecretsManager = request.getfixturevalue("secrets_manager")

    def put(text: str) -> dict[str, Any]:
        keep = server.put if request.param == "aws_secrets_manager" else server.put_parameter
        keep(name, text)
        return {"secret_id": name, "store": request.param, **where(server)}

    return put


def read(options: dict[str, Any]) -> Resolved:
    """Read in this process, which is quicker than a module."""
    return resolve(open_store(options["store"], options), options["secret_id"], options)


def failure(options: dict[str, Any]) -> str:
    with pytest.raises(Error) as caught:
        read(options)
    assert "canary" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_in_every_store(run_module: RunModule, put: Put, shape: str) -> None:
    secret, fields = SHAPES[shape]
    options = {**put(secret if isinstance(secret, str) else json.dumps(secret)), "fields": fields}
    if shape != "rds":
        assert vars(read(options).credentials) == FULL
        return
    result = run_module("secret_lookup", options, check=True)
    assert result["credentials"] == FULL
    assert result["changed"] is False


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("canary", "it is neither JSON nor a connection URL. Store a JSON object with the keys host, port, "),
        ('{"canary": 1', "its JSON is broken at line 1, column 13. Look for a comma "),
        ('["canary"]', "it is JSON, but not an object. "),
        ('{"pw": "canary"}', "it has no password. Its keys are: pw. "),
        (" \n", "it is empty. Store a JSON object or a connection URL in it."),
    ],
)
def test_what_is_not_credentials_in_any_store(put: Put, text: str, message: str) -> None:
    options = put(text)
    assert failure(options).startswith(f"Secret {options['secret_id']}: {message}")


class TestParameters:
    @pytest.mark.parametrize("kind", ["SecureString", "String", "StringList"])
    def test_every_type(self, run_module: RunModule, secrets_manager: SecretsManager, name: str, kind: str) -> None:
        # A SecureString comes decrypted: else moto gives it with its key before it.
        arn = secrets_manager.put_parameter(name, json.dumps(OLD), kind)
        result = run_module("secret_lookup", parameter(secrets_manager, name))
        assert (result["credentials"], result["arn"], result["version_id"]) == (FULL, arn, "1")
        assert result["changed"] is False
        assert vars(read(parameter(secrets_manager, arn)).credentials) == FULL

    def test_versions(self, secrets_manager: SecretsManager, name: str) -> None:
        for password in ("first", "second", "third"):
            arn = secrets_manager.put_parameter(name, json.dumps({**OLD, "password": password}))
        secrets_manager.parameters.label_parameter_version(Name=name, ParameterVersion=2, Labels=["blue"])
        for id_ in (name, arn):
            for choice, version in (
                ({}, "3"),
                ({"version_id": "", "version_stage": ""}, "3"),
                ({"version_id": "1"}, "1"),
                ({"version_stage": "blue"}, "2"),
            ):
                found = read(parameter(secrets_manager, id_, **choice))
                assert found.version_id == version
                assert found.credentials.password == ["first", "second", "third"][int(version) - 1]
                assert found.arn == arn

    def test_what_is_not_there(self, run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
        place = f"from GetParameter, region {secrets_manager.region}, endpoint_url {secrets_manager.endpoint_url})"
        missing = run_module("secret_lookup", parameter(secrets_manager, name))
        assert missing["msg"] == (
            f"Secret {name}: there is no parameter with this name, or not with this label. Check the name, "
            f"version_stage, region and account. (ParameterNotFound {place} (DBM-1409)"
        )
        secrets_manager.put_parameter(name, json.dumps(OLD))
        assert failure(parameter(secrets_manager, name, version_id="2")) == (
            f"Secret {name}: it has no such version. Check version_stage (a label) or version_id (a number). "
            f"(ParameterVersionNotFound {place}"
        )

    @pytest.mark.parametrize(
        ("code", "text", "status", "reason"),
        [
            (
                "AccessDeniedException",
                "User: arn:aws:sts::123456789012:assumed-role/runner/i-0abc is not authorized to perform: "
                "ssm:GetParameter on resource: canary",
                400,
                "access is denied. Allow arn:aws:sts::123456789012:assumed-role/runner/i-0abc ssm:GetParameter on it, "
                "and kms:Decrypt on its key if that is a key of your own",
            ),
            (
                "InvalidKeyId",
                "canary",
                400,
                "AWS cannot decrypt it. Check that its KMS key is enabled and that the identity has kms:Decrypt",
            ),
            (
                "ParameterVersionNotFound",
                "canary",
                400,
                "it has no such version. Check version_stage (a label) or version_id (a number)",
            ),
            (
                "ValidationException",
                "canary",
                400,
                "AWS rejects the request. Check the parameter's name, version_stage and version_id",
            ),
            ("InternalServerError", "canary", 500, "AWS still fails after repeating the request. Try again later"),
            (
                "ThrottlingException",
                "canary",
                400,
                "AWS still throttles the request after repeating it. Wait a little, or run fewer hosts at once",
            ),
        ],
    )
    def test_what_aws_answers(self, faulty: FaultyEndpoint, code: str, text: str, status: int, reason: str) -> None:
        faulty.error(code, text, status)
        assert failure(faulty.options(store="aws_parameter_store")) == (
            f"Secret prod/shop: {reason}. ({code} from GetParameter, region eu-central-1, endpoint_url {faulty.url})"
        )
        assert len(faulty.requests) == (3 if "still" in reason else 1)

    def test_trouble_then_served(self, faulty: FaultyEndpoint) -> None:
        faulty.error("ThrottlingException")
        faulty.raw(500, b"canary")
        faulty.parameter(json.dumps(OLD))
        assert vars(read(faulty.options(store="aws_parameter_store", version_id="7")).credentials) == FULL
        assert [json.loads(request["body"]) for request in faulty.requests] == [
            {"Name": "prod/shop:7", "WithDecryption": True}
        ] * 3

    @pytest.mark.parametrize("body", [b"", b"{}", b'{"Parameter": {}}', b'{"Parameter": null}', b"<html>canary</html>"])
    def test_an_answer_that_is_not_one_of_aws(self, faulty: FaultyEndpoint, body: bytes) -> None:
        faulty.raw(200, body)
        assert failure(faulty.options(store="aws_parameter_store")) == (
            "Secret prod/shop: the answer is not from AWS. Check endpoint_url and proxies. (IncompleteAnswer from "
            f"GetParameter, region eu-central-1, endpoint_url {faulty.url})"
        )

    def test_options(self, faulty: FaultyEndpoint) -> None:
        options = faulty.options(store="aws_parameter_store")
        assert failure({**options, "secret_id": ""}) == (
            "Secret : the name is empty. Give the parameter's name or ARN."
        )
        assert failure({**options, "version_id": "1", "version_stage": "blue"}) == (
            "Secret prod/shop: version_stage and version_id are mutually exclusive. Leave one of them out."
        )


class TestFiles:
    def test_through_the_module(self, run_module: RunModule, tmp_path: Path) -> None:
        options = write(tmp_path / "secret", json.dumps(OLD) + "\n")
        result = run_module("secret_lookup", options)
        assert result["credentials"] == FULL
        assert result["arn"] == str(tmp_path / "secret")
        assert result["version_id"] == ""
        (tmp_path / "secret").chmod(0o644)
        refused = run_module("secret_lookup", options)
        assert {key for key in refused if not key.startswith("_ansible")} == {"failed", "msg"}
        assert "everyone may read or change the file" in refused["msg"]

    def test_without_boto3(self, run_module: RunModule, tmp_path: Path) -> None:
        bare = tmp_path / "bare"
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
        options, python = write(tmp_path / "secret", json.dumps(OLD)), bare / "bin" / "python"
        assert run_module("secret_lookup", options, python=python)["credentials"] == FULL
        other = run_module("secret_lookup", {"secret_id": "x", "store": "aws_parameter_store"}, python=python)
        assert "The Python library boto3 is missing" in other["msg"]

    @pytest.mark.parametrize("mode", [0o400, 0o440, 0o600, 0o640, 0o660])
    def test_modes_that_are_private(self, tmp_path: Path, mode: int) -> None:
        options = write(tmp_path / "secret", json.dumps(OLD))
        (tmp_path / "secret").chmod(mode)
        assert vars(read(options).credentials) == FULL

    @pytest.mark.parametrize("mode", [0o604, 0o602, 0o601, 0o666])
    def test_modes_that_are_not(self, tmp_path: Path, mode: int) -> None:
        options = write(tmp_path / "secret", json.dumps({"password": "canary"}))
        (tmp_path / "secret").chmod(mode)
        assert failure(options) == (
            f"Secret {tmp_path}/secret: everyone may read or change the file. Do: chmod o= {tmp_path}/secret"
        )

    def test_a_link(self, tmp_path: Path) -> None:
        # systemd and Kubernetes put links there; what counts is the file.
        options = write(tmp_path / "secret", json.dumps(OLD))
        (tmp_path / "link").symlink_to("secret")
        assert vars(read({**options, "secret_id": str(tmp_path / "link")}).credentials) == FULL

    def test_the_largest(self, tmp_path: Path) -> None:
        padding = 65536 - len(json.dumps({**OLD, "padding": ""}))
        largest = write(tmp_path / "secret", json.dumps({**OLD, "padding": "x" * padding}))
        assert vars(read(largest).credentials) == FULL
        options = write(tmp_path / "secret", json.dumps({**OLD, "padding": "x" * (padding + 1)}))
        assert failure(options) == (
            f"Secret {tmp_path}/secret: the file is larger than 65536 bytes. Is it the right one?"
        )

    def test_content_that_is_invalid(self, tmp_path: Path) -> None:
        assert failure(write(tmp_path / "secret", b"\xffcanary")) == (
            f"Secret {tmp_path}/secret: the file is not UTF-8 text. Store a JSON object or a connection URL in it."
        )
        assert failure(write(tmp_path / "secret", b"")) == (
            f"Secret {tmp_path}/secret: it is empty. Store a JSON object or a connection URL in it."
        )

    @pytest.mark.parametrize("choice", [{"version_stage": "AWSCURRENT"}, {"version_id": "1"}])
    def test_a_version(self, tmp_path: Path, choice: dict[str, str]) -> None:
        options = write(tmp_path / "secret", json.dumps(OLD))
        assert failure({**options, **choice}) == (
            f"Secret {tmp_path}/secret: a file has no versions. Leave version_stage and version_id out."
        )
        assert vars(read({**options, **dict.fromkeys(choice, "")}).credentials) == FULL

    @pytest.mark.parametrize("path", ["", "secret", "~/secret", "./secret", "prod/shop", "/x\0y"])
    def test_a_path_that_is_invalid(self, path: str) -> None:
        assert failure({"secret_id": path, "store": "file"}) == (
            f"Secret {path}: it is not the path of a file: give an absolute one."
        )

    def test_what_cannot_be_read(self, tmp_path: Path) -> None:
        def message(path: object) -> str:
            return failure({"secret_id": str(path), "store": "file"})

        hint = "Check the path, its mode and the account that runs this."
        missing = tmp_path / "missing"
        assert message(missing) == (f"Secret {missing}: the file cannot be read: No such file or directory. {hint}")
        (tmp_path / "dangling").symlink_to("nowhere")
        assert "No such file or directory" in message(tmp_path / "dangling")
        (tmp_path / "loop").symlink_to("loop")
        assert "Too many levels of symbolic links" in message(tmp_path / "loop")
        assert "File name too long" in message(tmp_path / ("x" * 300))
        assert message(tmp_path) == f"Secret {tmp_path}: the file cannot be read: Is a directory. {hint}"
        os.mkfifo(tmp_path / "pipe", 0o600)
        assert message(tmp_path / "pipe") == f"Secret {tmp_path}/pipe: it is not a regular file."
        assert message("/dev/zero") == "Secret /dev/zero: it is not a regular file."

    def test_a_file_of_another_account(self, tmp_path: Path) -> None:
        options = write(tmp_path / "secret", json.dumps({"password": "canary"}))
        (tmp_path / "secret").chmod(0o000)
        account = os.geteuid()
        if account == 0:
            # root may read every file.
            os.seteuid(65534)
        try:
            message = failure(options)
        finally:
            os.seteuid(account)
        assert message == (
            f"Secret {tmp_path}/secret: the file cannot be read: Permission denied. "
            "Check the path, its mode and the account that runs this."
        )


PLAYBOOK = """
- name: Lookups
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Compare
      ansible.builtin.assert:
        that:
          - parameter.credentials == expected
          - parameter.version_id == '1'
          - file.credentials == expected
          - file.version_id == ''
        quiet: true

    - name: A file that others may read
      ansible.builtin.debug:
        msg: "{{ lookup('dbops.migrations.secret', open_path, store='file') }}"
      ignore_errors: true

    - name: No such label
      ansible.builtin.debug:
        msg: "{{ lookup('dbops.migrations.secret', name, store='aws_parameter_store', version_stage='x', **where) }}"
      ignore_errors: true
  vars:
    parameter: "{{ lookup('dbops.migrations.secret', name, store='aws_parameter_store', **where) }}"
    file: "{{ lookup('dbops.migrations.secret', path, store='file') }}"
"""


def test_the_lookup_reads_from_every_store(
    playbook: RunPlaybook, secrets_manager: SecretsManager, name: str, tmp_path: Path
) -> None:
    secrets_manager.put_parameter(name, json.dumps(OLD))
    path = write(tmp_path / "secret", json.dumps(OLD))["secret_id"]
    write(tmp_path / "open", json.dumps({"password": "canary"}))
    (tmp_path / "open").chmod(0o644)
    (tmp_path / "lookup.yml").write_text(PLAYBOOK)
    variables = {"name": name, "path": path, "open_path": f"{tmp_path}/open", "expected": FULL}
    inventory = {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}}
    run = playbook(tmp_path / "lookup.yml", inventory, extra_vars={**variables, "where": where(secrets_manager)})
    assert run.rc == 0, run.stdout
    message = run.result("localhost", "A file that others may read")["msg"]
    assert (
        f"Secret {tmp_path}/open: everyone may read or change the file. Do: chmod o= {tmp_path}/open (DBM-1417)"
        in message
    )
    assert f"Secret {name}: there is no parameter with this name" in run.result("localhost", "No such label")["msg"]
    assert "canary" not in run.stdout + run.stderr
