# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files of an earlier fetch, used again by git's names for their contents."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._git.remote import _named, _read_again


def test_the_names_are_those_of_git(tmp_path: Path) -> None:
    contents = [b"", b"SELECT 1;\n", bytes(range(256)) * 300]
    paths = [tmp_path / f"{number}\n.sql" for number in range(len(contents))]
    for path, content in zip(paths, contents):
        path.write_bytes(content)
    named = _named([*map(str, paths), str(tmp_path / "gone.sql"), str(tmp_path)])
    for path, content in zip(paths, contents):
        name = subprocess.run(["git", "hash-object", "--stdin"], input=content, capture_output=True, check=True).stdout
        assert named.pop(name.decode().strip()) == str(path)
        assert _read_again(str(path), name.decode().strip()) == content
    assert named == {}


def test_a_file_that_is_changed_meanwhile(tmp_path: Path) -> None:
    path = tmp_path / "1_a.up.sql"
    path.write_text("SELECT 1;\n")
    name = next(iter(_named([str(path)])))
    path.write_text("SELECT 2;\n")
    with pytest.raises(Error, match=r"1_a\.up\.sql changed while it was being read\. Try again\."):
        _read_again(str(path), name)
    path.unlink()
    with pytest.raises(Error, match=r"1_a\.up\.sql can no longer be read: No such file or directory\. Try again\."):
        _read_again(str(path), name)
