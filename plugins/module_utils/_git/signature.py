# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose signatures are accepted, and what gpg and ssh-keygen report about one. Private to the collection."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .._core.errors import Error, Message
from .private import PrivateFolder
from .reference import Resolved, Tag, shown

# No daemon is started, no key is looked for elsewhere, and a key that is given needs no trust beyond that.
_GPG_SETTINGS = """\
batch
no-tty
no-autostart
disable-dirmngr
no-auto-key-retrieve
trust-model always
no-default-keyring
keyring keys.gpg
"""
_BLOCK = re.compile(r"-----BEGIN PGP PUBLIC KEY BLOCK-----.*?-----END PGP PUBLIC KEY BLOCK-----", re.DOTALL)
# By a key of zeros, which nobody has: looking for it, ssh-keygen reads every line, and says which it cannot.
_BY_NOBODY = """\
-----BEGIN SSH SIGNATURE-----
U1NIU0lHAAAAAQAAADMAAAALc3NoLWVkMjU1MTkAAAAgAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAADZ2l0AAAAAAAAAAZzaGE1MTIAAABTAAAAC3NzaC1lZDI1NTE5
AAAAQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA
AAAAAAAAAAAAAAAAAAAAA=
-----END SSH SIGNATURE-----
"""
_COMPLAINT = re.compile(r"allowed_signers:(\d+): ([ -~]{1,120})")
# Of a commit it is in the head; of a tag it is the end, and the last one counts.
_IN_COMMIT = re.compile(rb"^gpgsig -----BEGIN ([A-Z ]+)-----", re.MULTILINE)
_IN_TAG = re.compile(rb"^-----BEGIN (PGP SIGNATURE|PGP MESSAGE|SSH SIGNATURE|SIGNED MESSAGE)-----", re.MULTILINE)
_TAG = re.compile(rb"object ([0-9a-f]{40})\ntype ([a-z]+)\ntag ([^\n]*)\n")


@dataclass(frozen=True)
class Policy:
    """What must be signed, and by whom.

    :param verify: signed_commit or signed_tag.
    """

    verify: str
    allowed_signers: str | None
    gpg_public_keys: str | None

    def tag(self, found: Resolved) -> Tag | None:
        """Return the tag that must be signed; None when it is the commit itself.

        :raises Error: there must be a tag and there is none.
        """
        if self.verify != "signed_tag":
            return None
        if found.tag is None:
            what = f"is the commit {found.commit}"
            if found.name is not None:
                lightweight = found.name.startswith("refs/tags/")
                what = f"stands for {found.name}, which is {'a lightweight tag' if lightweight else 'not a tag'}"
            raise Error(
                1242,
                f"verify is signed_tag, and ref {what}: there is nothing to verify. Give the name of a signed tag "
                "(git tag -s), or set verify to signed_commit.",
            )
        return found.tag

    def mark(self, found: Resolved) -> str:
        """Return a text that is the same only when the same was verified, and by the same keys."""
        tag = self.tag(found)
        what = [self.verify, self.allowed_signers, self.gpg_public_keys, tag and [tag.name, tag.id]]
        return json.dumps(what)


def policy(verify: str, allowed_signers: str | None, gpg_public_keys: str | None) -> Policy | None:
    """Return what the options ask for; None when no signature is."""
    given = allowed_signers is not None or gpg_public_keys is not None
    if verify != "none":
        if not given:
            raise Error(
                1243, f"verify is {verify}, but there are no signers: set allowed_signers, gpg_public_keys or both."
            )
        return Policy(verify, allowed_signers, gpg_public_keys)
    if given:
        raise Error(
            1244,
            "allowed_signers and gpg_public_keys have no effect while verify is none: set it to signed_commit or "
            "signed_tag, or leave them out.",
        )
    return None


class Signers:
    """The accepted keys, in a private directory: keys on the host are not used.

    :param run: runs a program, see ``run_command`` of AnsibleModule.
    :ivar settings: what git is to be told about them.
    :ivar environment: what gpg is.
    """

    def __init__(self, policy: Policy, private: PrivateFolder, run: Callable[..., tuple[int, bytes, bytes]]) -> None:
        self.policy = policy
        self._run = run
        self._keys: set[str] = set()
        self.environment = {"TMPDIR": private.path}
        gpg = ssh = "false"
        if policy.allowed_signers is not None:
            ssh = _program("ssh-keygen", "allowed_signers", "openssh-clients")
            self._take_signers(policy.allowed_signers, private)
        if policy.gpg_public_keys is not None:
            gpg = _program("gpg", "gpg_public_keys", "gnupg2")
            self._take_keys(policy.gpg_public_keys, private)
        values = {
            "gpg.program": gpg,
            "gpg.x509.program": "false",
            "gpg.ssh.program": ssh,
            "gpg.ssh.allowedSignersFile": private.join("allowed_signers"),
        }
        self.settings = [word for name, value in values.items() for word in ("-c", f"{name}={value}")]

    def _take_signers(self, text: str, private: PrivateFolder) -> None:
        # ssh-keygen takes no empty line; the others keep their numbers.
        path = private.file("allowed_signers", re.sub(r"^[ \t\r]*$", "#", text, flags=re.MULTILINE) + "\n")
        words = ["ssh-keygen", "-Y", "find-principals", "-f", path, "-s", private.file("by_nobody", _BY_NOBODY)]
        _status, _output, errors = self._run(words)
        complaint = _COMPLAINT.search(errors.decode("utf-8", "replace"))
        if complaint is not None:
            raise Error(
                1245,
                f"allowed_signers, line {complaint[1]}: {complaint[2]}. A line is: PRINCIPALS [OPTIONS] KEYTYPE KEY, "
                "see ALLOWED SIGNERS in the manual of ssh-keygen.",
            )
        if not re.search(r"^[ \t]*[^#\s]", text, re.MULTILINE):
            raise Error(1246, "allowed_signers contains no key. A line is: PRINCIPALS [OPTIONS] KEYTYPE KEY.")

    def _take_keys(self, text: str, private: PrivateFolder) -> None:
        # Made here, as gpg would set up a directory of its own making for a daemon.
        self.environment["GNUPGHOME"] = private.folder("gnupg")
        private.file(os.path.join("gnupg", "gpg.conf"), _GPG_SETTINGS)
        # One by one: a certificate of revocation in the wrong place would pass in silence.
        blocks = _BLOCK.findall(text)
        # Into a file and not into gpg's own keyring, for which it would look for an agent.
        words = ["--import-options", "import-export", "--import"]
        rings = [self._gpg(words, block.encode("utf-8", "replace")) for block in blocks]
        if not blocks or text.count("-----BEGIN ") != len(blocks) or not all(rings):
            raise Error(
                1247,
                "gpg_public_keys contains something other than OpenPGP public keys that gpg can read. Give what gpg "
                "--armor --export prints, with its line breaks.",
            )
        ring = b"".join(rings)
        listing = self._gpg(["--with-colons", "--show-keys"], ring).decode("utf-8", "replace")
        keys = re.findall(r"^pub:.*\nfpr:+([0-9A-F]+):", listing, re.MULTILINE)
        self._keys = set(keys)
        if len(keys) != len(self._keys):
            raise Error(1248, "gpg_public_keys contains a key twice. Give each key once, in its current form.")
        private.file(os.path.join("gnupg", "keys.gpg"), ring.decode("utf-8", "surrogateescape"))

    def _gpg(self, words: Sequence[str], text: bytes) -> bytes:
        """Run gpg without a keyring and return what it printed; nothing when it failed."""
        environment = {**self.environment, "LC_ALL": "C"}
        status, output, _errors = self._run(
            ["gpg", "--no-keyring", *words], data=text, binary_data=True, environ_update=environment
        )
        return output if status == 0 else b""

    def problem(self, content: bytes, tag: Tag | None, accepted: bool, said: str) -> Message | None:
        """Return what is wrong with the signature of a tag or commit, in words to follow its name.

        :param content: the object.
        :param accepted: git's own verdict.
        :param said: what the program that git asked has said.
        """
        # A host's settings for gpg can name more keys, so who it was must be one of ours.
        signed_by = set(re.findall(r"^\[GNUPG:\] VALIDSIG .* ([0-9A-F]+)$", said, re.MULTILINE))
        if accepted and signed_by <= self._keys:
            return None
        kinds = _IN_TAG.findall(content) if tag else _IN_COMMIT.findall(content.partition(b"\n\n")[0])[:1]
        if not kinds:
            return Message(1249, "is not signed: sign it (git commit -S, git tag -s), or give one that is")
        if kinds[-1].startswith(b"PGP"):
            return self._pgp_problem(said)
        if kinds[-1] == b"SSH SIGNATURE":
            return self._ssh_problem(said)
        return Message(1250, "has a signature of a kind that is not supported (X.509): sign with SSH or OpenPGP")

    def _pgp_problem(self, said: str) -> Message:
        if self.policy.gpg_public_keys is None:
            return Message(1251, "has an OpenPGP signature, and gpg_public_keys, whose keys would count, is not given")
        found = dict(re.findall(r"^\[GNUPG:\] ([A-Z_]+) ([ -~]*)", said, re.MULTILINE))
        if "BADSIG" in found:
            return _TAMPERED
        # The last word of ERRSIG is the fingerprint, or a dash when the signature does not have it.
        by = found.get("VALIDSIG", "").partition(" ")[0] or found.get("ERRSIG", "-").split()[-1]
        if by == "-":
            by = found.get("NO_PUBKEY", "unknown")
        by = f"is signed by the OpenPGP key {by}"
        if "REVKEYSIG" in found:
            return Message(1252, f"{by}, which is revoked: have it signed again, with a key that is not")
        if "EXPKEYSIG" in found:
            return Message(
                1253,
                f"{by}, which has expired: give the renewed key, or have it signed again",
            )
        if "EXPSIG" in found:
            return Message(1254, f"{by}, and the signature has expired: have it signed again")
        if "NO_PUBKEY" in found or "VALIDSIG" in found:
            return Message(1255, f"{by}, which is not among gpg_public_keys: add it there if you trust it")
        return Message(
            1256,
            f"has an OpenPGP signature that gpg cannot verify ({', '.join(sorted(found)) or 'it gives no reason'})",
        )

    def _ssh_problem(self, said: str) -> Message:
        if self.policy.allowed_signers is None:
            return Message(1257, "has an SSH signature, and allowed_signers, whose keys would count, is not given")
        if "incorrect signature" in said:
            return _TAMPERED
        key = re.search(r"with \S+ key (SHA256:[\w+/]+)", said)
        by = f"is signed by the SSH key {key[1]}" if key else "is signed by an SSH key"
        complaint = _COMPLAINT.search(said)
        if complaint is not None:
            return Message(1258, f"{by}, which allowed_signers does not accept (line {complaint[1]}: {complaint[2]})")
        if key is not None:
            return Message(1259, f"{by}, which is not in allowed_signers: add it there if you trust it")
        return Message(1260, "has an SSH signature that ssh-keygen cannot verify")


_TAMPERED = Message(
    1261,
    "has a signature that does not fit its content: it was changed, or the signature belongs to something else. Find "
    "out who did that, and do not use it",
)


def mislabelled(content: bytes, tag: Tag, commit: str) -> Message | None:
    """Return what is wrong with a tag whose signature is good, in words to follow its name."""
    found = _TAG.match(content)
    if found is None:
        return Message(1262, "is malformed")
    target, kind, name = (part.decode("utf-8", "surrogateescape") for part in found.groups())
    if name != tag.name:
        # An old tag, with its good signature, would be treated as another one.
        return Message(1263, f"calls itself {shown(name)}: a signed tag counts only under its own name")
    if kind != "commit":
        return Message(1264, f"points at a {kind} and not at a commit: tag the commit itself")
    if target != commit:
        return Message(1265, f"points at the commit {target}, and the server says {commit}")
    return None


def _program(name: str, option: str, package: str) -> str:
    if shutil.which(name) is None:
        raise Error(
            1106,
            f"{name} is not installed on the runner, and {option} needs it. Prepare it with the playbook "
            f"dbops.migrations.prepare_runner, or install the package {package}.",
        )
    return name
