# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch for many databases on one runner: the Git server is asked once."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, HttpGit
from parts.sshd import GitServer, Repository, make_key

HOSTS = [f"customer{number}" for number in range(5)]
EVERYONE: Mapping[str, Mapping[str, Any]] = {host: {} for host in HOSTS}
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


@pytest.fixture
def options(http_git: HttpGit, repository: Repository, dest: Path) -> dict[str, Any]:
    """The options by which the repository is fetched over HTTP, whose server knows who asked."""
    repo = f"{http_git.url}/{repository.path.name}"
    return {
        "repo": repo,
        "username": http_git.user,
        "token": http_git.token,
        "directory": "db/migrations",
        "dest": str(dest),
    }


@pytest.fixture
def asked(http_git: HttpGit) -> Any:
    """Return how many requests were made since the last call."""

    def count() -> int:
        number = len(http_git.authorizations)
        http_git.authorizations.clear()
        return number

    return count


@pytest.fixture
def run(playbook: Any, tmp_path: Path) -> Any:
    """Run git_fetch as a task of five databases, and return what the playbook gave."""

    def call(
        options: Mapping[str, Any],
        *arguments: str,
        hosts: Mapping[str, Mapping[str, Any]] = EVERYONE,
        task: Mapping[str, Any] | None = None,
        **play: Any,
    ) -> Any:
        path = tmp_path / "play.json"
        tasks = [{"name": "Fetch", "dbops.migrations.git_fetch": options, **(task or {})}]
        path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks, **play}]))
        outcome = playbook(path, {"all": {"hosts": hosts, "vars": LOCAL}}, *arguments)
        print(outcome.stdout)
        return outcome

    return call


def results(outcome: Any) -> list[dict[str, Any]]:
    """Return each host's result without what Ansible itself adds."""
    return [outcome.result(host, "Fetch") for host in HOSTS]


@pytest.fixture
def once(run: Any, options: Mapping[str, Any], asked: Any, tmp_path: Path) -> int:
    """How many requests one host's fetch takes when there is nothing new; the files are there then."""
    for _run in (1, 2):
        asked()
        assert run(options, hosts={HOSTS[0]: {}}).rc == 0
    number: int = asked()
    assert number > 0
    return number


@pytest.mark.parametrize("strategy", ["linear", "free"])
def test_the_first_one_fetches_for_all(
    run: Any, options: Mapping[str, Any], asked: Any, once: int, repository: Repository, strategy: str
) -> None:
    outcome = run(options, strategy=strategy)
    assert asked() == once
    commit = repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    outcome = run(options, "--diff", strategy=strategy)
    assert sum(host["changed"] for host in outcome.stats.values()) == 1
    assert outcome.stdout.count("added    0002_b.up.sql") == 1
    found = results(outcome)
    assert {result["commit"] for result in found} == {commit}
    assert [result["previous_commit"] == commit for result in found].count(True) == len(HOSTS) - 1
    for result in found:
        assert result["ref"] == "refs/heads/main"
        assert result["files"] == [*NAMES, "0002_b.up.sql"]
        assert len(list(Path(result["directory"]).iterdir())) == 3


def test_check_mode_says_about_each_what_would_happen(
    run: Any, options: Mapping[str, Any], asked: Any, once: int, repository: Repository, dest: Path, tmp_path: Path
) -> None:
    before = (dest / "current").resolve()
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    outcome = run({**options, "preview_dest": str(tmp_path / "preview")}, "--check", "--diff")
    assert [result["changed"] for result in results(outcome)] == [True] * len(HOSTS)
    assert outcome.stdout.count("added    0002_b.up.sql") == len(HOSTS)
    assert {result["previous_commit"] for result in results(outcome)} == {before.name[:40]}
    assert (dest / "current").resolve() == before


def test_whoever_wants_something_else_asks_for_himself(
    run: Any, options: Mapping[str, Any], asked: Any, once: int, repository: Repository, tmp_path: Path
) -> None:
    other = repository.git("rev-parse", "main")
    repository.git("branch", "other", "main")
    new = repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    hosts = {host: {"branch": "other" if number == 2 else "main"} for number, host in enumerate(HOSTS)}
    own = {"ref": "{{ branch }}", "dest": str(tmp_path) + "/{{ branch }}"}
    outcome = run({**options, **own}, hosts=hosts)
    assert [result["commit"] for result in results(outcome)] == [new, new, other, new, new]


def test_another_environment_or_account_is_another_run(
    run: Any, options: Mapping[str, Any], asked: Any, once: int
) -> None:
    hosts = {host: {"number": number % 2} for number, host in enumerate(HOSTS)}
    run(options, hosts=hosts, task={"environment": {"NUMBER": "{{ number }}"}})
    assert asked() == 2 * once
    hosts = {host: {"ansible_become": number % 2 == 0} for number, host in enumerate(HOSTS)}
    run(options, hosts=hosts)
    assert asked() == 2 * once


def test_another_python_is_another_run(run: Any, options: Mapping[str, Any], once: int) -> None:
    """Or a database whose Python is missing would learn it from a later task, which explains it badly."""
    hosts = {**EVERYONE, HOSTS[4]: {"python": "/nowhere/python"}}
    python = {"python": sys.executable, "ansible_python_interpreter": "{{ python }}"}
    hosts = {host: {**python, **more} for host, more in hosts.items()}
    outcome = run(options, hosts=hosts)
    assert [outcome.stats[host]["failures"] for host in HOSTS] == [0, 0, 0, 0, 1]
    assert outcome.result(HOSTS[4], "Fetch")["msg"] == (
        f"/nowhere/python on {HOSTS[4]} does not exist, or this account may not run it. Prepare the host with the "
        "playbook dbops.migrations.prepare_runner, or set migrate_home or migrate_python. (DBM-1101)"
    )


def test_each_batch_each_play_and_each_repetition_asks_again(
    run: Any, options: Mapping[str, Any], asked: Any, once: int
) -> None:
    run(options, serial=2)
    assert asked() == 3 * once
    one: dict[str, Any] = {HOSTS[0]: {}}
    run(options, hosts=one, task={"loop": [1, 2]})
    assert asked() == 2 * once
    run(options, hosts=one, task={"register": "found", "until": "found.attempts == 3", "retries": 3, "delay": 0})
    assert asked() == 3 * once
    run(options, task={"async": 30, "poll": 1})
    assert asked() == len(HOSTS) * once


def test_a_failure_is_asked_for_and_reported_once(
    run: Any, options: Mapping[str, Any], asked: Any, once: int, dest: Path
) -> None:
    before = (dest / "current").resolve()
    run({**options, "ref": "nowhere"}, hosts={HOSTS[0]: {}})
    for_one = asked()
    outcome = run({**options, "ref": "nowhere"})
    assert asked() == for_one
    assert outcome.rc == 2
    assert [outcome.stats[host]["failures"] for host in HOSTS] == [1] * len(HOSTS)
    [told] = [result["msg"] for result in results(outcome) if "nowhere" in result["msg"]]
    assert "does not exist" in told
    others = {result["msg"] for result in results(outcome)} - {told}
    assert others <= {
        f"The fetch failed: it is the one of {host}, whose message says why. (DBM-1241)" for host in HOSTS
    }
    assert len(others) == 1
    assert (dest / "current").resolve() == before


def test_a_runner_that_cannot_be_reached_is_not_an_answer(run: Any, options: Mapping[str, Any], asked: Any) -> None:
    hosts = {host: {"ansible_connection": "ssh", "ansible_port": 1, "ansible_host": "127.0.0.1"} for host in HOSTS}
    outcome = run(options, hosts=hosts)
    assert [outcome.stats[host]["unreachable"] for host in HOSTS] == [1] * len(HOSTS)
    assert asked() == 0


def test_each_runner_has_its_own_files(
    run: Any, options: Mapping[str, Any], asked: Any, once: int, git_server: GitServer, tmp_path: Path
) -> None:
    key = git_server.folder / f"runner-{tmp_path.name}"
    make_key(key)
    git_server.let_in(key.with_suffix(".pub").read_text())
    names = ("127.0.0.1", "localhost")
    hosts = {
        host: {
            "ansible_connection": "ssh",
            "ansible_host": names[number % 2],
            "ansible_port": git_server.port,
            "ansible_user": git_server.user,
            "ansible_ssh_private_key_file": str(key),
            "ansible_ssh_common_args": "-F none -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null",
            "ansible_ssh_args": "",
            "ansible_pipelining": True,
        }
        for number, host in enumerate(HOSTS)
    }
    outcome = run(options, hosts=hosts)
    assert outcome.rc == 0, outcome.stdout
    assert asked() == 2 * once
