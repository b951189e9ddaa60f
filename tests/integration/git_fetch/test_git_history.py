# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch where a branch may only lead on: which histories it follows, and what finding out costs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from integration.git_fetch.support import NAMES, Fetch, listing
from parts.relay import Relay
from parts.sshd import Repository

ONLY: dict[str, Any] = {"fast_forward_only": True}


def commits(repository: Repository, count: int, branch: str = "main", start: str = "refs/heads/main^0") -> str:
    """Put commits that change nothing on a branch, and return the last one."""
    person = "X <x@example.com> 1 +0000"
    stream = [f"reset refs/heads/{branch}\nfrom {start}\n\n"]
    for number in range(count):
        message = f"{branch} {number} {os.urandom(100).hex()}"
        stream.append(f"commit refs/heads/{branch}\ncommitter {person}\ndata {len(message)}\n{message}\n")
    repository.git("fast-import", "--quiet", "--force", text="".join(stream).encode())
    return repository.git("rev-parse", branch)


def merge(repository: Repository, branch: str, text: str) -> str:
    """Merge a branch into the main one, with one more migration."""
    person = "X <x@example.com> 1 +0000"
    stream = (
        f"commit refs/heads/main\ncommitter {person}\ndata 1\nx\nfrom refs/heads/main^0\nmerge refs/heads/{branch}\n"
        f"M 100644 inline db/migrations/0003_merged.up.sql\ndata {len(text)}\n{text}\n"
    )
    repository.git("fast-import", "--quiet", text=stream.encode())
    return repository.git("rev-parse", "main")


def refusal(new: str, old: str) -> str:
    return (
        f"refs/heads/main is at commit {new}, which does not descend from the current one, {old}: its history was "
        "rewritten, or the current commit came from elsewhere. Nothing was changed. Find out why; to go there "
        "anyway, set ref to the new commit. (DBM-1224)"
    )


@pytest.mark.parametrize("transport", ["file", "ssh"])
def test_what_leads_on(fetch: Fetch, ssh: dict[str, Any], repository: Repository, transport: str) -> None:
    where = ssh if transport == "ssh" else {}
    assert fetch(**where, **ONLY)["changed"], "the first fetch has nothing to compare with"
    commits(repository, 3)
    assert fetch(**where, **ONLY, ref="HEAD")["commit"] == repository.git("rev-parse", "main")
    assert not fetch(**where, **ONLY)["changed"]
    commits(repository, 2, "side", "refs/heads/main~2")
    merged = merge(repository, "side", "SELECT 1;")
    result = fetch(**where, **ONLY)
    assert (result["commit"], result["files"]) == (merged, [*NAMES, "0003_merged.up.sql"])


@pytest.mark.parametrize("back", ["another", "unrelated", "earlier", "collected"])
def test_a_history_rewritten_by_force(fetch: Fetch, repository: Repository, dest: Path, back: str) -> None:
    base = repository.git("rev-parse", "main")
    old = commits(repository, 3)
    fetch()
    if back == "unrelated":
        new = repository.commit({"db/migrations/0009_x.up.sql": "SELECT 1;\n"}, branch="other")
    else:
        new = base if back == "earlier" else commits(repository, 2, "other", base)
    repository.git("update-ref", "refs/heads/main", new)
    if back == "collected":
        repository.git("reflog", "expire", "--expire=now", "--all")
        repository.git("gc", "--quiet", "--prune=now")
    before = listing(dest)
    for check in (True, False):
        result = fetch(**ONLY, check=check)
        assert result["msg"] == refusal(new, old)
    assert listing(dest) == before
    assert fetch(**ONLY, ref=new)["changed"], "this is how to go there nevertheless"
    assert not fetch(**ONLY)["changed"]


def test_what_is_kept_is_checked_too(fetch: Fetch, repository: Repository, dest: Path) -> None:
    """Going back needs no file from the server."""
    base = repository.git("rev-parse", "main")
    fetch()
    old = commits(repository, 1)
    fetch(**ONLY)
    repository.git("update-ref", "refs/heads/main", base)
    before = listing(dest)
    assert fetch(**ONLY)["msg"] == refusal(base, old)
    assert listing(dest) == before


def test_a_tag_is_named_on_purpose(fetch: Fetch, repository: Repository) -> None:
    repository.tag("v1")
    repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    fetch(**ONLY)
    assert fetch(**ONLY, ref="v1")["files"] == NAMES
    assert fetch(**ONLY)["changed"], "and from there the branch leads on"


@pytest.mark.parametrize(
    ("setting", "transport"),
    [
        ("uploadpack.allowFilter", "ssh"),
        ("uploadpack.allowAnySHA1InWant", "ssh"),
        ("uploadpackfilter.tree.allow", "file"),
        ("uploadpackfilter.allow", "file"),
    ],
)
def test_servers_that_allow_less(
    fetch: Fetch, ssh: dict[str, Any], repository: Repository, setting: str, transport: str
) -> None:
    where = ssh if transport == "ssh" else {}
    repository.git("config", setting, "false")
    fetch(**where)
    old = commits(repository, 2)
    assert fetch(**where, **ONLY)["commit"] == old
    new = commits(repository, 1, start="refs/heads/main~1")
    assert fetch(**where, **ONLY)["msg"] == refusal(new, old)


def test_a_damaged_repository(fetch: Fetch, repository: Repository, dest: Path) -> None:
    fetch()
    commits(repository, 2)
    repository.git("repack", "-adq")
    (pack,) = (repository.path / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    pack.write_bytes(pack.read_bytes()[:40])
    before = listing(dest)
    msg = fetch(**ONLY)["msg"]
    assert str(repository.path) in msg
    assert listing(dest) == before


@pytest.mark.parametrize("merged", [False, True], ids=["line", "merge"])
def test_it_costs_what_is_new(
    fetch: Fetch, relayed: dict[str, Any], relay: Relay, repository: Repository, dest: Path, merged: bool
) -> None:
    """All of the commits would be 60 kB. The side branch leads past the current commit."""
    commits(repository, 300)
    commits(repository, 1, "side", "refs/heads/main~299")
    for only in (False, True):
        fetch(dest=f"{dest}-{only}")
    if merged:
        merge(repository, "side", "SELECT 1;")
    else:
        repository.commit({"db/migrations/0002_b.up.sql": "SELECT 1;\n"})
    cost = []
    for only in (False, True):
        before = relay.received
        assert fetch(**{**relayed, "dest": f"{dest}-{only}", "fast_forward_only": only})["changed"]
        cost.append(relay.received - before)
    print("with", cost[1], "without", cost[0])
    assert cost[1] - cost[0] < 8_000
