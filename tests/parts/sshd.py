# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH server that serves Git repositories to a deploy key, and a shell to a key that may log in."""

from __future__ import annotations

import os
import pwd
import re
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from .process import Server

BRANCH = "main"
# The machine's and the developer's Git settings must not matter.
GIT_ENVIRONMENT = {"GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1"}


class Repository:
    """A bare repository on the server.

    :param filters: whether clients may ask for a part of a commit, or for a commit by its name.
    """

    def __init__(self, path: Path, url: str, filters: bool = True) -> None:
        self.path = path
        self.url = url
        _run(["git", "init", "--quiet", "--bare", f"--initial-branch={BRANCH}", str(path)])
        for setting in ("uploadpack.allowFilter", "uploadpack.allowAnySHA1InWant"):
            self.git("config", setting, str(filters).lower())

    def git(self, *arguments: str, text: bytes = b"") -> str:
        """Run Git in the repository and return what it printed."""
        return _run(["git", "-C", str(self.path), *arguments], text)

    def commit(self, files: Mapping[str, str | bytes | None], message: str = "Change", branch: str = BRANCH) -> str:
        """Commit these files (None deletes one) on a branch and return the commit's name."""
        stamp = f"{int(time.time())} +0000"
        stream = [
            f"commit refs/heads/{branch}\ncommitter Developer <developer@example.com> {stamp}\n".encode(),
            _data(message.encode()),
        ]
        if self.git("for-each-ref", f"refs/heads/{branch}"):
            stream.append(f"from refs/heads/{branch}^0\n".encode())
        for name, content in files.items():
            if content is None:
                stream.append(f"D {name}\n".encode())
            else:
                stream.append(f"M 100644 inline {name}\n".encode())
                stream.append(_data(content.encode() if isinstance(content, str) else content))
        self.git("fast-import", "--quiet", text=b"".join(stream))
        return self.git("rev-parse", f"refs/heads/{branch}")

    def tag(self, name: str) -> None:
        """Put an annotated tag on the branch's tip."""
        identity = ["-c", "user.name=Developer", "-c", "user.email=developer@example.com"]
        self.git(*identity, "tag", "--annotate", "--message", name, name, BRANCH)

    def branch(self, name: str) -> None:
        """Start a branch at the main branch's tip."""
        self.git("branch", name, BRANCH)


class GitServer(Server):
    """sshd, run manually.

    It lets in the account that started it: an account of its own would have to be made on the machine, and those
    that a bare system has beside root own no shell. The deploy key can do nothing but Git: its forced command is
    git-shell.

    :param kinds: those of its host keys.
    :param settings: further lines of its configuration.
    """

    def __init__(self, folder: Path, kinds: Sequence[str] = ("ed25519",), settings: Sequence[str] = ()) -> None:
        super().__init__(folder)
        self._more = settings
        self.host_keys = {kind: folder / f"host_key_{kind}" for kind in kinds}
        self.user = pwd.getpwuid(os.geteuid()).pw_name
        self.private_key_file = folder / "deploy_key"

    @property
    def private_key(self) -> str:
        """The deploy key's text."""
        return self.private_key_file.read_text()

    @property
    def known_hosts(self) -> str:
        """The server's lines of a known_hosts file."""
        publics = (path.with_suffix(".pub").read_text() for path in self.host_keys.values())
        return "".join(f"[{self.host}]:{self.port} {public}" for public in publics)

    def create(self, name: str, filters: bool = True) -> Repository:
        """Create an empty repository."""
        path = self.folder / "repositories" / f"{name}.git"
        path.parent.mkdir(exist_ok=True)
        return Repository(path, f"ssh://{self.user}@{self.host}:{self.port}{path}", filters)

    def allow(self, public_key: str) -> None:
        """Let a key in, for Git only."""
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(f'restrict,command="git-shell -c \\"$SSH_ORIGINAL_COMMAND\\"" {public_key.strip()}\n')

    def let_in(self, public_key: str) -> None:
        """Let a key log in, as Ansible does on a runner."""
        with (self.folder / "authorized_keys").open("a") as keys:
            keys.write(f"{public_key.strip()}\n")

    def prepare(self) -> None:
        for kind, path in self.host_keys.items():
            make_key(path, kind=kind)
        make_key(self.private_key_file)
        self.allow((self.folder / "deploy_key.pub").read_text())
        (self.folder / "sshd_config").write_text("\n".join([*self._settings(), ""]))
        if os.geteuid() == 0:
            # Where sshd locks up its unprivileged half; a fixed path, made by the system's service otherwise.
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)

    def command(self) -> Sequence[str | Path]:
        return ["/usr/sbin/sshd", "-D", "-e", "-f", self.folder / "sshd_config"]

    def _settings(self) -> list[str]:
        settings = [
            *self._more,
            f"Port {self.port}",
            f"ListenAddress {self.host}",
            *(f"HostKey {path}" for path in self.host_keys.values()),
            "PidFile none",
            f"AuthorizedKeysFile {self.folder / 'authorized_keys'}",
            "StrictModes no",
            "AuthenticationMethods publickey",
            "PermitRootLogin prohibit-password",
            f"AllowUsers {self.user}",
            # Without PAM, sshd refuses an account whose password is locked, key or not; PAM does not mind.
            f"UsePAM {'yes' if _password_locked(self.user) else 'no'}",
            "MaxStartups 100",
            "LogLevel VERBOSE",
            "SetEnv " + " ".join(f"{name}={value}" for name, value in GIT_ENVIRONMENT.items()),
        ]
        if _openssh_version() >= (9, 8):
            # Tests offer wrong keys on purpose.
            settings.append("PerSourcePenalties no")
        return settings


def make_key(path: Path, passphrase: str = "", kind: str = "ed25519") -> None:
    """Make a key pair: ``path`` and ``path.pub``."""
    _run(["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", path.name, "-f", str(path)])


def fingerprint(path: Path) -> str:
    """Return a key's SHA-256 fingerprint."""
    return _run(["ssh-keygen", "-lf", str(path)]).split()[1]


def _password_locked(user: str) -> bool:
    if os.geteuid() != 0:
        return False
    entries = [line.split(":") for line in Path("/etc/shadow").read_text().splitlines()]
    return any(entry[0] == user and entry[1].startswith("!") for entry in entries)


def _openssh_version() -> tuple[int, int]:
    printed = subprocess.run(["ssh", "-V"], capture_output=True, text=True, check=True).stderr
    found = re.match(r"OpenSSH_(\d+)\.(\d+)", printed)
    return (int(found[1]), int(found[2])) if found else (0, 0)


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _run(command: Sequence[str], text: bytes = b"") -> str:
    done = subprocess.run(command, input=text, capture_output=True, env={**os.environ, **GIT_ENVIRONMENT}, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} failed: {done.stderr.decode(errors='replace')}")
    return done.stdout.decode().strip()
