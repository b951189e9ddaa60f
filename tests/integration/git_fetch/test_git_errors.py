# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Bad input to git_fetch: each gets one message that says what, where and what to do, and loses nothing."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch, HttpGit
from parts import NotOnThisSystem
from parts.sshd import GitServer, Repository, fingerprint, make_key


@pytest.fixture
def hanging() -> Iterator[int]:
    """A port on which connections are accepted by the kernel and never answered."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A directory on a file system of 256 KiB."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k,mode=755", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        raise NotOnThisSystem("Only root can mount a small file system, and not on every machine.")
    try:
        yield folder
    finally:
        subprocess.run(["umount", folder], check=True)


class TestKeys:
    def test_a_file(self, fetch: Fetch, ssh: dict[str, Any], git_server: GitServer) -> None:
        options = {**ssh, "private_key": None, "private_key_file": str(git_server.private_key_file)}
        assert fetch(**options)["files"] == NAMES

    def test_line_endings_do_not_matter(self, fetch: Fetch, ssh: dict[str, Any]) -> None:
        ssh["private_key"] = ssh["private_key"].strip().replace("\n", "\r\n")
        assert fetch(**ssh)["files"] == NAMES

    @pytest.mark.parametrize(
        "pasted",
        ["\ufeff{}", '"{}"', "The key:\n{}The end.\n", "  {}"],
        ids=["byte order mark", "quotes", "text around", "indented"],
    )
    def test_as_it_is_pasted(
        self, fetch: Fetch, ssh: dict[str, Any], git_server: GitServer, tmp_path: Path, pasted: str
    ) -> None:
        key = git_server.private_key.replace("\n", " \n  ") if pasted.startswith("  ") else git_server.private_key
        text = pasted.format(key)
        assert fetch(**{**ssh, "private_key": text})["files"] == NAMES
        (tmp_path / "key").write_text(text)
        (tmp_path / "key").chmod(0o600)
        options = {**ssh, "private_key": None, "private_key_file": f"{tmp_path}/key", "dest": f"{tmp_path}/other"}
        assert fetch(**options)["files"] == NAMES

    def test_a_stranger(self, message: Any, tmp_path: Path) -> None:
        make_key(tmp_path / "stranger")
        msg = message(private_key=(tmp_path / "stranger").read_text())
        shown = fingerprint(tmp_path / "stranger.pub")
        assert f"the server does not accept the private key (ED25519 {shown})" in msg
        assert "deploy key" in msg

    def test_a_passphrase(self, message: Any, tmp_path: Path) -> None:
        make_key(tmp_path / "locked", passphrase="open sesame")
        assert message(private_key=(tmp_path / "locked").read_text()).startswith(
            "private_key is protected by a passphrase"
        )
        msg = message(private_key=None, private_key_file=str(tmp_path / "locked"))
        assert f"private_key_file {tmp_path}/locked is protected by a passphrase" in msg

    @pytest.mark.parametrize("form", ["RFC4716", "PEM", "PKCS8"])
    def test_a_passphrase_in_every_form(self, message: Any, tmp_path: Path, form: str) -> None:
        """A stranger's key, so that the right passphrase leads to the server's answer."""
        key = tmp_path / "locked"
        subprocess.run(["ssh-keygen", "-q", "-t", "rsa", "-m", form, "-N", "open sesame", "-f", key], check=True)
        right = message(private_key=key.read_text(), private_key_passphrase="open sesame")
        assert "the server does not accept the private key" in right
        wrong = message(private_key=key.read_text(), private_key_passphrase="open barley")
        assert wrong == (
            "private_key_passphrase does not open the private key. (DBM-1337)" if form != "RFC4716" else right
        )

    def test_a_passphrase_that_is_given(
        self, fetch: Fetch, message: Any, ssh: dict[str, Any], git_server: GitServer, tmp_path: Path
    ) -> None:
        shutil.copy(git_server.private_key_file, tmp_path / "locked")
        new, change = (
            "open 'sesame' $HOME",
            ["ssh-keygen", "-q", "-p", "-P", "", "-f", f"{tmp_path}/locked", "-N"],
        )
        subprocess.run([*change, new], check=True)
        options = {**ssh, "private_key": (tmp_path / "locked").read_text(), "dest": f"{tmp_path}/1"}
        result = fetch(**options, private_key_passphrase=new)
        assert result["files"] == NAMES
        assert "sesame" not in str(result)
        by_file = {
            **options,
            "private_key": None,
            "private_key_file": str(tmp_path / "locked"),
            "dest": f"{tmp_path}/2",
        }
        assert fetch(**by_file, private_key_passphrase=new)["files"] == NAMES
        wrong = message(private_key=options["private_key"], private_key_passphrase="open barley")
        assert wrong == "private_key_passphrase does not open the private key. (DBM-1337)"
        alone = message(private_key=None, private_key_passphrase=new)
        assert alone == (
            "private_key_passphrase needs the key that it protects: give private_key, private_key_file or "
            "private_key_secret. (DBM-1317)"
        )
        # What needs none can have one.
        assert fetch(**ssh, private_key_passphrase=new, dest=f"{tmp_path}/3")["files"] == NAMES

    def test_a_public_key(self, message: Any, git_server: GitServer) -> None:
        public = (git_server.folder / "deploy_key.pub").read_text()
        assert message(private_key=public).startswith("private_key is a public key.")

    def test_no_key_at_all(self, message: Any) -> None:
        assert message(private_key="/home/me/.ssh/id_ed25519").startswith("private_key is not a private key")

    def test_damaged(self, message: Any, ssh: dict[str, Any]) -> None:
        lines = ssh["private_key"].splitlines()
        damaged = "\n".join([lines[0], *lines[2:]])
        msg = message(private_key=damaged)
        assert msg.startswith("ssh cannot read the private key (")
        assert lines[2] not in msg

    def test_no_such_file(self, message: Any, tmp_path: Path) -> None:
        msg = message(private_key=None, private_key_file=str(tmp_path / "nowhere"))
        assert msg == (
            f"Cannot read the private key file {tmp_path}/nowhere on the runner: No such file or directory. (DBM-1306)"
        )

    def test_a_file_that_others_may_read(self, message: Any, tmp_path: Path, ssh: dict[str, Any]) -> None:
        key = tmp_path / "key"
        key.write_text(ssh["private_key"])
        key.chmod(0o644)
        assert "(mode 0644). Do: chmod 600" in message(private_key=None, private_key_file=str(key))

    def test_both(self, message: Any) -> None:
        assert "mutually exclusive" in message(private_key_file="/nowhere")


class TestHostKeys:
    def test_a_file(self, fetch: Fetch, ssh: dict[str, Any], tmp_path: Path) -> None:
        file = tmp_path / "known 100% hosts"
        file.write_text(ssh["known_hosts"])
        assert fetch(**{**ssh, "known_hosts": None, "known_hosts_file": str(file)})["files"] == NAMES

    def test_no_such_file(self, message: Any) -> None:
        assert "Cannot read known_hosts_file /nowhere" in message(known_hosts=None, known_hosts_file="/nowhere")

    @pytest.mark.parametrize(
        "known_hosts", ["", "example.com ssh-ed25519 AAAA", None], ids=["none", "other", "account"]
    )
    def test_unknown(self, message: Any, git_server: GitServer, known_hosts: str | None) -> None:
        msg = message(known_hosts=known_hosts)
        offered = fingerprint(git_server.host_keys["ed25519"])
        assert f"The host key of [127.0.0.1]:{git_server.port} is unknown (it offers ssh-ed25519 {offered})" in msg
        assert f"ssh-keyscan -p {git_server.port} 127.0.0.1" in msg

    def test_changed(self, message: Any, git_server: GitServer, tmp_path: Path) -> None:
        make_key(tmp_path / "other")
        line = f"[127.0.0.1]:{git_server.port} {(tmp_path / 'other.pub').read_text()}"
        msg = message(known_hosts=line)
        assert f"The host key of [127.0.0.1]:{git_server.port} is not the one in known_hosts (it offers " in msg


class TestServers:
    def test_refused(self, message: Any) -> None:
        assert "[127.0.0.1]:1 refuses the connection" in message(repo="ssh://git@127.0.0.1:1/shop.git")
        assert "[127.0.0.1]:1 refuses the connection" in message(repo="https://127.0.0.1:1/shop.git")

    @pytest.mark.parametrize("scheme", ["ssh", "https", "http"])
    def test_hanging(self, message: Any, hanging: int, scheme: str) -> None:
        msg = message(repo=f"{scheme}://127.0.0.1:{hanging}/shop.git", timeout=1)
        assert f"[127.0.0.1]:{hanging} did not answer within 1 seconds" in msg

    @pytest.mark.parametrize("repo", ["git@shop.invalid:shop.git", "https://shop.invalid/shop.git"])
    def test_unknown_name(self, message: Any, repo: str) -> None:
        msg = message(repo=repo)
        assert "the name shop.invalid cannot be resolved" in msg
        assert ("No ssh_config is read: give the host's own name and no alias" in msg) == (repo[:5] != "https")

    def test_an_alias(self, message: Any, repository: Repository, git_server: GitServer, tmp_path: Path) -> None:
        """Neither the account's settings nor those of its ssh lead anywhere."""
        (tmp_path / ".ssh").mkdir(mode=0o700)
        (tmp_path / ".ssh" / "config").write_text(f"Host shop.invalid\n HostName 127.0.0.1\n Port {git_server.port}\n")
        msg = message(repo=f"ssh://{git_server.user}@shop.invalid{repository.path}", env={"HOME": str(tmp_path)})
        assert msg.endswith("give the host's own name and no alias; a jump host cannot be used. (DBM-1343)")

    def test_a_port_that_is_a_directory_to_git(self, message: Any, hanging: int) -> None:
        msg = message(repo=f"git@localhost.invalid:{hanging}/shop.git")
        assert msg.endswith(
            f" If {hanging} is a port: write 'ssh://git@localhost.invalid:{hanging}/shop.git'. (DBM-1343)"
        )

    def test_no_repository(self, message: Any, repository: Repository, tmp_path: Path) -> None:
        assert f"There is no repository {repository.url}x" in message(repo=f"{repository.url}x")
        assert f"There is no repository {tmp_path}" in message(repo=str(tmp_path))

    def test_no_commits_yet(self, message: Any, git_server: GitServer) -> None:
        assert "has no branch yet" in message(repo=git_server.create(f"new-{os.getpid()}").url)

    def test_another_accounts_repository(self, message: Any, repository: Repository) -> None:
        if os.geteuid() != 0:
            raise NotOnThisSystem("Only root can give a directory to another account.")
        os.chown(repository.path, 65534, 65534)
        msg = message(repo=str(repository.path))
        assert msg.startswith(f"{repository.path} belongs to another account than the one that runs this task")
        by_ssh = message()
        assert by_ssh.startswith(f"{repository.url}: on the server it belongs to another account than the one that ser")
        assert "Fix it on the server" in by_ssh
        assert "become_user" not in by_ssh

    @pytest.mark.parametrize("ref", ["main", "HEAD", "1" * 40])
    @pytest.mark.parametrize("by_path", [False, True], ids=["ssh", "path"])
    def test_sha256(self, message: Any, git_server: GitServer, tmp_path: Path, ref: str, by_path: bool) -> None:
        path = git_server.folder / "repositories" / f"{tmp_path.name}.git"
        identity = ["-c", "user.name=Developer", "-c", "user.email=developer@example.com"]
        init = ["init", "--quiet", "--initial-branch=main", "--object-format=sha256", str(path)]
        commit = ["-C", str(path), *identity, "commit", "--quiet", "--allow-empty", "--message", "x"]
        for command in (init, commit):
            subprocess.run(["git", *command], check=True)
        url = f"ssh://{git_server.user}@{git_server.host}:{git_server.port}{path}"
        repo = str(path) if by_path else url
        msg = message(repo=repo, ref=ref)
        assert msg.startswith(f"{repo} uses SHA-256 object names, which is not supported.")


class TestRefs:
    def test_unknown(self, message: Any, repository: Repository) -> None:
        repository.branch("release/2026")
        msg = message(ref="release/2025")
        assert "ref 'release/2025' does not exist" in msg
        assert "release/2026" in msg
        assert "main" in message(ref="origin/main")

    def test_unknown_commit(self, message: Any) -> None:
        assert f"The commit {'1' * 40} does not exist" in message(ref="1" * 40)

    def test_abbreviated_commit(self, message: Any, repository: Repository) -> None:
        assert "give all 40 digits" in message(ref=repository.git("rev-parse", "--short", "main"))

    def test_branch_and_tag(self, message: Any, fetch: Fetch, repository: Repository) -> None:
        repository.branch("v1")
        repository.tag("v1")
        msg = message(ref="v1")
        assert "ambiguous" in msg
        assert "Write refs/heads/v1 or refs/tags/v1." in msg
        assert not fetch(ref="refs/heads/v1")["failed"]

    def test_credentials_in_the_url(self, message: Any) -> None:
        msg = message(repo="https://user:hunter2@host/x")
        assert "repo holds credentials (for host)" in msg
        assert "write 'https://host/x'" in msg
        assert "hunter2" not in msg

    @pytest.mark.parametrize(
        ("repo", "written"),
        [
            ("git+ssh://git@githost/x.git", "ssh://git@githost/x.git"),
            ("https://git@githost/x.git", "https://githost/x.git"),
            ("ssh://git@githost:org/x.git", "ssh://git@githost/org/x.git"),
        ],
    )
    def test_what_to_write(self, message: Any, repo: str, written: str) -> None:
        msg = message(repo=repo)
        assert f"rite '{written}'" in msg
        assert "*" not in msg


class TestDestination:
    def test_relative(self, message: Any) -> None:
        assert "dest must be an absolute path" in message(dest="here")

    def test_a_file(self, message: Any, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert f"Cannot use dest {tmp_path}/file on the runner" in message(dest=str(tmp_path / "file"))
        assert f"Cannot use dest {tmp_path}/file/x on the runner" in message(dest=str(tmp_path / "file" / "x"))

    def test_not_writable(self, message: Any) -> None:
        # Not even root may write there.
        msg = message(dest="/proc/dest")
        assert "Cannot use dest /proc/dest on the runner: No such file or directory" in msg

    def test_somebody_elses(self, message: Any, tmp_path: Path) -> None:
        (tmp_path / "other" / "current").mkdir(parents=True)
        assert "current on the runner was not made by git_fetch" in message(dest=str(tmp_path / "other"))

    def test_no_space(self, message: Any, small: Path, fetch: Fetch, repository: Repository) -> None:
        first = fetch(dest=str(small))
        repository.commit({"db/migrations/0002_big.up.sql": "-- " + "x" * 1_000_000})
        assert "No space left on device" in message(dest=str(small))
        assert os.path.realpath(small / "current") == first["directory"]
        assert os.listdir(small / "releases") == [os.path.basename(first["directory"])]

    def test_no_space_for_git(self, message: Any, small: Path, repository: Repository) -> None:
        repository.commit({"db/migrations/0002_big.up.sql": os.urandom(1_000_000)})
        assert "No space is left on the runner for what git fetches" in message(_ansible_tmpdir=str(small))
        (small / "full").write_bytes(b"x" * (os.statvfs(small).f_bavail * 4096))
        msg = message(_ansible_tmpdir=str(small))
        assert "No space left on device" in msg


def test_timeout(message: Any) -> None:
    assert "timeout must be at least 1 second" in message(timeout=0)


class TestHttp:
    def test_token(self, fetch: Fetch, http_git: HttpGit, repository: Repository) -> None:
        result = fetch(repo=f"{http_git.url}/{repository.path.name}", username=http_git.user, token=http_git.token)
        assert result["files"] == NAMES
        assert http_git.token not in str(result)

    def test_wrong_token(self, message: Any, http_git: HttpGit, repository: Repository) -> None:
        msg = message(repo=f"{http_git.url}/{repository.path.name}", token="wr0ng-token")
        assert "the server does not accept username and token" in msg
        assert "wr0ng-token" not in msg

    def test_no_token(self, message: Any, http_git: HttpGit, repository: Repository) -> None:
        msg = message(repo=f"{http_git.url}/{repository.path.name}")
        assert "the server asks for credentials. Set token" in msg

    def test_no_repository(self, message: Any, http_git: HttpGit) -> None:
        msg = message(repo=f"{http_git.url}/nowhere.git", username=http_git.user, token=http_git.token)
        assert f"There is no repository {http_git.url}/nowhere.git" in msg

    def test_a_redirect_does_not_get_the_token(self, message: Any, http_git: HttpGit, repository: Repository) -> None:
        with HttpGit(http_git.root, location=http_git.url) as detour:
            msg = message(repo=f"{detour.url}/{repository.path.name}", username=http_git.user, token=http_git.token)
        assert "the server asks for credentials" in msg
        assert set(http_git.authorizations) == {""}

    def test_untrusted_certificate(self, message: Any, http_git: HttpGit, tmp_path: Path) -> None:
        pem = tmp_path / "server.pem"
        certificate = tmp_path / "certificate.pem"
        subprocess.run(
            [
                *["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=127.0.0.1", "-keyout"],
                pem,
                "-out",
                certificate,
            ],
            capture_output=True,
            check=True,
        )
        pem.write_text(pem.read_text() + certificate.read_text())
        with HttpGit(http_git.root, tls=pem) as server:
            msg = message(repo=f"{server.url}/shop.git", token=http_git.token)
            assert "the TLS certificate of [127.0.0.1]:" in msg
            assert "is not trusted" in msg
            assert server.authorizations == []


class TestLibraries:
    def test_no_git(self, fetch: Fetch, tmp_path: Path) -> None:
        assert "git is not installed on the runner" in fetch(env={"PATH": str(tmp_path)})["msg"]

    def test_no_ssh(self, fetch: Fetch, ssh: dict[str, Any], tmp_path: Path) -> None:
        (tmp_path / "git").symlink_to("/usr/bin/git")
        assert "ssh is not installed on the runner" in fetch(**ssh, env={"PATH": str(tmp_path)})["msg"]

    def test_an_old_git(self, fetch: Fetch, tmp_path: Path) -> None:
        """It says about itself what 2.25 says."""
        (tmp_path / "git").write_text("#!/bin/sh\necho git version 2.25.1\n")
        (tmp_path / "git").chmod(0o755)
        msg = fetch(env={"PATH": f"{tmp_path}:{os.environ['PATH']}"})["msg"]
        assert (
            msg
            == "git on the runner is 2.25.1, and git_fetch needs 2.29 or newer. Install a newer git there. (DBM-1104)"
        )

    def test_no_gitpython(self, fetch: Fetch, tmp_path: Path, run_module: Any) -> None:
        subprocess.run(["python3", "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
        options = {"repo": "/nowhere", "dest": str(tmp_path / "dest")}
        msg = run_module("git_fetch", options, python=tmp_path / "bare" / "bin" / "python")["msg"]
        assert "The Python library GitPython is missing" in msg
