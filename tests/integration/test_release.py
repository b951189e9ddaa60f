# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The archive that a release uploads holds what a user needs."""

from __future__ import annotations

import subprocess
import tarfile
from pathlib import Path

import pytest
from parts import CHECKOUT
from parts.ansible import PROGRAMS

# What is not named here is left out.
PLACES = {
    *("CHANGELOG.md", "CONTRIBUTING.md", "README.md", "REUSE.toml", "LICENSES"),
    *("awx", "changelogs", "docs", "examples", "inventories", "meta", "playbooks", "plugins", "roles"),
}
LEFT_OUT = {"changelogs/fragments", "docs/conf.py", "docs/site", "inventories/demo"}


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> set[str]:
    """The names of the files in the archive, without the two that describe it."""
    folder = tmp_path_factory.mktemp("archive")
    build: list[str | Path] = [PROGRAMS / "ansible-galaxy", "collection", "build", "--output-path", folder, CHECKOUT]
    subprocess.run(build, check=True, capture_output=True)
    [path] = folder.glob("dbops-migrations-*.tar.gz")
    with tarfile.open(path) as file:
        names = {member.name for member in file if member.isfile()}
    return names - {"MANIFEST.json", "FILES.json"}


def test_the_archive_has_all_that_a_user_needs_and_nothing_else(archive: set[str]) -> None:
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True).stdout.split("\0")
    needed = {
        name
        for name in listed
        if name.split("/")[0] in PLACES and not any((name + "/").startswith(f"{left}/") for left in LEFT_OUT)
    }
    assert archive == {name for name in needed if (CHECKOUT / name).exists()}
