# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Resolves addresses: the documents of many hosts as one graph of components. Private to the collection.

A component is a service of a host. Where several hosts have one address, as in two sites, it means the one that has
seen the other end too; if that is not exactly one, it is left unclear: a guess could draw a wrong arrow.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal, NamedTuple, Optional

from ..document import Document, Flow

Kind = Literal["component", "external", "unclear"]


class Node(NamedTuple):
    """One end of conversations: a service of a host that was looked at, or an address.

    :ivar kind: unclear: several hosts have this address.
    :ivar host: None: none that was looked at.
    :ivar service: the Service.id; None: not known.
    :ivar address: None for a component.
    """

    kind: Kind
    host: Optional[str]
    service: Optional[str]
    address: Optional[str]


class Edge(NamedTuple):
    """A client that depends on a server.

    :ivar port: of the server; 0 for a Unix socket.
    :ivar seen_by: the hosts that saw it, sorted.
    :ivar translated: whether the client's host translates the address that the client asks for.
    """

    client: Node
    server: Node
    protocol: Literal["tcp", "udp", "unix"]
    port: int
    established: bool
    samples: int
    first_seen: str
    last_seen: str
    seen_by: list[str]
    translated: bool


def correlate(documents: Iterable[Document]) -> list[Edge]:
    """Return who depends on whom, sorted, and the same for documents in any order.

    Documents of one host add up; the latest one says which addresses it has. Conversations of which nobody knows who
    began them are left out.
    """
    return _Correlation(sorted(documents, key=lambda one: (one.host, one.started, one.run))).edges()


def names(documents: Iterable[Document]) -> dict[str, list[str]]:
    """Return what the /etc/hosts of all hosts call an address."""
    found: dict[str, set[str]] = {}
    for document in documents:
        for line in document.resolution.hosts:
            if not _own(line.address):
                found.setdefault(line.address, set()).update(line.names)
    return {address: sorted(called) for address, called in sorted(found.items())}


class _Correlation:
    def __init__(self, documents: Sequence[Document]) -> None:
        self._documents = documents
        latest = {document.host: document for document in documents}
        # Who has an address, and which addresses somebody has.
        self._hosts: dict[str, list[str]] = {}
        self._addresses: dict[str, set[str]] = {}
        for name, document in latest.items():
            for interface in document.identity.interfaces:
                for address in {text.partition("/")[0] for text in interface.addresses}:
                    if not _own(address):
                        self._hosts.setdefault(address, []).append(name)
                        self._addresses.setdefault(name, set()).add(address)
        # Who waits at a port, by host; and what a host has seen come: protocol, port and from where.
        self._waiting: dict[tuple[str, str, int], str] = {}
        self._came: dict[str, set[tuple[str, int, str]]] = {}
        for document in documents:
            for listener in document.listeners:
                if listener.service and not listener.namespace:
                    self._waiting[document.host, listener.protocol, listener.port] = listener.service
            self._came.setdefault(document.host, set()).update(
                (flow.protocol, flow.port, flow.remote_address) for flow in document.flows if flow.direction == "in"
            )

    def edges(self) -> list[Edge]:
        found: dict[tuple[object, ...], Edge] = {}
        # Who began a conversation knows best which service it was.
        for edge in (*self._begun(), *self._paths()):
            _put(found, edge)
        known: dict[tuple[object, ...], list[Edge]] = {}
        for edge in found.values():
            known.setdefault((edge.client.host, edge.server, edge.protocol, edge.port), []).append(edge)
        for edge in self._taken():
            same = known.get((edge.client.host, edge.server, edge.protocol, edge.port), []) if edge.client.host else []
            for other in same:
                found[_key(other)] = other._replace(seen_by=sorted({*other.seen_by, *edge.seen_by}))
            if not same:
                _put(found, edge)
        return sorted(found.values(), key=lambda edge: tuple(map(str, _key(edge))))

    def _begun(self) -> Iterator[Edge]:
        for document in self._documents:
            for flow in document.flows:
                client = Node("component", document.host, flow.service, None)
                if flow.direction == "local":
                    yield _edge(document, flow, client, Node("component", document.host, flow.peer_service, None))
                elif flow.direction == "out":
                    yield _edge(document, flow, client, self._server(document.host, flow))

    def _taken(self) -> Iterator[Edge]:
        for document in self._documents:
            for flow in document.flows:
                if flow.direction == "in":
                    server = Node("component", document.host, flow.service, None)
                    yield _edge(document, flow, self._node(flow.remote_address, None), server)

    def _paths(self) -> Iterator[Edge]:
        for document in self._documents:
            for flow in document.unix_flows:
                client, server = (Node("component", document.host, one, None) for one in (flow.client, flow.server))
                moments = (document.started, document.ended)
                yield Edge(client, server, "unix", 0, True, flow.samples, *moments, [document.host], False)

    def _server(self, host: str, flow: Flow) -> Node:
        address, port = flow.remote_address, flow.port
        if flow.translated:
            address, _colon, text = flow.translated.rpartition(":")
            address, port = address.strip("[]"), int(text)
        owners = self._hosts.get(address, [])
        if len(owners) > 1:
            seen = {(flow.protocol, port, own) for own in self._addresses.get(host, ())}
            owners = [owner for owner in owners if seen & self._came[owner]]
        if len(owners) != 1:
            return self._node(address, None)
        return Node("component", owners[0], self._waiting.get((owners[0], flow.protocol, port)), None)

    def _node(self, address: str, service: Optional[str]) -> Node:
        owners = self._hosts.get(address, [])
        if len(owners) == 1:
            return Node("component", owners[0], service, None)
        return Node("unclear" if owners else "external", None, None, address)


def _edge(document: Document, flow: Flow, client: Node, server: Node) -> Edge:
    return Edge(
        client,
        server,
        flow.protocol,
        flow.port,
        flow.established,
        flow.samples,
        flow.first_seen,
        flow.last_seen,
        [document.host],
        flow.translated is not None,
    )


def _key(edge: Edge) -> tuple[object, ...]:
    return edge.client, edge.server, edge.protocol, edge.port


def _put(found: dict[tuple[object, ...], Edge], edge: Edge) -> None:
    """Add what one more document, or another address of the same server, has shown."""
    before = found.get(_key(edge))
    if before:
        edge = before._replace(
            established=before.established or edge.established,
            samples=before.samples + edge.samples,
            first_seen=min(before.first_seen, edge.first_seen),
            last_seen=max(before.last_seen, edge.last_seen),
            seen_by=sorted({*before.seen_by, *edge.seen_by}),
            translated=before.translated or edge.translated,
        )
    found[_key(edge)] = edge


def _own(address: str) -> bool:
    """Return whether every host may have this address: a loopback or link-local one."""
    parsed = ipaddress.ip_address(address.partition("%")[0])
    return parsed.is_loopback or parsed.is_link_local
