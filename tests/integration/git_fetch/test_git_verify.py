# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch with commits and tags that must be signed: by real keys, and by nobody else's."""

from __future__ import annotations

import os
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._git.tree import ReleaseStore, release_name
from integration.git_fetch.support import MIGRATIONS, NAMES, Fetch, listing
from parts import NotOnThisSystem, private_folder
from parts.relay import Relay
from parts.signing import GpgKeys, GpgSigner, Signer, SshSigner
from parts.sshd import GitServer, Repository

UNSIGNED = "is not signed: sign it (git commit -S, git tag -s), or give one that is. Nothing was changed. (DBM-1249)"
TAMPERED = "has a signature that does not fit its content"


@dataclass
class People:
    """Who signs."""

    folder: Path
    ssh: SshSigner
    ssh_stranger: SshSigner
    certified: SshSigner
    gpg: GpgSigner
    gpg_stranger: GpgSigner
    gpg_expired: GpgSigner
    gpg_expired_signature: GpgSigner
    gpg_revoked: GpgSigner

    @property
    def both(self) -> dict[str, Any]:
        """The options by which either of the two good keys counts."""
        return {"allowed_signers": self.ssh.public, "gpg_public_keys": self.gpg.public}


@pytest.fixture(scope="session")
def people() -> Iterator[People]:
    with private_folder("signers") as folder:
        authority = SshSigner(folder, "authority")
        keys, strangers = GpgKeys(folder / "keys"), GpgKeys(folder / "strangers")
        past = "20200101T000000"
        try:
            made = People(
                folder=folder,
                ssh=SshSigner(folder, "alice"),
                ssh_stranger=SshSigner(folder, "mallory"),
                certified=SshSigner(folder, "carol", authority.key),
                gpg=GpgSigner(keys, "alice"),
                gpg_stranger=GpgSigner(strangers, "mallory"),
                gpg_expired=GpgSigner(keys, "expired", made=past, expires=1),
                gpg_expired_signature=GpgSigner(keys, "brief", made=past, options=["--default-sig-expire", "1d"]),
                gpg_revoked=GpgSigner(keys, "revoked"),
            )
            yield made
        finally:
            keys.end()
            strangers.end()


@pytest.fixture
def verified(fetch: Fetch, people: People) -> Fetch:
    """Call git_fetch so that the commit must be signed by one of the two good keys."""

    def call(**args: Any) -> dict[str, Any]:
        result = fetch(**{"verify": "signed_commit", **people.both, **args})
        if result["failed"]:
            assert "\n" not in result["msg"]
            assert len(result["msg"]) < 500
        return result

    return call


def make(repository: Repository, kind: str, content: str) -> str:
    """Make an object byte by byte."""
    return repository.git("hash-object", "-t", kind, "-w", "--stdin", text=content.encode())


def replace(repository: Repository, ref: str, change: Callable[[str], str]) -> str:
    """Let a ref lead to what its commit or tag becomes by a change of its text."""
    kind = repository.git("cat-file", "-t", ref)
    # Without the line break at the end, that of a commit's message.
    new = make(repository, kind, change(repository.git("cat-file", kind, ref) + "\n"))
    repository.git("update-ref", ref, new)
    return new


MAIN = "refs/heads/main"


class TestCommits:
    @pytest.mark.parametrize("who", ["ssh", "gpg", "certified"])
    def test_good(self, verified: Fetch, repository: Repository, people: People, dest: Path, who: str) -> None:
        signer: Signer = getattr(people, who)
        commit = signer.commit(repository)
        keys: dict[str, Any] = {"allowed_signers": signer.public, "gpg_public_keys": None}
        if who == "gpg":
            keys = {"allowed_signers": None, "gpg_public_keys": signer.public}
        first = verified(**keys, check=True)
        assert (first["changed"], first["files"]) == (True, NAMES)
        assert not dest.exists()
        second = verified(**keys)
        assert (second["commit"], second["files"], second["changed"]) == (commit, NAMES, True)
        assert first["directory"] == second["directory"]
        assert sorted(os.listdir(second["directory"])) == NAMES
        assert not verified(**keys)["changed"]

    def test_either_of_both_kinds(self, verified: Fetch, repository: Repository, people: People) -> None:
        others: dict[str, Any] = {
            "allowed_signers": f"# people\n\n{people.ssh_stranger.public}{people.ssh.public}",
            "gpg_public_keys": people.gpg_stranger.public + people.gpg.public,
        }
        for signer in (people.gpg, people.ssh):
            assert verified(**others, ref=signer.commit(repository))["files"] == NAMES

    def test_a_preview(self, verified: Fetch, repository: Repository, people: People, tmp_path: Path) -> None:
        before = people.ssh.commit(repository)
        preview: dict[str, Any] = {"check": True, "preview_dest": str(tmp_path / "preview")}
        first = verified(**preview)
        assert first["directory"].startswith(str(tmp_path / "preview"))
        repository.commit({"README.md": "unsigned"})
        left = listing(tmp_path / "preview")
        assert "is not signed" in verified(**preview)["msg"]
        assert listing(tmp_path / "preview") == left
        assert verified(**preview, ref=before, repo="/nowhere")["directory"] == first["directory"]


def tampered(who: str) -> Callable[[Repository, People], dict[str, str]]:
    def prepare(repository: Repository, people: People) -> dict[str, str]:
        """The signature is another commit's, and all else is new."""
        signed: Signer = getattr(people, who)
        signed.commit(repository)
        tree = repository.git("rev-parse", "main^{tree}")
        repository.commit({"db/migrations/0002_evil.up.sql": "DROP DATABASE shop;\n"}, branch="evil")
        evil = repository.git("rev-parse", "evil^{tree}")
        replace(repository, MAIN, lambda text: text.replace(tree, evil))
        return {}

    return prepare


def signed_by(who: str, **keys: str) -> Callable[[Repository, People], dict[str, Any]]:
    """Have a commit signed; ``keys`` name whose keys are given, in place of the good ones."""

    def prepare(repository: Repository, people: People) -> dict[str, Any]:
        signer: Signer = getattr(people, who)
        signer.commit(repository)
        return {option: getattr(people, given).public for option, given in keys.items()}

    return prepare


def allowed_with(options: str) -> Callable[[Repository, People], dict[str, Any]]:
    def prepare(repository: Repository, people: People) -> dict[str, Any]:
        people.ssh.commit(repository)
        line = f"{people.ssh.principal} {options} {people.ssh.public_key}\n"
        return {"allowed_signers": people.ssh_stranger.public + line}

    return prepare


def unsigned_on_top(repository: Repository, people: People) -> dict[str, Any]:
    people.ssh.commit(repository)
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    return {}


def signature_as_text(repository: Repository, people: People) -> dict[str, Any]:
    """The head of the commit has none; its message is one."""
    people.ssh.commit(repository)
    head: list[str] = []
    signature: list[str] = []
    text = repository.git("cat-file", "commit", MAIN)
    for line in text.partition("\n\n")[0].splitlines():
        (signature if signature or line.startswith("gpgsig") else head).append(line)
    message = [line.replace("gpgsig ", "", 1).strip() for line in signature]
    replace(repository, MAIN, lambda _text: "\n".join([*head, "", *signature, *message, ""]))
    return {}


def with_signature(signature: Callable[[People], str]) -> Callable[[Repository, People], dict[str, Any]]:
    """Have a commit with a signature of another kind."""

    def prepare(repository: Repository, people: People) -> dict[str, Any]:
        lines = "\n ".join(signature(people).strip().splitlines())
        replace(repository, MAIN, lambda text: text.replace("\n\n", f"\ngpgsig {lines}\n\n", 1))
        return {}

    return prepare


def signed_letter(people: People) -> str:
    return people.gpg.keys.run("--armor", "--sign", "--local-user", people.gpg.fingerprint, text="Yours sincerely")


def signed_file(people: People) -> str:
    """A signature for another purpose than Git."""
    file = people.folder / f"file-{uuid.uuid4().hex}"
    file.write_text("x")
    words = ["ssh-keygen", "-q", "-Y", "sign", "-n", "file", "-f"]
    subprocess.run([*words, people.ssh.key, file], check=True, capture_output=True)
    return Path(f"{file}.sig").read_text()


BAD: dict[str, tuple[Callable[[Repository, People], dict[str, Any]], str]] = {
    "unsigned": (
        lambda _repository, _people: {},
        UNSIGNED,
    ),
    "unsigned on top": (
        unsigned_on_top,
        UNSIGNED,
    ),
    "ssh stranger": (
        signed_by("ssh_stranger"),
        "is signed by the SSH key {ssh_stranger}, which is not in allowed_signers: add it there if you",
    ),
    "gpg stranger": (
        signed_by("gpg_stranger"),
        "is signed by the OpenPGP key {gpg_stranger}, which is not among gpg_public_keys: add it",
    ),
    "ssh tampered": (tampered("ssh"), TAMPERED),
    "gpg tampered": (tampered("gpg"), TAMPERED),
    "ssh signature, gpg wanted": (
        lambda repository, people: {**signed_by("ssh")(repository, people), "allowed_signers": None},
        "has an SSH signature, and allowed_signers, whose keys would count, is not given",
    ),
    "gpg signature, ssh wanted": (
        lambda repository, people: {**signed_by("gpg")(repository, people), "gpg_public_keys": None},
        "has an OpenPGP signature, and gpg_public_keys, whose keys would count, is not given",
    ),
    "gpg expired": (
        signed_by("gpg_expired", gpg_public_keys="gpg_expired"),
        "is signed by the OpenPGP key {gpg_expired}, which has expired",
    ),
    "gpg expired signature": (
        signed_by("gpg_expired_signature", gpg_public_keys="gpg_expired_signature"),
        "is signed by the OpenPGP key {gpg_expired_signature}, and the signature has expired",
    ),
    "gpg revoked": (
        signed_by("gpg_revoked", gpg_public_keys="gpg_revoked"),
        "is signed by the OpenPGP key {gpg_revoked}, which is revoked",
    ),
    "ssh valid-before": (
        allowed_with('valid-before="20200101Z"'),
        "is signed by the SSH key {ssh}, which allowed_signers does not accept (line 2: key has expired: ",
    ),
    "ssh valid-after": (
        allowed_with('valid-after="20900101Z"'),
        "which allowed_signers does not accept (line 2: key is not yet valid: ",
    ),
    "ssh namespaces": (
        allowed_with('namespaces="file,email"'),
        "allowed_signers does not accept (line 2: key is not permitted for use in signature namespace",
    ),
    "ssh certified, authority unknown": (signed_by("certified"), "which is not in allowed_signers"),
    "ssh authority, not marked as one": (
        lambda repository, people: {
            **signed_by("certified")(repository, people),
            "allowed_signers": people.certified.public.replace("cert-authority ", ""),
        },
        "which is not in allowed_signers",
    ),
    "signature as text": (signature_as_text, "is not signed"),
    "x509": (
        with_signature(lambda _people: "-----BEGIN SIGNED MESSAGE-----\nAAAA\n-----END SIGNED MESSAGE-----"),
        "has a signature of a kind that is not supported (X.509): sign with SSH or OpenPGP",
    ),
    "gpg letter": (with_signature(signed_letter), "has an OpenPGP signature that gpg cannot verify ("),
    "ssh file": (with_signature(signed_file), "has an SSH signature that ssh-keygen cannot verify"),
    "gpg rubbish": (
        with_signature(lambda _people: "-----BEGIN PGP SIGNATURE-----\n\nAAAA\n-----END PGP SIGNATURE-----"),
        "has an OpenPGP signature that gpg cannot verify (",
    ),
    "ssh rubbish": (
        with_signature(lambda _people: "-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----"),
        "has an SSH signature that ssh-keygen cannot verify",
    ),
}


@pytest.mark.parametrize("bad", BAD)
def test_what_is_not_signed_well_is_refused(
    verified: Fetch, repository: Repository, people: People, dest: Path, bad: str
) -> None:
    prepare, message = BAD[bad]
    if bad == "gpg revoked":
        # A key is revoked after it has signed; the fixture's is once and for all.
        options = prepare(repository, people)
        people.gpg_revoked.revoke()
        options["gpg_public_keys"] = people.gpg_revoked.public
    else:
        options = prepare(repository, people)
    store = ReleaseStore("dest", str(dest))
    with store.locked(1):
        store.add(release_name("1" * 40, "db/migrations"), [("a", b"1")])
        store.switch(release_name("1" * 40, "db/migrations"))
    before = listing(dest)
    fingerprints = {name: signer.fingerprint for name, signer in vars(people).items() if isinstance(signer, Signer)}
    msg = verified(**options)["msg"]
    assert msg.startswith(f"{repository.path}: the commit {repository.git('rev-parse', 'main')} ")
    assert message.format(**fingerprints) in msg
    assert listing(dest) == before


@pytest.mark.parametrize("check", [False, True])
def test_dest_is_not_even_made(verified: Fetch, dest: Path, tmp_path: Path, check: bool) -> None:
    assert "is not signed" in verified(check=check)["msg"]
    assert not dest.exists()
    assert "is not signed" in verified(check=True, preview_dest=str(tmp_path / "preview"))["msg"]
    assert not (tmp_path / "preview").exists()


class TestTags:
    @pytest.fixture
    def tagged(self, verified: Fetch) -> Fetch:
        def call(**args: Any) -> dict[str, Any]:
            return verified(**{"verify": "signed_tag", "ref": "v1", **args})

        return call

    @pytest.mark.parametrize("who", ["ssh", "gpg"])
    def test_good(self, tagged: Fetch, repository: Repository, people: People, dest: Path, who: str) -> None:
        signer: Signer = getattr(people, who)
        signer.tag(repository, "v1")
        assert tagged(check=True)["files"] == NAMES
        assert not dest.exists()
        result = tagged()
        assert (result["commit"], result["ref"]) == (repository.git("rev-parse", "main"), "refs/tags/v1")
        assert result["files"] == NAMES
        again = tagged(ref="refs/tags/v1")
        assert not again["changed"]
        assert again["directory"] == result["directory"]

    def test_a_name_with_slashes(self, tagged: Fetch, repository: Repository, people: People) -> None:
        people.ssh.tag(repository, "release/2026/1")
        assert tagged(ref="release/2026/1")["files"] == NAMES

    def test_replayed_under_another_name(
        self, tagged: Fetch, repository: Repository, people: People, dest: Path
    ) -> None:
        """Also when its files are here already, verified under its own name."""
        repository.git("update-ref", "refs/tags/v2", people.ssh.tag(repository, "v1"))
        # What a server says about a ref that leads to another one.
        repository.git("symbolic-ref", "refs/tags/v3", "refs/tags/v1")
        assert tagged()["changed"]
        before = listing(dest)
        for name in ("v2", "v3"):
            for check in (False, True):
                assert tagged(ref=name, check=check)["msg"] == (
                    f"{repository.path}: the tag '{name}' calls itself 'v1': a signed tag counts only under its own "
                    "name. Nothing was changed. (DBM-1263)"
                )
        assert listing(dest) == before

    def test_not_good(self, tagged: Fetch, repository: Repository, people: People, dest: Path) -> None:
        repository.tag("unsigned")
        people.ssh_stranger.tag(repository, "ssh-stranger")
        people.gpg_stranger.tag(repository, "gpg-stranger")
        people.ssh.tag(repository, "good")
        people.ssh.tag(repository, "nested", "good")
        people.ssh.tag(repository, "tree", "main^{tree}")
        people.ssh.tag(repository, "ssh-tampered")
        people.gpg.tag(repository, "gpg-tampered")
        repository.commit({"db/migrations/0002_evil.up.sql": "DROP DATABASE shop;\n"})
        good, evil = repository.git("rev-parse", "good^{commit}"), repository.git("rev-parse", "main")
        for name in ("ssh-tampered", "gpg-tampered"):
            replace(repository, f"refs/tags/{name}", lambda text: text.replace(good, evil))
        for name, message in {
            "unsigned": "is not signed",
            "ssh-stranger": f"is signed by the SSH key {people.ssh_stranger.fingerprint}, which is not in",
            "gpg-stranger": f"is signed by the OpenPGP key {people.gpg_stranger.fingerprint}, which is not among",
            "nested": "points at a tag and not at a commit: tag the commit itself",
            "ssh-tampered": TAMPERED,
            "gpg-tampered": TAMPERED,
        }.items():
            msg = tagged(ref=name)["msg"]
            assert msg.startswith(f"{repository.path}: the tag '{name}' {message}")
            assert "Nothing was changed. (DBM-12" in msg
        assert "is a tree" in tagged(ref="tree")["msg"]
        assert not dest.exists()

    def test_no_tag(self, tagged: Fetch, repository: Repository, people: People, dest: Path) -> None:
        commit = people.ssh.commit(repository)
        repository.git("tag", "light", "main")
        advice = (
            "there is nothing to verify. Give the name of a signed tag (git tag -s), or set verify to signed_commit. "
            "(DBM-1242)"
        )
        for ref, what in {
            "main": "stands for refs/heads/main, which is not a tag",
            "light": "stands for refs/tags/light, which is a lightweight tag",
            commit: f"is the commit {commit}",
        }.items():
            for check in (False, True) if ref == "light" else (False,):
                assert tagged(ref=ref, check=check)["msg"] == f"verify is signed_tag, and ref {what}: {advice}"
        assert not dest.exists()

    def test_a_signed_commit_does_not_help_its_tag(self, tagged: Fetch, repository: Repository, people: People) -> None:
        people.ssh.commit(repository)
        repository.tag("v1")
        assert "the tag 'v1' is not signed" in tagged()["msg"]
        assert tagged(verify="signed_commit")["files"] == NAMES

    def test_a_tag_that_was_moved(self, tagged: Fetch, repository: Repository, people: People) -> None:
        """The same commit by another tag of the same name, which nobody has signed."""
        people.ssh.tag(repository, "v1")
        assert tagged()["changed"]
        repository.git("tag", "--delete", "v1")
        repository.tag("v1")
        assert "is not signed" in tagged()["msg"]


class TestPolicies:
    def test_a_change_verifies_again(
        self, verified: Fetch, fetch: Fetch, repository: Repository, people: People, dest: Path
    ) -> None:
        plain = fetch()
        assert plain["directory"].endswith(release_name(plain["commit"], "db/migrations"))
        before = listing(dest)
        assert "is not signed" in verified()["msg"]
        assert listing(dest) == before, "what is here was not verified"
        commit = people.ssh.commit(repository)
        first = verified(diff=True)
        assert (first["changed"], first["diff"]["prepared"]) == (True, "")
        # Nobody is there to be asked.
        known: dict[str, Any] = {"ref": commit, "repo": "/nowhere"}
        assert not verified(**known)["changed"]
        for other in ({"allowed_signers": people.ssh_stranger.public}, {"gpg_public_keys": None}, {"directory": "db"}):
            assert "There is no repository /nowhere" in verified(**known, **other)["msg"]
        assert "There is no repository /nowhere" in fetch(**known)["msg"]
        assert "which is not in allowed_signers" in verified(allowed_signers=people.ssh_stranger.public)["msg"]
        assert verified(gpg_public_keys=None)["directory"] != first["directory"]

    def test_nothing_new_is_one_question(
        self, verified: Fetch, ssh: dict[str, Any], git_server: GitServer, repository: Repository, people: People
    ) -> None:
        repository.commit({f"db/migrations/{number:04}_m.up.sql": os.urandom(50_000).hex() for number in range(9)})
        people.ssh.commit(repository)
        with Relay(git_server.port) as relay:
            ports = f":{git_server.port}", f":{relay.port}"
            relayed = {**ssh, "repo": ssh["repo"].replace(*ports), "known_hosts": ssh["known_hosts"].replace(*ports)}
            assert "warnings" not in verified(**relayed)
            first = relay.received
            assert not verified(**relayed)["changed"]
            assert relay.received - first < 8_000
            before = relay.received
            assert verified(**relayed, gpg_public_keys=None)["changed"]
            assert relay.received - before < 20_000, "known files are not sent again"
            before = relay.received
            repository.commit({"db/migrations/0010_m.up.sql": os.urandom(50_000).hex()})
            assert "is not signed" in verified(**relayed)["msg"]
            assert relay.received - before < 12_000, "no files are fetched before it is verified"


def test_verifying_asks_no_more(fetch: Fetch, repository: Repository, people: People, tmp_path: Path) -> None:
    """As many questions to the server as without: for the ref, the commit with its root, db, and db/migrations."""
    log, program = tmp_path / "log", tmp_path / "git"
    program.write_text(f'#!/bin/sh\necho "$@" >> {log}\nexec /usr/bin/git "$@"\n')
    program.chmod(0o755)
    env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
    people.ssh.commit(repository)
    people.ssh.tag(repository, "v1")
    signed: dict[str, Any] = {"allowed_signers": people.ssh.public, "ref": "v1"}
    for options in ({}, {**signed, "verify": "signed_commit"}, {**signed, "verify": "signed_tag"}):
        log.unlink(missing_ok=True)
        assert fetch(env=env, dest=f"{tmp_path}/{options.get('verify')}", **options)["files"] == NAMES
        said = [word for line in log.read_text().splitlines() for word in line.split()]
        # The look-up of the ref is a fetch that ends before anything is fetched.
        assert (said.count("ls-remote"), said.count("fetch")) == (0, 4)


@pytest.mark.parametrize("filters", [True, False], ids=["filters", "no filters"])
@pytest.mark.parametrize("transport", ["ssh", "file"])
def test_servers_that_allow_more_or_less(
    verified: Fetch, ssh: dict[str, Any], git_server: GitServer, people: People, filters: bool, transport: str
) -> None:
    repository = git_server.create(f"signed-{filters}-{transport}-{time.time_ns()}", filters=filters)
    repository.commit(MIGRATIONS)
    old = people.gpg.commit(repository)
    people.ssh.tag(repository, "v1")
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    options = {**ssh, "repo": repository.url if transport == "ssh" else f"file://{repository.path}"}
    by_tag = verified(**options, ref="v1", verify="signed_tag")
    assert (by_tag["commit"], by_tag["files"]) == (old, NAMES)
    assert verified(**options, ref=old, directory="db/seeds")["files"] == ["one.sql"]


def test_the_host_has_no_say(verified: Fetch, repository: Repository, people: People, tmp_path: Path) -> None:
    """Its own keys, settings and trust lead to no other answer, neither way."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gnupg").symlink_to(people.gpg_stranger.keys.home)
    (home / "signers").write_text(people.ssh_stranger.public)
    program = home / "program"
    program.write_text(
        '#!/bin/sh\ntouch "$0.run"\necho "[GNUPG:] GOODSIG 1 x"\necho "Good \\"git\\" signature for x"\n'
    )
    program.chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[gpg]\n\tprogram = {program}\n\tminTrustLevel = ultimate\n"
        f'[gpg "ssh"]\n\tprogram = {program}\n\tallowedSignersFile = {home}/signers\n'
    )
    env = {
        "HOME": str(home),
        "GNUPGHOME": str(people.gpg_stranger.keys.home),
        "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": "gpg.ssh.allowedSignersFile",
        "GIT_CONFIG_VALUE_0": str(home / "signers"),
        "LC_ALL": "de_DE.UTF-8",
        "LANGUAGE": "de",
    }
    keyring = people.gpg_stranger.keys.home / "pubring.kbx"
    before = keyring.read_bytes()
    for stranger in (people.ssh_stranger, people.gpg_stranger):
        stranger.commit(repository)
        assert "which is not" in verified(env=env)["msg"]
    for signer in (people.ssh, people.gpg):
        signer.commit(repository)
        assert verified(env=env)["files"] == NAMES
    assert not Path(f"{program}.run").exists()
    assert keyring.read_bytes() == before


def test_a_keyring_that_the_system_names(
    run_module: Any, repository: Repository, people: People, dest: Path, tmp_path: Path
) -> None:
    """In /etc/gnupg, which gpg reads whatever it is told: in a view of the file system in which it is there."""
    inside = (
        "mount -t tmpfs none /mnt && mkdir /mnt/new /mnt/work && "
        "mount -t overlay -o lowerdir=/etc,upperdir=/mnt/new,workdir=/mnt/work none /etc && mkdir -p /etc/gnupg && "
        f"echo 'keyring {people.gpg_stranger.keys.home}/pubring.kbx' > /etc/gnupg/gpg.conf"
    )
    view = ["unshare", "--mount", "sh", "-c"]
    if os.geteuid() != 0 or subprocess.run([*view, inside], capture_output=True, check=False).returncode:
        raise NotOnThisSystem("Only root can show a program another /etc, and not on every machine.")
    python = tmp_path / "python"
    python.write_text(
        f'#!/bin/sh\nexec unshare --mount sh -c \'{inside.replace(chr(39), chr(34))} && exec "$0" "$@"\' '
        f'{sys.executable} "$@"\n'
    )
    python.chmod(0o755)
    options = {
        "repo": str(repository.path),
        "directory": "db/migrations",
        "dest": str(dest),
        "verify": "signed_commit",
        "gpg_public_keys": people.gpg.public,
    }
    people.gpg_stranger.commit(repository)
    result = run_module("git_fetch", options, python=python)
    assert f"{people.gpg_stranger.fingerprint}, which is not among gpg_public_keys" in result["msg"]
    people.gpg.commit(repository)
    assert run_module("git_fetch", options, python=python)["files"] == NAMES


def test_no_daemon_is_left(verified: Fetch, repository: Repository, people: People) -> None:
    """Each would have been given our environment."""
    mark = f"MARK_{uuid.uuid4().hex}"
    people.gpg.commit(repository)
    assert verified(env={mark: "1"})["files"] == NAMES
    people.gpg_stranger.commit(repository)
    assert verified(env={mark: "1"})["failed"]
    left = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                left.append((process / "cmdline").read_bytes())
        except OSError:
            continue
    assert left == []


class TestOptions:
    """What is said before the server is asked: there is none."""

    @pytest.fixture
    def message(self, verified: Fetch, dest: Path) -> Callable[..., str]:
        def call(**args: Any) -> str:
            msg: str = verified(**{"repo": "/nowhere", **args})["msg"]
            assert not dest.exists()
            return msg

        return call

    def test_no_keys(self, message: Any) -> None:
        assert message(allowed_signers=None, gpg_public_keys=None) == (
            "verify is signed_commit, but there are no signers: set allowed_signers, gpg_public_keys or both. "
            "(DBM-1243)"
        )

    @pytest.mark.parametrize("left_out", ["allowed_signers", "gpg_public_keys"])
    def test_keys_for_nothing(self, message: Any, left_out: str) -> None:
        for verify in ("none", None):
            assert message(verify=verify, **{left_out: None}) == (
                "allowed_signers and gpg_public_keys have no effect while verify is none: set it to signed_commit or "
                "signed_tag, or leave them out. (DBM-1244)"
            )

    @pytest.mark.parametrize("text", ["", "\n# alice@example.com ssh-ed25519 AAAA\n\t\n"])
    def test_nobody(self, message: Any, text: str) -> None:
        assert message(allowed_signers=text).startswith("allowed_signers contains no key.")

    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            ("rubbish", "missing key"),
            ("alice@example.com ssh-ed25519 AAAA", "invalid key"),
            ("{key}", "invalid key"),
            ('alice@example.com valid-until="20200101" {key}', "bad options: unknown key option"),
            ('alice@example.com valid-before="soon" {key}', 'bad options: invalid "valid-before" time'),
        ],
    )
    def test_a_line_that_is_invalid(self, message: Any, people: People, line: str, reason: str) -> None:
        text = people.ssh.public + line.format(key=people.ssh.public_key)
        assert message(allowed_signers=text) == (
            f"allowed_signers, line 2: {reason}. A line is: PRINCIPALS [OPTIONS] KEYTYPE KEY, see ALLOWED SIGNERS in "
            "the manual of ssh-keygen. (DBM-1245)"
        )

    def test_no_keys_of_gpg(self, message: Any, people: People) -> None:
        private = people.gpg.keys.run("--armor", "--export-secret-keys", people.gpg.fingerprint)
        key = people.gpg.public
        for text in (
            *("", "rubbish", key.replace("\n", " "), key[: len(key) // 2], people.ssh.public),
            *(private, key + private, key + key[:100], key + people.gpg.revocation),
        ):
            assert message(gpg_public_keys=text) == (
                "gpg_public_keys contains something other than OpenPGP public keys that gpg can read. Give what gpg "
                "--armor --export prints, with its line breaks. (DBM-1247)"
            )

    def test_a_key_twice(self, message: Any, people: People) -> None:
        """Of which one could be from before it was revoked."""
        assert message(gpg_public_keys=people.gpg.public + people.gpg_stranger.public + people.gpg.public) == (
            "gpg_public_keys contains a key twice. Give each key once, in its current form. (DBM-1248)"
        )

    @pytest.mark.parametrize(
        ("program", "option", "package"),
        [("ssh-keygen", "allowed_signers", "openssh-clients"), ("gpg", "gpg_public_keys", "gnupg2")],
    )
    def test_a_program_that_is_missing(
        self, message: Any, tmp_path: Path, program: str, option: str, package: str
    ) -> None:
        programs = {"git", "ssh-keygen", "gpg"} - {program}
        for name in programs:
            (tmp_path / name).symlink_to(f"/usr/bin/{name}")
        assert message(env={"PATH": str(tmp_path)}) == (
            f"{program} is not installed on the runner, and {option} needs it. Prepare it with the playbook "
            f"dbops.migrations.prepare_runner, or install the package {package}. (DBM-1106)"
        )

    def test_an_old_git(
        self, message: Any, verified: Fetch, repository: Repository, people: People, tmp_path: Path
    ) -> None:
        old = tmp_path / "git"
        old.write_text(
            '#!/bin/sh\ncase $1 in version) echo "git version 2.30.2" ;; *) exec /usr/bin/git "$@" ;; esac\n'
        )
        old.chmod(0o755)
        env = {"PATH": f"{tmp_path}:{os.environ['PATH']}"}
        assert message(env=env) == (
            "git on the runner is 2.30.2, and SSH signatures (allowed_signers) need 2.34 or newer. Install a newer "
            "git, or sign with OpenPGP. (DBM-1105)"
        )
        people.gpg.commit(repository)
        assert verified(env=env, allowed_signers=None)["files"] == NAMES
