# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch in a playbook, as people use it: check mode, diff, what -vvvv prints, what is left."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from integration.git_fetch.support import NAMES, HttpGit
from parts.sshd import Repository

INVENTORY = {
    "all": {"hosts": {"runner": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}}}
}


def play(folder: Path, options: dict[str, Any]) -> Path:
    path = folder / "play.json"
    task = {"name": "Fetch", "dbops.migrations.git_fetch": options, "register": "source"}
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": [task]}]))
    return path


def test_check_diff_run_run(playbook: Any, ssh: dict[str, Any], repository: Repository, tmp_path: Path) -> None:
    temporary = tmp_path / "temporary"
    options = {**ssh, "directory": "db/migrations", "dest": str(tmp_path / "dest")}
    path = play(tmp_path, options)
    env = {"ANSIBLE_REMOTE_TMP": str(temporary), "ANSIBLE_LOCAL_TEMP": str(tmp_path / "local")}
    outcomes = [
        playbook(path, INVENTORY, "-vvvv", *extra, env=env) for extra in (["--check", "--diff"], ["--diff"], ["--diff"])
    ]
    assert [outcome.stats["runner"]["changed"] for outcome in outcomes] == [1, 1, 0]
    assert ["added    0001_a.up.sql" in outcome.stdout for outcome in outcomes] == [True, True, False]
    assert outcomes[2].result("runner", "Fetch")["files"] == NAMES
    for line in ssh["private_key"].splitlines()[1:-1]:
        assert not any(line in outcome.stdout + outcome.stderr for outcome in outcomes)
    assert not [file for file in temporary.rglob("*") if file.is_file()]


def test_a_token_is_not_printed(playbook: Any, http_git: HttpGit, repository: Repository, tmp_path: Path) -> None:
    repo = f"{http_git.url}/{repository.path.name}"
    good = {"repo": repo, "username": http_git.user, "token": http_git.token, "dest": str(tmp_path / "dest")}
    wrong = [{**good, "token": "wr0ng-token"}, {**good, "repo": repo.replace("//", "//me:hunter2@")}]
    for options, rc in [(good, 0), *[(options, 2) for options in wrong]]:
        outcome = playbook(play(tmp_path, options), INVENTORY, "-vvvv")
        assert outcome.rc == rc
        printed = outcome.stdout + outcome.stderr
        assert not any(secret in printed for secret in (http_git.token, "wr0ng-token", "hunter2"))
