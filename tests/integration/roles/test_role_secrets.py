# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role with everything secret left where it is: the modules get addresses, and read for themselves."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from integration.git_fetch.support import HttpGit
from integration.roles.support import Team, changed, failure
from integration.secret.faulty_endpoint import FaultyEndpoint, certify
from parts.sshd import GitServer

if TYPE_CHECKING:
    from conftest import RunPlaybook

MIGRATE = "dbops.migrations.migrate"
ROLE = "arn:aws:iam::123456789012:role/shop"
PASSPHRASE = "canary-sesame"


@pytest.fixture
def authority(tmp_path: Path) -> tuple[Path, Path]:
    """A CA of one's own, and a certificate of its."""
    return certify(tmp_path, "own")


@pytest.fixture
def sts(authority: tuple[Path, Path]) -> Iterator[FaultyEndpoint]:
    """The service that gives a role's keys, with a certificate of that CA."""
    with FaultyEndpoint(authority[1]) as endpoint:
        endpoint.role("SHOP")
        yield endpoint


@pytest.fixture
def secrets(authority: tuple[Path, Path]) -> Iterator[FaultyEndpoint]:
    """A Parameter Store with a certificate of that CA."""
    with FaultyEndpoint(authority[1]) as endpoint:
        yield endpoint


def account(team: Team) -> dict[str, Any]:
    server = team.mariadb
    where = {"host": server.host, "port": server.port, "dbname": team.databases["orders"]}
    return {**where, "username": server.user, "password": server.password}


def test_everything_in_the_parameter_store_of_another_account(
    team: Team,
    playbook: RunPlaybook,
    git_server: GitServer,
    sts: FaultyEndpoint,
    secrets: FaultyEndpoint,
    authority: tuple[Path, Path],
    tmp_path: Path,
) -> None:
    key = tmp_path / "key"
    key.write_text(git_server.private_key)
    key.chmod(0o600)
    subprocess.run(["ssh-keygen", "-q", "-p", "-P", "", "-N", PASSPHRASE, "-f", key], check=True, capture_output=True)
    secrets.parameter(json.dumps({**account(team), "key": key.read_text(), "phrase": PASSPHRASE}))
    where = {"id": "prod/shop", "store": "aws_parameter_store"}
    inventory = team.inventory(
        migrate_private_key=None,
        migrate_private_key_secret={**where, "field": "key"},
        migrate_private_key_passphrase_secret={**where, "field": "phrase"},
        migrate_secret_store="aws_parameter_store",
        migrate_aws_assume_role_arn=ROLE,
        migrate_aws_external_id="shop-4711",
        migrate_aws_endpoint_url=secrets.url,
        migrate_aws_ca_bundle=str(authority[0]),
    )
    environment = {"AWS_ENDPOINT_URL_STS": sts.url, "HOME": str(tmp_path)}
    run = playbook(MIGRATE, inventory, "--limit", "orders", "-vvv", env=environment)
    assert changed(run) == {"orders": 2}
    assert team.version("orders") == (2, 0)

    # A module takes the role once, and reads each secret once, whatever it needs of it.
    asked = [{name: values[0] for name, values in parse_qs(request["body"]).items()} for request in sts.requests]
    assert [(one["RoleArn"], one["ExternalId"]) for one in asked] == [(ROLE, "shop-4711")] * 2
    names = [json.loads(request["body"])["Name"] for request in secrets.requests]
    assert names == ["prod/shop", f"{team.databases['orders']}/secret"]
    assert all("Credential=ASIASHOP/" in request["headers"]["Authorization"] for request in secrets.requests)
    output = run.stdout + run.stderr
    for secret in ("canary", team.mariadb.password, *key.read_text().splitlines()[2:-2]):
        assert secret not in output


def test_files_and_no_aws(team: Team, playbook: RunPlaybook, git_server: GitServer, tmp_path: Path) -> None:
    """What a service manager puts on the runner; the token goes to a server for HTTP."""
    with HttpGit(git_server.folder / "repositories") as server:
        for name, text in (("token", server.token), ("orders", json.dumps(account(team)))):
            (tmp_path / name).write_text(text)
            (tmp_path / name).chmod(0o600)
        none = dict.fromkeys((name for name in team.variables if name.startswith("migrate_aws_")), None)
        inventory = team.inventory(
            **none,
            migrate_private_key=None,
            migrate_known_hosts=None,
            migrate_repository=f"{server.url}/{team.repository.path.name}",
            migrate_git_username=server.user,
            migrate_git_token_secret={"id": f"{tmp_path}/token", "store": "file"},
            migrate_secret_store="file",
        )
        hosts = inventory["all"]["children"]["databases"]["hosts"]
        hosts["orders"]["migrate_secret_id"] = f"{tmp_path}/orders"
        # The file of the other one is not there, which is its own affair.
        hosts["stock"]["migrate_secret_id"] = f"{tmp_path}/stock"
        environment = {name: "" for name in os.environ if name.startswith("AWS_")}
        run = playbook(MIGRATE, inventory, env={**environment, "AWS_EC2_METADATA_DISABLED": "true"})
        assert failure(run, "stock") == (
            f"Secret {tmp_path}/stock: the file cannot be read: No such file or directory. "
            "Check the path, its mode and the account that runs this. (DBM-1416)"
        )
        assert team.version("orders") == (2, 0)
        assert team.version("stock") is None
        assert server.token not in run.stdout + run.stderr
        assert team.mariadb.password not in run.stdout + run.stderr
