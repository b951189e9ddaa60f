# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""login_auth iam: a real server gets the token that AWS's documentation describes, encrypted, and nobody else does."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import clean
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from integration.migration.support import Database, make
from parts import private_folder
from parts.rds import LONGEST, Rds

if TYPE_CHECKING:
    from conftest import RunModule, RunPlaybook

KEYS: dict[str, Any] = {"access_key": "AKIAEXAMPLE", "secret_key": "canary-secret-key"}
REGION = "eu-central-1"
MODULES: Mapping[str, Mapping[str, Any]] = {
    "apply": {},
    "info": {},
    "force": {"version": "1"},
    "drop": {},
}
HINT = (
    "Check login_user, region and login_host, which must be the server's own endpoint. The account must be made for "
    "IAM, and the AWS identity be allowed rds-db:connect for it."
)


@pytest.fixture(scope="module")
def rds() -> Iterator[Rds]:
    """A server that asks for a token."""
    with private_folder("rds") as folder, Rds(folder) as server:
        yield server


@pytest.fixture(autouse=True)
def no_aws_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Take the caller's AWS settings away."""
    for name in list(os.environ):
        if name.startswith("AWS_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    # No question to an instance's metadata service: the machine that runs the tests may be an instance.
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


@pytest.fixture
def database(rds: Rds, tmp_path: Path, run_module: RunModule) -> Iterator[Database]:
    """An empty schema on that server, to which no token came so far."""
    rds.token()
    database = make(rds, tmp_path / "migrations", run_module)
    yield database
    rds.query(f"DROP DATABASE {database.name}")


def log_in(database: Database, module: str = "info", **options: Any) -> dict[str, Any]:
    own = {"confirm_database": database.name} if module == "drop" else {}
    login = {"login_user": "iam", "login_password": None, "login_auth": "iam", "tls": "required"}
    result = database.module(module, **{**MODULES[module], **own, **login, **KEYS, "region": REGION, **options})
    assert "canary" not in str(result)
    assert "X-Amz" not in str(result)
    return result


def signature(token: str, host: str, secret_key: str) -> str:
    """Sign a token's request as the documentation of AWS's signature version 4 says, without AWS's library."""
    query = {key: values[0] for key, values in parse_qs(urlsplit(f"//{token}").query).items()}
    del query["X-Amz-Signature"]
    canonical = "&".join(f"{quote(key, safe='')}={quote(query[key], safe='')}" for key in sorted(query))
    request = f"GET\n/\n{canonical}\nhost:{host}\n\nhost\n{hashlib.sha256(b'').hexdigest()}"
    scope = query["X-Amz-Credential"].split("/", 1)[1]
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret_key}".encode()
    for part in (*scope.split("/"), f"AWS4-HMAC-SHA256\n{query['X-Amz-Date']}\n{scope}\n{digest}"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key.hex()


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize("tls", ["required", "verify_ca", "verify_identity"])
def test_the_token_that_comes_is_for_this_server_and_user(rds: Rds, database: Database, module: str, tls: str) -> None:
    options = {} if tls == "required" else {"ca_cert": str(rds.authority)}
    assert log_in(database, module, tls=tls, **options)["failed"] is False
    token = rds.token() or ""
    url = urlsplit(f"//{token}")
    assert (url.hostname, url.port, url.path) == (rds.host, rds.port, "/")
    query = {key: values[0] for key, values in parse_qs(url.query).items()}
    made = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=timezone.utc)
    assert timedelta(0) <= datetime.now(timezone.utc) - made < timedelta(minutes=1)
    expected = {"Action": "connect", "DBUser": "iam", "X-Amz-Expires": "900", "X-Amz-SignedHeaders": "host"}
    assert {key: query[key] for key in expected} == expected
    assert query["X-Amz-Credential"] == f"AKIAEXAMPLE/{made:%Y%m%d}/{REGION}/rds-db/aws4_request"
    assert query["X-Amz-Signature"] == signature(token, f"{rds.host}:{rds.port}", KEYS["secret_key"])


def test_where_the_options_for_aws_come_from_else(
    rds: Rds, database: Database, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    nothing = dict.fromkeys((*KEYS, "region"), "")
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws" / "credentials").write_text(
        "[shop]\naws_access_key_id = AKIAPROFILE\naws_secret_access_key = canary\n"
        "region = us-east-1\naws_session_token = canary-token\n"
    )
    assert log_in(database, **{**nothing, "profile": "shop"})["failed"] is False
    token = rds.token() or ""
    assert "AKIAPROFILE%2F" in token
    assert "%2Fus-east-1%2Frds-db%2F" in token
    assert "X-Amz-Security-Token=canary-token" in token
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAENVIRONMENT")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    assert log_in(database, **nothing)["failed"] is False
    token = rds.token() or ""
    assert "AKIAENVIRONMENT%2F" in token
    assert "%2Feu-west-1%2Frds-db%2F" in token


def test_a_token_as_long_as_an_instance_roles(rds: Rds, database: Database) -> None:
    """The temporary credentials of a role make it longer than most passwords."""
    assert log_in(database, session_token="canary+" * 300)["failed"] is False
    assert len(rds.token() or "") == LONGEST


def test_the_server_refuses(rds: Rds, database: Database) -> None:
    rds.refuse()
    result = log_in(database)
    rds.refuse(False)
    assert result["failed"]
    assert result["error_code"] == 1045
    assert result["msg"].startswith(f"Cannot open the database {database.name} as iam@{rds.host}:{rds.port}: (1045)")
    assert result["msg"].endswith(f" {HINT} (DBM-1526)")


def test_a_password_is_refused_as_before(database: Database) -> None:
    result = database.module("info", login_password="wrong", region=REGION, **KEYS)
    assert result["msg"].endswith(
        "Check login_user and login_password, and from which hosts the user may log in. (DBM-1506)"
    )


def test_a_server_that_cannot_prove_who_it_is_gets_no_token(rds: Rds, database: Database) -> None:
    assert "certificate verify failed" in log_in(database, tls="verify_identity")["msg"]
    assert rds.token() is None


def test_a_server_without_tls_gets_no_token(mariadb: Any, tmp_path: Path, run_module: RunModule) -> None:
    # Newer ones make a certificate of their own.
    with private_folder("no-tls") as folder, type(mariadb)(folder, options=["--skip-ssl"]) as server:
        database = make(server, tmp_path / "migrations", run_module)
        assert "The server offers no TLS" in log_in(database)["msg"]


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        *(
            (
                {"tls": tls},
                f"tls is {tls}, but login_auth iam sends its token in clear text, so the connection must be "
                "encrypted. Set tls to required, verify_ca or verify_identity. (DBM-1529)",
            )
            for tls in ("disabled", "preferred")
        ),
        (
            {"login_unix_socket": "/run/mysqld/mysqld.sock"},
            "login_auth iam is for Amazon RDS, which has no login_unix_socket. Give login_host instead. (DBM-1530)",
        ),
        (
            {"login_password": "canary"},
            "login_password and login_auth iam are mutually exclusive. Leave one of them out. (DBM-1531)",
        ),
        *(
            (
                {"login_user": user},
                "login_user is not set, and login_auth iam needs it to make a token. Name the account. (DBM-1532)",
            )
            for user in (None, "")
        ),
        ({"secret_key": None}, "access_key and secret_key go together, and only one of them is set. (DBM-1421)"),
        (
            {"access_key": None, "secret_key": None},
            "The token for login_auth iam: there are no AWS credentials. Give access_key and secret_key or profile, or "
            "give the host an instance role, the AWS_ environment variables or ~/.aws. (NoCredentialsError from "
            "GenerateDBAuthToken, region eu-central-1, endpoint_url https://rds.eu-central-1.amazonaws.com) (DBM-1447)",
        ),
        (
            {"region": None},
            "The token for login_auth iam: there is no region. Set region, or AWS_DEFAULT_REGION or the profile's "
            "region on the host. (NoRegionError from GenerateDBAuthToken) (DBM-1448)",
        ),
        (
            {"access_key": None, "secret_key": None, "profile": "nobody"},
            "The token for login_auth iam: the host has no such profile. Check profile, AWS_PROFILE and the files in "
            "~/.aws of the user who runs this. (ProfileNotFound from GenerateDBAuthToken, profile nobody, region "
            "eu-central-1) (DBM-1451)",
        ),
    ],
)
def test_what_does_not_go_together(database: Database, module: str, options: dict[str, Any], message: str) -> None:
    assert log_in(database, module, **options)["msg"] == message
    assert database.snapshot() == {}


def test_the_options_for_aws_have_no_effect_with_a_password(database: Database) -> None:
    assert database.module("info", access_key="only this")["failed"] is False


def test_the_token_is_a_secret() -> None:
    params: dict[str, Any] = dict.fromkeys(LOGIN.argument_spec)
    given = {"login_db": "shop", "login_host": "db", "login_port": 3306, "login_user": "iam", "login_auth": "iam"}
    module = SimpleNamespace(params={**params, **given, **KEYS, "region": REGION, "tls": "required"})
    login = Login(module)
    settings = login._with_token(login._settings)
    assert settings.password
    assert settings.password.startswith("db:3306/?Action=connect&DBUser=iam&")
    # Whatever a server says, it is masked.
    assert clean(f"no: {settings.password}") == "no: ********"
    assert "X-Amz" not in repr(settings)


def test_boto3_is_missing(database: Database, tmp_path: Path) -> None:
    bare = tmp_path / "bare"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", bare], check=True)
    arguments = {"login_db": "x", "version": "1", "login_user": "iam", "login_auth": "iam", "tls": "required"}
    result = database.run_module("migration_force", arguments, python=bare / "bin" / "python")
    assert result["failed"]
    assert "The Python library boto3 is missing" in result["msg"]


def test_the_role_logs_in_by_iam(rds: Rds, database: Database, playbook: RunPlaybook) -> None:
    """The keys go to the token only, and the role's password is a mistake."""
    variables: dict[str, Any] = {
        "ansible_connection": "local",
        "migrate_python": sys.executable,
        "migrate_login_auth": "iam",
        "migrate_login_host": rds.host,
        "migrate_login_port": rds.port,
        "migrate_login_user": "iam",
        "migrate_login_database": database.name,
        "migrate_tls": "verify_identity",
        "migrate_ca_cert": str(rds.authority),
        "migrate_aws_region": REGION,
        "migrate_aws_access_key": "AKIAROLE",
        "migrate_aws_secret_key": "canary-secret-key",
        "migrate_aws_endpoint_url": "https://secretsmanager.example.com",
        "migrate_version": 4,
    }
    inventory = {"all": {"children": {"databases": {"hosts": {"shop": variables}}}}}
    result = playbook("dbops.migrations.force", inventory, "-vvv")
    assert result.rc == 0, result.stdout
    token = rds.token() or ""
    assert "DBUser=iam" in token
    assert "AKIAROLE%2F" in token
    for secret in ("canary", "X-Amz", token[-64:]):
        assert secret not in result.stdout + result.stderr
    assert database.state() == [(4, 0)]

    variables["migrate_login_password"] = "canary"
    refused = playbook("dbops.migrations.force", inventory)
    assert refused.rc == 2
    assert "migrate_login_password and migrate_login_auth iam are mutually exclusive" in " ".join(
        refused.stdout.split()
    )


def test_the_role_leaves_a_secrets_password_out(
    rds: Rds, database: Database, playbook: RunPlaybook, secrets_manager: Any
) -> None:
    secrets_manager.put(
        f"{database.name}/secret",
        json.dumps({"host": rds.host, "port": rds.port, "username": "iam", "password": "x", "database": database.name}),
    )
    variables: dict[str, Any] = {
        "ansible_connection": "local",
        "migrate_python": sys.executable,
        "migrate_secret_id": f"{database.name}/secret",
        "migrate_login_auth": "iam",
        "migrate_tls": "required",
        "migrate_aws_region": secrets_manager.region,
        "migrate_aws_access_key": secrets_manager.access_key,
        "migrate_aws_secret_key": secrets_manager.secret_key,
        "migrate_aws_endpoint_url": secrets_manager.endpoint_url,
        "migrate_version": 4,
    }
    inventory = {"all": {"children": {"databases": {"hosts": {"shop": variables}}}}}
    result = playbook("dbops.migrations.force", inventory)
    assert result.rc == 0, result.stdout
    assert f"{secrets_manager.access_key}%2F" in (rds.token() or "")


@pytest.mark.parametrize("tls", ["disabled", "preferred"])
def test_a_password_is_not_sent_in_clear_text(rds: Rds, database: Database, tls: str) -> None:
    result = log_in(database, login_auth="password", login_password="canary-password", tls=tls)
    assert "(2059) the server asks for the password in clear text" in result["msg"]
    assert "set tls to required, verify_ca or verify_identity" in result["msg"]
    assert rds.token() is None


def test_a_dialog_gets_no_password_in_clear_text(run_module: Any, tmp_path: Path) -> None:
    """MariaDB's plugin for PAM, which asks for the password as it is; where TLS is asked for, it gets it."""
    with private_folder("pam") as folder, Rds(folder, dialog=True) as server:
        database = make(server, tmp_path / "migrations", run_module)
        for tls in ("disabled", "preferred"):
            result = log_in(database, login_auth="password", login_password="canary-password", tls=tls)
            assert "(2059) the server asks for the password in clear text" in result["msg"]
        assert server.token() is None
        result = log_in(database, login_auth="password", login_password="canary-password", tls="required")
        assert not result["failed"], result["msg"]
        assert server.token() == "canary-password"
