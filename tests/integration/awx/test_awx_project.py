# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The two kinds of project: this repository itself, and examples/awx-project with the released collection."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from integration.awx.support import MakeJob, Project, run_program
from integration.roles.support import Team
from parts import CHECKOUT


def test_checkout_is_installed_and_found(project: Project, tmp_path: Path) -> None:
    """A playbook finds the role in what AWX has installed, and nowhere else."""
    env = {"ANSIBLE_COLLECTIONS_PATH": str(project.collections), "HOME": str(tmp_path)}
    run_program("ansible-playbook", "--syntax-check", "playbooks/status.yml", folder=project.folder, env=env)
    installed = project.collections / "ansible_collections" / "dbops" / "migrations"
    assert (installed / "roles" / "migrate").is_dir()
    assert not (installed / "collections").exists()


def test_execution_environment_can_be_described(tmp_path: Path) -> None:
    """No image is built: that takes an engine for containers, and the network."""
    definition = CHECKOUT / "awx" / "execution-environment.yml"
    options = ["--file", str(definition), "--context", str(tmp_path), "--output-filename", "Containerfile"]
    run_program("ansible-builder", "create", *options, folder=tmp_path, env={})
    recipe = (tmp_path / "Containerfile").read_text()
    assert 'PYCMD="/usr/bin/python3.12"' in recipe
    assert 'PYPKG="python3.12"' in recipe
    assert 'ANSIBLE_INSTALL_REFS="ansible-core>=2.19,<2.22 ansible-runner>=2.4"' in recipe
    required = yaml.safe_load((tmp_path / "_build" / "requirements.yml").read_text())
    assert required == {"collections": [{"name": "dbops.migrations"}, {"name": "amazon.aws"}]}
    assert "openssh-clients" in (tmp_path / "_build" / "bindep.txt").read_text()


@pytest.fixture(scope="module")
def released(project: Project, tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The example, updated as AWX does, with the archive that a release would upload in the place of the server."""
    folder = tmp_path_factory.mktemp("released")
    run_program("ansible-galaxy", "collection", "build", "--output-path", folder, folder=project.folder, env={})
    [archive] = folder.glob("dbops-migrations-*.tar.gz")
    example = CHECKOUT / "examples" / "awx-project"
    shutil.copytree(example, folder / "project")
    requirements = yaml.safe_load((example / "collections" / "requirements.yml").read_text())
    [required] = requirements["collections"]
    assert required["name"] == "dbops.migrations"
    required["name"] = str(archive)
    (folder / "project" / "collections" / "requirements.yml").write_text(yaml.safe_dump(requirements))
    return Project.update(folder / "project", folder / "stage")


def test_the_example_project_is_three_files() -> None:
    example = CHECKOUT / "examples" / "awx-project"
    files = sorted(str(path.relative_to(example)) for path in example.rglob("*") if path.is_file())
    assert files == ["collections/requirements.yml", "databases.yml", "hosts"]


def test_example_project(released: Project, job: MakeJob, team: Team) -> None:
    """Its inventory, as AWX reads it, and its playbook, with nothing changed but the names of places."""
    places = {
        "production/orders": f"{team.databases['orders']}/secret",
        "production/stock": f"{team.databases['stock']}/secret",
        "git@github.com:example/orders.git": team.repository.url,
        "git@github.com:example/stock.git": team.repository.url,
        "db/migrations": "db",
    }
    hosts = released.folder / "hosts"
    text = hosts.read_text()
    for place, real in places.items():
        assert place in text
        text = text.replace(place, real)
    hosts.write_text(text)
    env = {"HOME": str(released.folder)}
    inventory = json.loads(
        run_program("ansible-inventory", "-i", hosts, "--list", "--export", folder=hosts.parent, env=env)
    )
    # The runner is this machine.
    here = ("ansible_connection", "migrate_python", "migrate_home", "migrate_aws_endpoint_url")
    details = {"project": released, "playbook": "databases.yml", "inventory": inventory}
    extra = {name: team.variables[name] for name in here}

    status = job("Database status", **details, extra=extra).run()
    assert status.last_message("orders")[0] == f"{team.databases['orders']}: no version yet, 2 migrations pending"
    migrate = job("Database migrate", **details, extra={**extra, "database_action": "migrate"}).run()
    assert (migrate.rc, migrate.artifacts["database_migrations"]["stock"]["to"]) == (0, 2)
    assert team.version("orders") == team.version("stock") == (2, 0)
