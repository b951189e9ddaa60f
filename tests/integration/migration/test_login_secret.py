# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Credentials that the modules read themselves, also while they are being rotated.

A server of our own plays Secrets Manager where the answers must come in a certain order, and moto elsewhere.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from integration.migration.support import Database
from integration.secret.faulty_endpoint import FaultyEndpoint

if TYPE_CHECKING:
    from parts.secretsmanager import SecretsManager

OLD, NEW = "canary-old-pa55", "canary-new-pa55"
DENIED = (
    "The secret prod/shop was read again, in case it is being rotated. Check that it holds the account's current "
    "password, and from which hosts the account may log in."
)
LEFT_OUT: dict[str, Any] = dict.fromkeys(("login_host", "login_port", "login_user", "login_password", "login_db"))
FILE = "1_a.up.sql"


@dataclass
class Rotation:
    """A database whose account's password is new, and a secret of several versions."""

    database: Database
    endpoint: FaultyEndpoint
    user: str
    options: dict[str, Any] = field(default_factory=dict)

    def holds(self, password: str, **more: Any) -> None:
        """Have the next answer be a version with this password."""
        self.endpoint.secret(json.dumps(self.secret(password, **more)))

    def secret(self, password: str, **more: Any) -> dict[str, Any]:
        server = self.database.server
        address = {"host": server.host, "port": server.port, "dbname": self.database.name}
        return {**address, "username": self.user, "password": password, **more}

    def has_none(self) -> None:
        """Have the next answer be that there is no such version."""
        self.endpoint.error("ResourceNotFoundException", "can't find the specified secret value for staging label: x")

    def run(self, module: str = "info", **options: Any) -> dict[str, Any]:
        aws = self.endpoint.options()
        del aws["secret_id"]
        result = self.database.module(module, **{**LEFT_OUT, "login_secret": {"id": "prod/shop"}, **aws, **options})
        assert "canary" not in str(result)
        return result

    def asked(self) -> list[str]:
        """Return which versions were asked for."""
        bodies = [json.loads(request["body"]) for request in self.endpoint.requests]
        return [body.get("VersionStage") or body["VersionId"] for body in bodies]


@pytest.fixture
def endpoint() -> Iterator[FaultyEndpoint]:
    with FaultyEndpoint() as endpoint:
        yield endpoint


@pytest.fixture
def rotation(there: Database, endpoint: FaultyEndpoint) -> Iterator[Rotation]:
    user = f"shop_{uuid.uuid4().hex[:8]}"
    there.query(f"CREATE USER '{user}'@'%' IDENTIFIED BY '{NEW}'")
    there.query(f"GRANT ALL ON `{there.name}`.* TO '{user}'@'%'")
    yield Rotation(there, endpoint, user)
    there.query(f"DROP USER '{user}'@'%'")


@pytest.mark.parametrize("module", ["apply", "info", "force", "drop"])
def test_all_of_it_comes_from_the_secret(here: Database, secrets_manager: SecretsManager, module: str) -> None:
    server = here.server
    address = {"hostname": server.host, "port": str(server.port), "database": here.name}
    secret = {**address, "username": server.user, "db_pw": server.password}
    secrets_manager.put(here.name, json.dumps(secret))
    aws = {
        "region": secrets_manager.region,
        "endpoint_url": secrets_manager.endpoint_url,
        "access_key": secrets_manager.access_key,
        "secret_key": secrets_manager.secret_key,
    }
    own: dict[str, Any] = {"drop": {"confirm_database": here.name}, "force": {"version": "3"}}.get(module, {})
    where = {"id": here.name, "fields": {"password": "db_pw"}}
    result = here.module(module, **{**LEFT_OUT, **aws, **own, "login_secret": where})
    assert not result["failed"], result
    assert result["msg"].startswith(f"{here.name}: ")
    assert server.password not in str(result)


def test_what_is_given_counts_before_the_secret(rotation: Rotation) -> None:
    """Each of the secret's values is wrong, and is not used."""
    server = rotation.database.server
    wrong = {"host": "127.0.0.9", "port": 1, "dbname": "nowhere", "username": "nobody", "password": OLD}
    rotation.endpoint.secret(json.dumps(wrong))
    given: dict[str, Any] = {"login_host": server.host, "login_port": server.port, "login_db": rotation.database.name}
    result = rotation.run(**given, login_user=rotation.user, login_password=NEW)
    assert result["version"] is None
    assert rotation.asked() == ["AWSCURRENT"]


def test_a_password_that_is_given_is_not_the_secrets(rotation: Rotation) -> None:
    rotation.holds(NEW)
    result = rotation.run(login_password=OLD)
    assert result["error_code"] == 1045
    assert result["msg"].endswith(
        "Check login_user and login_password, and from which hosts the user may log in. (DBM-1506)"
    )
    assert rotation.asked() == ["AWSCURRENT"]


def test_a_rotation_that_has_only_changed_the_account(rotation: Rotation) -> None:
    """The current version is the old one still, and the new one is staged."""
    rotation.holds(OLD)
    rotation.holds(NEW)
    result = rotation.run("apply")
    assert not result["failed"], result
    assert rotation.asked() == ["AWSCURRENT", "AWSPENDING"]


def test_a_rotation_that_ends_between_reading_and_connecting(rotation: Rotation) -> None:
    rotation.holds(OLD)
    rotation.has_none()
    rotation.holds(NEW)
    assert not rotation.run("apply")["failed"]
    assert rotation.asked() == ["AWSCURRENT", "AWSPENDING", "AWSCURRENT"]


def test_a_rotation_between_two_accounts(rotation: Rotation) -> None:
    rotation.holds(OLD, username=f"{rotation.user}_clone")
    rotation.holds(NEW)
    assert not rotation.run("apply")["failed"]


def test_a_rotation_with_the_real_stages(rotation: Rotation, secrets_manager: SecretsManager) -> None:
    """From a staged version to the end, with moto."""
    client, name = secrets_manager.client, f"prod/{rotation.user}"
    secrets_manager.put(name, json.dumps(rotation.secret(OLD)))
    aws: dict[str, Any] = {"endpoint_url": secrets_manager.endpoint_url, "login_secret": {"id": name}}
    assert "1045" in rotation.run(**aws)["msg"]
    old = client.get_secret_value(SecretId=name)["VersionId"]
    new = client.put_secret_value(
        SecretId=name, SecretString=json.dumps(rotation.secret(NEW)), VersionStages=["AWSPENDING"]
    )["VersionId"]
    assert not rotation.run(**aws)["failed"]
    client.update_secret_version_stage(
        SecretId=name, VersionStage="AWSCURRENT", MoveToVersionId=new, RemoveFromVersionId=old
    )
    assert not rotation.run(**aws)["failed"]
    gone = rotation.run(**{**aws, "login_secret": {"id": name, "version_stage": "AWSPREVIOUS"}})
    assert f"The secret {name} was read again" in gone["msg"]


@pytest.mark.parametrize("staged", [True, False])
def test_no_version_is_right(rotation: Rotation, staged: bool) -> None:
    rotation.holds(OLD)
    if staged:
        rotation.holds(f"{OLD}-2")
    else:
        rotation.has_none()
    rotation.holds(OLD)
    result = rotation.run("apply")
    assert (result["failed"], result["error_code"]) == (True, 1045)
    assert result["msg"].startswith(f"Cannot open the database {rotation.database.name} as {rotation.user}@")
    assert result["msg"].endswith(f"{DENIED} (DBM-1528)")
    assert rotation.asked() == ["AWSCURRENT", "AWSPENDING", "AWSCURRENT"]


def test_a_version_that_was_asked_for_stays(rotation: Rotation) -> None:
    for version in ({"version_id": "11111111-2222-4333-8444-555555555555"}, {"version_stage": "AWSPREVIOUS"}):
        rotation.endpoint.requests.clear()
        rotation.holds(OLD)
        result = rotation.run(login_secret={"id": "prod/shop", **version})
        assert result["msg"].endswith(f"{DENIED} (DBM-1528)")
        assert rotation.asked() == [*version.values()] * 2


def test_the_secret_cannot_be_read_again(rotation: Rotation) -> None:
    rotation.holds(OLD)
    rotation.endpoint.error("AccessDeniedException", "canary")
    result = rotation.run()
    assert f"{DENIED} Reading the secret again failed: Secret prod/shop: access is denied. " in result["msg"]
    assert result["error_code"] == 1045


def test_another_failure_does_not_read_the_secret_again(rotation: Rotation) -> None:
    rotation.holds(NEW, dbname=f"{rotation.database.name}_no")
    assert rotation.run()["error_code"] in (1044, 1049)
    assert rotation.asked() == ["AWSCURRENT"]
    rotation.endpoint.requests.clear()
    rotation.endpoint._answers.clear()
    # What the staged version leads to is told, too, when it is another failure.
    rotation.holds(OLD)
    rotation.holds(NEW, port=1)
    assert rotation.run()["error_code"] == 2003


def test_a_rotation_during_a_statement_that_takes_too_long(rotation: Rotation) -> None:
    """What ends the statement has to log in by then, with the password that was set in the meantime."""
    rotation.database.write({FILE: f"ALTER USER '{rotation.user}'@'%' IDENTIFIED BY '{OLD}';\nDO SLEEP(99);\n"})
    rotation.database.query(f"GRANT CREATE USER ON *.* TO '{rotation.user}'@'%'")
    rotation.holds(NEW)
    rotation.holds(OLD)
    result = rotation.run("apply", statement_timeout=1)
    assert f"{FILE}:2:1: statement 2 failed" in result["msg"]
    assert "(statement_timeout: 1 s)" in result["msg"]
    assert rotation.asked() == ["AWSCURRENT", "AWSPENDING"]


def test_a_file_that_a_service_manager_renews(rotation: Rotation, tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(json.dumps(rotation.secret(NEW)))
    file.chmod(0o400)
    where = {"id": str(file), "store": "file"}
    assert not rotation.run(login_secret=where)["failed"]
    file.chmod(0o600)
    file.write_text(json.dumps(rotation.secret(OLD)))
    assert f"The secret {file} was read again" in rotation.run(login_secret=where)["msg"]
    assert rotation.asked() == []


def test_no_schema_is_named(rotation: Rotation) -> None:
    rotation.holds(NEW, dbname="")
    assert rotation.run()["msg"] == (
        "login_db is empty: name the schema to work on, here or in the secret of login_secret. (DBM-1504)"
    )


def test_drop_wants_the_name_that_the_secret_says(rotation: Rotation) -> None:
    rotation.holds(NEW)
    assert rotation.run("drop", confirm_database="shop")["failed"]
    assert not rotation.run("drop", confirm_database=rotation.database.name)["failed"]
