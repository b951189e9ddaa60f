# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Private keys and the ssh command that git is to use. Private to the collection."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import re
import shlex
import stat
from collections.abc import Callable, Mapping

from .._core.errors import Error
from .._core.paths import native
from .._core.secrets import register_secret
from .private import PrivateFolder
from .reference import shown

_PEM = re.compile(r"-----BEGIN ([A-Z0-9 ]*)PRIVATE KEY-----(.*?)-----END \1PRIVATE KEY-----", re.DOTALL)
_PUBLIC = re.compile(r"\s*(ssh-(rsa|dss|ed25519)|ecdsa-sha2-\S+|sk-\S+) |-+ ?BEGIN (SSH2|RSA )? ?PUBLIC KEY")
# All questions of a run share one connection. Its socket is in git's working directory, the private one; by a relative
# path, as the whole one may be too long for a socket.
_CONTROL = "connection"
# Seconds after which it ends by itself, should this process not live to end it.
_IDLE = 5
_MAGIC = b"openssh-key-v1\0"
# What old servers may need: names of algorithms, and nothing that runs a program or accepts an unknown host key. For
# each the name that every OpenSSH knows; 8.5 has a new one for the last.
_ALGORITHMS = {
    "HostKeyAlgorithms": "HostKeyAlgorithms",
    "KexAlgorithms": "KexAlgorithms",
    "Ciphers": "Ciphers",
    "MACs": "MACs",
    "PubkeyAcceptedAlgorithms": "PubkeyAcceptedKeyTypes",
    "PubkeyAcceptedKeyTypes": "PubkeyAcceptedKeyTypes",
}
_LIST = re.compile(r"[-+^]?[A-Za-z0-9][A-Za-z0-9@.,*_-]*\Z")


def clean_key(text: str, origin: str, protected: bool = False) -> str:
    """Return a private key as ssh wants it, cut out of a text; raise Error when it cannot be one.

    :param origin: where the text comes from, for the message.
    :param protected: its passphrase is known.
    """
    # Editors add a byte order mark, YAML an indentation, a clipboard whitespace.
    text = "\n".join(line.strip() for line in text.replace("\ufeff", "").splitlines())
    found = _PEM.search(text)
    if found is None and text.lstrip().startswith("PuTTY-User-Key-File"):
        raise Error(1301, f"{origin} is a PuTTY key. Convert it: puttygen KEY -O private-openssh-new -o FILE.")
    if found is None and _PUBLIC.match(text):
        raise Error(1302, f"{origin} is a public key. Git needs the other file of the pair, the private key.")
    if found is None:
        raise Error(1303, f"{origin} is not a private key: it holds no '-----BEGIN ... PRIVATE KEY-----' block.")
    kind, body = found[1], found[2]
    if not body.startswith("\n") or "\\n" in body:
        raise Error(1304, f"{origin} has lost its line breaks. Pass the key exactly as it is in its file.")
    if _encrypted(kind, body) and not protected:
        raise Error(1305, f"{origin} is protected by a passphrase: set private_key_passphrase.")
    key = f"{found[0]}\n"
    register_secret(key)
    return key


def _encrypted(kind: str, body: str) -> bool:
    if kind == "ENCRYPTED " or "Proc-Type: 4,ENCRYPTED" in body:
        return True
    if kind != "OPENSSH ":
        return False
    try:
        data = base64.b64decode("".join(body.split()))
    except (binascii.Error, ValueError):
        return False  # ssh will say that it cannot read the key
    # After the magic: the cipher's name, preceded by its length.
    start = len(_MAGIC) + 4
    return data.startswith(_MAGIC) and data[start : start + 5] != b"none\0"


def read_key_file(path: str) -> str:
    """Return the text of a private key's file, which nobody else may read: ssh asks for that too."""
    try:
        with open(native(path), encoding="utf-8") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            text = file.read()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not text"
        raise Error(1306, f"Cannot read the private key file {path} on the runner: {reason}.") from None
    if mode & 0o077:
        raise Error(
            1307, f"Others may read the private key file {path} on the runner (mode {mode:04o}). Do: chmod 600 {path}"
        )
    return text


def answers(passphrase: str, private: PrivateFolder) -> dict[str, str]:
    """Return the environment by which ssh gets the private key's passphrase, and an answer to nothing else."""
    script = f"""#!/bin/sh
case $1 in
  'Enter passphrase for key '*) cat {shlex.quote(private.secret("passphrase", passphrase))} ;;
  *) exit 1 ;;
esac
"""
    # OpenSSH before 8.4 wants a display, and no terminal, which git's process has not.
    return {"SSH_ASKPASS": private.program("passphrase", script), "SSH_ASKPASS_REQUIRE": "force", "DISPLAY": ":"}


def known_hosts_file(path: str) -> dict[str, str]:
    """Return the settings by which ssh finds host keys in one file only."""
    return {"UserKnownHostsFile": _quoted(path), "GlobalKnownHostsFile": os.devnull}


def algorithms(given: Mapping[str, object]) -> dict[str, str]:
    """Return the settings of ssh that the option ssh_options asks for; raise Error for what it may not change."""
    known = {name.lower(): setting for name, setting in _ALGORITHMS.items()}
    settings: dict[str, str] = {}
    for name, value in given.items():
        setting = known.get(name.lower())
        if setting is None:
            raise Error(1308, f"ssh_options: {shown(name)} cannot be set. These can: {', '.join(_ALGORITHMS)}.")
        if setting in settings:
            raise Error(1309, f"ssh_options: {shown(name)} is set twice. Give it once.")
        if not isinstance(value, str) or not _LIST.match(value):
            raise Error(
                1310,
                f"ssh_options: {name} must be a list of names as in ssh_config, separated by commas without spaces, "
                f"for instance +ssh-rsa: {shown(str(value))}.",
            )
        settings[setting] = value
    return settings


def command(
    key: str | None,
    host_keys: Mapping[str, str],
    timeout: int,
    *,
    asks: bool = False,
    agent: bool = False,
    more: Mapping[str, str] | None = None,
) -> str:
    """Return the value of GIT_SSH_COMMAND: nothing but these settings counts.

    :param key: path of the private key; None for the account's own ones.
    :param host_keys: settings that say where host keys are found; none for the account's and the system's own files.
    :param asks: the key's passphrase may be asked for, see ``answers``.
    :param more: further settings, see ``algorithms``.
    :param agent: the keys are those of the agent that SSH_AUTH_SOCK names, and no others.
    """
    options = {
        "BatchMode": "no" if asks else "yes",
        "CheckHostIP": "no",
        "ClearAllForwardings": "yes",
        "ConnectTimeout": str(timeout),
        "ControlMaster": "auto",
        "ControlPath": _CONTROL,
        "ControlPersist": str(_IDLE),
        "ForwardAgent": "no",
        "IdentitiesOnly": "yes",
        "IdentityAgent": "none",
        # For the host key's fingerprint in the message about an unknown host.
        "LogLevel": "DEBUG1",
        "NumberOfPasswordPrompts": "1",
        "PreferredAuthentications": "publickey",
        "ServerAliveInterval": "15",
        "StrictHostKeyChecking": "yes",
        "UpdateHostKeys": "no",
        **host_keys,
        **(more or {}),
    }
    if agent:
        options.update(IdentitiesOnly="no", IdentityAgent="SSH_AUTH_SOCK", IdentityFile="none")
    words = ["ssh", "-F", "none", "-T"]
    for name, value in options.items():
        words += ["-o", f"{name}={value}"]
    if key is not None:
        words += ["-i", key]
    return shlex.join(words)


def close_connection(private: PrivateFolder, run: Callable[..., object]) -> None:
    """End the connection, if there is one.

    :param run: runs a program, see ``run_command`` of AnsibleModule.
    """
    if os.path.exists(private.join(_CONTROL)):
        words = ["ssh", "-F", "none", "-o", f"ControlPath={_CONTROL}", "-O", "exit", "connection"]
        # It ends by itself, too.
        with contextlib.suppress(OSError):
            run(["timeout", str(_IDLE), *words], cwd=private.path)


def _quoted(path: str) -> str:
    # The value is a list of files to ssh, and % and ~ mean something to it.
    if '"' in path:
        raise Error(1311, f"The path of the known_hosts file must not contain a quotation mark: {path}.")
    return '"' + path.replace("%", "%%") + '"'
