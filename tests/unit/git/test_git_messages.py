# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What git and ssh say, where no server here can be made to say it; the rest is tested with real servers."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._git.errors import explain, refused
from ansible_collections.dbops.migrations.plugins.module_utils._git.reference import Address

ADDRESS = Address("git@git.example.com:shop.git", "ssh", "git.example.com")


def said(stderr: str) -> str:
    return explain(stderr, ADDRESS, 60).text


@pytest.mark.parametrize(
    ("stderr", "message"),
    [
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", "There is no repository"),
        ("remote: The project you were looking for could not be found.\nfatal: x", "There is no repository"),
        ("ssh: connect to host h port 22: Connection timed out", "did not answer within 60 seconds"),
        ("ssh: connect to host h port 22: No route to host", "no network route to git.example.com"),
        ("fatal: unable to access 'https://h/': SSL certificate problem: self-signed certificate", "is not trusted"),
        (
            "fatal: unable to access 'https://h/': server certificate verification failed. CAfile: none",
            "is not trusted",
        ),
        ("fatal: unable to access 'https://h/': The requested URL returned error: 403", "username and token"),
        ("fatal: early EOF\nfatal: index-pack failed", "interrupted (fatal: early EOF)"),
        ("git@h: Permission denied (publickey).", "does not accept the private key (none was offered)"),
        ("kex_exchange_identification: Connection closed by remote host\nfatal: x", "interrupted"),
        ("fatal: mismatched algorithms: client sha1; server sha256", "SHA-256 object names"),
        ("fatal: sha1 file 'x' write error: No space left on device", "No space is left on the runner"),
        (
            "debug1: send_pubkey_test: no mutual signature algorithm\r\ngit@h: Permission denied (publickey).\r\n",
            "set ssh_options: {PubkeyAcceptedAlgorithms: +ssh-rsa}.",
        ),
        (
            "Unable to negotiate with 10.0.0.1 port 22: no matching key exchange method found. Their offer: "
            "ext-info-s,diffie-hellman-group1-sha1\r\nfatal: Could not read from remote repository.",
            "{KexAlgorithms: +diffie-hellman-group1-sha1}.",
        ),
        (
            "Keep out, all is recorded.\nssh_dispatch_run_fatal: Connection to 10.0.0.1 port 22: Invalid key length\r\n"
            "fatal: Could not read from remote repository.\n\nPlease make sure you have the correct access rights\n"
            "and the repository exists.\n",
            "git failed: ssh_dispatch_run_fatal: Connection to 10.0.0.1 port 22: Invalid key length",
        ),
        (
            "Keep out.\nsomething unheard of\r\nfatal: Could not read from remote repository.",
            "failed: something unheard",
        ),
        ("fatal: Could not read from remote repository.", "git failed: fatal: Could not read from remote repository"),
        ("remote: \nremote: =====\nremote: It is closed today.\nfatal: x", "git failed: remote: It is closed today"),
        ("error: something new\nfatal: and more", "git failed: error: something new"),
        ("", "git failed: it gave no reason"),
    ],
)
def test_what_git_says_is_explained(stderr: str, message: str) -> None:
    assert message in said(stderr)


def test_one_short_line_without_control_characters() -> None:
    message = said("remote: \x1b[2J" + "x" * 5000 + "\r\nfatal: y")
    assert len(message) < 500
    assert message.isprintable()


def test_a_long_offer() -> None:
    offer = ",".join(f"diffie-hellman-group{number}-sha1" for number in range(100))
    message = said(f"Unable to negotiate with h port 22: no matching key exchange method found. Their offer: {offer}")
    assert len(message) < 500
    assert message.endswith("{KexAlgorithms: +diffie-hellman-group0-sha1}.")


def test_braces_from_a_server_are_only_text() -> None:
    assert "{repo} {0}" in said("fatal: {repo} {0}")


def test_debug_lines_are_not_shown() -> None:
    assert "debug1" not in said("debug1: Reading\nwarning: x\nfatal: broken")


def test_a_refused_filter_is_recognised() -> None:
    assert refused("error: Server does not allow request for unadvertised object 1")
    assert refused("fatal: remote error: upload-pack: not our ref 1")
    assert refused("fatal: dumb http transport does not support shallow capabilities")
    assert not refused("Permission denied (publickey).")
