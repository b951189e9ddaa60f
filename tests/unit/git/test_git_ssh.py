# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys as people paste them, and the ssh command."""

from __future__ import annotations

import shlex
import subprocess
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._git.ssh import (
    algorithms,
    clean_key,
    command,
    known_hosts_file,
)


def make(folder: Path, *options: str, passphrase: str = "") -> str:
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", folder / "key", *options], check=True)
    return (folder / "key").read_text()


KINDS = [
    ("-t", "ed25519"),
    ("-t", "rsa", "-b", "2048"),
    ("-t", "rsa", "-b", "2048", "-m", "PEM"),
    ("-t", "rsa", "-b", "2048", "-m", "PKCS8"),
    ("-t", "ecdsa", "-m", "PEM"),
]


@pytest.mark.parametrize("options", KINDS, ids=" ".join)
def test_keys_of_every_form(tmp_path: Path, options: tuple[str, ...]) -> None:
    text = make(tmp_path, *options)
    assert clean_key(text, "private_key") == text
    assert clean_key("\n" + text.strip().replace("\n", "\r\n"), "private_key") == text


@pytest.mark.parametrize("options", KINDS, ids=" ".join)
def test_keys_as_they_are_pasted(tmp_path: Path, options: tuple[str, ...]) -> None:
    text = make(tmp_path, *options)
    lines = text.splitlines()
    pasted = [
        "\ufeff" + text,
        "".join(f"    {line}\n" for line in lines),
        "".join(f"\t{line}  \r\n" for line in lines),
        f'"{text}"',
        f"'{text.strip()}'\n",
        f"Deploy key of the shop:\n\n{text}\nAsk ops for another one.\n",
        (tmp_path / "key.pub").read_text() + text,
    ]
    for each in pasted:
        assert clean_key(each, "private_key") == text


def test_the_head_of_a_key_stays(tmp_path: Path) -> None:
    """What says how it is encrypted, and the empty line behind."""
    text = make(tmp_path, "-t", "rsa", "-m", "PEM", passphrase="open sesame")
    assert "Proc-Type" in text
    assert clean_key("".join(f"  {line} \n" for line in text.splitlines()), "private_key", protected=True) == text


@pytest.mark.parametrize("options", KINDS, ids=" ".join)
def test_passphrases_in_every_form(tmp_path: Path, options: tuple[str, ...]) -> None:
    text = make(tmp_path, *options, passphrase="open sesame")
    with pytest.raises(Error, match=r"^private_key is protected by a passphrase"):
        clean_key(text, "private_key")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not a private key"),
        ("ssh-ed25519 AAAAC3Nza me@here", "is a public key"),
        ("ecdsa-sha2-nistp256 AAAA", "is a public key"),
        ("---- BEGIN SSH2 PUBLIC KEY ----\nAAAA", "is a public key"),
        ("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----", "is a public key"),
        ("PuTTY-User-Key-File-3: ssh-ed25519\nEncryption: none", "is a PuTTY key"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "is not a private key"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n", "is not a private key"),
        ("-----BEGIN RSA PRIVATE KEY----- AAAA BBBB -----END RSA PRIVATE KEY-----", "has lost its line breaks"),
        ("-----BEGIN RSA PRIVATE KEY-----\\nAAAA\\n-----END RSA PRIVATE KEY-----", "has lost its line breaks"),
    ],
)
def test_what_is_not_a_private_key(text: str, message: str) -> None:
    with pytest.raises(Error, match=f"^the key {message}"):
        clean_key(text, "the key")


def test_the_ssh_command_takes_nobodys_settings() -> None:
    words = shlex.split(command("/proc/1/fd/3", known_hosts_file("/tmp/a b%c"), 7))
    assert words[:3] == ["ssh", "-F", "none"]
    assert 'UserKnownHostsFile="/tmp/a b%%c"' in words
    assert "GlobalKnownHostsFile=/dev/null" in words
    assert "StrictHostKeyChecking=yes" in words
    assert "ConnectTimeout=7" in words
    assert words[-2:] == ["-i", "/proc/1/fd/3"]


def test_command_of_the_account() -> None:
    text = command(None, {}, 7)
    assert "KnownHostsFile" not in text
    assert " -i " not in text
    assert "IdentityAgent=none" in text


def test_command_of_the_agent() -> None:
    words = shlex.split(command(None, {}, 7, agent=True))
    assert {"IdentityAgent=SSH_AUTH_SOCK", "IdentityFile=none", "ForwardAgent=no"} < set(words)


def test_algorithms_are_named_as_ssh_names_them() -> None:
    given = {"hostkeyalgorithms": "+ssh-rsa", "MACs": "hmac-md5,hmac-sha1", "PubkeyAcceptedAlgorithms": "-ssh-*"}
    settings = algorithms(given)
    # By the name that older ones know, too.
    assert settings == {
        "HostKeyAlgorithms": "+ssh-rsa",
        "MACs": "hmac-md5,hmac-sha1",
        "PubkeyAcceptedKeyTypes": "-ssh-*",
    }
    assert "HostKeyAlgorithms=+ssh-rsa" in shlex.split(command(None, {}, 7, more=settings))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"ProxyCommand": "touch x"}, "'ProxyCommand' cannot be set. These can: HostKeyAlgorithms, KexAlgorithms"),
        ({"StrictHostKeyChecking": "no"}, "'StrictHostKeyChecking' cannot be set"),
        ({"Ciphers=x -oProxyCommand": "x"}, "cannot be set"),
        ({"Ciphers": "a b"}, "Ciphers must be a list of names as in ssh_config"),
        ({"Ciphers": "a\nProxyCommand x"}, "Ciphers must be"),
        ({"Ciphers": ["a", "b"]}, "Ciphers must be"),
        ({"MACs": ""}, "MACs must be"),
        ({"MACs": "a", "macs": "b"}, "'macs' is set twice"),
        ({"PubkeyAcceptedAlgorithms": "a", "PubkeyAcceptedKeyTypes": "b"}, "is set twice"),
    ],
)
def test_what_ssh_is_not_told(given: dict[str, object], message: str) -> None:
    with pytest.raises(Error, match=r"^ssh_options: ") as error:
        algorithms(given)
    assert message in str(error.value)
    assert str(error.value).isprintable()


def test_a_path_that_ssh_cannot_be_told() -> None:
    with pytest.raises(Error, match="quotation mark"):
        known_hosts_file('/tmp/"')
