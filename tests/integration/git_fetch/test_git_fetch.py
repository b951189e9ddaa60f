# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch with real repositories: what it brings, and what it leaves alone."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import MIGRATIONS, NAMES, Fetch, HttpGit, listing
from parts import private_folder
from parts.relay import Relay
from parts.sshd import GitServer, Repository


def current(dest: Path) -> str:
    return os.path.realpath(dest / "current")


def test_first_fetch(fetch: Fetch, ssh: dict[str, Any], repository: Repository, dest: Path) -> None:
    result = fetch(**ssh)
    assert result["changed"]
    assert result["commit"] == repository.git("rev-parse", "main")
    assert result["previous_commit"] is None
    assert result["ref"] == "refs/heads/main"
    assert result["files"] == NAMES
    folder = Path(result["directory"])
    assert current(dest) == str(folder)
    assert (folder / "0001_a.up.sql").read_text() == MIGRATIONS["db/migrations/0001_a.up.sql"]
    assert [oct(path.stat().st_mode) for path in folder.iterdir()] == ["0o100640", "0o100640"]
    assert "diff" not in result


def test_nothing_new_changes_nothing(fetch: Fetch, dest: Path) -> None:
    first = fetch()
    before = listing(dest)
    second = fetch(diff=True)
    assert listing(dest) == before
    assert not second["changed"]
    assert second["previous_commit"] == second["commit"] == first["commit"]
    assert second["directory"] == first["directory"]
    assert second["diff"] == {"prepared": ""}


def test_update_shows_what_is_different(fetch: Fetch, repository: Repository, dest: Path) -> None:
    first = fetch(diff=True)
    assert first["diff"] == {"prepared": "added    0001_a.down.sql\nadded    0001_a.up.sql\n"}
    commit = repository.commit(
        {
            "db/migrations/0001_a.up.sql": "CREATE TABLE a (id BIGINT);\n",
            "db/migrations/0001_a.down.sql": None,
            "db/migrations/0002_b.up.sql": "CREATE TABLE b (id INT);\n",
        }
    )
    second = fetch(diff=True)
    assert second["changed"]
    assert (second["previous_commit"], second["commit"]) == (first["commit"], commit)
    assert second["diff"] == {"prepared": "removed  0001_a.down.sql\nchanged  0001_a.up.sql\nadded    0002_b.up.sql\n"}
    assert current(dest) == second["directory"]
    assert sorted(os.listdir(first["directory"])) == NAMES, "the release before stays as it was"


def test_an_older_commit_is_there_already(fetch: Fetch, repository: Repository) -> None:
    first = fetch()
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    fetch()
    # It cannot have asked there.
    back = fetch(ref=first["commit"], repo="ssh://git@127.0.0.1:1/nobody/listens")
    assert back["changed"]
    assert back["directory"] == first["directory"]
    assert back["ref"] == first["commit"]


def test_what_is_expected(fetch: Fetch, repository: Repository, dest: Path) -> None:
    reviewed = repository.git("rev-parse", "main")
    first = fetch(ref="main", expected_commit=reviewed.upper())
    assert first["commit"] == reviewed
    moved = repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    before = listing(dest)
    for check in (False, True):
        assert fetch(ref="main", expected_commit=reviewed, check=check)["msg"] == (
            f"ref 'main' is at commit {moved}, but expected_commit is {reviewed}. Nothing was changed. Review the new "
            "commit and set expected_commit to it, or set ref to the expected one. (DBM-1223)"
        )
    assert listing(dest) == before
    assert fetch(ref=moved, expected_commit=moved)["changed"]


@pytest.mark.parametrize("commit", ["main", "0123abc", "", "0" * 41])
def test_what_is_expected_is_a_commit(fetch: Fetch, commit: str) -> None:
    assert fetch(expected_commit=commit)["failed"]


def test_nothing_is_kept(fetch: Fetch) -> None:
    assert fetch(keep=0)["msg"] == "keep must be at least 1, the current commit: 0. (DBM-1227)"


@pytest.mark.parametrize(
    "ref", ["main", "refs/heads/main", "release/1", "v1", "refs/tags/v1", "light", "HEAD", "COMMIT"]
)
def test_refs(fetch: Fetch, repository: Repository, ref: str) -> None:
    repository.tag("v1")
    repository.git("tag", "light", "main")
    repository.branch("release/1")
    commit = repository.git("rev-parse", "main")
    if ref not in ("main", "refs/heads/main", "HEAD"):
        repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
        commit = repository.git("rev-parse", "main~1")
    result = fetch(ref=commit if ref == "COMMIT" else ref)
    assert result["commit"] == commit
    assert result["files"] == NAMES


def test_an_annotated_tag_by_its_own_name(fetch: Fetch, repository: Repository) -> None:
    repository.tag("v1")
    result = fetch(ref=repository.git("rev-parse", "refs/tags/v1"))
    assert "is a tag. Give the ID of a commit." in result["msg"]


@pytest.mark.parametrize("filters", [True, False], ids=["filters", "no filters"])
@pytest.mark.parametrize("transport", ["ssh", "file"])
def test_servers_that_allow_more_or_less(
    fetch: Fetch, ssh: dict[str, Any], git_server: GitServer, filters: bool, transport: str
) -> None:
    """This SSH server speaks the old protocol, which serves no commit by its name unless it is allowed to."""
    repository = git_server.create(f"{filters}-{transport}-{time.time_ns()}", filters=filters)
    old = repository.commit(MIGRATIONS)
    repository.tag("v1")
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    options = {**ssh, "repo": repository.url if transport == "ssh" else f"file://{repository.path}"}
    assert fetch(**options, ref="main")["files"] == [*NAMES, "0002_b.up.sql"]
    assert fetch(**options, ref="v1")["commit"] == old
    by_commit = fetch(**options, ref=old, directory="db/seeds")
    assert by_commit["files"] == ["one.sql"]
    assert by_commit["commit"] == old


def test_only_what_is_wanted_is_transferred(
    fetch: Fetch, relayed: dict[str, Any], relay: Relay, repository: Repository
) -> None:
    repository.commit({f"big/{number}.bin": os.urandom(100_000) for number in range(20)})
    result = fetch(**relayed)
    assert (result["files"], result.get("warnings", [])) == (NAMES, [])
    assert relay.received < 50_000
    assert relay.connections == 1, "it serves for the name, the commit with its root, db, and db/migrations"
    before = relay.received
    fetch(**relayed)
    assert relay.connections == 2
    assert relay.received - before < 8_000, "nothing new: one question"


@pytest.fixture
def newer_server() -> Iterator[GitServer]:
    """A server that speaks git's second protocol."""
    with private_folder("git") as folder, GitServer(folder, settings=["AcceptEnv GIT_PROTOCOL"]) as server:
        yield server


@pytest.mark.parametrize("ref", ["HEAD", "main", "v1"])
def test_other_names_cost_nothing(
    fetch: Fetch, newer_server: GitServer, repository: Repository, ref: str, dest: Path
) -> None:
    repository.tag("v1")
    commit = repository.git("rev-parse", "main")
    repository.branch("maintenance")
    with Relay(newer_server.port) as relay:
        options: dict[str, Any] = {
            "repo": f"ssh://{newer_server.user}@127.0.0.1:{relay.port}{repository.path}",
            "private_key": newer_server.private_key,
            "known_hosts": newer_server.known_hosts.replace(f":{newer_server.port}", f":{relay.port}"),
            "ref": ref,
        }
        fetch(**options)
        before = relay.received
        assert not fetch(**options)["changed"]
        few = relay.received - before
        repository.git("pack-refs", "--all")
        packed = repository.path / "packed-refs"
        lines = [line for line in packed.read_text().splitlines() if not line.startswith("#")]
        lines += [f"{commit} refs/tags/build-{number:05}" for number in range(50_000)]
        # Peeled lines stay behind their tags, whatever the order.
        packed.write_text("".join(f"{line}\n" for line in lines))
        before = relay.received
        result = fetch(**options)
        assert result["commit"] == commit
        assert result["ref"] == {"v1": "refs/tags/v1"}.get(ref, "refs/heads/main")
        assert few < 8_000
        # ssh fills up its packets at random; a name each would be 3 MB.
        assert relay.received - before < few + 4_000


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("ref", ["HEAD", "main", "v1", "light", "nowhere"])
def test_names_over_http(fetch: Fetch, git_server: GitServer, repository: Repository, ref: str, old: bool) -> None:
    repository.tag("v1")
    repository.git("tag", "light", "main")
    with HttpGit(git_server.folder / "repositories", old=old) as server:
        repo = f"{server.url}/{repository.path.name}"
        result = fetch(repo=repo, username=server.user, token=server.token, ref=ref)
    if ref == "nowhere":
        assert f"ref 'nowhere' does not exist in {repo}" in result["msg"]
    else:
        full = {"v1": "refs/tags/v1", "light": "refs/tags/light"}.get(ref, "refs/heads/main")
        assert (result["ref"], result["commit"]) == (full, repository.git("rev-parse", "main"))


def test_other_files_cost_nothing(
    fetch: Fetch, relayed: dict[str, Any], relay: Relay, repository: Repository, dest: Path
) -> None:
    fetch(**relayed)
    few = relay.received
    repository.commit({f"source/{number % 50}/{os.urandom(20).hex()}": "x" for number in range(5000)})
    fetch(**{**relayed, "dest": f"{dest}2"})
    assert relay.received - few < few * 1.1


def test_an_update_transfers_what_is_new(
    fetch: Fetch, relayed: dict[str, Any], relay: Relay, repository: Repository
) -> None:
    old = {f"db/migrations/{number:04}_m.up.sql": os.urandom(50_000).hex() for number in range(10, 20)}
    repository.commit(old)
    first = fetch(**relayed)
    before = relay.received
    assert before > 500_000
    repository.commit({"db/migrations/0020_m.up.sql": "SELECT 1;\n", "db/migrations/0010_m.up.sql": None})
    second = fetch(**relayed)
    assert second["files"] == [*NAMES, *(f"{number:04}_m.up.sql" for number in range(11, 21))]
    assert relay.received - before < 50_000
    for name in NAMES + second["files"][2:-1]:
        assert (Path(second["directory"]) / name).read_text() == (Path(first["directory"]) / name).read_text()


def test_what_was_changed_on_the_runner_is_fetched_again(fetch: Fetch, repository: Repository) -> None:
    first = Path(fetch()["directory"])
    (first / NAMES[0]).write_text("DROP DATABASE shop;\n")
    (first / NAMES[1]).unlink()
    (first / "more.sql").mkdir()
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    second = Path(fetch()["directory"])
    assert sorted(os.listdir(second)) == [*NAMES, "0002_b.up.sql"]
    for name in NAMES:
        assert (second / name).read_text() == MIGRATIONS[f"db/migrations/{name}"]


def change(path: Path) -> None:
    path.write_text("DROP DATABASE shop;\n")


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_link(path: Path) -> None:
    """To the same content."""
    path.rename(path.parents[3] / "elsewhere")
    path.symlink_to(path.parents[3] / "elsewhere")


def add_another(path: Path) -> None:
    path.with_name("0002_b.up.sql").touch()


def let_others_write(path: Path) -> None:
    path.chmod(0o666)


@pytest.mark.parametrize("damage", [change, Path.unlink, make_pipe, make_link, add_another, let_others_write])
def test_a_release_that_is_not_as_it_was_is_fetched_again(fetch: Fetch, dest: Path, damage: Any) -> None:
    first = fetch()
    damage(Path(first["directory"]) / NAMES[1])
    would = fetch(check=True, diff=True, timeout=10)
    assert would["changed"]
    assert would["files"] == NAMES
    second = fetch(timeout=10)
    assert second["changed"]
    assert second["directory"] == first["directory"] == current(dest)
    assert sorted(os.listdir(second["directory"])) == second["files"] == NAMES
    assert (Path(second["directory"]) / NAMES[1]).read_text() == MIGRATIONS[f"db/migrations/{NAMES[1]}"]
    assert not list((dest / "releases").glob(".tmp-*"))
    assert not fetch()["changed"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("uploadpack.allowFilter", "false"),
        ("uploadpack.allowAnySHA1InWant", "false"),
        ("uploadpackfilter.tree.allow", "false"),
        ("uploadpackfilter.allow", "false"),
    ],
)
def test_a_server_that_sends_more_is_named(
    fetch: Fetch, ssh: dict[str, Any], repository: Repository, setting: str, value: str
) -> None:
    repository.git("config", setting, value)
    result = fetch(**ssh)
    assert not result.get("failed"), result["msg"]
    assert result["files"] == NAMES
    assert (
        f"The server of {repository.url} cannot send the migrations alone, so more was fetched. If it is yours: git "
        "config uploadpack.allowFilter true, and uploadpack.allowAnySHA1InWant true. (DBM-1239)"
    ) in str(result["warnings"])
    assert "warnings" not in fetch(**ssh), "when nothing is fetched, there is nothing to say"


def test_a_file_address_and_a_path(fetch: Fetch, repository: Repository) -> None:
    assert fetch(repo=f"file://{repository.path}")["files"] == NAMES
    assert not fetch(repo=str(repository.path))["changed"]


def test_the_root_directory(fetch: Fetch) -> None:
    assert fetch(directory=".")["files"] == ["README.md"]


def test_a_directory_that_holds_only_directories(fetch: Fetch) -> None:
    for _run in range(2):
        assert fetch(directory="./db/")["files"] == []


def test_two_directories_do_not_mix(fetch: Fetch, dest: Path) -> None:
    one, two = fetch(), fetch(directory="db/seeds")
    assert one["commit"] == two["commit"]
    assert (one["files"], two["files"]) == (NAMES, ["one.sql"])
    assert one["directory"] != two["directory"]
    assert sorted(os.listdir(one["directory"])) == NAMES
    assert current(dest) == two["directory"]


def test_a_missing_directory_is_an_error_that_leads_on(fetch: Fetch) -> None:
    msg = fetch(directory="db/migration/main")["msg"]
    assert "'db/migration/main' does not exist" in msg
    assert "The nearest existing one is 'db', which has 'migrations', 'seeds'." in msg
    assert "The nearest existing one is the root, which has 'db'." in fetch(directory="database")["msg"]


def test_a_missing_directory_may_be_empty(fetch: Fetch, repository: Repository) -> None:
    result = fetch(directory="later", missing_directory="empty")
    assert result["changed"]
    assert result["files"] == os.listdir(result["directory"]) == []
    assert f"There are no files in the directory later at commit {result['commit']}. (DBM-1240)" in str(
        result["warnings"]
    )
    assert not fetch(directory="later", missing_directory="empty")["changed"]
    assert "does not exist" in fetch(directory="later")["msg"], "what is in dest must not hide it"
    repository.commit({"later/0001_a.up.sql": "SELECT 1;\n"})
    assert fetch(directory="later", missing_directory="empty")["files"] == ["0001_a.up.sql"]


def test_a_directory_that_is_a_file(fetch: Fetch) -> None:
    assert "'README.md' is a file, not a directory" in fetch(directory="README.md")["msg"]
    assert "'README.md' is a file, not a directory" in fetch(directory="README.md/x", missing_directory="empty")["msg"]


def test_a_failed_fetch_leaves_everything_as_it_was(fetch: Fetch, repository: Repository, dest: Path) -> None:
    fetch()
    before = {path: state for path, state in listing(dest).items() if path != str(dest / "releases")}
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    wrong: list[dict[str, Any]] = [{"ref": "nowhere"}, {"directory": "nowhere"}, {"repo": f"{repository.path}x"}]
    for bad in wrong:
        assert fetch(**bad)["failed"]
    # A temporary directory came and went in releases, so its own time has changed.
    assert {path: state for path, state in listing(dest).items() if path != str(dest / "releases")} == before


class TestCheckMode:
    """Check mode asks the server and writes nothing."""

    def test_first(self, fetch: Fetch, dest: Path) -> None:
        result = fetch(check=True, diff=True)
        assert result["changed"]
        assert result["files"] == NAMES
        assert result["previous_commit"] is None
        assert result["diff"]["prepared"] == "added    0001_a.down.sql\nadded    0001_a.up.sql\n"
        assert not dest.exists()
        assert fetch()["directory"] == result["directory"]

    def test_nothing_new(self, fetch: Fetch, dest: Path) -> None:
        real = fetch()
        before = listing(dest)
        result = fetch(check=True)
        assert listing(dest) == before
        assert not result["changed"]
        assert result["directory"] == real["directory"]

    def test_a_new_commit(self, fetch: Fetch, repository: Repository, dest: Path) -> None:
        real = fetch()
        commit = repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
        before = listing(dest)
        result = fetch(check=True, diff=True)
        assert listing(dest) == before
        assert result["changed"]
        assert (result["previous_commit"], result["commit"]) == (real["commit"], commit)
        assert result["files"] == [*NAMES, "0002_b.up.sql"]
        assert result["diff"]["prepared"] == "added    0002_b.up.sql\n"
        assert not Path(result["directory"]).exists()
        assert fetch()["directory"] == result["directory"]

    def test_a_preview(self, fetch: Fetch, repository: Repository, dest: Path, tmp_path: Path) -> None:
        fetch()
        repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
        before = listing(dest)
        for _run in range(2):
            result = fetch(check=True, diff=True, preview_dest=str(tmp_path / "preview"))
            assert listing(dest) == before
            assert result["changed"]
            assert result["diff"]["prepared"] == "added    0002_b.up.sql\n"
            assert result["directory"].startswith(str(tmp_path / "preview"))
            assert sorted(os.listdir(result["directory"])) == result["files"] == [*NAMES, "0002_b.up.sql"]

    def test_a_preview_of_what_is_there(self, fetch: Fetch, tmp_path: Path) -> None:
        real = fetch()
        result = fetch(check=True, preview_dest=str(tmp_path / "preview"))
        assert not result["changed"]
        assert result["directory"] == real["directory"]
        assert not (tmp_path / "preview").exists()

    def test_a_preview_of_an_empty_directory(self, fetch: Fetch, tmp_path: Path) -> None:
        options: dict[str, Any] = {"directory": "later", "missing_directory": "empty"}
        result = fetch(check=True, preview_dest=str(tmp_path / "preview"), **options)
        assert result["changed"]
        assert os.listdir(result["directory"]) == []
        assert fetch(check=True, **options)["files"] == []

    @pytest.mark.parametrize("below", ["", "releases/preview"])
    def test_a_preview_must_not_be_in_dest(self, fetch: Fetch, dest: Path, below: str) -> None:
        assert "is inside dest" in fetch(check=True, preview_dest=str(dest / below))["msg"]
        assert not dest.exists()

    def test_errors_are_found(self, fetch: Fetch, dest: Path) -> None:
        assert "does not exist" in fetch(check=True, directory="nowhere")["msg"]
        assert "does not exist" in fetch(check=True, ref="nowhere")["msg"]
        assert not dest.exists()
