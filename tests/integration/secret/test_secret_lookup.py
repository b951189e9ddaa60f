# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module secret_lookup with a Secrets Manager that answers over HTTP."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunModule
    from parts.secretsmanager import SecretsManager

RDS = {
    "engine": "mysql",
    "host": "db.example.com",
    "port": 3307,
    "dbname": "shop_db",
    "username": "shop",
    "password": "pa55",
    "dbInstanceIdentifier": "instance-1",
}
FULL = {"host": "db.example.com", "port": 3307, "user": "shop", "password": "pa55", "database": "shop_db"}


@pytest.fixture
def name() -> str:
    """The name of a secret that is not there yet."""
    return f"prod/shop-{uuid.uuid4().hex[:8]}"


def options(server: SecretsManager, name: str, **more: Any) -> dict[str, Any]:
    where = {"region": server.region, "endpoint_url": server.endpoint_url}
    return {"secret_id": name, **where, "access_key": server.access_key, "secret_key": server.secret_key, **more}


SHAPES = {
    "old": {
        "hostname": "db.example.com",
        "port": "3307",
        "database": "shop_db",
        "username": "shop",
        "password": "pa55",
    },
    "rds": RDS,
    "url": "mysql://shop:pa55@db.example.com:3307/shop_db",
    "golang-migrate": "mysql://shop:pa55@tcp(db.example.com:3307)/shop_db?x-migrations-table=m",
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_of_a_secret_gives_credentials(
    run_module: RunModule, secrets_manager: SecretsManager, name: str, shape: str
) -> None:
    secret = SHAPES[shape]
    arn = secrets_manager.put(name, secret if isinstance(secret, str) else json.dumps(secret))
    result = run_module("secret_lookup", options(secrets_manager, name), check=shape == "rds")
    assert result["credentials"] == FULL
    assert result["arn"] == arn
    assert (
        result["version_id"] == secrets_manager.client.describe_secret(SecretId=name)["VersionIdsToStages"].popitem()[0]
    )
    assert result["changed"] is False


def test_fields_and_what_is_lacking(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put(name, '{"db_pw": "pa55"}')
    result = run_module("secret_lookup", options(secrets_manager, name, fields={"password": "db_pw"}))
    assert result["credentials"] == {"host": None, "port": None, "user": None, "password": "pa55", "database": None}


def test_a_secret_by_its_arn(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    arn = secrets_manager.put(name, json.dumps(RDS))
    assert run_module("secret_lookup", options(secrets_manager, arn))["credentials"] == FULL


def test_a_secret_is_read_by_its_version_or_stage(
    run_module: RunModule, secrets_manager: SecretsManager, name: str
) -> None:
    secrets_manager.put(name, json.dumps(RDS))
    first = run_module("secret_lookup", options(secrets_manager, name))
    secrets_manager.put(name, json.dumps({**RDS, "password": "new"}))

    current = run_module("secret_lookup", options(secrets_manager, name, version_stage="", version_id=""))
    assert current["credentials"]["password"] == "new"
    assert current["version_id"] != first["version_id"]

    previous = run_module("secret_lookup", options(secrets_manager, name, version_stage="AWSPREVIOUS"))
    by_id = run_module("secret_lookup", options(secrets_manager, name, version_id=first["version_id"]))
    for result in (previous, by_id):
        assert result["version_id"] == first["version_id"]
        assert result["credentials"] == first["credentials"] == FULL


def test_a_binary_secret_that_is_text(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put_binary(name, json.dumps({**RDS, "password": "pä55"}, ensure_ascii=False).encode())
    assert run_module("secret_lookup", options(secrets_manager, name))["credentials"] == {**FULL, "password": "pä55"}


def test_a_large_secret_of_64_kib(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secret = json.dumps({**RDS, "padding": ""})
    secrets_manager.put(name, json.dumps({**RDS, "padding": "x" * (65536 - len(secret))}))
    assert run_module("secret_lookup", options(secrets_manager, name))["credentials"] == FULL


def test_what_is_not_given_comes_from_the_environment(
    run_module: RunModule, secrets_manager: SecretsManager, name: str
) -> None:
    secrets_manager.put(name, json.dumps(RDS))
    environment = {
        "AWS_DEFAULT_REGION": secrets_manager.region,
        "AWS_ACCESS_KEY_ID": secrets_manager.access_key,
        "AWS_SECRET_ACCESS_KEY": secrets_manager.secret_key,
        "AWS_ENDPOINT_URL": secrets_manager.endpoint_url,
    }
    # A role hands on an empty text for what is not set.
    empty = {"region": "", "access_key": "", "secret_key": "", "session_token": None, "profile": "", "endpoint_url": ""}
    assert run_module("secret_lookup", {"secret_id": name, **empty}, env=environment)["credentials"] == FULL


def test_a_profile_gives_region_endpoint_and_keys(
    run_module: RunModule, secrets_manager: SecretsManager, name: str, no_aws_settings: Path
) -> None:
    secrets_manager.put(name, json.dumps(RDS))
    (no_aws_settings / ".aws" / "config").write_text(
        f"[profile deploy]\nregion = {secrets_manager.region}\nendpoint_url = {secrets_manager.endpoint_url}\n"
        f"aws_access_key_id = {secrets_manager.access_key}\naws_secret_access_key = {secrets_manager.secret_key}\n"
    )
    assert run_module("secret_lookup", {"secret_id": name, "profile": "deploy"})["credentials"] == FULL


def test_an_instance_role(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    # moto plays the metadata service of an instance as well.
    secrets_manager.put(name, json.dumps(RDS))
    environment = {
        "AWS_EC2_METADATA_DISABLED": "false",
        "AWS_EC2_METADATA_SERVICE_ENDPOINT": secrets_manager.endpoint_url,
    }
    where = {"region": secrets_manager.region, "endpoint_url": secrets_manager.endpoint_url}
    assert run_module("secret_lookup", {"secret_id": name, **where}, env=environment)["credentials"] == FULL


def failure(run_module: RunModule, arguments: dict[str, Any]) -> str:
    result = run_module("secret_lookup", arguments)
    assert {name for name in result if not name.startswith("_ansible_")} == {"failed", "msg"}
    message: str = result["msg"]
    return message


def place(server: SecretsManager, code: str) -> str:
    return f"({code} from GetSecretValue, region {server.region}, endpoint_url {server.endpoint_url})"


def test_no_such_secret(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    assert failure(run_module, options(secrets_manager, name)) == (
        f"Secret {name}: there is no secret with this name, or not in this version. Check the name, region and "
        f"account. {place(secrets_manager, 'ResourceNotFoundException')} (DBM-1404)"
    )


def test_no_such_version(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put(name, json.dumps(RDS))
    version_id = str(uuid.uuid4())
    assert failure(run_module, options(secrets_manager, name, version_id=version_id)) == (
        f"Secret {name}: it has no such version. Check version_stage or version_id. "
        f"{place(secrets_manager, 'ResourceNotFoundException')} (DBM-1403)"
    )
    # moto says about a stage what AWS says about a secret that is not there.
    assert failure(run_module, options(secrets_manager, name, version_stage="AWSPENDING")).startswith(
        f"Secret {name}: there is no secret with this name, or not in this version. "
    )


def test_marked_for_deletion(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put(name, json.dumps(RDS))
    secrets_manager.client.delete_secret(SecretId=name, RecoveryWindowInDays=7)
    assert failure(run_module, options(secrets_manager, name)) == (
        f"Secret {name}: it is marked for deletion. Restore it, or name another. "
        f"{place(secrets_manager, 'InvalidRequestException')} (DBM-1406)"
    )


def test_a_text_that_is_not_credentials(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put(name, "just-a-pa55word")
    assert failure(run_module, options(secrets_manager, name)).startswith(
        f"Secret {name}: it is neither JSON nor a connection URL. "
    )


def test_a_secret_that_lacks_the_password(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put(name, json.dumps({"db_pw": "pa55", "host": "h"}))
    assert failure(run_module, options(secrets_manager, name)) == (
        f"Secret {name}: it has no password. Its keys are: db_pw, host. "
        "Store the password under password, or name its key: fields: {password: KEY}. (DBM-1482)"
    )


def test_a_binary_secret_that_is_not_text(run_module: RunModule, secrets_manager: SecretsManager, name: str) -> None:
    secrets_manager.put_binary(name, b"\xff\x00\xfe")
    assert failure(run_module, options(secrets_manager, name)) == (
        f"Secret {name}: it is binary and not UTF-8 text. Store a JSON object or a connection URL in it. (DBM-1402)"
    )
