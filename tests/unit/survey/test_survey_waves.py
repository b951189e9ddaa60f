# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The order in which components move."""

from __future__ import annotations

import os
from itertools import product

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis import waves
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.waves import (
    Group,
    Order,
    Plan,
    Refusal,
    Wave,
    plan,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

# make test-waves sets it to 10,000.
_GRAPHS = int(os.environ.get("GRAPHS", "200"))
_SHOP = [("proxy", "shop"), ("shop", "database"), ("worker", "database"), ("worker", "queue"), ("shop", "queue")]
_NAMES = ["proxy", "shop", "worker", "database", "queue"]


def _waves(found: Plan) -> list[tuple[int, list[list[str]]]]:
    return [(wave.number, [group.components for group in wave.groups]) for wave in found.waves]


def test_what_others_depend_on_moves_first() -> None:
    assert plan(_NAMES, _SHOP, {"database"}) == Plan(
        [
            Wave(1, [Group(["database"]), Group(["queue"])]),
            Wave(2, [Group(["shop"]), Group(["worker"])]),
            Wave(3, [Group(["proxy"])]),
        ],
        [],
    )


def test_or_it_moves_last() -> None:
    assert _waves(plan(_NAMES, _SHOP, {"database"}, order="last")) == [
        (1, [["proxy"], ["worker"]]),
        (2, [["shop"]]),
        (3, [["queue"], ["database"]]),
    ]


def test_what_depends_on_each_other_moves_in_one_step() -> None:
    found = plan("abc", [("a", "b"), ("b", "a"), ("b", "c"), ("a", "nobody"), ("c", "c")])
    assert _waves(found) == [(1, [["c"]]), (2, [["a", "b"]])]


def test_a_pinned_wave_is_kept_and_pushes_others() -> None:
    found = plan(_NAMES, _SHOP, pinned={"database": 2, "proxy": 9, "nobody": 1})
    assert found.refused == []
    assert _waves(found) == [(1, [["queue"]]), (2, [["database"]]), (3, [["shop"], ["worker"]]), (9, [["proxy"]])]


def test_a_wave_that_cannot_be_is_refused_with_what_is_in_its_way() -> None:
    assert plan(_NAMES, _SHOP, pinned={"proxy": 2}).refused == [Refusal("proxy", 2, ["shop", "proxy"])]
    assert plan("abc", [("a", "b"), ("b", "c"), ("c", "a")], pinned={"a": 2, "b": 3}).refused == [
        Refusal("b", 3, ["a", "c", "b", "a"])
    ]


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waves.NETWORKX, "missing", "No module named 'networkx'")
    with pytest.raises(Error, match="The Python library networkx is missing"):
        plan("a", [])


_names = st.integers(0, 11).map(str)


@settings(deadline=None, max_examples=_GRAPHS, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sets(_names, min_size=1),
    st.lists(st.tuples(_names, _names), max_size=40),
    st.sets(_names),
    st.dictionaries(_names, st.integers(1, 6), max_size=4),
    st.sampled_from(["first", "last"]),
)
def test_every_order_is_kept(
    names: set[str], pairs: list[tuple[str, str]], stores: set[str], pinned: dict[str, int], order: Order
) -> None:
    found = plan(names, pairs, stores, pinned, order)
    place = {
        name: (wave.number, group.components)
        for wave in found.waves
        for group in wave.groups
        for name in group.components
    }
    assert sorted(place) == sorted(names)
    assert sum(len(group.components) for wave in found.waves for group in wave.groups) == len(names)
    reach = _reach(names, pairs)
    for user, used in product(names, names):
        together = place[user][1] == place[used][1]
        # A group is no larger than what reaches itself, and no smaller.
        assert together == (user == used or (reach[user, used] and reach[used, user]))
        if reach[user, used] and not together:
            before, after = (used, user) if order == "first" else (user, used)
            assert place[before][0] < place[after][0]
    refused = {one.component for one in found.refused}
    for name, wave in pinned.items():
        assert name not in names or (place[name][0] == wave) != (name in refused)
    edges = {(user, used) if order == "last" else (used, user) for user, used in pairs}
    for refusal in found.refused:
        steps = list(zip(refusal.because, refusal.because[1:]))
        assert steps
        assert set(steps) <= edges
        if refusal.because[0] == refusal.because[-1]:
            assert refusal.component in refusal.because
        else:
            assert refusal.because[-1] == refusal.component
            assert place[refusal.because[0]][0] >= refusal.wave
    again = plan(sorted(names, reverse=True), reversed(pairs), stores, dict(reversed(list(pinned.items()))), order)
    assert again == found


def _reach(names: set[str], pairs: list[tuple[str, str]]) -> dict[tuple[str, str], bool]:
    """Return who depends on whom, over others too, in the plainest way."""
    reach = {(one, other): (one, other) in pairs for one, other in product(names, names)}
    for middle, one, other in product(names, names, names):
        reach[one, other] |= reach[one, middle] and reach[middle, other]
    return reach
