# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The destination: releases, the link to the current one, and what is removed."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._git import private as private_module
from ansible_collections.dbops.migrations.plugins.module_utils._git.private import PrivateFolder
from ansible_collections.dbops.migrations.plugins.module_utils._git.tree import (
    ReleaseStore,
    commit_of,
    difference,
    release_name,
)

DAY = 24 * 60 * 60


def name(number: int) -> str:
    return release_name(f"{number:040x}", "db")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[ReleaseStore]:
    store = ReleaseStore("dest", str(tmp_path / "dest"))
    with store.locked(1):
        yield store


def test_a_release_is_named_after_its_commit_and_directory() -> None:
    assert commit_of(name(1)) == f"{1:040x}"
    assert commit_of(None) is None
    assert release_name("1" * 40, "a") != release_name("1" * 40, "b")


def test_names_of_what_was_verified(store: ReleaseStore) -> None:
    # As it always was: what is in a destination stays known.
    assert release_name("1" * 40, "db") == f"{'1' * 40}-7bdc25d1694e"
    names = [release_name("1" * 40, "db", verified) for verified in ("", "a", "b")]
    assert [len(name) for name in names] == [53, 81, 81]
    assert len(set(names)) == 3
    for name in names:
        store.add(name, [("a", b"1")])
        store.switch(name)
        assert store.current() == name
        assert commit_of(name) == "1" * 40


def test_add_and_switch(store: ReleaseStore) -> None:
    assert store.current() is None
    store.add(name(1), [("b", b"2"), ("a", b"1")])
    assert store.current() is None
    assert store.files(name(1)) == ["a", "b"]
    store.switch(name(1))
    assert store.current() == name(1)
    assert oct(os.stat(store.path(name(1))).st_mode) == "0o40750"


def test_what_fails_halfway_leaves_nothing(store: ReleaseStore) -> None:
    def contents() -> Iterator[tuple[str, bytes]]:
        yield "a", b"1"
        raise Error(1200, "the server is gone")

    with pytest.raises(Error, match="the server is gone"):
        store.add(name(1), contents())
    assert os.listdir(os.path.join(store.root, "releases")) == []
    assert store.files(name(1)) is None


def test_a_name_twice_or_outside_is_not_written(store: ReleaseStore, tmp_path: Path) -> None:
    with pytest.raises(Error, match="File exists"):
        store.add(name(1), [("a", b"1"), ("a", b"2")])
    (tmp_path / "victim").write_text("mine")
    with pytest.raises(Error, match="File exists"):
        store.add(name(1), [("../../../victim", b"yours")])
    assert (tmp_path / "victim").read_text() == "mine"


def test_the_last_ones_are_kept(store: ReleaseStore) -> None:
    now = time.time()
    for number in range(1, 7):
        store.add(name(number), [("a", b"1")])
        store.switch(name(number))
    assert len(os.listdir(os.path.join(store.root, "releases"))) == 6, "each was current a moment ago"
    for number in range(1, 7):
        # 1 and 2 were current only an hour ago, 3 to 6 days ago, 6 most recently.
        used = now - 3600 if number < 3 else now - (10 - number) * DAY
        os.utime(store.path(name(number)), (used, used))
    store.add(name(7), [("a", b"1")])
    store.switch(name(7))
    left = [number for number in range(1, 8) if store.files(name(number)) is not None]
    assert left == [1, 2, 6, 7]


@pytest.mark.parametrize("keep", [1, 2, 5])
def test_as_many_are_kept_as_wanted(tmp_path: Path, keep: int) -> None:
    store = ReleaseStore("dest", str(tmp_path / "dest"), keep)
    with store.locked(1):
        for number in range(1, 9):
            store.add(name(number), [("a", b"1")])
            store.switch(name(number))
        for number in range(1, 9):
            used = time.time() - (10 - number) * DAY
            os.utime(store.path(name(number)), (used, used))
        store.switch(name(8))
    left = [number for number in range(1, 9) if store.files(name(number)) is not None]
    assert left == list(range(9 - keep, 9))


def test_nothing_else_is_removed(store: ReleaseStore) -> None:
    old = time.time() - 100 * DAY
    for other in ("backup", "0" * 40):
        os.mkdir(store.path(other))
        os.utime(store.path(other), (old, old))
    for number in range(5):
        store.add(name(number), [("a", b"1")])
        store.switch(name(number))
    assert {"backup", "0" * 40} <= set(os.listdir(os.path.join(store.root, "releases")))


@pytest.mark.parametrize("target", ["/etc", "releases/other", "x"])
def test_a_foreign_link(store: ReleaseStore, target: str) -> None:
    os.symlink(target, os.path.join(store.root, "current"))
    with pytest.raises(Error, match="was not made by git_fetch"):
        store.current()


def test_files_added_changed_and_removed_are_the_difference(tmp_path: Path) -> None:
    for folder, files in {"old": {"a": "1", "b": "1", "c": "1"}, "new": {"b": "2", "c": "1", "d": "1"}}.items():
        (tmp_path / folder).mkdir()
        for file, content in files.items():
            (tmp_path / folder / file).write_text(content)
    assert difference(str(tmp_path / "old"), str(tmp_path / "new")) == "removed  a\nchanged  b\nadded    d\n"
    assert difference(str(tmp_path / "gone"), str(tmp_path / "old")) == "added    a\nadded    b\nadded    c\n"


class TestPrivateFolder:
    def test_a_secret_is_in_memory(self, tmp_path: Path) -> None:
        with PrivateFolder(str(tmp_path)) as private:
            path = private.secret("key", "s3cret\n")
            assert Path(path).read_text() == Path(path).read_text() == "s3cret\n"
            assert oct(os.stat(path).st_mode) == "0o100600"
            assert oct(os.stat(private.path).st_mode) == "0o40700"
            assert os.listdir(private.path) == []
        assert not os.path.exists(path)
        assert os.listdir(tmp_path) == []

    def test_a_program(self, tmp_path: Path) -> None:
        with PrivateFolder(str(tmp_path)) as private:
            path = private.program("askpass", "#!/bin/sh\necho $1\n")
            assert path == private.join("askpass")
            assert subprocess.run([path, "x"], capture_output=True, text=True, check=True).stdout == "x\n"

    @pytest.mark.parametrize("flag", [0x10, 0x8000_0000], ids=["this kernel", "an older kernel"])
    def test_a_program_in_memory(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: int) -> None:
        """A file system that forbids programs is in the tests of git_fetch; here it only seems to be one."""
        monkeypatch.setattr(os, "access", lambda *_arguments: False)
        monkeypatch.setattr(private_module, "_MFD_EXEC", flag)
        with PrivateFolder(str(tmp_path)) as private:
            path = private.program("askpass", "#!/bin/sh\necho $1\n")
            assert path.startswith("/proc/")
            assert subprocess.run([path, "x"], capture_output=True, text=True, check=True).stdout == "x\n"
        assert not os.path.exists(path)

    def test_no_program_at_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A system without memory files is not available here, so the function is taken away."""
        monkeypatch.setattr(os, "access", lambda *_arguments: False)
        monkeypatch.delattr(os, "memfd_create")
        with PrivateFolder(str(tmp_path)) as private, pytest.raises(Error, match="Set ansible_remote_tmp to a"):
            private.program("askpass", "#!/bin/sh\n")

    def test_a_secret_in_a_file(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A system without memory files is not available here, so the function is taken away."""
        monkeypatch.delattr(os, "memfd_create")
        with PrivateFolder(str(tmp_path)) as private:
            path = private.secret("key", "s3cret\n")
            assert Path(path).read_text() == "s3cret\n"
            assert path == private.join("key")
            assert oct(os.stat(path).st_mode) == "0o100600"
        assert os.listdir(tmp_path) == []
