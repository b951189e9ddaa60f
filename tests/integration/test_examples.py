# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The examples of every plugin, run as they stand except for the names of places, on real servers."""

from __future__ import annotations

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.git_fetch.support import HttpGit
from parts import CHECKOUT, private_folder
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.signing import SshSigner
from parts.ssh_agent import Agent
from parts.sshd import GitServer, fingerprint

PLUGINS = sorted(
    path.relative_to(CHECKOUT)
    for kind in ("modules", "lookup")
    for path in Path(CHECKOUT, "plugins", kind).glob("*.py")
    # They are useful only in a role, in a play's own hosts, and where a run has kept something.
    if path.stem not in ("role_variables", "hosts_pattern", "survey_report", "migration_kept")
)
FILES = {
    "db/migrations/0001_users.up.sql": "CREATE TABLE users (id INT PRIMARY KEY);\n",
    "db/migrations/0001_users.down.sql": "DROP TABLE users;\n",
}
FINGERPRINT = "SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU"
GITHUB = "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
RELEASES = "ops@example.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILL+xbRZPXiB8pNtuXEcRwo+27bZwuAb4AoJYkHDEKp0"


# Examples that are about a state in which the database of the test is not, and what they say then.
REFUSED = {
    "Apply only the plan that was approved": "The plan for shop is not the one that was approved",
    "Resume an interrupted migration at its third statement, after checking that the second took effect": (
        "resume_from is for a migration that was interrupted"
    ),
    "Continue where Flyway stopped": "holds no table of another migration tool",
}


def examples(plugin: Path) -> str:
    """Return the text of a plugin's examples."""
    code = (CHECKOUT / plugin).read_text()
    return code.partition('EXAMPLES = r"""')[2].partition('"""')[0]


@pytest.fixture
def shop(mariadb: MariaDB) -> str:
    """The schemas and the accounts of the examples; returns the accounts' password."""
    password = "examples-Passw0rd"
    mariadb.query("DROP DATABASE IF EXISTS shop")
    mariadb.create_schema("shop")
    mariadb.query(f"CREATE OR REPLACE USER shop@'%' IDENTIFIED BY '{password}'")
    mariadb.query("GRANT ALL PRIVILEGES ON shop.* TO shop@'%'")
    for customer in ("customer_demo", "customer_1", "customer_2"):
        mariadb.query(f"DROP DATABASE IF EXISTS {customer}")
        mariadb.create_schema(customer)
    mariadb.query(f"CREATE OR REPLACE USER migrations@'%' IDENTIFIED BY '{password}'")
    mariadb.query(r"GRANT ALL PRIVILEGES ON `customer\_%`.* TO migrations@'%'")
    return password


@pytest.fixture
def git_places(git_server: GitServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Where the examples' repositories are, over SSH and over HTTP."""
    repository = git_server.create(f"shop-{uuid.uuid4().hex[:8]}")
    repository.commit(FILES)
    releases = SshSigner(tmp_path, "releases")
    releases.tag(repository, "v1.4.0")
    with (
        HttpGit(git_server.folder / "repositories") as server,
        private_folder("agent") as folder,
        Agent(folder) as agent,
    ):
        agent.add(git_server.private_key_file)
        monkeypatch.setenv("SSH_AUTH_SOCK", agent.env["SSH_AUTH_SOCK"])
        server.user = "x-access-token"
        yield (
            {
                "git@github.com:example/shop.git": repository.url,
                "https://gitlab.example.com/example/shop.git": f"{server.url}/{repository.path.name}",
                FINGERPRINT: fingerprint(git_server.host_keys["ed25519"]),
                f'"{GITHUB}"': json.dumps(git_server.known_hosts),
                f'"{RELEASES}"': json.dumps(releases.public),
                "/var/lib/dbops-migrations/shop": str(tmp_path / "fetched"),
            },
            {"shop_deploy_key": git_server.private_key, "shop_read_token": server.token},
        )


@pytest.mark.parametrize("plugin", PLUGINS, ids=str)
def test_examples(
    plugin: Path,
    shop: str,
    mariadb: MariaDB,
    secrets_manager: SecretsManager,
    git_places: tuple[dict[str, str], dict[str, str]],
    playbook: Any,
    tmp_path: Path,
) -> None:
    migrations = tmp_path / "migrations"
    migrations.mkdir()
    for name, text in FILES.items():
        (migrations / Path(name).name).write_text(text)
    if plugin.stem == "migration_info":
        # Its second example stops when something is pending.
        mariadb.query(
            "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)", "shop"
        )
        mariadb.query("INSERT INTO schema_migrations VALUES (1, 0)", "shop")
    keys = {"host": "db_server", "user": "db_user", "password": "db_pw", "database": "db_name"}
    values = {"host": mariadb.host, "user": "shop", "password": shop, "database": "shop"}
    secrets_manager.put("production/shop-deploy-key", git_places[1]["shop_deploy_key"])
    secrets_manager.put("prod/shop", json.dumps({**values, "username": "shop", "port": mariadb.port}))
    own = {keys[name]: value for name, value in values.items()}
    for _version in ("the last one", "this one"):
        secrets_manager.put("legacy/shop", json.dumps({**own, "port": mariadb.port}))

    places = {
        **git_places[0],
        "db.example.com": mariadb.host,
        "/run/mysqld/mysqld.sock": str(mariadb.socket),
        "/opt/dbops-migrations/source/shop/current": str(migrations),
        "/opt/shop/migrations": str(migrations),
        "/srv/survey": str(tmp_path / "survey"),
        "/tmp/migrations.": f"{tmp_path}/migrations.",
        # A pipeline's server has the usual port and no password.
        "login_user: root": f"login_user: {mariadb.user}\n    login_password: {mariadb.password}\n    "
        f"login_port: {mariadb.port}",
        # The only version of the directory.
        "target: 12": "target: 1",
        "target: 11": "target: 1",
        # The survey's ten minutes.
        "duration: 600": "duration: 3",
    }
    text = examples(plugin)
    for place, real in places.items():
        text = text.replace(place, real)
    tasks = yaml.safe_load(text)
    assert tasks
    for task in tasks:
        task["ignore_errors"] = task["name"] in REFUSED
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "module_defaults": {
            "group/dbops.migrations.mysql": {"login_port": mariadb.port},
            "dbops.migrations.host_survey": {"duration": 3},
        },
        "tasks": tasks,
    }
    (tmp_path / "examples.yml").write_text(json.dumps([play]))
    result = playbook(
        tmp_path / "examples.yml",
        {"all": {"hosts": {"localhost": {"ansible_connection": "local"}}}},
        extra_vars={
            **git_places[1],
            "ansible_python_interpreter": "{{ ansible_playbook_python }}",
            "shop_password": shop,
            "migrations_password": shop,
            "approved": {"plan": "0" * 64},
            "customer_schemas": ["customer_1", "customer_2"],
            "aws_access_key": secrets_manager.access_key,
            "aws_secret_key": secrets_manager.secret_key,
        },
        env={
            "AWS_ACCESS_KEY_ID": secrets_manager.access_key,
            "AWS_SECRET_ACCESS_KEY": secrets_manager.secret_key,
            "AWS_ENDPOINT_URL": secrets_manager.endpoint_url,
        },
    )
    assert result.rc == 0, result.stdout
    assert result.stats["localhost"]["ok"] == len(tasks)
    refused = [event for event in result.tasks if event["status"] == "failed"]
    assert [event["task"] for event in refused] == [task["name"] for task in tasks if task["name"] in REFUSED]
    for event in refused:
        assert REFUSED[event["task"]] in event["result"]["msg"]
