# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What came and went at each sample, added up to listeners and flows. Private to the collection.

A connection is put to its flow one sample after it came: by then its process has accepted it, its other end is in the
table, and its owner is found. From then on it costs nothing until it goes.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple, Optional

from ..document import Direction, Flow, Listener, Protocol, Source
from .sockets import ATTEMPTS, CLOSE, ESTABLISHED, LISTEN, SYN_SENT, TIME_WAIT, Changes, Socket

_ANY = ("0.0.0.0", "::")
# For how many samples at least it is remembered that a connection was seen: as long as it may be in TIME_WAIT.
_MEMORY = 90
# A socket of UDP at a port that the kernel chose is a client's, mostly. One that stays for so many samples waits.
_STAYS = 10

# The protocol, and both addresses with their ports.
_Ends = tuple[Protocol, str, int, str, int]
# The protocol, the address and the port at which somebody waits.
_Place = tuple[Protocol, str, int]


class _Key(NamedTuple):
    service: Optional[str]
    direction: Direction
    protocol: Protocol
    local_address: str
    remote_address: str
    port: int
    peer_service: Optional[str]


class _Flow:
    """What is known of one flow.

    :ivar open: its connections that there are now.
    :ivar since: the sample at which the first of these came; None: there is none.
    :ivar until: the sample at which the last one had gone.
    :ivar kept: its connections, those left out that belong elsewhere, as was found later.
    """

    __slots__ = ("connections", "established", "first", "kept", "last", "open", "samples", "since", "source", "until")

    def __init__(self, moment: str, source: Source) -> None:
        self.first = self.last = moment
        self.source = source
        self.samples = self.connections = self.open = self.until = self.kept = 0
        self.since: Optional[int] = None
        self.established = False


class _Connection:
    """One end of one connection. Its sockets follow each other, as its state and its inode change.

    :ivar since: the sample at which it came, and ``moment`` its time.
    :ivar number: the sockets that it has now.
    :ivar flow: None: its other end counts, or it has not been ``counted``.
    """

    __slots__ = (
        "counted",
        "ends",
        "established",
        "flow",
        "inode",
        "moment",
        "number",
        "service",
        "since",
        "source",
        "state",
    )

    def __init__(self, entry: Socket, since: int, moment: str, source: Source) -> None:
        self.ends: _Ends = entry[:5]
        self.since, self.moment, self.source, self.state = since, moment, source, entry.state
        self.number = self.inode = 0
        self.service: Optional[str] = None
        self.flow: Optional[_Flow] = None
        self.established = self.counted = False


class Conversations:
    """The sockets of one network namespace in the window.

    :param namespace: as in Flow.
    :param chosen: the ports that the kernel chooses for those who name none.
    """

    def __init__(self, namespace: Optional[str] = None, chosen: range = range(32768, 61000)) -> None:
        self._namespace = namespace
        self._flows: dict[_Key, _Flow] = {}
        self._listeners: dict[_Place, Optional[str]] = {}
        self._live: dict[_Ends, _Connection] = {}
        # What came and what went at the last sample, which is counted at the next one.
        self._came: list[_Connection] = []
        self._went: list[_Connection] = []
        # Those whose process is not known, by their ends, and the inodes of such listeners.
        self._unowned: dict[_Ends, _Connection] = {}
        self._unowned_listeners: dict[_Place, int] = {}
        # Since when those have been there that may be clients.
        self._passing: dict[_Place, int] = {}
        self._chosen = chosen
        # Connections that have been seen and are gone: at one of the last _MEMORY samples, and before.
        self._recent: set[_Ends] = set()
        self._older: set[_Ends] = set()
        self._samples = 0
        self._moment = self._before = ""

    def add(self, tables: Sequence[tuple[Source, Changes]], owners: Mapping[int, str], moment: str) -> None:
        """Add a sample.

        :param tables: what has changed, each with the one of Flow.sources that showed it.
        :param owners: the Service.id for each inode that is known.
        :param moment: as in Flow.first_seen.
        """
        for _source, changes in tables:
            for entry in changes.closed:
                self._dismiss(entry)
        went = [one for _source, changes in tables for entry in changes.closed for one in self._closed(entry)]
        came: list[_Connection] = []
        ended: list[_Connection] = []
        for source, changes in tables:
            for entry in changes.opened:
                if entry.state == LISTEN or (entry.state == CLOSE and not entry.remote_port and entry.local_port):
                    self._unowned_listeners[entry[:3]] = entry.inode
                    if entry.protocol == "udp" and entry.local_port in self._chosen:
                        self._passing.setdefault(entry[:3], self._samples)
                elif entry.state == TIME_WAIT:
                    ended.append(_Connection(entry, self._samples, moment, source))
                elif entry.remote_port:
                    came += self._opened(entry, moment, source)
        went = [one for one in went if not one.number]
        for one in went:
            del self._live[one.ends]
            self._recent.add(one.ends)
        found = self._owned(owners)
        self._count(found)
        for one in ended:
            self._note(one)
        self._came, self._went = came, went
        self._before, self._moment = self._moment, moment
        self._samples += 1
        if self._samples % _MEMORY == 0:
            self._older, self._recent = self._recent, set()

    def end(self) -> None:
        """Count what the last sample has brought. No other one follows."""
        self._count([])
        self._came, self._went = [], []

    def listeners(self) -> list[Listener]:
        """Return the sockets that waited for others, sorted."""
        return [
            Listener(service, protocol, address, port, _loopback(address), self._namespace)
            for (protocol, address, port), service in sorted(self._listeners.items(), key=lambda item: item[0])
            if not 0 < self._passing.get((protocol, address, port), 0) > self._samples - _STAYS
        ]

    def flows(self) -> list[Flow]:
        """Return the flows, sorted."""
        found = sorted(self._flows.items(), key=lambda item: tuple(str(part) for part in item[0]))
        return [
            Flow(
                *key,
                established=flow.established,
                first_seen=flow.first,
                last_seen=flow.last if flow.since is None else self._moment,
                samples=flow.samples + (0 if flow.since is None else self._samples - flow.since),
                connections=flow.connections,
                sources=[flow.source],
                translated=None,
                namespace=self._namespace,
            )
            for key, flow in found
            if flow.kept
        ]

    def waits(self, protocol: Protocol, address: str, port: int) -> bool:
        """Tell whether somebody waits, or has waited in the window, at a port of one of this host's addresses."""
        return any((protocol, candidate, port) in self._listeners for candidate in (address, *_ANY))

    def _dismiss(self, entry: Socket) -> None:
        """Forget what waited, if it did so for a moment only."""
        since = self._passing.pop(entry[:3], None) if not entry.remote_port else None
        if since is not None and since > self._samples - _STAYS:
            self._listeners.pop(entry[:3], None)
            self._unowned_listeners.pop(entry[:3], None)

    def _closed(self, entry: Socket) -> list[_Connection]:
        one = self._live.get(entry[:5])
        if not one:
            return []
        one.number -= 1
        return [] if one.number else [one]

    def _opened(self, entry: Socket, moment: str, source: Source) -> list[_Connection]:
        """Take note of a socket of a connection; return the connection if it is new."""
        one, came = self._live.get(entry[:5]), []
        if not one:
            one = self._live[entry[:5]] = _Connection(entry, self._samples, moment, source)
            came = [one]
        one.number += 1
        one.state = entry.state
        if entry.inode:
            one.inode = entry.inode
        if not one.service:
            self._unowned[one.ends] = one
        if entry.protocol == "tcp" and entry.state not in ATTEMPTS:
            one.established = True
            if one.flow:
                one.flow.established = True
        return came

    def _owned(self, owners: Mapping[int, str]) -> list[_Connection]:
        """Take note of processes that are known now; return the connections that are theirs and had been counted."""
        for place, inode in list(self._unowned_listeners.items()):
            service = owners.get(inode) or self._listeners.get(place)
            self._listeners[place] = service
            if service:
                del self._unowned_listeners[place]
        found = []
        for ends, one in list(self._unowned.items()):
            one.service = owners.get(one.inode)
            if one.service or not one.number:
                del self._unowned[ends]
            if one.service and one.counted:
                found.append(one)
        return found

    def _count(self, found: list[_Connection]) -> None:
        """Count the previous sample, of which everything is known now."""
        sample = self._samples - 1
        changed: dict[_Flow, None] = {}
        for one in self._came:
            changed.update(self._place(one, self._moment))
        for one in found:
            changed.update(self._replace(one))
        for one in self._went:
            if one.flow:
                one.flow.open -= 1
                changed[one.flow] = None
        for flow in changed:
            if flow.open:
                flow.connections = max(flow.connections, flow.open)
                flow.since = sample if flow.since is None else flow.since
            elif flow.since is not None:
                flow.samples += sample - flow.since
                flow.since, flow.until, flow.last = None, sample, self._before

    def _place(self, one: _Connection, moment: str) -> dict[_Flow, None]:
        """Put a connection to its flow."""
        one.counted = True
        key = self._key(one)
        if not key:
            return {}
        flow = one.flow = self._flows.setdefault(key, _Flow(moment, one.source))
        flow.open += 1
        flow.kept += 1
        flow.established |= one.established
        return {flow: None}

    def _replace(self, one: _Connection) -> dict[_Flow, None]:
        """Put a connection to another flow, as if its process had been known from the beginning."""
        before = one.flow
        changed = self._place(one, one.moment)
        if before:
            before.open -= 1
            before.kept -= 1
        for flow in changed:
            flow.first = min(flow.first, one.moment)
            if flow.since is None:
                flow.since = max(one.since, flow.until)
        return {**changed, **({before: None} if before else {})}

    def _note(self, one: _Connection) -> None:
        """Take note of a connection that has ended, unless it has been seen before."""
        protocol, local, local_port, remote, remote_port = one.ends
        both = one.ends, (protocol, remote, remote_port, local, local_port)
        if any(ends in seen for ends in both for seen in (self._live, self._recent, self._older)):
            return
        key = self._key(one)
        if key:
            flow = self._flows.setdefault(key, _Flow(one.moment, one.source))
            flow.established = True
            flow.kept += 1
            if flow.since is None:
                flow.last = one.moment

    def _key(self, one: _Connection) -> Optional[_Key]:
        """Return the flow of a connection; None for the asked end of a local one, whose other end counts."""
        protocol, local, local_port, remote, remote_port = one.ends
        other = (protocol, remote, remote_port, local, local_port)
        opposite = self._live.get(other)
        gone = other in self._recent or other in self._older
        service = one.service
        asked = self.waits(protocol, local, local_port)
        # Of a connection that has ended, only the end that closed it first is in the table.
        here = opposite or gone or local == remote or _loopback(remote)
        asks = here and self.waits(protocol, remote, remote_port)
        if here and asked != asks:
            if asked and (opposite or gone):
                return None
            if asked:
                server = service or self._server(protocol, local, local_port)
                return _Key(None, "local", protocol, remote, local, local_port, server)
            peer = (opposite and opposite.service) or self._server(protocol, remote, remote_port)
            return _Key(service, "local", protocol, local, remote, remote_port, peer)
        if asked:
            server = service or self._server(protocol, local, local_port)
            return _Key(server, "in", protocol, local, remote, local_port, None)
        if one.state in (ESTABLISHED, SYN_SENT) or service:
            # Nobody waits at this port: this end began.
            return _Key(service, "out", protocol, local, remote, remote_port, None)
        return _Key(service, "unknown", protocol, local, remote, min(local_port, remote_port), None)

    def _server(self, protocol: Protocol, address: str, port: int) -> Optional[str]:
        found = (self._listeners.get((protocol, candidate, port)) for candidate in (address, *_ANY))
        return next((service for service in found if service), None)


@lru_cache(maxsize=4096)
def _loopback(address: str) -> bool:
    return ipaddress.ip_address(address.partition("%")[0]).is_loopback
