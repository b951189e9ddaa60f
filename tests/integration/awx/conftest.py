# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A team's databases, and its project in AWX: a clone of this repository."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.awx.support import Job, MakeJob, Project, injected, literally, names_in_git
from integration.roles.conftest import team
from integration.roles.support import Team
from parts import CHECKOUT
from parts.ansible import ansible_runner
from parts.secretsmanager import SecretsManager
from parts.sshd import GitServer, make_key

__all__ = ["team"]
# The deploy key and the keys of AWS come from credentials, the branch from the survey, as in inventories/example.
FROM_CREDENTIALS = ("migrate_private_key", "migrate_known_hosts", "migrate_aws_access_key", "migrate_aws_secret_key")


def clone(folder: Path) -> Path:
    """Copy this checkout as it is in Git."""
    for name in names_in_git():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(CHECKOUT / name, folder / name)
    return folder


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """The checkout as a project, updated as AWX does."""
    folder = tmp_path_factory.mktemp("projects")
    return Project.update(clone(folder / "project"), folder / "stage")


@pytest.fixture
def secrets(git_server: GitServer, secrets_manager: SecretsManager, team: Team, tmp_path: Path) -> dict[str, str]:
    """Whatever must not be in any file that AWX keeps."""
    make_key(tmp_path / "machine_key")
    return {
        "deploy key": git_server.private_key,
        "machine key": (tmp_path / "machine_key").read_text(),
        "AWS key": secrets_manager.secret_key,
        "password": team.mariadb.password,
    }


@pytest.fixture
def job(
    project: Project,
    team: Team,
    git_server: GitServer,
    secrets_manager: SecretsManager,
    secrets: dict[str, str],
    tmp_path: Path,
) -> Iterator[MakeJob]:
    """Make a job; at the end no job has left a secret in what AWX keeps."""
    # Where it cannot run, no job has left anything.
    ansible_runner()
    types = {kind["name"]: kind for kind in literally(CHECKOUT / "awx/credential_types.yml")["awx_credential_types"]}
    deploy_key = {"private_key": git_server.private_key, "known_hosts": git_server.known_hosts}
    aws = {"access_key": secrets_manager.access_key, "secret_key": secrets_manager.secret_key}
    credentials = [
        injected(types["Deploy key for migrations"], deploy_key),
        injected(types["AWS access for migrations"], aws),
    ]
    variables = {name: value for name, value in team.variables.items() if name not in FROM_CREDENTIALS}
    variables["migrate_ref"] = "{{ survey_ref | default('main', true) }}"
    jobs: list[Job] = []

    def inventory(only: str | None) -> dict[str, Any]:
        chosen = [name for name in team.databases if only in (None, name)]
        # AWX adds what it knows of a host.
        own: dict[str, Any] = {"remote_tower_enabled": "true", "remote_tower_id": 5}
        return {
            "all": {"hosts": [], "children": ["databases", "runners"], "vars": variables},
            "databases": {"hosts": chosen},
            "runners": {"hosts": ["runner"]},
            "_meta": {
                "hostvars": {name: {**own, "migrate_secret_id": f"{team.databases[name]}/secret"} for name in chosen}
            },
        }

    def make(template: str, *options: str, only: str | None = None, **other: Any) -> Job:
        details: dict[str, Any] = {
            "project": project,
            "inventory": inventory(only),
            "credentials": credentials,
            **other,
        }
        number = 17 + len(jobs)
        made = Job(
            folder=tmp_path / f"job-{number}",
            template=template,
            options=options,
            ssh_key=secrets["machine key"],
            number=number,
            **details,
        )
        jobs.append(made)
        return made

    yield make
    for made in jobs:
        made.stop()
    for made in jobs:
        kept = [path for path in (made.folder / "artifacts").rglob("*") if path.is_file()]
        assert kept
        for path in kept:
            if made.environment and path.name == "command":
                # The environment, which AWX masks before it keeps it; the file goes with the job.
                continue
            text = path.read_text(errors="replace")
            for name, secret in secrets.items():
                # A key's text has a header, and line endings that JSON writes in another way.
                assert max(secret.splitlines(), key=len) not in text, f"The {name} is in {path}"
