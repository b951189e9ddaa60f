# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fixtures of the tests of git_fetch."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import MIGRATIONS, Fetch, HttpGit
from parts.relay import Relay
from parts.sshd import GitServer, Repository


@pytest.fixture
def repository(git_server: GitServer) -> Repository:
    """A repository with a commit of migrations."""
    repository = git_server.create(f"shop-{uuid.uuid4().hex[:8]}")
    repository.commit(MIGRATIONS)
    return repository


@pytest.fixture
def dest(tmp_path: Path) -> Path:
    """A destination that does not exist yet."""
    return tmp_path / "dest"


@pytest.fixture
def ssh(git_server: GitServer, repository: Repository) -> dict[str, Any]:
    """The options by which the repository is reached over SSH."""
    return {"repo": repository.url, "private_key": git_server.private_key, "known_hosts": git_server.known_hosts}


@pytest.fixture
def fetch(run_module: Any, repository: Repository, dest: Path) -> Fetch:
    """Call git_fetch, by the repository's path, which is quicker than SSH; an option of None is left out."""

    def call(
        *, check: bool = False, diff: bool = False, env: Mapping[str, str] | None = None, **args: Any
    ) -> dict[str, Any]:
        given = {"repo": str(repository.path), "directory": "db/migrations", "dest": str(dest), **args}
        options = {name: value for name, value in given.items() if value is not None}
        result: dict[str, Any] = run_module("git_fetch", options, check=check, diff=diff, env=env)
        assert "Traceback" not in str(result)
        return result

    return call


@pytest.fixture
def message(fetch: Fetch, ssh: dict[str, Any], dest: Path) -> Any:
    """Call git_fetch over SSH and return the message of its failure."""

    def call(**args: Any) -> str:
        result = fetch(**{**ssh, **args})
        assert result["failed"]
        assert not (dest / "current").exists()
        msg: str = result["msg"]
        assert "\n" not in msg
        assert len(msg) < 500
        return msg

    return call


@pytest.fixture
def relay(git_server: GitServer) -> Iterator[Relay]:
    """A port that passes everything on to the server."""
    with Relay(git_server.port) as relay:
        yield relay


@pytest.fixture
def relayed(ssh: dict[str, Any], git_server: GitServer, relay: Relay) -> dict[str, Any]:
    """The options by which the repository is reached through the relay."""

    def through_relay(text: str) -> str:
        return text.replace(f":{git_server.port}", f":{relay.port}")

    return {**ssh, "repo": through_relay(ssh["repo"]), "known_hosts": through_relay(ssh["known_hosts"])}


@pytest.fixture
def http_git(git_server: GitServer) -> Iterator[HttpGit]:
    """The SSH server's repositories over HTTP."""
    with HttpGit(git_server.folder / "repositories") as server:
        yield server
