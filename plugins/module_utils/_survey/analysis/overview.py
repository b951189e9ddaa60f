# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Everything that the documents say together, as one value for all outputs. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple, Optional

from ..document import DataDirectory, Document, Listener
from .classify import Signature
from .components import Component, Components, find_components
from .correlate import Edge, Node, correlate, names
from .findings import Findings, findings
from .merge import merge
from .transfer import Transfer, transfer
from .waves import Order, Plan, plan

Fate = Literal["move", "replace", "retire", "keep"]
# Roles that keep something, or on which others wait: they move before the others, or after them.
STORES = frozenset(
    {
        "artifact storage",
        "cache",
        "code hosting",
        "coordination",
        "database",
        "directory",
        "file storage",
        "message queue",
        "object storage",
        "search",
        "secrets",
    }
)
# The default bandwidth in Mbit/s.
ASSUMED_BANDWIDTH = 1000.0


class Decision(NamedTuple):
    """What a person has decided about a component.

    :ivar title: what they call it.
    :ivar wave: in which it is to move, from 1.
    """

    title: str = ""
    owner: str = ""
    fate: Optional[Fate] = None
    wave: Optional[int] = None
    notes: str = ""


class Absence(NamedTuple):
    """A host that could not be surveyed.

    :ivar schema_version: as a document's.
    :ivar run: as a document's.
    :ivar error: why, in words.
    """

    schema_version: int
    host: str
    run: str
    error: str


class Inputs(NamedTuple):
    """All that an overview is made of.

    :ivar documents: any number for a host, in any order; a host's may have been merged.
    :ivar looks: how many there were of a host.
    :ivar groups: of each host of the inventory.
    :ivar bandwidth: in Mbit/s; None: the default.
    :ivar refused: documents that could not be read, by name, with the reason.
    """

    documents: Sequence[Document]
    looks: Mapping[str, int]
    absences: Sequence[Absence]
    signatures: Sequence[Signature]
    decisions: Mapping[str, Decision]
    groups: Mapping[str, Sequence[str]]
    bandwidth: Optional[float]
    order: Order
    refused: Mapping[str, str]
    title: str


class Host(NamedTuple):
    """A host of the inventory.

    :ivar document: all looks as one; None: it was never seen.
    :ivar missed: why the latest look failed; empty: it did not.
    :ivar looks: how many there were.
    """

    name: str
    groups: list[str]
    document: Optional[Document]
    missed: str
    looks: int


class External(NamedTuple):
    """An address that no host has that was looked at.

    :ivar names: of /etc/hosts, or the resolver's.
    :ivar unclear: several hosts have it.
    :ivar asked: a component asks it for something; otherwise it only asks.
    """

    address: str
    names: list[str]
    unclear: bool
    asked: bool


class Connection(NamedTuple):
    """A client that depends on a server: each the name of a component, or the address of an external one."""

    client: str
    server: str
    edge: Edge


class Found(NamedTuple):
    """Something that a person should look at.

    :ivar component: its name; empty: it is about a host, or about the whole.
    """

    severity: Literal["high", "medium", "low"]
    kind: str
    component: str
    text: str


class Facts(NamedTuple):
    """What is known of a component.

    :ivar document: of its host.
    :ivar copied: what its move copies; None: it keeps nothing.
    """

    component: Component
    document: Document
    decision: Decision
    listeners: list[Listener]
    data: list[DataDirectory]
    copied: Optional[Transfer]
    uses: list[Connection]
    used_by: list[Connection]


class Overview(NamedTuple):
    """What the documents say together. Everything is sorted.

    :ivar edges: all of them, also those of the hosts' own services.
    :ivar connections: between components, and with the outside.
    :ivar allowed: of each host, what its firewall allows against what is used.
    :ivar gone: names that a person has decided about, and that nothing has any more.
    """

    title: str
    hosts: dict[str, Host]
    facts: dict[str, Facts]
    edges: list[Edge]
    connections: list[Connection]
    externals: dict[str, External]
    allowed: dict[str, Findings]
    plan: Plan
    order: Order
    bandwidth: float
    assumed: bool
    gone: list[str]
    decisions: Mapping[str, Decision]
    refused: dict[str, str]

    def shown(self, name: str) -> str:
        """Return what a person calls a component; for an address its name, if there is one."""
        if name in self.facts:
            title = self.facts[name].decision.title
            return f"{title} ({name})" if title else name
        external = self.externals.get(name)
        return f"{external.names[0]} ({name})" if external and external.names else name


def overview(inputs: Inputs) -> Overview:
    """Return what the documents say together.

    :raises Error: networkx is not there.
    """
    documents = merge(inputs.documents)
    edges = correlate(documents)
    found = find_components(documents, edges, inputs.signatures, inputs.decisions.keys())
    connections = _connections(edges, found)
    facts = _facts(documents, found, connections, inputs)
    moving = {name: one for name, one in facts.items() if one.decision.fate not in ("keep", "retire")}
    return Overview(
        title=inputs.title,
        hosts=_hosts(documents, inputs),
        facts=facts,
        edges=edges,
        connections=connections,
        externals=_externals(connections, documents),
        allowed={document.host: findings(document) for document in documents},
        plan=plan(
            moving,
            [(one.client, one.server) for one in connections if answered(one.edge)],
            {name for name, one in moving.items() if is_store(one)},
            {name: one.decision.wave for name, one in moving.items() if one.decision.wave is not None},
            inputs.order,
        ),
        order=inputs.order,
        bandwidth=inputs.bandwidth or ASSUMED_BANDWIDTH,
        assumed=inputs.bandwidth is None,
        gone=sorted(inputs.decisions.keys() - facts.keys()),
        decisions=inputs.decisions,
        refused=dict(sorted(inputs.refused.items())),
    )


def with_names(whole: Overview, resolved: Mapping[str, str]) -> Overview:
    """Return the same, with the names that a resolver knows for addresses that have none."""
    return whole._replace(
        externals={
            address: one._replace(names=one.names or [*filter(None, [resolved.get(address)])])
            for address, one in whole.externals.items()
        }
    )


def is_store(facts: Facts) -> bool:
    """Return whether a component keeps what must not be lost."""
    return facts.component.role in STORES or bool(facts.data)


def answered(edge: Edge) -> bool:
    """Return whether somebody answered, as far as that can be known: of UDP mostly not."""
    return edge.established or edge.protocol != "tcp"


def some(names: Iterable[str]) -> str:
    """Return names with commas, and of many how many more there are."""
    every = list(names)
    more = f" and {len(every) - 8} more" if len(every) > 8 else ""
    return f"{', '.join(every[:8])}{more}"


def _connections(edges: Iterable[Edge], found: Components) -> list[Connection]:
    connections = []
    for edge in edges:
        client, server = (_name(node, found) for node in (edge.client, edge.server))
        # Connections between the hosts' own services do not affect the order of moving.
        if client and server and client != server and not (edge.client.address and edge.server.address):
            connections.append(Connection(client, server, edge))
    return connections


def _name(node: Node, found: Components) -> str:
    if node.address is not None:
        return node.address
    component = found.of(node)
    return component.name if component else ""


def _facts(
    documents: Iterable[Document], found: Components, connections: Iterable[Connection], inputs: Inputs
) -> dict[str, Facts]:
    uses: dict[str, list[Connection]] = {}
    used_by: dict[str, list[Connection]] = {}
    for one in connections:
        uses.setdefault(one.client, []).append(one)
        used_by.setdefault(one.server, []).append(one)
    of_host = {document.host: document for document in documents}
    facts = {}
    for name, component in found.components.items():
        document = of_host[component.host]
        services = set(component.services)
        data = [one for one in document.storage.data if one.service in services]
        copied = None
        if data or component.role in STORES:
            storage = document.storage._replace(data=data)
            copied = transfer(document._replace(storage=storage), inputs.bandwidth or ASSUMED_BANDWIDTH)
        facts[name] = Facts(
            component=component,
            document=document,
            decision=inputs.decisions.get(name, Decision()),
            listeners=sorted({one for one in document.listeners if one.service in services}, key=_place),
            data=data,
            copied=copied,
            uses=uses.get(name, []),
            used_by=used_by.get(name, []),
        )
    return facts


def _place(listener: Listener) -> tuple[int, str, str, str]:
    return listener.port, listener.protocol, listener.address, str(listener.namespace)


def _hosts(documents: Iterable[Document], inputs: Inputs) -> dict[str, Host]:
    of_host = {document.host: document for document in documents}
    missed: dict[str, Absence] = {}
    for absence in sorted(inputs.absences, key=lambda one: (one.run, one)):
        if absence.host not in of_host or absence.run > of_host[absence.host].run:
            missed[absence.host] = absence
    return {
        name: Host(
            name,
            sorted({*inputs.groups.get(name, ())} - {"all", "ungrouped"}),
            of_host.get(name),
            missed[name].error if name in missed else "",
            inputs.looks.get(name, 0),
        )
        for name in sorted({*of_host, *(one.host for one in inputs.absences)})
    }


def _externals(connections: Iterable[Connection], documents: Iterable[Document]) -> dict[str, External]:
    called = names(documents)
    found: dict[str, External] = {}
    for one in connections:
        for node, asked in ((one.edge.client, False), (one.edge.server, True)):
            if node.address is None:
                continue
            before = found.get(node.address)
            known = called.get(node.address, [])
            found[node.address] = External(
                node.address,
                known,
                node.kind == "unclear",
                asked or (before.asked if before else False),
            )
    return dict(sorted(found.items()))
