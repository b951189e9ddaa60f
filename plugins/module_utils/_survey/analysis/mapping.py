# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The map: who talks to whom, folded until a person can read it. Private to the collection.

A map is boxes of nodes, and arrows between nodes. Of a few hosts each is a box, with its components as nodes. Of more,
a box is a group of the inventory; its nodes are hosts, of even more what they do (its databases, its web servers), in
the end the group itself.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Optional

from .components import UNKNOWN
from .notes import notes
from .overview import Connection, Facts, Overview, answered

Severity = Literal["high", "medium", "low"]
Fold = Literal["component", "host", "role", "group"]
Kind = Literal["component", "fold", "external", "unseen"]
Around = Literal["host", "group", "asking", "asked", "unseen"]

_GRAVEST: tuple[Severity, ...] = ("high", "medium", "low")
# Nodes and arrows that a person can still read. A map that has more is folded further.
_READABLE: Mapping[Fold, tuple[int, int]] = {"component": (60, 120), "host": (60, 120), "role": (120, 240)}
# Of the last fold.
_ARROWS = 240
# In a box of addresses, or of hosts that were not seen. Who asks is mostly many, and seldom interesting.
_ASKING, _ASKED, _UNSEEN = 4, 12, 6
# Of the last fold.
_GROUPS = 40
_NO_GROUP = "no group"


class Node(NamedTuple):
    """What arrows lead to.

    :ivar id: unique in the map, of letters, digits and underscores.
    :ivar title: what a person calls it.
    :ivar detail: its technologies, or what is folded in it.
    :ivar role: a component's; of a fold what most are; empty: it has none.
    :ivar names: the components, the addresses, or the hosts that were not seen, for which it stands.
    :ivar waves: in which they move.
    :ivar severity: of the most severe finding.
    :ivar findings: how many there are.
    :ivar inside: conversations among those for which it stands.
    """

    id: str
    kind: Kind
    title: str
    detail: str
    role: str
    names: list[str]
    waves: list[int]
    severity: Optional[Severity]
    findings: int
    inside: int


class Box(NamedTuple):
    """Nodes that stand together: of a host or a group, addresses outside that ask or are asked, hosts not seen."""

    id: str
    kind: Around
    title: str
    detail: str
    nodes: list[Node]


class Arrow(NamedTuple):
    """All conversations of a client with a server, by the ids of their nodes.

    :ivar ports: ``3306/tcp``, or ``socket``.
    :ivar connections: how many were folded into it.
    :ivar answered: somebody answered one of them.
    """

    client: str
    server: str
    ports: list[str]
    connections: int
    answered: bool


class Chart(NamedTuple):
    """A map. Everything is sorted.

    :ivar fold: what a node of a box stands for.
    :ivar omitted: arrows that are left out, those of the fewest conversations, as nobody could read more.
    """

    title: str
    fold: Fold
    boxes: list[Box]
    arrows: list[Arrow]
    omitted: int


class _Key(NamedTuple):
    """Where something goes: the box, and the node in it."""

    around: Around
    box: str
    node: str


def chart(whole: Overview) -> Chart:
    """Return the map of an overview, folded as far as it has to be."""
    pen = _Pen(whole)
    for fold, (nodes, arrows) in _READABLE.items():
        members = pen.members(fold)
        if len(members) <= nodes:
            drawn = pen.draw(fold, members)
            if len(drawn.arrows) <= arrows:
                return drawn
    drawn = pen.draw("group", pen.members("group"))
    kept = sorted(drawn.arrows, key=lambda one: (-one.connections, one))[:_ARROWS]
    return drawn._replace(arrows=sorted(kept), omitted=len(drawn.arrows) - len(kept))


class _Pen:
    def __init__(self, whole: Overview) -> None:
        self._whole = whole
        self._groups = _homes({name: host.groups for name, host in whole.hosts.items() if host.document})
        self._findings: dict[str, list[Severity]] = {}
        for one in notes(whole):
            self._findings.setdefault(one.component, []).append(one.severity)
        self._waves = {
            name: wave.number for wave in whole.plan.waves for group in wave.groups for name in group.components
        }
        self._unseen = self._hosts()
        self._outside = self._addresses()

    def members(self, fold: Fold) -> dict[_Key, list[str]]:
        """Return what stands for whom with this fold: components, addresses, hosts that were not seen."""
        keys = [(name, self._key(facts, fold)) for name, facts in self._whole.facts.items()]
        members: dict[_Key, list[str]] = {}
        for name, key in [*keys, *self._outside.items(), *self._unseen.items()]:
            members.setdefault(key, []).append(name)
        return members

    def draw(self, fold: Fold, members: Mapping[_Key, Sequence[str]]) -> Chart:
        """Return the map of these members, however large it is."""
        ids = _ids(members)
        of = {name: ids[key] for key, names in members.items() for name in names}
        arrows: dict[tuple[str, str], list[Connection]] = {}
        for one in self._whole.connections:
            arrows.setdefault((of[one.client], of[one.server]), []).append(one)
        nodes = {
            key: self._node(key, id_, members[key], fold, len(arrows.pop((id_, id_), ()))) for key, id_ in ids.items()
        }
        found = [
            Arrow(client, server, _ports(some), len(some), any(answered(one.edge) for one in some))
            for (client, server), some in sorted(arrows.items())
        ]
        return Chart(self._whole.title, fold, self._boxes(nodes), found, 0)

    def _key(self, facts: Facts, fold: Fold) -> _Key:
        component = facts.component
        if fold == "component":
            return _Key("host", component.host, component.name)
        node = {"host": component.host, "role": component.role, "group": ""}[fold]
        return _Key("group", self._groups[component.host], node)

    def _hosts(self) -> dict[str, _Key]:
        """Return where the hosts go that were not seen: those that others ask for themselves, the rest together."""
        whole = self._whole
        known = {one.names[0] for one in whole.externals.values() if one.names}
        unseen = [name for name, host in whole.hosts.items() if host.document is None]
        unseen.sort(key=lambda name: (name not in known, name))
        return {name: _Key("unseen", "", name if number < _UNSEEN else "") for number, name in enumerate(unseen)}

    def _addresses(self) -> dict[str, _Key]:
        """Return where the addresses outside go: those that talk most for themselves, the rest together."""
        count = Counter(name for one in self._whole.connections for name in (one.client, one.server))
        some = sorted(self._whole.externals.values(), key=lambda one: (-count[one.address], one.address))
        keys = {one.address: self._unseen[one.names[0]] for one in some if one.names and one.names[0] in self._unseen}
        rooms: tuple[tuple[Around, bool, int], ...] = (("asking", False, _ASKING), ("asked", True, _ASKED))
        for around, asked, room in rooms:
            others = [one.address for one in some if one.asked == asked and one.address not in keys]
            for number, address in enumerate(others):
                keys[address] = _Key(around, "", address if number < room else "")
        return keys

    def _node(self, key: _Key, id_: str, names: Iterable[str], fold: Fold, inside: int) -> Node:
        names = sorted({*names})
        severities = [one for name in names for one in self._findings.get(name, ())]
        node = Node(
            id=id_,
            kind="fold",
            title=key.node,
            detail="",
            role="",
            names=names,
            waves=sorted({self._waves[name] for name in names if name in self._waves}),
            severity=next((one for one in _GRAVEST if one in severities), None),
            findings=len(severities),
            inside=inside,
        )
        if key.around == "unseen":
            title = key.node or f"{len(self._whole.hosts.keys() & set(names))} more"
            return node._replace(kind="unseen", title=title, detail="not seen")
        if key.around in ("asking", "asked"):
            return self._external(key, node)
        facts = [self._whole.facts[name] for name in names]
        roles = Counter(one.component.role for one in facts)
        role = min(roles, key=lambda one: (-roles[one], one))
        if fold == "component":
            return self._component(facts[0], node)
        if fold == "role":
            title = "unknown role" if role == UNKNOWN else role
            return node._replace(title=title, detail=_counted(_technologies(facts)), role=role)
        title = key.node or f"{len(facts)} component{'s' * (len(facts) > 1)}"
        return node._replace(title=title, detail=_counted(roles), role=role)

    def _component(self, facts: Facts, node: Node) -> Node:
        component, decision = facts.component, facts.decision
        label = component.name.rpartition(f"@{component.host}")[0] or component.name
        role = "" if component.role == UNKNOWN else component.role
        parts = [label if decision.title else "", component.technology, role]
        # "nginx: nginx, web server" says it twice.
        shown = [one for one in parts if one and one.lower() != (decision.title or label).lower()]
        return node._replace(
            kind="component" if component.services else "unseen",
            title=decision.title or label,
            detail=" · ".join(shown) if component.services else "processes not seen",
            role=component.role,
        )

    def _external(self, key: _Key, node: Node) -> Node:
        if not key.node:
            return node._replace(kind="external", title=f"{len(node.names)} more")
        one = self._whole.externals[key.node]
        name = one.names[0] if one.names else ""
        detail = "shared by several hosts" if one.unclear else one.address if name else ""
        return node._replace(kind="external", title=name or one.address, detail=detail)

    def _rank(self, key: _Key, node: Node) -> tuple[bool, int, str, _Key]:
        """Return where a node is in its box: who asks above who is asked, and a rest at the end."""
        wave = max(node.waves, default=0)
        return not key.node, -wave if self._whole.order == "first" else wave, node.title, key

    def _boxes(self, nodes: Mapping[_Key, Node]) -> list[Box]:
        found: dict[tuple[Around, str], list[_Key]] = {}
        for key in nodes:
            found.setdefault((key.around, key.box), []).append(key)
        boxes = []
        for number, (around, name) in enumerate(sorted(found)):
            keys = sorted(found[around, name], key=lambda one: self._rank(one, nodes[one]))
            title, detail = _TITLES.get(around, ("", ""))
            if around == "host":
                title, detail = name, self._groups[name] if self._groups[name] != _NO_GROUP else ""
            elif around == "group":
                hosts = {self._whole.facts[one].component.host for key in keys for one in nodes[key].names}
                title, detail = name, f"{len(hosts)} host{'s' * (len(hosts) > 1)}"
            boxes.append(Box(f"b{number}", around, title, detail, [nodes[key] for key in keys]))
        return boxes


_TITLES: Mapping[Around, tuple[str, str]] = {
    "asking": ("Outside", "clients"),
    "asked": ("Outside", "servers"),
    "unseen": ("Hosts not seen", ""),
}


def _homes(groups: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return of each host the one group in which the map shows it.

    A group is the better the nearer its size is to the square root of the number of hosts: then there are about as many
    groups as there are hosts in one. After the best come those that share no host with one that was taken: so the map
    is of sites or of functions, rather than a mixture.
    """
    members: dict[str, set[str]] = {}
    for host, names in groups.items():
        for name in names:
            members.setdefault(name, set()).add(host)
    count = len(groups)

    def distance(name: str) -> tuple[float, str]:
        square = len(members[name]) ** 2
        return max(square, count) / min(square, count), name

    ranked = sorted(members, key=distance)
    homes: dict[str, str] = {}
    for apart in (True, False):
        for name in ranked:
            if not (apart and homes.keys() & members[name]):
                for host in members[name] - homes.keys():
                    homes[host] = name
    found = {host: homes.get(host, _NO_GROUP) for host in groups}
    sizes = Counter(found.values())
    largest = sorted(sizes, key=lambda one: (-sizes[one], one))
    if len(largest) > _GROUPS:
        rest = set(largest[_GROUPS - 1 :])
        found = {host: f"{len(rest)} more groups" if home in rest else home for host, home in found.items()}
    return found


def _technologies(facts: Iterable[Facts]) -> Counter[str]:
    return Counter(one.component.technology or one.component.name.partition("@")[0] for one in facts)


def _counted(what: Mapping[str, int]) -> str:
    """Return what there is most of, with numbers."""
    ranked = sorted(what, key=lambda one: (-what[one], one))
    shown = [f"{what[one]} {one}" for one in ranked[:2]]
    return ", ".join([*shown, f"{len(ranked) - 2} more"] if len(ranked) > 2 else shown)


def _ports(connections: Iterable[Connection]) -> list[str]:
    ports = sorted({(one.edge.port, one.edge.protocol) for one in connections})
    return ["socket" if protocol == "unix" else f"{port}/{protocol}" for port, protocol in ports]


def _ids(keys: Iterable[_Key]) -> dict[_Key, str]:
    """Return an identifier for each key, which the others do not change unless they look alike."""
    plain = {key: re.sub(r"[^A-Za-z0-9]+", "_", f"{key.around}_{key.box}_{key.node}")[:48] for key in keys}
    often = Counter(plain.values())
    return {
        key: text if often[text] == 1 else f"{text}_{hashlib.sha256(repr(key).encode()).hexdigest()[:8]}"
        for key, text in plain.items()
    }
