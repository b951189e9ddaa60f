# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""inventories/rds: the real plugin amazon.aws.aws_rds, on recorded answers of Amazon RDS's API."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree

import pytest
from botocore.loaders import Loader
from botocore.model import ListShape, ServiceModel, Shape, StructureShape
from integration.inventories.recorded_api import ANSWERS, RecordedApi
from integration.roles.support import reasons
from integration.secret.faulty_endpoint import certify
from parts import CHECKOUT, amazon_aws, private_folder
from parts.ansible import PROGRAMS, environment
from parts.mariadb import MariaDB
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer

if TYPE_CHECKING:
    from conftest import RunPlaybook

INVENTORY = CHECKOUT / "inventories" / "rds"
ROLE = CHECKOUT / "roles" / "migrate"
STAGING = {"orders-staging", "stock-staging"}
PRODUCTION = {"orders-production", "accounts-production", "ledger-production", "invoices", "payments"}
LEFT_OUT = {
    "accounts-production-copy",  # a cluster that follows another by its binary log
    "accounts-production-far",  # a global database's cluster in another region: it has no writer
    "documents",  # a cluster of another engine, without tags
    "ledger-production-copy",  # an instance that follows a cluster
    "ledger-production-instance-1",  # a cluster's instance
    "orders-production-replica",
    "returns-production",  # is being deleted
    "search-production",  # a cluster of another engine
    "shared-production",  # its schemas are hosts
    "stock-production",  # is being created
    "wiki",  # another team's, without an environment
}
HOST_KEY = "github.com ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl"
SECRET = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:rds!{}"


def shapes(element: ElementTree.Element, shape: Shape) -> Iterator[tuple[ElementTree.Element, Shape]]:
    """Give each element with its shape, by the description of the API that botocore has."""
    yield element, shape
    for child in element:
        name = child.tag.rpartition("}")[2]
        if isinstance(shape, StructureShape):
            yield from shapes(child, shape.members[name])
        elif isinstance(shape, ListShape):
            assert name == shape.member.serialization.get("name", "member")
            yield from shapes(child, shape.member)


@pytest.mark.parametrize("answer", sorted(ANSWERS.glob("*.xml")), ids=lambda path: path.stem)
def test_answers_have_the_documented_shape(answer: Path) -> None:
    action = ServiceModel(Loader().load_service_model("rds", "service-2")).operation_model(answer.name.split(".")[0])
    assert action.output_shape is not None
    result = ElementTree.parse(answer).getroot()[0]
    assert result.tag.endswith(f"}}{action.output_shape.serialization['resultWrapper']}")
    found = {shape.name for _element, shape in shapes(result, action.output_shape)}
    assert {"DBInstance", "DBCluster", "TagList"} & found


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[RecordedApi]:
    """The API; boto3's own chain leads there."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with RecordedApi() as api:
        monkeypatch.setenv("AWS_ENDPOINT_URL_RDS", api.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "canary-secret-key")
        yield api


@pytest.fixture(scope="session")
def collections() -> str:
    """Where Ansible finds both collections."""
    return f"{amazon_aws.provide()}:{CHECKOUT / '.venv' / 'collections'}"


@pytest.fixture
def settings(api: RecordedApi, collections: str) -> dict[str, str]:
    """Ansible's settings: as the documentation says, an inventory that cannot be read is an error."""
    return {
        "ANSIBLE_COLLECTIONS_PATH": collections,
        "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "true",
        "ANSIBLE_DEPRECATION_WARNINGS": "false",
        "ANSIBLE_NOCOLOR": "true",
    }


def ask(settings: dict[str, str], folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-inventory."""
    return subprocess.run(
        [PROGRAMS / "ansible-inventory", "-i", INVENTORY, *options],
        env={**environment(folder / "results"), **settings},
        capture_output=True,
        text=True,
        check=False,
    )


def test_databases_are_grouped_by_their_tags(api: RecordedApi, settings: dict[str, str], tmp_path: Path) -> None:
    done = ask(settings, tmp_path, "--list")
    assert done.returncode == 0, done.stderr
    inventory = json.loads(done.stdout)
    assert set(inventory["databases"]["children"]) == {"staging", "production"}
    assert "hosts" not in inventory["databases"]
    assert set(inventory["staging"]["hosts"]) == STAGING
    shared = inventory["production_shared"]["hosts"]
    assert {*inventory["production"]["hosts"], *shared} == PRODUCTION
    runners = set(inventory["runners"]["hosts"])
    hosts = inventory["_meta"]["hostvars"]
    assert set(hosts) == STAGING | PRODUCTION | LEFT_OUT | runners
    for name, variables in hosts.items():
        # No variable that the role does not know, and none of a database on another host.
        ours = {variable for variable in variables if variable.startswith("migrate_")}
        options = (ROLE / "meta" / "argument_specs.yml").read_text()
        assert [variable for variable in ours if f"      {variable}:\n" not in options] == []
        assert bool(ours) is (name in STAGING | PRODUCTION)
        # Never a database's own address.
        assert variables.get("ansible_host") in (runners if ours else {None})
    # The server itself chooses the engines, and gives the instances in pages.
    engines = {f"Filters.Filter.1.Values.Value.{number}" for number in (1, 2)}
    asked = [request for request in api.requests if request["Action"] == "DescribeDBInstances"]
    assert [{request[engine] for engine in engines} for request in asked] == [{"mysql", "mariadb"}] * 2
    assert [request.get("Marker") for request in asked] == [None, "eyJuZXh0IjoicmV0dXJucyJ9"]


def tag(key: str, value: str) -> str:
    """Return a tag as it is in the answers about instances."""
    return f"          <Tag>\n            <Key>{key}</Key>\n            <Value>{value}</Value>\n          </Tag>\n"


def test_tags_become_variables_of_the_role(
    api: RecordedApi, settings: dict[str, str], playbook: RunPlaybook, tmp_path: Path
) -> None:
    """What the templates come to, where nothing but the inventory is known."""
    names = ("ansible_host", "migrate_repository", "migrate_ref", "migrate_private_key_secret", "migrate_aws_region")
    secret = ("migrate_secret_id", "migrate_login_host", "migrate_login_port", "migrate_login_database")
    message = "{{ [" + ", ".join([*names, *secret]) + "] }}"
    task = {"name": "Say", "ansible.builtin.debug": {"msg": message}}
    (tmp_path / "say.yml").write_text(json.dumps([{"hosts": "databases", "gather_facts": False, "tasks": [task]}]))
    orders = tag("environment", "staging") + tag("service", "orders")
    api.changes[orders] = orders + tag("schema", "orders_2026")
    result = playbook(tmp_path / "say.yml", INVENTORY, env=settings)
    assert result.rc == 0, result.stdout + result.stderr
    domain = "c9akciq32abc.eu-central-1.rds.amazonaws.com"
    expected = {
        # With a secret of the team's, and one of RDS's.
        "orders-staging": ["staging/orders", f"orders-staging.{domain}", "orders_2026"],
        "stock-staging": [
            SECRET.format("db-7c2f3c52-6b1e-4c5f-9a57-2f8f6a1f7b12-Gh7iJ9"),
            f"stock-staging.{domain}",
            "stock",
        ],
        # A cluster of Aurora's, by its writer's address, and one of MySQL's.
        "accounts-production": [
            SECRET.format("cluster-9e3f3c52-6b1e-4c5f-9a57-2f8f6a1f7b13-Kl1mN2"),
            f"accounts-production.cluster-{domain}",
            "accounts",
        ],
        "ledger-production": ["production/ledger", f"ledger-production.cluster-{domain}", "ledger"],
        # A schema on an instance of several.
        "invoices": ["production/invoices", f"shared-production.{domain}", "invoices"],
    }
    for name, (secret_id, address, database) in expected.items():
        environment, branch = ("staging", "main") if name in STAGING else ("production", "production")
        assert result.result(name, "Say")["msg"] == [
            f"runner-{environment}.example.com",
            f"git@github.com:example/{name.partition('-')[0]}.git",
            branch,
            {"id": f"{environment}/deploy-key"},
            "eu-central-1",
            secret_id,
            address,
            3306,
            database,
        ]


def test_without_an_environment(api: RecordedApi, settings: dict[str, str], tmp_path: Path) -> None:
    """Nobody knows which group it belongs to: an error, and no run without it."""
    api.changes[tag("environment", "staging") + tag("service", "orders")] = tag("service", "orders")
    done = ask(settings, tmp_path, "--graph")
    assert done.returncode != 0
    assert "Could not generate group for host orders-staging" in done.stderr
    assert "It has no tag environment." in done.stderr
    # This is why the documentation asks for the setting.
    done = ask({**settings, "ANSIBLE_INVENTORY_ANY_UNPARSED_IS_FAILED": "false"}, tmp_path, "--graph")
    assert done.returncode == 0
    assert "-staging" not in done.stdout.partition("@databases")[2]


def test_one_host_without_what_it_needs(api: RecordedApi, settings: dict[str, str], playbook: RunPlaybook) -> None:
    staging = tag("environment", "staging")
    api.changes[staging + tag("service", "orders")] = tag("environment", "Staging") + tag("service", "orders")
    api.changes[staging + tag("service", "stock")] = staging
    result = playbook("dbops.migrations.status", INVENTORY, "--limit", ",".join(STAGING), env=settings)
    assert result.rc == 2
    assert {host: counts["failures"] for host, counts in result.stats.items()} == dict.fromkeys(STAGING, 1)
    told = reasons(result)
    assert "It has no tag service." in told["stock-staging"]
    assert "group_vars has no file that names the runner of this environment" in told["orders-staging"]


def test_a_denied_request_fails_the_inventory(api: RecordedApi, settings: dict[str, str], tmp_path: Path) -> None:
    api.denied = {"ListTagsForResource"}
    done = ask(settings, tmp_path, "--graph")
    assert done.returncode != 0
    assert "AccessDenied" in done.stderr


def test_two_databases_of_the_inventory_are_migrated(
    api: RecordedApi,
    settings: dict[str, str],
    secrets_manager: SecretsManager,
    git_server: GitServer,
    playbook: RunPlaybook,
    tmp_path: Path,
) -> None:
    """With two databases, one of them with RDS's own secret, over TLS, and nothing changed but the names of places."""
    team = f"rds-{uuid.uuid4().hex[:8]}"
    for name in ("orders", "stock"):
        repository = git_server.create(f"{team}-{name}")
        repository.commit({f"db/migrations/1_{name}.up.sql": f"CREATE TABLE {name}_1 (id INT);\n"})
    secrets_manager.put("staging/deploy-key", git_server.private_key)
    with private_folder("mariadb") as folder:
        authority, server = certify(folder, "rds")
        with MariaDB(folder, options=[f"--ssl-cert={server}", f"--ssl-key={server}"]) as mariadb:
            login = json.dumps({"username": mariadb.user, "password": mariadb.password})
            secrets_manager.put("staging/orders", login)
            recorded = "db-7c2f3c52-6b1e-4c5f-9a57-2f8f6a1f7b12-Gh7iJ9"
            api.changes = {
                **{f"{host}.c9akciq32abc.eu-central-1.rds.amazonaws.com": mariadb.host for host in STAGING},
                "<Port>3306</Port>": f"<Port>{mariadb.port}</Port>",
                SECRET.format(recorded): secrets_manager.put(f"rds!{recorded}", login),
            }
            places = {
                "git@github.com:example/": repository.url.removesuffix("stock.git"),
                HOST_KEY: git_server.known_hosts.strip(),
                "/etc/pki/tls/certs/rds-global-bundle.pem": str(authority),
            }
            inventory = tmp_path / "rds"
            shutil.copytree(INVENTORY, inventory)
            for path in filter(Path.is_file, inventory.rglob("*")):
                text = path.read_text()
                for place, real in places.items():
                    text = text.replace(place, real)
                path.write_text(text)
            for name in ("orders", "stock"):
                mariadb.create_schema(name)
            variables = {
                "ansible_connection": "local",
                "ansible_python_interpreter": sys.executable,
                "migrate_python": sys.executable,
                "migrate_home": str(tmp_path / "home"),
                "migrate_aws_endpoint_url": secrets_manager.endpoint_url,
                "migrate_aws_access_key": secrets_manager.access_key,
                "migrate_aws_secret_key": secrets_manager.secret_key,
            }
            limit = ("--limit", "staging")
            result = playbook("dbops.migrations.migrate", inventory, *limit, extra_vars=variables, env=settings)
            assert result.rc == 0, result.stdout + result.stderr
            assert set(result.stats) == STAGING
            for name in ("orders", "stock"):
                assert mariadb.query("SELECT version, dirty FROM schema_migrations", name) == [(1, 0)]
                assert mariadb.query("SHOW TABLES LIKE '%\\_1'", name) == [(f"{name}_1",)]
            applied = result.result("stock-staging", "Apply the migrations")
            assert (applied["from_version"], applied["to_version"]) == (None, 1)
