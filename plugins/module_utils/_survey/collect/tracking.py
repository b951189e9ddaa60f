# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What connection tracking knows of this host's connections, short ones and translated ones too. Private."""

from __future__ import annotations

import socket
import struct
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Callable, NamedTuple, Optional

from ..document import Direction, Flow, Listener, Protocol
from .netlink import ask, attributes, messages
from .sockets import address
from .texts import read_or_empty

# nfnetlink: NETLINK_NETFILTER, IPCTNL_MSG_CT_GET of NFNL_SUBSYS_CTNETLINK; CTA_TUPLE_ORIG, _REPLY and CTA_STATUS;
# CTA_TUPLE_IP with CTA_IP_V4_SRC, _DST, CTA_IP_V6_SRC, _DST; CTA_TUPLE_PROTO with its number and both ports.
_NETFILTER, _GET, _ASKED, _ANSWERED, _STATUS = 12, 0x0101, 1, 2, 3
_ADDRESSES, _PROTOCOL = 1, 2
# IPS_SEEN_REPLY, IPS_ASSURED; the flag that marks an attribute with others in it.
_REPLIED, _ASSURED, _NESTED = 2, 4, 0x8000
# CTA_PROTOINFO with CTA_PROTOINFO_TCP, its CTA_PROTOINFO_TCP_FLAGS_ORIGINAL, and IP_CT_TCP_FLAG_BE_LIBERAL in these.
_STATE, _TCP, _FLAGS, _MIDWAY = 4, 1, 4, 8
# Whether somebody waits at a port of an address.
_Waits = Callable[[Protocol, str, int], bool]
# Both, of IPv4 and a protocol with ports, as the kernel writes them, which are nearly all.
_IPV4 = struct.Struct(">4x4x4s4x4s4x4xB3x4xH2x4xH2x")
_PROTOCOLS: dict[int, Protocol] = {socket.IPPROTO_TCP: "tcp", socket.IPPROTO_UDP: "udp"}


class _Ends(NamedTuple):
    source: str
    source_port: int
    destination: str
    port: int


class _Key(NamedTuple):
    """As the fields of Flow."""

    direction: Direction
    protocol: Protocol
    local_address: str
    remote_address: str
    port: int


class _Seen:
    __slots__ = ("established", "first", "last", "translated")

    def __init__(self, moment: str) -> None:
        self.first = self.last = moment
        self.established = False
        self.translated: Optional[str] = None


class Tracking:
    """What was tracked in the window.

    :param own: this host's addresses.
    """

    def __init__(self, own: Iterable[str]) -> None:
        self._own = frozenset(own)
        self._seen: dict[_Key, _Seen] = {}
        # Where an entry of the last look counts, by what it says about who asked.
        self._known: dict[bytes, Optional[_Seen]] = {}

    def look(self, moment: str, waits: _Waits) -> None:
        """Take note of what is tracked now.

        :param waits: whether somebody waits at a port of this host's.
        :raises OSError: the kernel does not tell.
        """
        # To ask may load what is not there, and where nothing is tracked there is nothing to tell.
        if read_or_empty("/proc/sys/net/netfilter/nf_conntrack_count").strip() in ("", "0"):
            return
        now: dict[bytes, Optional[_Seen]] = {}
        for piece in ask(_NETFILTER, _GET, bytes(4)):
            for message in messages(piece):
                # The first attribute. To take an entry apart costs most, so it is done until the answer has come.
                asked = message[: 4 + int.from_bytes(message[4:6], sys.byteorder)]
                seen = self._known.get(asked)
                if asked in self._known and (seen is None or seen.established):
                    if seen:
                        seen.last = moment
                else:
                    seen = self._add(_plain(message[4:]), moment, waits)
                now[asked] = seen
        self._known = now

    def merged(self, flows: Sequence[Flow], listeners: Sequence[Listener]) -> list[Flow]:
        """Return the flows with what tracking adds to them, and those that nothing else has shown."""
        services = {(one.protocol, one.port): one.service for one in reversed(listeners)}
        left = dict(self._seen)
        found = []
        for flow in (self._began(flow, services) for flow in flows):
            key = _key(flow)
            left.pop(key, None)
            found.append(_added(flow, self._seen[key]) if key in self._seen else flow)
        for key, seen in left.items():
            server = services.get((key.protocol, key.port)) if key.direction != "out" else None
            found.append(
                Flow(
                    service=server if key.direction == "in" else None,
                    **key._asdict(),
                    peer_service=server if key.direction == "local" else None,
                    established=seen.established,
                    first_seen=seen.first,
                    last_seen=seen.last,
                    samples=0,
                    connections=0,
                    sources=["conntrack"],
                    translated=seen.translated,
                    namespace=None,
                )
            )
        return sorted(found, key=lambda flow: tuple(str(part) for part in flow[:7]))

    def _began(self, flow: Flow, services: Mapping[tuple[Protocol, int], Optional[str]]) -> Flow:
        """Return a flow of which only the end was seen with who began it, if that was tracked."""
        sides: tuple[Direction, Direction] = ("in", "out")
        for direction in sides if flow.direction == "unknown" else ():
            if _key(flow)._replace(direction=direction) in self._seen:
                server = services.get((flow.protocol, flow.port)) if direction == "in" else None
                return flow._replace(direction=direction, service=flow.service or server)
        return flow

    def _here(self, host: str) -> bool:
        return host in self._own or host.startswith("127.")

    def _add(self, entry: dict[int, bytes], moment: str, waits: _Waits) -> Optional[_Seen]:
        """Take note of an entry; return where it counts, None for one that is not of this host."""
        asked, answered = (_ends(entry.get(kind, b"")) for kind in (_ASKED, _ANSWERED))
        if not asked or not answered:
            return None
        protocol, ends = asked
        reply = answered[1]
        if protocol == "tcp" and _midway(entry):
            # Who asked is told by who waits, as for the sockets.
            asks, waiting = (self._here(one.source) and waits(protocol, *one[:2]) for one in (ends, reply))
            if not waiting and (asks or not self._here(ends.source)):
                ends, reply = reply, ends
        key: Optional[_Key] = None
        translated = None
        if self._here(ends.source):
            direction: Direction = "local" if self._here(ends.destination) else "out"
            key = _Key(direction, protocol, ends.source, ends.destination, ends.port)
            if (reply.source, reply.source_port) != (ends.destination, ends.port):
                translated = _place(reply.source, reply.source_port)
        elif self._here(reply.source):
            # What the socket here sees.
            key = _Key("in", protocol, reply.source, ends.source, reply.source_port)
        if not key:
            return None
        seen = self._seen.setdefault(key, _Seen(moment))
        seen.last = moment
        seen.translated = translated or seen.translated
        status = struct.unpack(">I", entry.get(_STATUS, bytes(4)))[0]
        seen.established |= bool(status & (_ASSURED if protocol == "tcp" else _REPLIED))
        return seen


def _midway(entry: Mapping[int, bytes]) -> bool:
    """Tell whether tracking began when the connection was there: it takes whoever then spoke for the one who asked."""
    flags = _plain(_plain(entry.get(_STATE, b"")).get(_TCP, b"")).get(_FLAGS, b"\0")
    return bool(flags[0] & _MIDWAY)


def _key(flow: Flow) -> _Key:
    return _Key(flow.direction, flow.protocol, flow.local_address, flow.remote_address, flow.port)


def _added(flow: Flow, seen: _Seen) -> Flow:
    return flow._replace(
        established=flow.established or seen.established,
        first_seen=min(flow.first_seen, seen.first),
        last_seen=max(flow.last_seen, seen.last),
        sources=sorted({*flow.sources, "conntrack"}),
        translated=seen.translated,
    )


def _ends(data: bytes) -> Optional[tuple[Protocol, _Ends]]:
    if len(data) == _IPV4.size:
        first, second, number, port, other = _IPV4.unpack(data)
        known = _PROTOCOLS.get(number)
        return (known, _Ends(address(first), port, address(second), other)) if known else None
    parts = _plain(data)
    addresses, ports = _plain(parts.get(_ADDRESSES, b"")), _plain(parts.get(_PROTOCOL, b""))
    protocol = _PROTOCOLS.get(ports.get(1, b"\0")[0])
    source, destination = (addresses.get(kind) or addresses.get(kind + 2) for kind in (1, 2))
    if not protocol or not source or not destination or len(ports) < 3:
        return None
    numbers = [int.from_bytes(ports[kind], "big") for kind in (2, 3)]
    return protocol, _Ends(address(source), numbers[0], address(destination), numbers[1])


def _plain(data: bytes) -> dict[int, bytes]:
    return {kind & ~_NESTED: value for kind, value in attributes(data).items()}


def _place(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
