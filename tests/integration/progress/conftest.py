# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures: a server that says all it can, and the ways in which Ansible reaches the runner."""

from __future__ import annotations

import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.progress.support import RECORDING, Book
from parts import private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.sshd import GitServer, make_key


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how soon the lines came."""
    reports = [report for outcome in ("passed", "failed") for report in terminalreporter.stats.get(outcome, [])]
    found = [dict(report.user_properties) for report in reports if hasattr(report, "user_properties")]
    lines = sorted(properties["progress"] for properties in found if "progress" in properties)
    if lines:
        terminalreporter.section("seconds until the first line, and the longest without one")
        for line in lines:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def recording() -> Iterator[DatabaseServer]:
    """A server that records all it can in performance_schema."""
    with private_folder("recording") as folder, MariaDB(folder, options=RECORDING) as server:
        yield server


@pytest.fixture
def schemas(recording: DatabaseServer) -> Iterator[Callable[[str], str]]:
    """Make schemas whose names begin with a word."""
    made: list[str] = []

    def make(word: str) -> str:
        made.append(f"{word}_{uuid.uuid4().hex[:8]}")
        recording.create_schema(made[-1])
        return made[-1]

    yield make
    for name in made:
        recording.query(f"DROP DATABASE IF EXISTS `{name}`")


@pytest.fixture
def ways(git_server: GitServer, tmp_path: Path) -> dict[str, dict[str, Any]]:
    """The variables of each way to the runner."""
    make_key(tmp_path / "login_key")
    git_server.let_in((tmp_path / "login_key.pub").read_text())
    (tmp_path / "known_hosts").write_text(git_server.known_hosts)
    common = {"ansible_python_interpreter": sys.executable, "ansible_remote_tmp": str(tmp_path / "remote")}
    ssh = {
        **common,
        "ansible_connection": "ssh",
        "ansible_host": git_server.host,
        "ansible_port": git_server.port,
        "ansible_user": git_server.user,
        "ansible_ssh_private_key_file": str(tmp_path / "login_key"),
        "ansible_ssh_common_args": f"-F none -o UserKnownHostsFile={tmp_path / 'known_hosts'}",
        "ansible_ssh_args": "-o ControlMaster=auto -o ControlPersist=2",
        "ansible_control_path_dir": str(tmp_path / "cp"),
    }
    local = {**common, "ansible_connection": "local"}
    # An account that may not become another one becomes itself, which Ansible leaves out unless it is told to.
    become = {"ansible_become": True, "ansible_become_method": "su", "ansible_become_user": git_server.user}
    return {
        "local": local,
        "ssh": ssh,
        "ssh, pipelining": {**ssh, "ansible_pipelining": True},
        "become": {**ssh, **become, "ansible_pipelining": True},
    }


@pytest.fixture
def book(
    recording: DatabaseServer, ways: dict[str, dict[str, Any]], git_server: GitServer, tmp_path: Path
) -> Callable[[str], Book]:
    """Make a playbook for one of the ways."""
    return lambda way: Book(tmp_path, recording, ways[way], git_server)
