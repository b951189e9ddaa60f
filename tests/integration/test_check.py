# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_check and the playbook check, as a team runs them in a merge request: files only, or an empty server."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

import pytest
import yaml
from parts import CHECKOUT
from parts.ansible import PROGRAMS, environment

if TYPE_CHECKING:
    from conftest import RunModule
    from parts.mariadb import DatabaseServer

GOOD = {
    "0001_users.up.sql": "CREATE TABLE users (id INT PRIMARY KEY);\n",
    "0001_users.down.sql": "DROP TABLE users;\n",
}
WARNED = {
    "0002_note.up.sql": "ALTER TABLE users DROP note;\n",
    "0002_note.down.sql": "ALTER TABLE users ADD note INT;\n",
}
WRONG = {"0002_other.up.sql": "SELECT (1"}
DESTROYS = (
    "db/migrations/0002_note.up.sql:1: warning: DROP COLUMN may destroy the values of users.note. "
    "If this is intended, allow it in a comment above: -- dbops: allow destroy users.note [destroy]"
)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A clone with a directory of migrations in which nothing is to be found."""
    repository = tmp_path / "shop"
    (repository / "db" / "migrations").mkdir(parents=True)
    (repository / ".git").mkdir()
    write(repository, GOOD)
    return repository


def write(repository: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (repository / "db" / "migrations" / name).write_text(text)


def options(repository: Path, **more: Any) -> dict[str, Any]:
    return {"directory": str(repository / "db" / "migrations"), **more}


def test_nothing_to_find(repository: Path, run_module: RunModule) -> None:
    result = run_module("migration_check", options(repository))
    summary = "db/migrations: 0 errors and 0 warnings in 2 files"
    assert result == {
        "failed": False, "changed": False, "passed": True, "findings": [], "report": [summary], "tried_on": None,
        "msg": summary,
    }  # fmt: skip


def test_no_migrations_yet(tmp_path: Path, run_module: RunModule) -> None:
    (tmp_path / "README.md").touch()
    result = run_module("migration_check", {"directory": str(tmp_path), "strict": True})
    assert (result["passed"], result["msg"]) == (True, f"{tmp_path}: no migrations yet")


def test_warnings_fail_where_that_is_asked_for(repository: Path, run_module: RunModule) -> None:
    write(repository, WARNED)
    result = run_module("migration_check", options(repository))
    assert (result["failed"], result["passed"]) == (False, True)
    assert result["report"] == [DESTROYS, "db/migrations: 0 errors and 1 warning in 4 files"]
    assert result["findings"] == [
        {
            "file": "db/migrations/0002_note.up.sql",
            "line": 1,
            "rule": "destroy",
            "severity": "warning",
            "what": "DROP COLUMN may destroy the values of users.note.",
            "advice": "If this is intended, allow it in a comment above: -- dbops: allow destroy users.note",
        }
    ]
    strict = run_module("migration_check", options(repository, strict=True))
    assert (strict["failed"], strict["passed"]) == (True, False)
    assert strict["msg"] == f"{result['msg']}\n{DESTROYS} (DBM-2401)"
    assert strict["findings"] == result["findings"]
    assert run_module("migration_check", options(repository, strict=True, ignore=["destroy"]))["passed"]


def test_errors_fail_after_all_has_been_found(repository: Path, run_module: RunModule) -> None:
    write(repository, WARNED | WRONG)
    result = run_module("migration_check", options(repository))
    assert result["failed"]
    assert [finding["rule"] for finding in result["findings"]] == ["destroy", "duplicate_version", "incomplete"]
    assert result["msg"].startswith("db/migrations: 2 errors and 1 warning in 5 files\n")


def test_reports_are_written_once_and_not_in_check_mode(repository: Path, run_module: RunModule) -> None:
    write(repository, WARNED | WRONG)
    files = {"junit_file": str(repository / "r.xml"), "annotations_file": str(repository / "r.txt")}
    changes = []
    for check in (True, False, False, True):
        result = run_module("migration_check", options(repository, **files), check)
        assert result["failed"]
        changes.append((result["changed"], all(os.path.exists(file) for file in files.values())))
    assert changes == [(True, False), (True, True), (False, True), (False, True)]
    assert len((repository / "r.txt").read_text().splitlines()) == 3
    suite = ElementTree.fromstring((repository / "r.xml").read_bytes())[0]
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("6", "2", "1")
    (repository / "db" / "migrations" / "0002_other.up.sql").unlink()
    assert run_module("migration_check", options(repository, **files))["changed"]
    assert len((repository / "r.txt").read_text().splitlines()) == 1


def test_it_needs_no_library_beside_ansible() -> None:
    """A pipeline installs ansible-core only."""
    missing = "import sys; sys.modules.update(dict.fromkeys(['pymysql', 'git', 'boto3', 'botocore', 'yaml']))"
    module = "ansible_collections.dbops.migrations.plugins.modules.migration_check"
    done = subprocess.run(
        [sys.executable, "-c", f"{missing}; import {module}"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".venv" / "collections")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_what_it_refuses(repository: Path, run_module: RunModule) -> None:
    report = str(repository / "nowhere" / "r.xml")
    refused = run_module("migration_check", options(repository, junit_file=report))
    assert refused["msg"] == f"The report {report} cannot be written: No such file or directory. (DBM-2402)"
    refused = run_module("migration_check", options(repository, ignore=["destory"]))
    assert "destory" in refused["msg"]
    refused = run_module("migration_check", {"directory": str(repository / "nowhere")})
    assert refused["msg"].startswith(f"The migrations' directory {repository}/nowhere cannot be read: No such file")


def run(repository: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a clone as a pipeline's shell does."""
    results = repository.parent / "results"
    results.touch()
    return subprocess.run(
        ["bash", "-ec", command],
        cwd=repository,
        env={**environment(results, PROGRAMS), "ANSIBLE_NOCOLOR": "true", "PWD": str(repository)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


def test_the_playbook(repository: Path) -> None:
    write(repository, WARNED)
    check = "ansible-playbook dbops.migrations.check -e check_directory=db/migrations"
    done = run(repository, f"{check} -e check_strict=true")
    assert done.returncode == 2
    assert done.stdout.index(DESTROYS) < done.stdout.index("FAILED!")
    done = run(repository, f"{check} -e check_strict=true -e check_ignore=destroy,gap --check")
    assert done.returncode == 0, done.stdout
    assert '"db/migrations: 0 errors and 0 warnings in 4 files"' in done.stdout


def test_variables_of_the_playbook(repository: Path) -> None:
    done = run(repository, "ansible-playbook dbops.migrations.check")
    assert done.returncode == 2
    assert "check_directory is not set. Name the directory of the migrations." in done.stdout
    done = run(repository, "ansible-playbook dbops.migrations.check -e check_directory=x -e check_strikt=true")
    assert done.returncode == 2
    assert "Not a variable of this playbook: check_strikt. Its variables are check_directory, " in done.stdout
    done = run(repository, "ansible-playbook dbops.migrations.check -e check_directory=nowhere")
    assert done.returncode == 2
    assert f"The migrations' directory {repository}/nowhere cannot be read" in done.stdout


PAGE = (CHECKOUT / "docs" / "ci.md").read_text()
GITHUB, GITLAB, GITHUB_SERVER, GITLAB_SERVER = (
    yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
)


def of_the_page(commands: list[str]) -> list[str]:
    """Return a pipeline's commands except for those that install, which need the network."""
    left = [command for command in commands if "install" not in command]
    assert 0 < len(left) < len(commands)
    return left


def test_the_lines_for_github(repository: Path) -> None:
    write(repository, WARNED | WRONG)
    check, show = of_the_page([step["run"] for step in GITHUB["jobs"]["check"]["steps"] if "run" in step])
    assert run(repository, check).returncode == 2
    lines = run(repository, show).stdout.splitlines()
    assert lines[0].startswith(
        "::error file=db/migrations/0002_other.up.sql,line=1,title=duplicate_version::Version 2 is"
    )
    assert [line.split()[0] for line in lines] == ["::error", "::error", "::warning"]


def test_the_lines_for_gitlab(repository: Path) -> None:
    write(repository, WARNED | WRONG)
    [check] = of_the_page(GITLAB["migrations"]["script"])
    assert run(repository, check).returncode == 2
    report = repository / GITLAB["migrations"]["artifacts"]["reports"]["junit"]
    assert [case.get("file") for case in ElementTree.parse(report).iter("testcase") if len(case)] == [
        "db/migrations/0002_note.up.sql",
        "db/migrations/0002_other.up.sql",
        "db/migrations/0002_other.up.sql",
    ]


NO_WAY_BACK = {
    "0002_note.up.sql": "ALTER TABLE users ADD note INT, ADD author INT;\n",
    "0002_note.down.sql": "ALTER TABLE users DROP note;\n",
}


@pytest.fixture
def service(mariadb: DatabaseServer) -> Iterator[str]:
    """A server as a pipeline starts it, with an account root without a password; return where it is, as variables."""
    mariadb.query("CREATE USER root@'%'")
    mariadb.query("GRANT ALL PRIVILEGES ON *.* TO root@'%'")
    yield f" -e check_login_host={mariadb.host} -e check_login_port={mariadb.port}"
    mariadb.query("DROP USER root@'%'")


def test_the_lines_for_github_with_a_server(repository: Path, service: str) -> None:
    write(repository, NO_WAY_BACK)
    job = GITHUB_SERVER["jobs"]["check"]
    check, show = of_the_page([step["run"] for step in job["steps"] if "run" in step])
    assert job["services"]["mysql"]["ports"] == ["3306:3306"]
    assert "-e check_login_host=127.0.0.1" in check
    assert run(repository, check + service).returncode == 2
    assert run(repository, show).stdout == (
        "::error file=db/migrations/0002_note.down.sql,line=1,title=no_way_back::Its down file does not restore "
        "TABLE users (different). Make the down file restore exactly what was there before.\n"
    )


def test_the_lines_for_gitlab_with_a_server(repository: Path, service: str) -> None:
    write(repository, NO_WAY_BACK)
    job = GITLAB_SERVER["migrations"]
    [check] = of_the_page(job["script"])
    assert [service.split(":")[0] for service in job["services"]] == ["mysql"]
    assert "-e check_login_host=mysql" in check
    assert run(repository, check + service).returncode == 2
    report = repository / job["artifacts"]["reports"]["junit"]
    assert [case.get("file") for case in ElementTree.parse(report).iter("testcase") if len(case)] == [
        "db/migrations/0002_note.down.sql"
    ]
    write(repository, {"0002_note.down.sql": "ALTER TABLE users DROP note, DROP author;\n"})
    done = run(repository, check + service)
    assert done.returncode == 0, done.stdout
    assert re.search(r"0 errors and 0 warnings in 4 files, tried on MariaDB [0-9.]+", done.stdout)
