# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What there is to move: the services of hosts as components, with names that people can use.

Private to the collection. A component is what a systemd unit runs, whichever accounts its processes have; without a
unit of its own it is the program. Services of the host itself (its SSH server, clock, agents) are not components: they
are set up with the new host, and do not move.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set
from typing import NamedTuple, Optional

from ..document import Document, Listener, Service
from .classify import Finding, Signature, classify
from .correlate import Edge, Node

UNKNOWN = "unknown"
# Below this a role is a guess: a port alone.
_LIKELY = 0.5
_OF_THE_HOST = frozenset(
    {
        "configuration agent",
        "container host",
        "directory client",
        "log agent",
        "monitoring agent",
        "process manager",
        "remote access",
        "scheduler",
        "security agent",
        "system",
        "time",
    }
)
# On many hosts for the host itself; it is for others only if others reach it.
_OFTEN_OF_THE_HOST = frozenset({"logs", "mail", "name server"})
# Units in which the programs of others run.
_SHARED = ("anacron", "atd", "containerd", "cron", "crond", "docker", "ssh", "sshd")


class Component(NamedTuple):
    """Something that moves as one.

    :ivar name: unique in the survey, and the same from run to run: ``mariadb@db1``.
    :ivar services: their Service.id, sorted; empty: processes of the host that could not be seen.
    :ivar role: as the signatures say, or ``unknown``.
    :ivar technologies: what its services are, or may be, the likeliest first.
    """

    name: str
    host: str
    services: list[str]
    role: str
    technologies: list[Finding]

    @property
    def technology(self) -> str:
        """Return the likeliest one; empty: it is not known."""
        return self.technologies[0].technology if self.role != UNKNOWN else ""


class Components(NamedTuple):
    """The components by name, sorted; and of each end of a conversation whose it is."""

    components: dict[str, Component]
    names: dict[tuple[Optional[str], Optional[str]], str]

    def of(self, node: Node) -> Optional[Component]:
        """Return the component of an end; None: it is outside, or belongs to the host itself."""
        return self.components.get(self.names.get((node.host, node.service), "")) if node.host else None


def find_components(
    documents: Iterable[Document], edges: Sequence[Edge], known: Sequence[Signature], wanted: Set[str]
) -> Components:
    """Return the components of hosts.

    :param documents: one a host.
    :param edges: who asks whom.
    :param wanted: names of components that a person speaks of; they are ones even if they belong to the host.
    """
    every: dict[tuple[str, str], Component] = {}
    serving: set[tuple[str, str]] = set()
    recognised = _Recogniser(known)
    for document in documents:
        for label, services in sorted(_labelled(document.services).items()):
            ids = {one.id for one in services}
            listeners = [one for one in document.listeners if one.service in ids]
            found = recognised.technologies(services, listeners)
            role = found[0].role if found and found[0].confidence >= _LIKELY else UNKNOWN
            name = f"{label}@{document.host}"
            every[document.host, label] = Component(name, document.host, sorted(ids), role, found)
            outward = any(not one.loopback for one in listeners)
            data = any(one.service in ids for one in document.storage.data)
            if name in wanted or (_for_others(role, outward) and (listeners or data)):
                serving.add((document.host, label))
    return _chosen(every, serving, edges)


def _labelled(services: Iterable[Service]) -> dict[str, list[Service]]:
    found: dict[str, list[Service]] = {}
    for service in services:
        found.setdefault(_label(service), []).append(service)
    return found


def _label(service: Service) -> str:
    if service.container:
        return f"{service.name}-{service.container[:12]}"
    return _own_unit(service).rpartition(".service")[0] or service.name


def _own_unit(service: Service) -> str:
    """Return the unit of a service; empty: others run in it, too, so that it does not tell what the service is."""
    unit, dot, _rest = (service.unit or "").rpartition(".service")
    shared = unit in _SHARED and service.program != unit
    return f"{unit}.service" if dot and not shared and not unit.startswith(("ssh@", "sshd@", "user@")) else ""


def _for_others(role: str, outward: bool) -> bool:
    return role not in _OF_THE_HOST and (outward or role not in _OFTEN_OF_THE_HOST)


def _chosen(
    every: dict[tuple[str, str], Component], serving: set[tuple[str, str]], edges: Sequence[Edge]
) -> Components:
    """Return those that serve somebody or keep data, and those that talk to others than the host's own."""
    owners = {(one.host, service): key for key, one in every.items() for service in one.services}
    own = {
        key
        for key, one in every.items()
        if key not in serving and (one.role in _OF_THE_HOST or one.role in _OFTEN_OF_THE_HOST)
    }
    chosen = set(serving)
    for edge in edges:
        ends = [_end(node, owners, every) for node in (edge.client, edge.server)]
        if ends[0] != ends[1] and not own & set(ends):
            chosen.update(key for key in ends if key)
    components: dict[str, Component] = {}
    names: dict[tuple[Optional[str], Optional[str]], str] = {}
    for key in sorted(chosen):
        one = every[key]
        name = one.name
        while name in components:
            # "a@b" on c, and "a" on "b@c".
            name += "~"
        components[name] = one._replace(name=name)
        every_end: list[Optional[str]] = [*one.services]
        # Of processes that could not be seen there is no service.
        names.update(((one.host, end), name) for end in every_end or [None])
    return Components(dict(sorted(components.items())), names)


def _end(
    node: Node, owners: dict[tuple[str, str], tuple[str, str]], every: dict[tuple[str, str], Component]
) -> Optional[tuple[str, str]]:
    """Return whose end this is; processes that could not be seen are a component of their host."""
    if node.host is None:
        return None
    if node.service is not None:
        return owners.get((node.host, node.service))
    key = (node.host, "")
    every.setdefault(key, Component(f"unseen@{node.host}", node.host, [], UNKNOWN, []))
    return key


class _Recogniser:
    """Says what services are, once for all hosts that have the same."""

    def __init__(self, known: Sequence[Signature]) -> None:
        self._known = known
        self._before: dict[tuple[object, ...], list[Finding]] = {}

    def technologies(self, services: Iterable[Service], listeners: Sequence[Listener]) -> list[Finding]:
        best: dict[str, Finding] = {}
        for service in services:
            for finding in self._classified(service._replace(unit=_own_unit(service)), listeners):
                if finding.technology not in best or finding.confidence > best[finding.technology].confidence:
                    best[finding.technology] = finding
        found = sorted(best.values(), key=lambda one: (-one.confidence, one.technology))
        # What a port alone says is worth a word only where nothing else is known.
        return [one for one in found if one.confidence >= _LIKELY] or found

    def _classified(self, service: Service, listeners: Sequence[Listener]) -> list[Finding]:
        ports = tuple(sorted({one.port for one in listeners if one.service == service.id}))
        key = (service.program, service.name, service.unit, service.package, service.command, ports)
        if key not in self._before:
            self._before[key] = classify(service, listeners, self._known)
        return self._before[key]
