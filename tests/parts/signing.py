# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""People who sign commits and tags, with keys of their own."""

from __future__ import annotations

import shlex
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from .sshd import BRANCH, Repository, make_key


class Signer:
    """Somebody with a key.

    :ivar settings: Git's, to sign with it.
    :ivar public: what others need to verify it: a line of allowed_signers, or an armoured key.
    :ivar fingerprint: the key's.
    """

    settings: Sequence[str]
    public: str
    fingerprint: str

    def commit(self, repository: Repository) -> str:
        """Put a signed commit with the same files on the branch's tip."""
        commit = self._git(repository, "commit-tree", "-S", "-m", "Signed", "-p", BRANCH, f"{BRANCH}^{{tree}}")
        repository.git("update-ref", f"refs/heads/{BRANCH}", commit)
        return commit

    def tag(self, repository: Repository, name: str, target: str = BRANCH) -> str:
        """Put a signed tag on something, and return the tag's own id."""
        self._git(repository, "tag", "--sign", "--message", "Signed", name, target)
        return repository.git("rev-parse", f"refs/tags/{name}")

    def _git(self, repository: Repository, *arguments: str) -> str:
        settings = ("user.name=Developer", "user.email=developer@example.com", *self.settings)
        return repository.git(*(word for setting in settings for word in ("-c", setting)), *arguments)


class SshSigner(Signer):
    """Somebody with an SSH key.

    :param authority: the path of a key by which to have it certified; then it is the authority that is allowed.
    """

    def __init__(self, folder: Path, name: str, authority: Path | None = None) -> None:
        self.key = folder / name
        make_key(self.key)
        allowed, option = self.key, ""
        if authority is not None:
            _run("ssh-keygen", "-q", "-s", authority, "-I", name, "-n", f"{name}@example.com", f"{self.key}.pub")
            allowed, option = authority, "cert-authority "
        signs = f"{self.key}-cert.pub" if authority else f"{self.key}.pub"
        self.settings = ("gpg.format=ssh", f"user.signingkey={signs}")
        self.principal = f"{name}@example.com" if authority is None else "*@example.com"
        self.public_key = Path(f"{allowed}.pub").read_text().strip()
        self.public = f"{self.principal} {option}{self.public_key}\n"
        self.fingerprint = _run("ssh-keygen", "-lf", f"{self.key}.pub").split()[1]


class GpgKeys:
    """A directory of GnuPG, with the agent that makes and uses its keys; ``end`` ends it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder
        folder.mkdir(mode=0o700)

    def run(self, *arguments: str, text: str = "") -> str:
        """Run gpg and return what it printed."""
        return _run("gpg", "--homedir", self.home, "--batch", "--quiet", *arguments, text=text)

    def end(self) -> None:
        """End the agent, and wait until it has removed its sockets: it does so in its own time."""
        _run("gpgconf", "--homedir", self.home, "--kill", "all")
        limit = time.monotonic() + 10
        while any(self.home.glob("S.*")) and time.monotonic() < limit:
            time.sleep(0.02)


class GpgSigner(Signer):
    """Somebody with an OpenPGP key.

    :param made: when the key is made and used, for instance 20200101T000000; None for now.
    :param expires: in days; 0 for never.
    :param options: what gpg is told when it signs.
    """

    def __init__(
        self, keys: GpgKeys, name: str, made: str | None = None, expires: int = 0, options: Sequence[str] = ()
    ) -> None:
        self.keys = keys
        self.address = f"{name}@example.com"
        then = [] if made is None else ["--faked-system-time", made]
        keys.run(*then, "--passphrase", "", "--quick-gen-key", self.address, "ed25519", "sign", f"{expires}d")
        self.public = keys.run("--armor", "--export", self.address)
        listing = keys.run("--with-colons", "--list-keys", self.address)
        self.fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr:"))
        program = keys.home / f"sign-as-{name}"
        words = ["gpg", "--homedir", str(keys.home), *then, *options]
        program.write_text(f'#!/bin/sh\nexec {shlex.join(words)} "$@"\n')
        program.chmod(0o700)
        self.settings = (f"gpg.program={program}", f"user.signingkey={self.fingerprint}")

    @property
    def revocation(self) -> str:
        """The certificate that revokes the key."""
        certificate = (self.keys.home / "openpgp-revocs.d" / f"{self.fingerprint}.rev").read_text()
        # gpg keeps it with a colon before it, so that nobody revokes a key by mistake.
        return certificate.replace("\n:-----", "\n-----")

    def revoke(self) -> None:
        """Revoke the key: what it is verified with says so from now on."""
        self.keys.run("--import", text=self.revocation)
        self.public = self.keys.run("--armor", "--export", self.address)


def _run(*words: str | Path, text: str = "") -> str:
    done = subprocess.run(words, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{words[0]} failed: {done.stderr.strip()}")
    return done.stdout
