# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Policies, and what no server here can be made to say about a tag; the rest is tested with real signatures."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._git.reference import Resolved, Tag
from ansible_collections.dbops.migrations.plugins.module_utils._git.signature import Policy, mislabelled

ONE, TWO = "1" * 40, "2" * 40
TAG = Tag(TWO, "v1")


def test_a_mark_holds_for_the_same_policy_only() -> None:
    """What differs in anything that counts was not verified."""
    commit, tag = Policy("signed_commit", "a", "b"), Policy("signed_tag", "a", "b")
    found = Resolved(ONE, "refs/tags/v1", TAG)
    others = [Tag(ONE, "v1"), Tag(TWO, "v2")]
    policies = [
        *(commit, Policy("signed_commit", "b", "b"), Policy("signed_commit", "a", "a")),
        *(Policy("signed_commit", None, "b"), Policy("signed_commit", "a", None), tag),
    ]
    marks = [policy.mark(found) for policy in policies]
    marks += [tag.mark(Resolved(ONE, "refs/tags/v1", other)) for other in others]
    assert len(set(marks)) == len(marks)
    # A signed commit is one by whatever name it is reached.
    assert {commit.mark(Resolved(ONE)), commit.mark(Resolved(ONE, "refs/tags/v2", others[1]))} == {commit.mark(found)}


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (f"object {ONE}\ntype commit\ntag v1\ntagger X\n\nx", None),
        (f"object {TWO}\ntype commit\ntag v1\n", f"points at the commit {TWO}, and the server says {ONE}"),
        (f"object {ONE}\ntype tree\ntag v1\n", "points at a tree and not at a commit: tag the commit itself"),
        (f"object {ONE}\ntype commit\ntag v1 \n", "calls itself 'v1 ': a signed tag counts under its own name only"),
        (f"object {ONE}\ntype commit\ntag \x1b[1m\n", r"calls itself '\x1b[1m': a signed tag counts under its own"),
        (f"object {ONE}\ntype commit\n\ntag v1\n", "is malformed"),
        (f"x\nobject {ONE}\ntype commit\ntag v1\n", "is malformed"),
    ],
)
def test_tags_that_mislead(content: str, problem: str | None) -> None:
    found = mislabelled(content.encode(), TAG, ONE)
    assert found == problem or (problem is not None and found is not None and found.startswith(problem))
