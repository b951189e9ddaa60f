# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Each way in which a secret comes from the controller: it works on every ansible-core, and nothing prints it.

On the oldest and the newest core with the other tests, on the others with ``make test-cores``. What the runner reads by
itself is in test_role_secrets.py.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from integration.awx.support import injected, literally
from integration.roles.support import Team
from parts import CHECKOUT, cores

if TYPE_CHECKING:
    from conftest import RunPlaybook

ENDS = (next(iter(cores.CORES)), next(reversed(cores.CORES)))
LOOKUP = "lookup('dbops.migrations.secret', place ~ '.json', store='file')"
# How a host has its database's password.
WAYS: dict[str, dict[str, str]] = {
    "inline": {},
    "file": {"migrate_login_password": "{{ kept_password }}"},
    "environment": {"migrate_login_password": "{{ lookup('ansible.builtin.env', 'SHOP_PASSWORD') }}"},
    "read": {"migrate_login_password": "{{ lookup('ansible.builtin.file', place) }}"},
    "lookup": {"migrate_login_password": f"{{{{ {LOOKUP}.credentials.password }}}}"},
}


def vault(programs: Path, folder: Path, command: str, text: str, *options: str) -> str:
    """Run ansible-vault and return what it made of a text."""
    return subprocess.check_output(
        [programs / "ansible-vault", command, "--vault-password-file", folder / "password", *options],
        input=text,
        text=True,
        env={"HOME": str(folder)},
    )


def write_inventory(team: Team, folder: Path, programs: Path, secrets: Mapping[str, str]) -> None:
    """Write the inventory of a directory: a host for each way, all variables with a secret in a vault.

    :param secrets: variables of all hosts, which are inline vaults.
    """
    server = team.mariadb
    (folder / "group_vars" / "all").mkdir(parents=True)
    (folder / "host_vars").mkdir()
    login = {"host": server.host, "port": server.port, "user": server.user}
    shared = {**team.variables, **{f"migrate_login_{name}": value for name, value in login.items()}}
    (folder / "group_vars" / "all" / "vars.yml").write_text(json.dumps(shared))
    texts = (
        vault(programs, folder.parent, "encrypt_string", text, "--stdin-name", name) for name, text in secrets.items()
    )
    (folder / "group_vars" / "all" / "inline.yml").write_text("\n".join(texts))
    whole = json.dumps({"kept_password": server.password})
    (folder / "group_vars" / "all" / "whole.yml").write_text(
        vault(programs, folder.parent, "encrypt", whole, "--output", "-", "-")
    )
    (folder / "hosts.yml").write_text(json.dumps({"databases": {"hosts": dict.fromkeys(WAYS)}}))
    for host, variables in WAYS.items():
        name = {"migrate_login_database": team.databases[host]}
        (folder / "host_vars" / f"{host}.json").write_text(json.dumps({**variables, **name}))
    inline = vault(programs, folder.parent, "encrypt_string", server.password, "--stdin-name", "migrate_login_password")
    (folder / "host_vars" / "inline.json").unlink()
    (folder / "host_vars" / "inline.yml").write_text(f"{inline}\nmigrate_login_database: {team.databases['inline']}\n")


@pytest.mark.parametrize(
    "core", [pytest.param(core, marks=[] if core in ENDS else [pytest.mark.cores]) for core in cores.CORES]
)
def test_no_way_to_keep_a_secret_shows_it(team: Team, playbook: RunPlaybook, tmp_path: Path, core: str) -> None:
    programs, server = cores.programs(core), team.mariadb
    (tmp_path / "password").write_text("the vault's own\n")
    for name, text in (("secret", server.password), ("secret.json", json.dumps({"password": server.password}))):
        (tmp_path / name).touch(0o600)
        (tmp_path / name).write_text(text)
    unique = team.databases["orders"]
    for host in WAYS:
        team.databases[host] = f"{unique}_{host}"
        server.create_schema(team.databases[host])
    # The deploy key and AWS's keys come from credentials of AWX; a token is not used here, and is not printed either.
    types = {each["name"]: each for each in literally(CHECKOUT / "awx/credential_types.yml")["awx_credential_types"]}
    git, aws = types["Deploy key for migrations"], types["AWS access for migrations"]
    given = {
        **injected(git, {name: team.variables.pop(f"migrate_{name}") for name in ("private_key", "known_hosts")}),
        **injected(aws, {"access_key": "AKIACANARY", "secret_key": "canary-aws-key"}),
    }
    write_inventory(team, tmp_path / "inventory", programs, {"migrate_git_token": "canary-token"})
    result = playbook(
        "dbops.migrations.migrate",
        tmp_path / "inventory",
        "-vvv",
        "--vault-password-file",
        str(tmp_path / "password"),
        extra_vars={
            **{name: {"__ansible_unsafe": text} for name, text in given.items()},
            "place": str(tmp_path / "secret"),
        },
        env={"SHOP_PASSWORD": server.password},
        programs=programs,
    )
    assert result.rc == 0, result.stdout + result.stderr
    assert {host: team.version(host) for host in WAYS} == dict.fromkeys(WAYS, (2, 0))
    key = given["migrate_private_key"].splitlines()[2]
    for secret in (server.password, "canary-token", "canary-aws-key", key):
        assert secret not in result.stdout + result.stderr
