# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch against a hostile repository and a hostile host: nothing is executed, nothing gets out of the tree."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path
from typing import Any, Protocol

import pytest
from integration.git_fetch.support import NAMES, Fetch, HttpGit, listing
from parts.relay import Relay
from parts.sshd import GitServer, Repository, make_key

POINTER = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12345\n"


class Refused(Protocol):
    """Call git_fetch and return the message of its failure."""

    def __call__(self, **args: Any) -> str:
        """Return the message."""


@pytest.fixture
def canary(tmp_path: Path) -> Path:
    """A file that is there once something was executed."""
    return tmp_path / "executed"


@pytest.fixture
def refused(fetch: Fetch, dest: Path, tmp_path: Path) -> Refused:
    """Of a destination that has a release: nothing moves in it, nothing is executed, nothing is put beside it."""
    fetch()
    before, beside = state(dest), sorted(os.listdir(tmp_path))

    def call(**args: Any) -> str:
        result = fetch(**args)
        assert result["failed"]
        assert state(dest) == before
        assert sorted(os.listdir(tmp_path)) == beside
        msg: str = result["msg"]
        assert msg.isprintable()
        assert len(msg) < 500
        return msg

    return call


def state(dest: Path) -> dict[str, tuple[int, int, str]]:
    """Return the whole tree; a temporary directory comes and goes in releases, so its own time may change."""
    return {path: what for path, what in listing(dest).items() if path != str(dest / "releases")}


def commit_entry(repository: Repository, mode: str, name: str, content: str) -> None:
    """Commit something that is not a regular file. ``name`` is as git fast-import wants it."""
    if mode == "160000":
        change = f"M {mode} {content} {name}\n"
    else:
        change = f"M {mode} inline {name}\ndata {len(content)}\n{content}\n"
    head = "commit refs/heads/main\ncommitter X <x@example.com> 1 +0000\ndata 1\nx\nfrom refs/heads/main^0\n"
    repository.git("fast-import", "--quiet", text=(head + change).encode())


def commit_tree(repository: Repository, *entries: tuple[bytes, str, str]) -> None:
    """Commit a directory db of entries that git itself would not make, byte by byte: mode, name and object."""

    def make(kind: str, content: bytes) -> str:
        return repository.git("hash-object", "-w", "-t", kind, "--literally", "--stdin", text=content)

    def entry(mode: bytes, name: str, target: str) -> bytes:
        return mode + b" " + name.encode() + b"\0" + bytes.fromhex(target)

    root = make("tree", entry(b"40000", "db", make("tree", b"".join(entry(*each) for each in entries))))
    author = "X <x@example.com> 1 +0000"
    commit = make("commit", f"tree {root}\nauthor {author}\ncommitter {author}\n\nx\n".encode())
    repository.git("update-ref", "refs/heads/main", commit)


def blob(repository: Repository, content: str = "SELECT 1;\n") -> str:
    return repository.git("hash-object", "-w", "--stdin", text=content.encode())


class TestNames:
    @pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "0001_a.up.sql"])
    def test_a_link_as_a_file(self, refused: Refused, repository: Repository, target: str) -> None:
        commit_entry(repository, "120000", "db/migrations/0002_b.up.sql", target)
        msg = refused()
        assert "'0002_b.up.sql' in directory 'db/migrations'" in msg
        assert "is a symbolic link. Only regular files are accepted there." in msg

    def test_a_link_as_the_directory(self, refused: Refused, repository: Repository) -> None:
        commit_entry(repository, "120000", "linked", "/etc")
        assert "'linked' is a symbolic link, not a directory" in refused(directory="linked")
        assert "'linked' is a symbolic link, not a directory" in refused(directory="linked/ssh")

    def test_a_link_elsewhere_does_not_matter(self, fetch: Fetch, repository: Repository) -> None:
        commit_entry(repository, "120000", "db/link", "/etc/passwd")
        assert fetch()["files"] == NAMES

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            (r"0002\nb.up.sql", r"'0002\nb.up.sql'"),
            (r"\033[31m.sql", r"'\x1b[31m.sql'"),
            (r"\377.sql", r"'\udcff.sql'. Rename it."),
            (r"0003\302\233x.up.sql", r"'0003\x9bx.up.sql' (U+009B). Rename it."),
            (r"0003\342\200\256lqs.pu.up.sql", r"'0003\u202elqs.pu.up.sql' (U+202E). Rename it."),
            (r"0003\342\201\247.sql", "(U+2067)"),
            (r"0003\342\200\250.sql", "(U+2028)"),
        ],
    )
    def test_names(self, refused: Refused, repository: Repository, name: str, shown: str) -> None:
        repository.commit({f'"db/migrations/{name}"': "SELECT 1;\n"})
        msg = refused()
        assert "has a name that is not accepted" in msg
        assert shown in msg

    def test_unusual_but_harmless_names(self, fetch: Fetch, repository: Repository) -> None:
        """The last two differ only in case."""
        names = [
            "--upload-pack=x",
            "-rf",
            "0002 ä'\"$(x).up.sql",
            ".hidden",
            "a:b",
            "~",
            "0003_C.up.sql",
            "0003_c.up.sql",
        ]
        repository.commit({f"strange/{name}": f"{name};\n" for name in names})
        result = fetch(directory="strange")
        assert result["files"] == sorted(names)
        for name in names:
            assert (Path(result["directory"]) / name).read_text() == f"{name};\n"

    @pytest.mark.parametrize("name", ["..", ".", "a/b", "../../escaped"])
    def test_a_tree_that_leads_out(self, refused: Refused, repository: Repository, name: str) -> None:
        commit_tree(repository, (b"100644", name, blob(repository)))
        assert f"has a name that is not accepted (control characters, a slash, or not UTF-8): '{name}'" in refused(
            directory="db"
        )

    @pytest.mark.parametrize("mode", [b"100644", b"40000"], ids=["file", "directory"])
    def test_a_tree_that_has_a_name_twice(self, refused: Refused, repository: Repository, mode: bytes) -> None:
        target = blob(repository) if mode == b"100644" else repository.git("rev-parse", "main:db/migrations")
        other = (
            blob(repository, "DROP DATABASE shop;\n") if mode == b"100644" else repository.git("rev-parse", "main:db")
        )
        commit_tree(repository, (mode, "x", target), (mode, "x", other))
        expected = f"{repository.path} is damaged: a directory in it has the name 'x' twice. (DBM-1236)"
        assert refused(directory="db") == expected
        assert refused(directory="db/x") == expected

    @pytest.mark.parametrize("option", ["ref", "repo", "directory"])
    def test_options_in_disguise(self, refused: Refused, canary: Path, option: str) -> None:
        assert f"{option} must not begin with '-'" in refused(**{option: f"--upload-pack=touch {canary}"})

    @pytest.mark.parametrize(
        "ref", ["refs/heads/--upload-pack=touch X", "main:X", "+main:refs/heads/x", "main..x", "x^{}"]
    )
    def test_a_ref_that_is_more(self, refused: Refused, canary: Path, ref: str) -> None:
        assert "is not a valid name of a branch or tag" in refused(ref=ref.replace("X", str(canary)))

    @pytest.mark.parametrize("ref", ["--upload-pack=touch${IFS}X", "$(touch${IFS}X)"])
    def test_a_branch_of_a_hostile_name(
        self, fetch: Fetch, ssh: dict[str, Any], repository: Repository, canary: Path, ref: str
    ) -> None:
        name = f"refs/heads/{ref.replace('X', str(canary))}"
        (repository.path / name).parent.mkdir(parents=True)
        (repository.path / name).write_text(repository.git("rev-parse", "main"))
        assert fetch(**ssh, ref=name)["files"] == NAMES
        assert not canary.exists()

    @pytest.mark.parametrize(
        "repo", ["ext::touch X", "ext::sh -c touch% X", "git+ext://x/X", "ssh://-oProxyCommand=touch X/x"]
    )
    def test_a_transport_that_executes(self, refused: Refused, canary: Path, repo: str) -> None:
        msg = refused(repo=repo.replace("X", str(canary)))
        assert msg.startswith(
            ("repo uses the transport 'ext'", "repo uses the transport 'git+ext'", "The user or host")
        )


class TestContents:
    @pytest.mark.parametrize("url", ["ext::touch X", "--upload-pack=touch X", "ssh://-oProxyCommand=touch X/x"])
    def test_a_submodule(self, refused: Refused, repository: Repository, canary: Path, url: str) -> None:
        url = url.replace("X", str(canary))
        repository.commit({".gitmodules": f'[submodule "x"]\n\tpath = db/migrations/x\n\turl = {url}\n'})
        commit_entry(repository, "160000", "db/migrations/x", "1" * 40)
        assert "'x' in directory 'db/migrations'" in refused()
        assert "'db/migrations/x' is a submodule, not a directory" in refused(directory="db/migrations/x")

    @pytest.mark.parametrize("folder", ["", "db/migrations/"])
    def test_modules_of_a_hostile_path_are_not_heeded(
        self, fetch: Fetch, repository: Repository, canary: Path, dest: Path, folder: str
    ) -> None:
        modules = (
            f'[submodule "../../x"]\n\tpath = ../../../x\n\turl = {repository.path}\n\tupdate = !touch {canary}\n'
            f'[submodule "y"]\n\tpath = -u{canary}\n\turl = .\n'
        )
        repository.commit({f"{folder}.gitmodules": modules})
        assert fetch()["files"] == [".gitmodules", *NAMES][not folder :]
        assert os.listdir(dest.parent) == ["dest"]

    def test_modules_that_are_a_link(self, refused: Refused, repository: Repository) -> None:
        commit_entry(repository, "120000", "db/migrations/.gitmodules", "/etc/passwd")
        assert "'.gitmodules' in directory 'db/migrations'" in refused()

    def test_attributes_and_filters_have_no_effect(
        self, fetch: Fetch, repository: Repository, canary: Path, tmp_path: Path
    ) -> None:
        content = "SELECT '$Id$';\r\n"
        repository.commit(
            {
                "db/migrations/.gitattributes": "*.sql text eol=lf ident filter=evil export-subst\n"
                "*.down.sql export-ignore\n",
                "db/migrations/0002_b.up.sql": content,
            }
        )
        home = tmp_path / "home"
        home.mkdir()
        for kind in ("smudge", "clean", "process"):
            repository.git("config", f"filter.evil.{kind}", f"touch {canary}")
        (home / ".gitconfig").write_text((repository.path / "config").read_text())
        result = fetch(env={"HOME": str(home)})
        assert not canary.exists()
        assert result["files"] == [".gitattributes", *NAMES, "0002_b.up.sql"]
        assert (Path(result["directory"]) / "0002_b.up.sql").read_bytes().decode() == content

    def test_hooks_and_settings_of_the_repository_have_no_effect(
        self, fetch: Fetch, repository: Repository, canary: Path
    ) -> None:
        """The repository lies on the same host, where git could read its settings."""
        script = f"#!/bin/sh\ntouch {canary}\n"
        for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
            (repository.path / "hooks" / hook).write_text(script)
            (repository.path / "hooks" / hook).chmod(0o755)
        for setting in ("core.sshCommand", "core.fsmonitor", "uploadpack.packObjectsHook", "core.askPass"):
            repository.git("config", setting, f"touch {canary}")
        assert fetch()["files"] == NAMES
        assert not canary.exists()

    def test_a_history_rewritten_by_force(self, fetch: Fetch, repository: Repository) -> None:
        first = fetch()
        repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"}, branch="other")
        repository.git("update-ref", "refs/heads/main", "refs/heads/other")
        # The other branch began from nothing.
        second = fetch()
        assert second["files"] == ["0002_b.up.sql"]
        assert second["previous_commit"] == first["commit"]

    @pytest.mark.parametrize("name", ["0002_b.up.sql", "notes.txt"])
    def test_a_file_that_lfs_keeps(self, refused: Refused, repository: Repository, name: str) -> None:
        repository.commit({f"db/migrations/{name}": POINTER})
        assert refused() == (
            f"'{name}' in directory 'db/migrations' of {repository.path} is a Git LFS pointer: its content is not in "
            "the repository, and LFS is not fetched. Commit the file itself there: git lfs untrack, then git add "
            "--renormalize. (DBM-1230)"
        )

    def test_what_lfs_keeps_elsewhere_does_not_matter(self, fetch: Fetch, repository: Repository) -> None:
        more = {"db/migrations/0002_long.up.sql": POINTER + "x" * 1024, "db/migrations/0003_b.up.sql": f"-- {POINTER}"}
        repository.commit({"db/seeds/two.sql": POINTER, **more})
        assert fetch()["files"] == [*NAMES, "0002_long.up.sql", "0003_b.up.sql"]

    def test_a_gigantic_file(self, refused: Refused, repository: Repository) -> None:
        """It is small on its way."""
        size = (64 << 20) + 1
        repository.commit({"db/migrations/0002_b.up.sql": b" " * size})
        assert refused() == (
            f"'0002_b.up.sql' in directory 'db/migrations' of {repository.path} has {size} bytes. Files of up to 64 "
            "MiB are accepted. (DBM-1228)"
        )


class TestServers:
    def test_a_damaged_repository(self, refused: Refused, ssh: dict[str, Any], repository: Repository) -> None:
        repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
        repository.git("gc", "--quiet")
        (pack,) = (repository.path / "objects" / "pack").glob("*.pack")
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:-60])
        assert repository.url in refused(**ssh)

    @pytest.mark.parametrize("kind", ["blob", "tree"])
    def test_objects_under_wrong_names(self, refused: Refused, repository: Repository, kind: str) -> None:
        """What is asked for by its name must be what has that name."""
        files = {"db/migrations/0002_b.up.sql": "SELECT 1;\n"}
        repository.commit(files)
        name = repository.git("rev-parse", "main:db/migrations" + ("/0002_b.up.sql" if kind == "blob" else ""))
        evil = b"DROP DATABASE shop;\n" if kind == "blob" else b"100644 x\0" + bytes.fromhex(blob(repository, "DROP"))
        path = repository.path / "objects" / name[:2] / name[2:]
        assert path.exists()
        path.chmod(0o644)
        path.write_bytes(zlib.compress(f"{kind} {len(evil)}\0".encode() + evil))
        assert f"{repository.path}: the server did not send what was requested (" in refused()

    @pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.9])
    def test_an_answer_that_is_truncated(
        self, refused: Refused, ssh: dict[str, Any], git_server: GitServer, repository: Repository, share: float
    ) -> None:
        """Before the host key, in the handshake, in the pack. 30 kB more than SSH's own are to come."""
        repository.commit({f"db/migrations/{number}.sql": os.urandom(3000) for number in range(10)})
        with Relay(git_server.port, most=int(share * 38_000)) as relay:
            msg = refused(**through(ssh, git_server, relay))
        assert ssh["repo"].partition("@")[0] in msg
        assert "the connection to the server was interrupted (" in msg

    @pytest.mark.parametrize("most", [0, 3_000, 25_000], ids=["before any byte", "after the handshake", "in the pack"])
    def test_a_server_that_hangs(
        self, refused: Refused, ssh: dict[str, Any], git_server: GitServer, repository: Repository, most: int
    ) -> None:
        repository.commit({f"db/migrations/{number}.sql": os.urandom(3000) for number in range(10)})
        with Relay(git_server.port, most=most, hangs=True) as relay:
            started = time.monotonic()
            msg = refused(**through(ssh, git_server, relay), timeout=2)
        assert f"[127.0.0.1]:{relay.port} did not answer within 2 seconds" in msg
        assert time.monotonic() - started < 8

    def test_another_host_key(
        self, refused: Refused, ssh: dict[str, Any], git_server: GitServer, tmp_path_factory: pytest.TempPathFactory
    ) -> None:
        other = tmp_path_factory.mktemp("keys") / "other"
        make_key(other)
        line = f"[127.0.0.1]:{git_server.port} {other.with_suffix('.pub').read_text()}"
        assert "is not the one in known_hosts (it offers ssh-ed25519 SHA256:" in refused(**{**ssh, "known_hosts": line})

    @pytest.mark.parametrize("place", ["cut", "flipped"])
    @pytest.mark.parametrize("share", [0.2, 0.5, 0.95])
    def test_a_damaged_pack(
        self, refused: Refused, git_server: GitServer, repository: Repository, place: str, share: float
    ) -> None:
        """In the clear, so that it is git that must notice."""
        repository.commit({f"db/migrations/{number}.sql": os.urandom(3000) for number in range(10)})

        def corrupt(content: bytes) -> bytes:
            start = content.find(b"PACK")
            if start < 0 or len(content) < 30_000:
                return content
            at = start + 12 + int((len(content) - start - 12) * share)
            return content[:at] if place == "cut" else content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

        with HttpGit(git_server.folder / "repositories", corrupt=corrupt) as server:
            msg = refused(repo=f"{server.url}/{repository.path.name}", username=server.user, token=server.token)
        assert "the connection to the server was interrupted (" in msg

    def test_escape_sequences(self, refused: Refused, git_server: GitServer, repository: Repository) -> None:
        """What a server says may steer a terminal, or look like a line of somebody else."""
        text = b"ERR \x1b]0;owned\x07\x1b[2Jgo away\rdebug1: x\nfatal: \xc2\x9b31m"

        with HttpGit(git_server.folder / "repositories", corrupt=lambda _: b"%04x%s" % (len(text) + 4, text)) as server:
            msg = refused(repo=f"{server.url}/{repository.path.name}", username=server.user, token=server.token)
        assert "go away" in msg
        assert msg.isascii()


def through(options: dict[str, Any], server: GitServer, relay: Relay) -> dict[str, Any]:
    """Return options by which the server is reached through a relay."""
    found = {**options}
    for name in ("repo", "known_hosts"):
        found[name] = options[name].replace(f":{server.port}", f":{relay.port}")
    return found


class TestHosts:
    def test_environment_and_configuration_have_no_effect(
        self, fetch: Fetch, ssh: dict[str, Any], tmp_path: Path
    ) -> None:
        home = tmp_path / "home"
        (home / ".config" / "git").mkdir(parents=True)
        execute = f"touch {tmp_path}/executed; false"
        settings = (
            f'[core]\n\tsshCommand = "{execute}"\n\tfsmonitor = "{execute}"\n\thooksPath = {tmp_path}/hooks\n'
            f'[url "ext::{execute}"]\n\tinsteadOf = ssh://\n[init]\n\ttemplateDir = {tmp_path}/template\n'
            f'[credential]\n\thelper = "!{execute}"\n[protocol]\n\tallow = never\n'
            f"[uploadpack]\n\tpackObjectsHook = {execute}\n"
        )
        for file in (home / ".gitconfig", home / ".config" / "git" / "config"):
            file.write_text(settings)
        hooks = [tmp_path / "hooks", tmp_path / "template" / "hooks"]
        for folder in hooks:
            folder.mkdir(parents=True)
            (folder / "reference-transaction").write_text(f"#!/bin/sh\n{execute}\n")
            (folder / "reference-transaction").chmod(0o755)
        env = {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home / ".config"),
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "GIT_CONFIG_SYSTEM": str(home / ".gitconfig"),
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "core.sshCommand",
            "GIT_CONFIG_VALUE_0": execute,
            "GIT_SSH_COMMAND": execute,
            "GIT_SSH": "/bin/false",
            "GIT_ASKPASS": "/bin/false",
            "SSH_ASKPASS": "/bin/false",
            "GIT_DIR": str(tmp_path / "nowhere"),
            "GIT_INDEX_FILE": str(tmp_path / "nowhere"),
            "GIT_OBJECT_DIRECTORY": str(tmp_path / "nowhere"),
            "GIT_TEMPLATE_DIR": str(tmp_path / "template"),
            "GIT_ALLOW_PROTOCOL": "ext",
            "GIT_EXEC_PATH": str(tmp_path),
            "GIT_PYTHON_GIT_EXECUTABLE": "/bin/false",
            "GIT_PYTHON_REFRESH": "raise",
            "GIT_TRACE": str(tmp_path / "executed"),
            "LC_ALL": "de_DE.UTF-8",
            "LANGUAGE": "de",
        }
        assert fetch(**ssh, env=env)["files"] == NAMES
        assert "does not exist" in fetch(**ssh, env=env, ref="nowhere")["msg"]
        assert "There is no repository" in fetch(**{**ssh, "repo": ssh["repo"] + "x"}, env=env)["msg"]
        assert not (tmp_path / "executed").exists()
        assert not (tmp_path / "nowhere").exists()

    def test_netrc_is_not_read(self, fetch: Fetch, http_git: Any, repository: Repository, tmp_path: Path) -> None:
        (tmp_path / ".netrc").write_text(f"machine 127.0.0.1 login {http_git.user} password {http_git.token}\n")
        msg = fetch(repo=f"{http_git.url}/{repository.path.name}", env={"HOME": str(tmp_path)})["msg"]
        assert "the server asks for credentials" in msg
