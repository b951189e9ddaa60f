# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch with the keys of an SSH agent, and with a server that is known by a fingerprint."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch
from parts import private_folder
from parts.ssh_agent import Agent
from parts.sshd import GitServer, Repository, fingerprint, make_key


@pytest.fixture
def agent() -> Iterator[Agent]:
    with private_folder("agent") as folder, Agent(folder) as agent:
        yield agent


@pytest.fixture
def by_agent(ssh: dict[str, Any]) -> dict[str, Any]:
    """The options by which the repository is reached with an agent's keys."""
    return {**ssh, "private_key": None, "use_ssh_agent": True}


class TestAgents:
    def test_its_key_is_used(
        self, fetch: Fetch, by_agent: dict[str, Any], git_server: GitServer, agent: Agent, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "other")
        agent.add(tmp_path / "other", git_server.private_key_file)
        assert fetch(**by_agent, env=agent.env, check=True)["files"] == NAMES
        assert fetch(**by_agent, env=agent.env)["files"] == NAMES

    def test_none_is_asked_without_the_option(
        self, message: Any, git_server: GitServer, agent: Agent, tmp_path: Path
    ) -> None:
        agent.add(git_server.private_key_file)
        make_key(tmp_path / "stranger")
        msg = message(private_key=(tmp_path / "stranger").read_text(), env=agent.env)
        assert "the server does not accept the private key (" in msg

    @pytest.mark.parametrize("env", [{}, {"SSH_AUTH_SOCK": ""}], ids=["unset", "empty"])
    def test_none_is_named(
        self, message: Any, by_agent: dict[str, Any], env: dict[str, str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
        assert "SSH_AUTH_SOCK is not set for this task on the runner. Forward your agent" in message(
            **by_agent, env=env
        )

    @pytest.mark.parametrize("kind", ["nothing", "file", "left", "mute", "other"])
    def test_none_answers(self, message: Any, by_agent: dict[str, Any], kind: str) -> None:
        with private_folder("agent") as folder, socket.socket(socket.AF_UNIX) as listener:
            path = folder / "socket"
            if kind == "file":
                path.touch()
            elif kind != "nothing":
                listener.bind(str(path))
            if kind in ("mute", "other"):
                listener.listen()
                answer = b"" if kind == "mute" else b"HTTP/1.1 400 Bad Request\r\n"
                threading.Thread(target=lambda: _answer(listener, answer), daemon=True).start()
            msg = message(**by_agent, env={"SSH_AUTH_SOCK": str(path)})
        assert msg == f"use_ssh_agent: no SSH agent answers at '{path}' (SSH_AUTH_SOCK) on the runner. (DBM-1313)"

    def test_it_holds_nothing(self, message: Any, by_agent: dict[str, Any], agent: Agent) -> None:
        assert "holds no keys. Add one with ssh-add, or unlock it." in message(**by_agent, env=agent.env)

    def test_its_keys_are_not_accepted(
        self, message: Any, by_agent: dict[str, Any], agent: Agent, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "one")
        make_key(tmp_path / "two")
        agent.add(tmp_path / "one", tmp_path / "two")
        shown = ", ".join(f"ED25519 {fingerprint(tmp_path / name)}" for name in ("one", "two"))
        assert f"the server accepts no key of the SSH agent ({shown}). Register" in message(**by_agent, env=agent.env)

    def test_its_keys_are_too_many(
        self, message: Any, by_agent: dict[str, Any], git_server: GitServer, agent: Agent, tmp_path: Path
    ) -> None:
        keys = [tmp_path / f"key-{number}" for number in range(8)]
        for key in keys:
            make_key(key)
        agent.add(*keys, git_server.private_key_file)
        msg = message(**by_agent, env=agent.env)
        assert "the server did not wait for the right one of the SSH agent's many keys" in msg

    @pytest.mark.parametrize("option", ["private_key", "private_key_file", "private_key_passphrase"])
    def test_it_is_all(self, message: Any, by_agent: dict[str, Any], agent: Agent, option: str) -> None:
        msg = message(**{**by_agent, option: "7"}, env=agent.env)
        assert msg == f"use_ssh_agent and {option} are mutually exclusive. Give one of them. (DBM-1316)"


def _answer(listener: socket.socket, answer: bytes) -> None:
    connection, _address = listener.accept()
    with connection:
        connection.recv(5)
        connection.sendall(answer)


@pytest.fixture(scope="module")
def server() -> Iterator[GitServer]:
    """A server with three host keys, the kind that ssh prefers first."""
    with private_folder("git") as folder, GitServer(folder, kinds=("ed25519", "ecdsa", "rsa")) as server:
        yield server


@pytest.fixture
def listed(server: GitServer, repository: Repository) -> dict[str, Any]:
    """The options by which the repository is reached there, without a host key."""
    return {
        "repo": f"ssh://{server.user}@{server.host}:{server.port}{repository.path}",
        "private_key": server.private_key,
    }


class TestFingerprints:
    @pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
    def test_any_of_the_servers_keys_will_do(
        self, fetch: Fetch, listed: dict[str, Any], server: GitServer, kind: str
    ) -> None:
        wanted = ["SHA256:" + "A" * 43, fingerprint(server.host_keys[kind])]
        assert fetch(**listed, known_hosts_fingerprints=wanted)["files"] == NAMES

    def test_a_stranger_at_the_servers_second_key(
        self, message: Any, listed: dict[str, Any], server: GitServer, tmp_path: Path
    ) -> None:
        make_key(tmp_path / "stranger")
        options = {**listed, "private_key": (tmp_path / "stranger").read_text(), "known_hosts": None}
        msg = message(**options, known_hosts_fingerprints=[fingerprint(server.host_keys["ecdsa"])])
        assert "the server does not accept the private key (ED25519 " in msg

    def test_a_strange_temporary_directory(
        self, fetch: Fetch, listed: dict[str, Any], server: GitServer, tmp_path: Path
    ) -> None:
        folder = tmp_path / "100% \"of' a*"
        folder.mkdir()
        options = {**listed, "known_hosts_fingerprints": [fingerprint(server.host_keys["rsa"])]}
        result = fetch(**options, _ansible_tmpdir=str(folder))
        assert not result["failed"], result["msg"]

    def test_none_is_listed(self, message: Any, listed: dict[str, Any], server: GitServer) -> None:
        """Lines of the account's own files do not count either."""
        msg = message(**listed, known_hosts=None, known_hosts_fingerprints=["SHA256:" + "A" * 43])
        offers = (
            f"{name} {fingerprint(server.host_keys[kind])}"
            for name, kind in (("ssh-ed25519", "ed25519"), ("ecdsa-sha2-nistp256", "ecdsa"), ("ssh-rsa", "rsa"))
        )
        assert msg == (
            f"The host key of [127.0.0.1]:{server.port} has none of the fingerprints in known_hosts_fingerprints (it "
            f"offers {', '.join(offers)}). Compare it with what the server's operator publishes before you list it. "
            "(DBM-1332)"
        )

    @pytest.mark.parametrize(
        "text",
        [
            "MD5:16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
            "16:27:ac:a5:76:28:2d:36:63:1b:56:4d:eb:df:a6:48",
            "A" * 43,
            "SHA256:" + "A" * 42,
            "SHA256:" + "A" * 44,
            "SHA256:" + "A" * 43 + "\n",
            "SHA256:" + "A" * 40 + "';x",
            "SHA256:*",
            "",
        ],
    )
    def test_no_fingerprint(self, message: Any, text: str) -> None:
        msg = message(repo="ssh://git@127.0.0.1:1/x", known_hosts=None, known_hosts_fingerprints=[text])
        assert msg.startswith("known_hosts_fingerprints: '")
        assert "is not a fingerprint as ssh-keygen -lf prints it: SHA256: and 43 characters." in msg

    def test_an_empty_list_accepts_none(self, message: Any) -> None:
        assert "'' is not a fingerprint" in message(known_hosts=None, known_hosts_fingerprints=[])

    def test_more_than_one_source(self, message: Any) -> None:
        assert "mutually exclusive" in message(known_hosts_fingerprints=["SHA256:" + "A" * 43])

    def test_an_old_ssh(self, message: Any, tmp_path: Path) -> None:
        """It answers as OpenSSH 8.4 does."""
        for name in ("git", "sh", "cat"):
            (tmp_path / name).symlink_to(f"/usr/bin/{name}")
        (tmp_path / "ssh").write_text(
            "#!/bin/sh\necho 'command-line: line 0: Bad configuration option: knownhostscommand' >&2\nexit 255\n"
        )
        (tmp_path / "ssh").chmod(0o755)
        msg = message(known_hosts=None, known_hosts_fingerprints=["SHA256:" + "A" * 43], env={"PATH": str(tmp_path)})
        assert msg == (
            "known_hosts_fingerprints needs OpenSSH 8.5 or newer on the runner. Update it there, or give known_hosts. "
            "(DBM-1333)"
        )
