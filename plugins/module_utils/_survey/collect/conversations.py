# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples of sockets, added up to listeners and flows. Private to the collection."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import NamedTuple, Optional

from ..document import Flow, Listener
from .sockets import CLOSE, ESTABLISHED, LISTEN, SYN_SENT, Socket

# SYN_RECV: somebody asks, and nothing is established.
_ATTEMPTS = (SYN_SENT, "03")
_ANY = ("0.0.0.0", "::")


class _Key(NamedTuple):
    service: Optional[str]
    direction: str
    protocol: str
    local_address: str
    remote_address: str
    port: int
    peer_service: Optional[str]


class _Seen:
    """What is known of one flow."""

    __slots__ = ("connections", "established", "first", "last", "samples")

    def __init__(self, moment: str) -> None:
        self.first = self.last = moment
        self.samples = self.connections = 0
        self.established = False


class Conversations:
    """The sockets of one network namespace in the window.

    :param namespace: as in Flow.
    """

    def __init__(self, namespace: Optional[str] = None) -> None:
        self._namespace = namespace
        self._flows: dict[_Key, _Seen] = {}
        self._listeners: dict[tuple[str, str, int], Optional[str]] = {}
        # Where a socket counts, of those that were there twice, and which ones were there last.
        self._known: dict[Socket, Optional[_Seen]] = {}
        self._before: set[Socket] = set()
        # Who a connection belonged to while it had a process: in TIME_WAIT it has none.
        self._owners: dict[tuple[str, str, int, str, int], str] = {}

    def add(self, sockets: Iterable[Socket], owners: Mapping[int, str], moment: str) -> None:
        """Add a sample.

        :param owners: the Service.id for each inode that is known.
        :param moment: as in Flow.first_seen.
        """
        connected = []
        for entry in sockets:
            if entry in self._known:
                connected.append(entry)
            elif entry.state == LISTEN or (entry.state == CLOSE and entry.remote_port == 0 and entry.local_port):
                self._listen(entry, owners.get(entry.inode))
            elif entry.remote_port:
                connected.append(entry)
                if entry.inode in owners:
                    self._owners[entry[:5]] = owners[entry.inode]
        present: dict[_Seen, int] = {}
        for entry, seen in self._places(connected, moment).items():
            if seen:
                present[seen] = present.get(seen, 0) + 1
                seen.established |= entry.protocol == "tcp" and entry.state not in _ATTEMPTS
        for seen, number in present.items():
            seen.last = moment
            seen.samples += 1
            seen.connections = max(seen.connections, number)

    def _listen(self, entry: Socket, owner: Optional[str]) -> None:
        key = (entry.protocol, entry.local_address, entry.local_port)
        service = owner or self._listeners.get(key)
        if key not in self._listeners or self._listeners[key] != service:
            self._listeners[key] = service
            # Who asked and who was asked may be another one now.
            self._known.clear()

    def _places(self, connected: list[Socket], moment: str) -> dict[Socket, Optional[_Seen]]:
        """Return where each socket counts. What is there for the second time is not looked at again.

        The first time, its other end may not have been in the table yet.
        """
        ends = {entry[:5] for entry in connected} if any(entry not in self._known for entry in connected) else set()
        places: dict[Socket, Optional[_Seen]] = {}
        known: dict[Socket, Optional[_Seen]] = {}
        for entry in connected:
            if entry in self._known:
                known[entry] = places[entry] = self._known[entry]
                continue
            flow = self._key(entry, ends)
            places[entry] = self._flows.setdefault(flow, _Seen(moment)) if flow else None
            if entry in self._before:
                known[entry] = places[entry]
        self._known, self._before = known, set(places)
        return places

    def listeners(self) -> list[Listener]:
        """Return the sockets that waited for others, sorted."""
        return [
            Listener(service, protocol, address, port, _loopback(address), self._namespace)
            for (protocol, address, port), service in sorted(self._listeners.items(), key=lambda item: item[0])
        ]

    def flows(self) -> list[Flow]:
        """Return the flows, sorted."""
        found = sorted(self._flows.items(), key=lambda item: tuple(str(part) for part in item[0]))
        return [
            Flow(
                *key,
                established=seen.established,
                first_seen=seen.first,
                last_seen=seen.last,
                samples=seen.samples,
                connections=seen.connections,
                sources=["proc"],
                translated=None,
                namespace=self._namespace,
            )
            for key, seen in found
        ]

    def _key(self, entry: Socket, ends: set[tuple[str, str, int, str, int]]) -> Optional[_Key]:
        """Return the flow of a socket; None for the asked end of a local one, whose other end counts."""
        protocol, local, local_port, remote, remote_port = entry[:5]
        other = (protocol, remote, remote_port, local, local_port)
        service = self._owners.get(entry[:5])
        asked = self._waits(protocol, local, local_port)
        # Of a connection that has ended, only the end that closed it first is in the table.
        here = other in ends or local == remote or _loopback(remote)
        asks = here and self._waits(protocol, remote, remote_port)
        if here and asked != asks:
            if asked and other in ends:
                return None
            if asked:
                server = service or self._server(protocol, local, local_port)
                return _Key(self._owners.get(other), "local", protocol, remote, local, local_port, server)
            peer = self._owners.get(other) or self._server(protocol, remote, remote_port)
            return _Key(service, "local", protocol, local, remote, remote_port, peer)
        if asked:
            return _Key(
                service or self._server(protocol, local, local_port), "in", protocol, local, remote, local_port, None
            )
        if entry.state == ESTABLISHED or entry.state in _ATTEMPTS[:1] or service:
            # Nobody waits at this port: this end began.
            return _Key(service, "out", protocol, local, remote, remote_port, None)
        return _Key(service, "unknown", protocol, local, remote, min(local_port, remote_port), None)

    def _waits(self, protocol: str, address: str, port: int) -> bool:
        return any((protocol, candidate, port) in self._listeners for candidate in (address, *_ANY))

    def _server(self, protocol: str, address: str, port: int) -> Optional[str]:
        found = (self._listeners.get((protocol, candidate, port)) for candidate in (address, *_ANY))
        return next((service for service in found if service), None)


@lru_cache(maxsize=65536)
def _loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
