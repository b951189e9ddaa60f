# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch and SSH servers that are too old for its ssh: the message says what to set, and with that it works."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch
from parts import private_folder
from parts.sshd import GitServer, Repository

OLD = [
    ("host key type", "HostKeyAlgorithms", "ssh-rsa", ["HostKeyAlgorithms ssh-rsa"]),
    ("key exchange method", "KexAlgorithms", "diffie-hellman-group14-sha1", []),
    ("cipher", "Ciphers", "aes128-cbc", []),
    ("MAC", "MACs", "hmac-md5", ["Ciphers aes128-ctr"]),
]


def options(server: GitServer, repository: Repository) -> dict[str, Any]:
    return {
        "repo": f"ssh://{server.user}@{server.host}:{server.port}{repository.path}",
        "private_key": server.private_key,
        "known_hosts": server.known_hosts,
    }


@pytest.mark.parametrize(("what", "option", "algorithm", "more"), OLD, ids=[row[1] for row in OLD])
def test_an_old_server(
    message: Any, fetch: Fetch, repository: Repository, what: str, option: str, algorithm: str, more: Sequence[str]
) -> None:
    settings = more if option == "HostKeyAlgorithms" else [f"{option} {algorithm}", *more]
    with private_folder("git") as folder, GitServer(folder, ["rsa"], settings) as server:
        given = options(server, repository)
        msg = message(**given)
        assert msg.startswith(f"{given['repo']}: ssh on the runner and [127.0.0.1]:{server.port} have no {what} in ")
        assert f"the server offers {algorithm}" in msg
        assert msg.endswith(f"set ssh_options: {{{option}: +{algorithm}}}. (DBM-1335)")
        for check in (True, False):
            assert fetch(**given, ssh_options={option: f"+{algorithm}"}, check=check)["files"] == NAMES


@pytest.mark.parametrize(
    "option", ["HostKeyAlgorithms", "KexAlgorithms", "Ciphers", "MACs", "PubkeyAcceptedAlgorithms"]
)
def test_an_algorithm_that_ssh_does_not_know(message: Any, option: str) -> None:
    msg = message(ssh_options={option: "+ssh-rot13"})
    assert msg.startswith("ssh_options: the runner's ssh does not take this (")
    assert "ssh-rot13" in msg


def test_what_ssh_is_not_told(message: Any) -> None:
    assert message(ssh_options={"ProxyCommand": "touch x"}).startswith("ssh_options: 'ProxyCommand' cannot be set.")


def test_not_with_fingerprints(message: Any) -> None:
    listed = ["SHA256:" + "A" * 43]
    msg = message(known_hosts=None, known_hosts_fingerprints=listed, ssh_options={"HostKeyAlgorithms": "+ssh-rsa"})
    assert msg.startswith("ssh_options: HostKeyAlgorithms and known_hosts_fingerprints are mutually exclusive.")


def test_other_algorithms_go_with_fingerprints(message: Any) -> None:
    """ssh gets as far as the host key."""
    listed = ["SHA256:" + "A" * 43]
    msg = message(known_hosts=None, known_hosts_fingerprints=listed, ssh_options={"MACs": "+hmac-md5"})
    assert "has none of the fingerprints in known_hosts_fingerprints (it offers " in msg
