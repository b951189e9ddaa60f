# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The role runner, in a private folder of this machine."""

from __future__ import annotations

import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml
from integration.roles.support import Team, changed, said
from parts import CHECKOUT

if TYPE_CHECKING:
    from conftest import RunPlaybook

PREPARE = "dbops.migrations.prepare_runner"


def runners(**variables: Any) -> dict[str, Any]:
    return {"all": {"children": {"runners": {"hosts": {"runner": variables}}}}}


def private(home: Path, **more: Any) -> dict[str, Any]:
    """The inventory of a runner in a folder of this machine, without touching the system."""
    python = {"ansible_python_interpreter": sys.executable, "runner_python": sys.executable}
    return runners(
        ansible_connection="local", runner_home=str(home), runner_packages=[], runner_become=False, **python, **more
    )


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_private_folder_and_the_way_through_it(team: Team, playbook: RunPlaybook) -> None:
    """What prepare_runner makes is what the role migrate uses, without a variable but the folder."""
    elsewhere = {
        "runner_index_url": "https://me:secret@packages.example.com/simple",
        "runner_proxy": "http://me:secret@proxy.example.com:3128",
    }
    planned = playbook(PREPARE, private(team.home, **elsewhere), "--check")
    assert changed(planned)["runner"] > 0
    directories, libraries = planned.result("runner", "Show what would be done")["msg"]
    assert directories.endswith(f": {team.home}, {team.home}/fetched, {team.home}/preview")
    way = "from https://packages.example.com/simple through http://proxy.example.com:3128: boto3>="
    assert libraries.startswith(f"libraries, in {team.home}/venv, {way}")
    assert "secret" not in planned.stdout
    assert not team.home.exists()

    assert changed(playbook(PREPARE, private(team.home)))["runner"] > 0
    assert {name: mode(team.home / name) for name in (".", "fetched", "preview")} == {
        ".": 0o750,
        "fetched": 0o700,
        "preview": 0o700,
    }
    assert changed(playbook(PREPARE, private(team.home))) == {"runner": 0}
    assert changed(playbook(PREPARE, private(team.home), "--check")) == {"runner": 0}

    done = playbook("dbops.migrations.migrate", team.inventory(migrate_python=None))
    assert said(done, "orders")[0].endswith("from no version yet to version 2, 2 migrations")


def test_libraries_are_those_that_the_modules_name() -> None:
    defaults = yaml.safe_load((CHECKOUT / "roles/runner/defaults/main.yml").read_text())
    names = sorted(line.split(">=")[0] for line in defaults["runner_libraries"])
    assert names == ["GitPython", "PyMySQL[rsa]", "boto3"]
