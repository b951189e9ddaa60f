# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch against a hostile repository and a hostile host: nothing is executed, nothing gets out of the tree."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch
from parts.sshd import Repository


def commit_entry(repository: Repository, mode: str, name: str, content: str) -> None:
    """Commit something that is not a regular file. ``name`` is as git fast-import wants it."""
    if mode == "160000":
        change = f"M {mode} {content} {name}\n"
    else:
        change = f"M {mode} inline {name}\ndata {len(content)}\n{content}\n"
    head = "commit refs/heads/main\ncommitter X <x@example.com> 1 +0000\ndata 1\nx\nfrom refs/heads/main^0\n"
    repository.git("fast-import", "--quiet", text=(head + change).encode())


class TestRepositories:
    @pytest.mark.parametrize("target", ["/etc/passwd", "../../../../etc/passwd", "0001_a.up.sql"])
    def test_a_link_as_a_file(self, fetch: Fetch, repository: Repository, dest: Path, target: str) -> None:
        commit_entry(repository, "120000", "db/migrations/0002_b.up.sql", target)
        msg = fetch()["msg"]
        assert "'0002_b.up.sql' in directory 'db/migrations'" in msg
        assert "is a symbolic link. Only regular files are accepted there." in msg
        assert os.listdir(dest / "releases") == []

    def test_a_link_as_the_directory(self, fetch: Fetch, repository: Repository) -> None:
        commit_entry(repository, "120000", "linked", "/etc")
        assert "'linked' is a symbolic link, not a directory" in fetch(directory="linked")["msg"]
        assert "'linked' is a symbolic link, not a directory" in fetch(directory="linked/ssh")["msg"]

    def test_a_link_elsewhere_does_not_matter(self, fetch: Fetch, repository: Repository) -> None:
        commit_entry(repository, "120000", "db/link", "/etc/passwd")
        assert fetch()["files"] == NAMES

    def test_a_submodule(self, fetch: Fetch, repository: Repository, tmp_path: Path) -> None:
        repository.commit(
            {".gitmodules": f'[submodule "x"]\n\tpath = db/migrations/x\n\turl = ext::touch {tmp_path}/executed\n'}
        )
        commit_entry(repository, "160000", "db/migrations/x", "1" * 40)
        assert "'x' in directory 'db/migrations'" in fetch()["msg"]
        assert "'db/migrations/x' is a submodule, not a directory" in fetch(directory="db/migrations/x")["msg"]
        assert not (tmp_path / "executed").exists()

    @pytest.mark.parametrize(
        ("name", "shown"),
        [
            (r"0002\nb.up.sql", r"'0002\nb.up.sql'"),
            (r"\033[31m.sql", r"'\x1b[31m.sql'"),
            (r"\377.sql", r"'\udcff.sql'"),
        ],
    )
    def test_names(self, fetch: Fetch, repository: Repository, dest: Path, name: str, shown: str) -> None:
        repository.commit({f'"db/migrations/{name}"': "SELECT 1;\n"})
        msg = fetch()["msg"]
        assert "has a name that is not accepted" in msg
        assert shown in msg
        assert os.listdir(dest / "releases") == []

    def test_unusual_but_harmless_names(self, fetch: Fetch, repository: Repository) -> None:
        names = ["--upload-pack=x", "0002 ä'\"$(x).up.sql", ".hidden", "a:b", "~"]
        repository.commit({f"strange/{name}": "SELECT 1;\n" for name in names})
        result = fetch(directory="strange")
        assert result["files"] == sorted(names)
        assert sorted(os.listdir(result["directory"])) == sorted(names)

    @pytest.mark.parametrize("name", ["..", "a/b"])
    def test_a_tree_that_leads_out(self, fetch: Fetch, repository: Repository, tmp_path: Path, name: str) -> None:
        """git makes no such tree; it is made byte by byte."""
        blob = repository.git("hash-object", "-w", "--stdin", text=b"SELECT 1;\n")

        def tree(entry: str, mode: bytes, target: str) -> str:
            content = mode + b" " + entry.encode() + b"\0" + bytes.fromhex(target)
            return repository.git("hash-object", "-w", "-t", "tree", "--literally", "--stdin", text=content)

        root = tree("db", b"40000", tree(name, b"100644", blob))
        author = "X <x@example.com> 1 +0000"
        commit = f"tree {root}\nauthor {author}\ncommitter {author}\n\nx\n".encode()
        repository.git(
            "update-ref", "refs/heads/main", repository.git("hash-object", "-w", "-t", "commit", "--stdin", text=commit)
        )
        assert (
            f"has a name that is not accepted (control characters, a slash, or not UTF-8): '{name}'"
            in fetch(directory="db")["msg"]
        )
        assert sorted(os.listdir(tmp_path)) == ["dest"]

    def test_attributes_and_filters_have_no_effect(self, fetch: Fetch, repository: Repository) -> None:
        content = "SELECT '$Id$';\r\n"
        repository.commit(
            {
                "db/migrations/.gitattributes": "*.sql text eol=lf ident filter=evil export-subst\n"
                "*.down.sql export-ignore\n",
                "db/migrations/0002_b.up.sql": content,
            }
        )
        result = fetch()
        assert result["files"] == [".gitattributes", *NAMES, "0002_b.up.sql"]
        assert (Path(result["directory"]) / "0002_b.up.sql").read_bytes().decode() == content

    def test_hooks_and_settings_of_the_repository_have_no_effect(
        self, fetch: Fetch, repository: Repository, tmp_path: Path
    ) -> None:
        """The repository lies on the same host, where git could read its settings."""
        script = f"#!/bin/sh\ntouch {tmp_path}/executed\n"
        for hook in ("post-checkout", "reference-transaction", "pre-auto-gc", "fsmonitor-watchman"):
            (repository.path / "hooks" / hook).write_text(script)
            (repository.path / "hooks" / hook).chmod(0o755)
        for setting in ("core.sshCommand", "core.fsmonitor", "uploadpack.packObjectsHook", "core.askPass"):
            repository.git("config", setting, f"touch {tmp_path}/executed")
        assert fetch()["files"] == NAMES
        assert not (tmp_path / "executed").exists()

    def test_a_history_rewritten_by_force(self, fetch: Fetch, repository: Repository) -> None:
        first = fetch()
        repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"}, branch="other")
        repository.git("update-ref", "refs/heads/main", "refs/heads/other")
        # The other branch began from nothing.
        second = fetch()
        assert second["files"] == ["0002_b.up.sql"]
        assert second["previous_commit"] == first["commit"]

    def test_a_damaged_repository(self, fetch: Fetch, ssh: dict[str, Any], repository: Repository, dest: Path) -> None:
        repository.git("gc", "--quiet")
        (pack,) = (repository.path / "objects" / "pack").glob("*.pack")
        pack.chmod(0o644)
        pack.write_bytes(pack.read_bytes()[:-60])
        result = fetch(**ssh)
        assert result["failed"]
        assert repository.url in result["msg"]
        assert not (dest / "current").exists()


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
