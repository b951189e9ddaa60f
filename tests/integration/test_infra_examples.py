# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The playbooks and inventories in examples/, run as they stand except for the names of places, on real servers."""

from __future__ import annotations

import json
import re
import shutil
import sys
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from parts import CHECKOUT
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, Repository

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

HOST_KEY = "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
PASSWORD = "examples-Passw0rd"


@dataclass
class Site:
    """The places that stand in for those of an example."""

    folder: Path
    repository: Repository
    mariadb: MariaDB
    secrets: SecretsManager
    host_key: str
    playbook: Any
    variables: dict[str, Any]
    places: dict[str, str] = field(default_factory=dict)
    schemas: list[str] = field(default_factory=list)

    def schema(self, name: str, secret: str | None = None, **more: Any) -> None:
        """Make a schema, and a secret that names it, or one that only opens the server."""
        self.mariadb.query(f"DROP DATABASE IF EXISTS `{name}`")
        self.mariadb.create_schema(name)
        self.schemas.append(name)
        server = self.mariadb
        login = {"host": server.host, "port": server.port, "username": server.user, "password": server.password}
        if secret:
            self.secrets.put(secret, json.dumps({**login, **more}))

    def run(self, example: str, book: str, *options: str, **variables: Any) -> PlaybookResult:
        """Run an example, whose files are copied with the places exchanged."""
        folder = self.folder / example
        shutil.copytree(CHECKOUT / "examples" / example, folder, dirs_exist_ok=True)
        for path in folder.iterdir():
            text = path.read_text()
            for place, real in {**self.places, HOST_KEY: self.host_key.strip()}.items():
                text = text.replace(place, real)
            path.write_text(text)
        result: PlaybookResult = self.playbook(
            folder / book, folder / "hosts", *options, extra_vars={**self.variables, **variables}
        )
        return result

    def version(self, schema: str) -> int | None:
        if not self.mariadb.query("SHOW TABLES LIKE 'schema_migrations'", schema):
            return None
        [(version, dirty)] = self.mariadb.query("SELECT version, dirty FROM schema_migrations", schema)
        assert not dirty
        return int(version)


@pytest.fixture
def site(
    tmp_path: Path, mariadb: MariaDB, secrets_manager: SecretsManager, git_server: GitServer, playbook: RunPlaybook
) -> Iterator[Site]:
    repository = git_server.create(f"examples-{uuid.uuid4().hex[:8]}")
    secrets_manager.put("production/deploy-key", git_server.private_key)
    variables = {
        # The hosts of the examples are this machine.
        "ansible_connection": "local",
        "ansible_python_interpreter": sys.executable,
        "migrate_python": sys.executable,
        "migrate_home": str(tmp_path / "home"),
        "migrate_aws_endpoint_url": secrets_manager.endpoint_url,
        "migrate_aws_access_key": secrets_manager.access_key,
        "migrate_aws_secret_key": secrets_manager.secret_key,
    }
    site = Site(tmp_path, repository, mariadb, secrets_manager, git_server.known_hosts, playbook, variables)
    site.places["git@github.com:example/shop.git"] = repository.url
    yield site
    for schema in site.schemas:
        mariadb.query(f"DROP DATABASE IF EXISTS `{schema}`")


def failed(result: PlaybookResult) -> set[str]:
    return {host for host, counts in result.stats.items() if counts["failures"]}


def changed(result: PlaybookResult) -> dict[str, int]:
    assert result.rc == 0, result.stdout + result.stderr
    return {host: counts["changed"] for host, counts in result.stats.items()}


MIGRATIONS: Mapping[str, str] = {
    "1_people.up.sql": "CREATE TABLE people (id INT PRIMARY KEY, name TEXT);\n",
    "2_add_email.up.sql": "ALTER TABLE people ADD email TEXT;\n",
    "3_drop_name.up.sql": "ALTER TABLE people DROP name;\n",
}


def test_a_rolling_deploy_expands_installs_and_contracts(site: Site) -> None:
    site.schema("shop", "production/shop", dbname="shop")
    srv = site.folder / "srv"
    srv.mkdir()
    # Each web server looks at the schema in the moment in which it gets the new release.
    site.places["/srv/shop/RELEASE"] = f"{srv}/{{{{ inventory_hostname }}}}"
    site.repository.commit({f"db/migrations/{name}": text for name, text in MIGRATIONS.items()})
    site.repository.tag("v2.0")
    release = {"release": "2.0", "release_expanded": 2}

    first = site.run("rolling-deploy", "deploy.yml", **release)
    assert changed(first) == {"shop": 3, **{f"web{number}.example.com": 1 for number in (1, 2, 3)}}
    assert site.version("shop") == 3
    order = [(event["host"], event["task"]) for event in first.tasks if event["result"].get("changed")]
    applied = [place for place, (_host, task) in enumerate(order) if task.endswith("Apply the migrations")]
    installed = [place for place, (_host, task) in enumerate(order) if task == "Install the release"]
    assert len(applied) == 2
    assert applied[0] < min(installed)
    assert max(installed) < applied[1]
    assert sorted(path.read_text() for path in srv.iterdir()) == ["2.0\n"] * 3
    again = site.run("rolling-deploy", "deploy.yml", **release)
    assert set(changed(again).values()) == {0}


def test_rolling_deploy_ends_where_the_schema_cannot_be_expanded(site: Site) -> None:
    site.schema("shop", "production/shop", dbname="shop")
    site.places["/srv/shop/RELEASE"] = f"{site.folder}/{{{{ inventory_hostname }}}}.release"
    wrong = {**MIGRATIONS, "2_add_email.up.sql": "ALTER TABLE nobody ADD email TEXT;\n"}
    site.repository.commit({f"db/migrations/{name}": text for name, text in wrong.items()})
    site.repository.tag("v2.0")
    result = site.run("rolling-deploy", "deploy.yml", release="2.0", release_expanded=2)
    assert (result.rc, failed(result)) == (2, {"shop"})
    assert list(site.folder.glob("*.release")) == []


def test_the_site_example_makes_and_migrates_a_database(site: Site, git_server: GitServer) -> None:
    site.mariadb.query("DROP DATABASE IF EXISTS shop")
    site.mariadb.query("DROP USER IF EXISTS shop@'%'")
    site.schemas.append("shop")
    site.places["/run/mysqld/mysqld.sock"] = str(site.mariadb.socket)
    site.places["--user, root"] = f"--user, {site.mariadb.user}, --password={site.mariadb.password}"
    site.repository.commit({f"db/migrations/{name}": text for name, text in MIGRATIONS.items()})
    secrets = {"shop_password": PASSWORD, "shop_deploy_key": git_server.private_key}
    assert changed(site.run("site", "site.yml", **secrets)) == {"db.example.com": 1, "shop": 2}
    assert site.version("shop") == 3
    assert set(changed(site.run("site", "site.yml", **secrets)).values()) == {0}


def test_a_failure_in_one_schema_leaves_the_others_migrated(site: Site) -> None:
    names = ["orders", "stock", "accounts"]
    for name in names:
        site.schema(name, "production/shop")
        site.repository.commit({f"db/{name}/1_{name}.up.sql": f"CREATE TABLE {name}_1 (id INT);\n"})
    result = site.run("schemas", "schemas.yml")
    assert [*changed(result)] == names
    assert [site.version(name) for name in names] == [1, 1, 1]
    assert [site.mariadb.query("SHOW TABLES LIKE '%\\_1'", name) for name in names] == [
        [(f"{name}_1",)] for name in names
    ]

    site.repository.commit({"db/stock/2_wrong.up.sql": "ALTER TABLE nobody ADD a INT;\n"})
    site.repository.commit({"db/accounts/2_more.up.sql": "CREATE TABLE more (id INT);\n"})
    result = site.run("schemas", "schemas.yml")
    assert (result.rc, failed(result)) == (2, {"stock"})
    assert site.version("accounts") == 1


# A half of the fleet: enough for its three batches and a rest.
HALF = ("--limit", "customer0*,customer1*,customer2*")


@pytest.fixture
def fleet(site: Site) -> Site:
    """A half of the fleet, of 29 databases."""
    for number in range(1, 30):
        name = f"customer{number:02}"
        site.schema(name, f"production/{name}", dbname=name)
    site.repository.commit({f"db/migrations/{name}": text for name, text in MIGRATIONS.items()})
    return site


def test_one_broken_database_stops_the_roll_out_of_the_fleet(fleet: Site) -> None:
    """One broken database stops the roll-out; the others are done or untouched, and the recap says which."""
    fleet.mariadb.query("CREATE TABLE people (id INT)", "customer10")
    result = fleet.run("fleet", "fleet.yml", "--forks", "8", *HALF)
    assert (result.rc, failed(result)) == (2, {"customer10"})
    # The first one, a tenth of them (2), then the batch of 20 in which one is broken.
    done = [f"customer{number:02}" for number in range(1, 24) if number != 10]
    assert {name: fleet.version(name) for name in fleet.schemas if name != "customer10"} == {
        name: 3 if name in done else None for name in fleet.schemas if name != "customer10"
    }
    recap = dict(re.findall(r"^(customer\d+) .*failed=(\d)", result.stdout, re.MULTILINE))
    assert recap == {**dict.fromkeys(done, "0"), "customer10": "1"}

    fleet.mariadb.query("DROP TABLE people", "customer10")
    result = fleet.run("fleet", "fleet.yml", "--forks", "8", *HALF)
    assert (result.rc, len(result.stats)) == (0, 29)
    assert {fleet.version(name) for name in fleet.schemas} == {3}


def test_fleet_ends_with_the_one_to_try_it_on(fleet: Site) -> None:
    fleet.mariadb.query("CREATE TABLE people (id INT)", "customer01")
    result = fleet.run("fleet", "fleet.yml", *HALF)
    assert (result.rc, failed(result)) == (2, {"customer01"})
    assert [*result.stats] == ["customer01"]
    assert fleet.version("customer02") is None


def test_the_fleet_shares_its_runners_evenly(tmp_path: Path, playbook: RunPlaybook) -> None:
    book = tmp_path / "hosts.yml"
    book.write_text(
        json.dumps([{"hosts": "databases", "gather_facts": False, "tasks": [{"debug": {"msg": "{{ ansible_host }}"}}]}])
    )
    result = playbook(book, CHECKOUT / "examples/fleet/hosts")
    counts = Counter(event["result"]["msg"] for event in result.tasks)
    assert counts == dict.fromkeys((f"runner{number}.example.com" for number in (1, 2, 3)), 20)
