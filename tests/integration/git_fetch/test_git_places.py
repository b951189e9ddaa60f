# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch and where its files are: in nobody else's hands, and under their names whatever the locale."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch, listing
from parts.sshd import Repository

NOBODY = 65534


@pytest.fixture
def made(fetch: Fetch, repository: Repository, dest: Path) -> Path:
    """A destination with a release, and one to come, whose expected place holds something else."""
    release = Path(fetch()["directory"])
    commit = repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    planted = release.with_name(commit + release.name[40:])
    planted.mkdir()
    (planted / "0001_x.up.sql").write_text("DROP DATABASE shop;\n")
    (dest / "releases" / ".tmp-mine").write_text("Important.\n")
    return planted


def give_away(path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("only root can give a directory to another account")
    os.chown(path, NOBODY, NOBODY)


def let_everybody_write(path: Path) -> None:
    path.chmod(0o757)


def let_a_group_write(path: Path) -> None:
    path.chmod(0o770)


def put_a_link(path: Path) -> None:
    real = path.parent / f"real-{path.name}"
    path.rename(real)
    path.symlink_to(real)


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("where", ["dest", "releases", ".contents", "release"])
@pytest.mark.parametrize("damage", [give_away, let_everybody_write, let_a_group_write, put_a_link])
def test_in_the_hands_of_others(
    fetch: Fetch, made: Path, dest: Path, where: str, damage: Callable[[Path], None], check: bool
) -> None:
    path = {"dest": dest, "release": made}.get(where, dest / where)
    damage(path)
    if where == "dest" and damage is put_a_link:
        # The account's own.
        assert fetch(check=check)["files"] == [*NAMES, "0002_b.up.sql"]
        if os.geteuid() == 0:
            os.chown(path, NOBODY, NOBODY, follow_symlinks=False)
            assert "is a link, and none is followed" in fetch(check=check)["msg"]
        return
    before = listing(dest.parent)
    msg = fetch(check=check)["msg"]
    assert msg.startswith(f"dest: {path} on the runner ")
    reasons: dict[Callable[[Path], None], str] = {
        give_away: f"belongs to another account (UID {NOBODY}) than the one that runs this task (UID {os.geteuid()})",
        let_everybody_write: "is writable for others (mode 0757)",
        let_a_group_write: "is writable for others (mode 0770)",
        put_a_link: "is a link, and none is followed",
    }
    assert f"{reasons[damage]}. Nothing was touched. " in msg
    assert listing(dest.parent) == before


def test_what_was_planted_is_not_used(fetch: Fetch, made: Path) -> None:
    """It is this account's, as far as anybody can see, but nobody has fetched it."""
    result = fetch()
    assert result["directory"] == str(made)
    assert result["changed"]
    assert result["files"] == sorted(os.listdir(made)) == [*NAMES, "0002_b.up.sql"]


def test_the_preview_is_checked_too(fetch: Fetch, tmp_path: Path) -> None:
    preview = tmp_path / "preview"
    preview.mkdir()
    preview.chmod(0o777)
    msg = fetch(check=True, preview_dest=str(preview))["msg"]
    assert msg.startswith(f"preview_dest: {preview} on the runner is writable for others (mode 0777).")
    assert os.listdir(preview) == []


@pytest.mark.parametrize("umask", [0o002, 0o000, 0o077])
def test_a_parent_that_others_share(fetch: Fetch, repository: Repository, tmp_path: Path, umask: int) -> None:
    parent = tmp_path / "shared"
    parent.mkdir()
    parent.chmod(0o3777)
    old = os.umask(umask)
    try:
        for _time in range(2):
            result = fetch(dest=f"{parent}/below/dest")
            assert result["files"] == NAMES
            repository.commit({"db/seeds/more.sql": "SELECT 1;\n"})
    finally:
        os.umask(old)
    dest = parent / "below" / "dest"
    folders = [dest, dest / "releases", dest / ".contents", Path(result["directory"])]
    assert {oct(path.stat().st_mode & 0o022) for path in folders} == {"0o0"}


@pytest.fixture(params=["en_US.ISO-8859-1", "POSIX"])
def locale(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The environment of an account whose locale is not UTF-8, also for a Python that would make it so."""
    if request.param != "POSIX":
        if shutil.which("localedef") is None:
            pytest.skip("the locale cannot be made: localedef is missing")
        make = ["localedef", "-i", "en_US", "-f", "ISO-8859-1", str(tmp_path / "locales" / request.param)]
        (tmp_path / "locales").mkdir()
        subprocess.run(make, check=True)
    return {
        "LOCPATH": str(tmp_path / "locales"),
        "LC_ALL": request.param,
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
    }


def test_names_in_a_locale_that_is_not_utf8(
    fetch: Fetch, ssh: dict[str, Any], repository: Repository, dest: Path, tmp_path: Path, locale: dict[str, str]
) -> None:
    names = ["0003_größe.up.sql", "0004_zażółć.up.sql", "0005_サイズ.up.sql"]
    repository.commit({f'"db/migrations/{name}"': "SELECT 1;\n" for name in names})
    repository.branch("größe-ż")
    options = {**ssh, "ref": "größe-ż", "dest": str(tmp_path / "zażółć"), "env": locale}
    assert fetch(**options, check=True, diff=True)["files"] == [*NAMES, *names]
    result = fetch(**options, diff=True)
    assert result["files"] == [*NAMES, *names]
    assert result["ref"] == "refs/heads/größe-ż"
    assert sorted(os.listdir(result["directory"])) == [*NAMES, *names]
    assert f"added    {names[2]}\n" in result["diff"]["prepared"]
    assert not fetch(**options)["changed"]
    assert not fetch(**{**options, "env": None})["changed"]
