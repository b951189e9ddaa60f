# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""In which order components move: what belongs together in one step, the rest one after the other.

Private to the collection. The graph is networkx's; this is the one place that knows it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from typing import Any, Literal, NamedTuple

from ..._core.dependency import Dependency

with Dependency("networkx", prepared=False) as NETWORKX:
    import networkx

Order = Literal["first", "last"]


class Group(NamedTuple):
    """Components that depend on each other, and so move in one step; mostly it is one."""

    components: list[str]


class Wave(NamedTuple):
    """Groups that may move at the same time: the first is number 1."""

    number: int
    groups: list[Group]


class Refusal(NamedTuple):
    """A wave that a person asked for, and that cannot be.

    :ivar because: components each of which moves before the next one, from the one that has the latest wave; if the
        first one is also the last, they are a cycle, which moves in one step.
    """

    component: str
    wave: int
    because: list[str]


class Plan(NamedTuple):
    """All waves, and what could not be granted."""

    waves: list[Wave]
    refused: list[Refusal]


def plan(
    components: Iterable[str],
    dependencies: Iterable[tuple[str, str]],
    stores: Set[str] = frozenset(),
    pinned: Mapping[str, int] | None = None,
    order: Order = "first",
) -> Plan:
    """Return the waves.

    With ``first``, what others depend on moves before them, so that data stores come first; with ``last`` the other way
    round. Each group moves as early as it can, but not before its pinned wave. In a wave, stores stand first, or last.

    :param components: their names.
    :param dependencies: pairs of who depends and on whom; a name that is not a component is skipped.
    :param stores: the components that keep data.
    :param pinned: the wave, from 1, that a person has asked for; a name that is not a component is skipped.
    :raises Error: networkx is not there.
    """
    NETWORKX.check()
    graph = networkx.DiGraph()
    graph.add_nodes_from(sorted(components))
    known = set(graph)
    pairs = sorted({(user, used) for user, used in dependencies if user != used and {user, used} <= known})
    # An edge goes from what moves first to what moves later.
    graph.add_edges_from((used, user) if order == "first" else (user, used) for user, used in pairs)
    wanted = {name: wave for name, wave in sorted((pinned or {}).items()) if name in known}
    return _Planner(graph, wanted).plan(stores, order)


class _Planner:
    def __init__(self, graph: Any, wanted: Mapping[str, int]) -> None:
        self._graph = graph
        self._wanted = wanted
        self._refused: list[Refusal] = []
        self._wave: dict[str, int] = {}

    def plan(self, stores: Set[str], order: Order) -> Plan:
        condensed = networkx.condensation(self._graph)
        members = {node: sorted(condensed.nodes[node]["members"]) for node in condensed}
        waves: dict[int, list[Group]] = {}
        for node in networkx.lexicographical_topological_sort(condensed, key=members.__getitem__):
            before = [member for one in condensed.predecessors(node) for member in members[one]]
            number = self._number(members[node], before)
            self._wave.update(dict.fromkeys(members[node], number))
            waves.setdefault(number, []).append(Group(members[node]))

        def place(group: Group) -> tuple[bool, list[str]]:
            return bool(stores & set(group.components)) != (order == "first"), group.components

        return Plan([Wave(number, sorted(waves[number], key=place)) for number in sorted(waves)], sorted(self._refused))

    def _number(self, group: list[str], before: list[str]) -> int:
        """Return the wave of a group, all of whose predecessors have theirs."""
        earliest = 1 + max((self._wave[name] for name in before), default=0)
        pins = [name for name in group if name in self._wanted]
        granted = [name for name in pins if self._wanted[name] >= earliest]
        for name in pins:
            if name not in granted:
                self._refused.append(Refusal(name, self._wanted[name], self._way(name, before)))
        if not granted:
            return earliest
        chosen = self._wanted[granted[0]]
        for name in granted[1:]:
            if self._wanted[name] != chosen:
                self._refused.append(Refusal(name, self._wanted[name], self._cycle(granted[0], name)))
        return chosen

    def _way(self, name: str, before: list[str]) -> list[str]:
        latest = max(before, key=lambda one: (self._wave[one], one))
        way: list[str] = networkx.shortest_path(self._graph, latest, name)
        return way

    def _cycle(self, one: str, other: str) -> list[str]:
        there = networkx.shortest_path(self._graph, one, other)
        return [*there, *networkx.shortest_path(self._graph, other, one)[1:]]
