# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a firewall does with a connection, as far as the model shows it. Private to the collection.

A rule whose conditions are not all in the model may match or not. So the set of possible outcomes is computed, and the
outcome is only certain if there is exactly one.
"""

from __future__ import annotations

import ipaddress
from typing import Callable, Literal, NamedTuple, Optional, cast

from ..addresses import bounds
from ..document import Chain, Firewall, Hook, Rule, State, Table

Outcome = Literal["accept", "drop", "reject", "cannot tell"]
# The possible outcomes of a chain; falling off its end is for the caller to judge.
_Fate = Literal["accept", "drop", "reject", "unknown", "fall"]
_Match = Optional[bool]
_DEPTH = 16


class Probe(NamedTuple):
    """A connection that somebody begins with this host.

    :ivar protocol: tcp or udp.
    :ivar source_port: None: any.
    :ivar interface: by which it comes in, and the answers go out; None: not known.
    """

    protocol: str
    source: str
    destination: str
    port: int
    source_port: Optional[int] = None
    interface: Optional[str] = None


class Packet(NamedTuple):
    """A packet; None: not known."""

    protocol: str
    source: str
    source_port: Optional[int]
    destination: str
    port: Optional[int]
    input_interface: Optional[str]
    output_interface: Optional[str]
    state: State


def asked(probe: Probe) -> Packet:
    """Return the packet that begins a connection."""
    return Packet(
        probe.protocol, probe.source, probe.source_port, probe.destination, probe.port, probe.interface, "", "new"
    )


def inbound(firewall: Firewall, probe: Probe) -> Outcome:
    """Return what happens to a connection: accept, if packets pass in both directions.

    Reject means that the other side is told so: if the host's own answer may be lost on its way, it cannot be told.
    """
    if not firewall.seen:
        return "cannot tell"
    first = asked(probe)
    answered = Packet(
        probe.protocol,
        probe.destination,
        probe.port,
        probe.source,
        probe.source_port,
        "",
        probe.interface,
        "established",
    )
    if first.source.count(":") and not _neighbours(firewall, first, answered):
        return "drop" if _path(firewall, first, _IN) == {"drop"} else "cannot tell"
    for packet, hooks in (
        (first, _IN),
        (answered, _OUT),
        (first._replace(state="established"), _IN),
    ):
        fates = _path(firewall, packet, hooks)
        if fates == {"accept"}:
            continue
        if fates == {"drop"}:
            return "drop"
        if fates == {"reject"}:
            # If the host's own answer is rejected, the client waits in vain, as with drop.
            return "drop" if hooks is _OUT else _told(firewall, answered)
        return "cannot tell"
    return "accept"


_IN: tuple[Hook, ...] = ("ingress", "prerouting", "input")
_OUT: tuple[Hook, ...] = ("output", "postrouting", "egress")


def _neighbours(firewall: Firewall, asked: Packet, answered: Packet) -> bool:
    """Return whether both ends can find each other, which IPv6 does by packets that pass the firewall."""
    return all(
        _path(
            firewall, packet._replace(protocol=f"icmpv6/{kind}", port=None, source_port=None, state="untracked"), hooks
        )
        == {"accept"}
        for kind in ("nd-neighbor-solicit", "nd-neighbor-advert")
        for packet, hooks in ((asked, _IN), (answered, _OUT))
    )


def _told(firewall: Firewall, answer: Packet) -> Outcome:
    """Return reject if the host's refusal passes: a packet of the connection, or one of ICMP that is related to it."""
    version = ipaddress.ip_address(answer.source).version
    icmp = answer._replace(protocol="icmp" if version == 4 else "icmpv6", source_port=None, port=None, state="related")
    passes = all(_path(firewall, packet, _OUT) == {"accept"} for packet in (answer, icmp))
    return "reject" if passes else "cannot tell"


def _path(firewall: Firewall, packet: Packet, hooks: tuple[Hook, ...]) -> set[_Fate]:
    """Return the possible outcomes of a packet on its way through the hooks."""
    fates: set[_Fate] = set()
    for hook in hooks:
        for chains in _entered(firewall, packet, hook):
            here: set[_Fate] = set()
            passed = True
            for table, chain in chains:
                found = _based(table, chain, packet)
                here |= found - {"accept"}
                passed &= "accept" in found
            fates |= here
            if not passed:
                return fates
    return fates | {"accept"}


def _entered(firewall: Firewall, packet: Packet, hook: Hook) -> list[list[tuple[Table, Chain]]]:
    """Return the chains of a hook in the order of the kernel; which of equal ones comes first is not known."""
    version = 6 if ":" in packet.source else 4
    families = ("inet", "netdev", "bridge", "ip" if version == 4 else "ip6")
    groups: dict[tuple[int, int], list[tuple[Table, Chain]]] = {}
    for table in firewall.tables:
        for chain in table.chains if table.family in families else ():
            # Translation is for the first packet of a connection.
            if _hooked(table, chain, hook) and not (chain.kind == "nat" and packet.state != "new"):
                early = 0 if table.family in ("netdev", "bridge") else 1
                groups.setdefault((early, chain.priority or 0), []).append((table, chain))
    return [groups[key] for key in sorted(groups)]


def _hooked(table: Table, chain: Chain, hook: Hook) -> bool:
    if table.family == "bridge":
        # Whether a packet comes over a bridge is not known; then it may be at each of its hooks.
        return bool(chain.hook) and hook in ("ingress", "egress")
    return chain.hook == hook


def _based(table: Table, chain: Chain, packet: Packet) -> set[_Fate]:
    fates = _through({one.name: one for one in table.chains}, chain, packet, 0)
    if "fall" in fates:
        fates = (fates - {"fall"}) | {chain.policy or "accept"}
    return fates


def _through(chains: dict[str, Chain], chain: Chain, packet: Packet, depth: int) -> set[_Fate]:
    """Return the possible outcomes of a packet in a chain."""
    fates: set[_Fate] = set()
    if depth > _DEPTH:
        return {"unknown"}
    for rule in chain.rules:
        match = matches(rule, packet)
        if match is False or rule.verdict == "continue":
            continue
        goes_on = match is None
        if rule.verdict in ("jump", "goto"):
            inner = chains.get(rule.target or "")
            found: set[_Fate] = _through(chains, inner, packet, depth + 1) if inner else {"unknown"}
            if rule.verdict == "jump" and "fall" in found:
                goes_on = True
                found.discard("fall")
            fates |= found
        elif rule.verdict == "return":
            fates.add("fall")
        else:
            fates.add(cast(_Fate, rule.verdict))
        if not goes_on:
            return fates
    return fates | {"fall"}


def matches(rule: Rule, packet: Packet) -> _Match:
    """Return whether a rule matches; None: it cannot be told."""
    answers = [
        not rule.protocols or bool({packet.protocol, packet.protocol.partition("/")[0]} & set(rule.protocols)),
        _port(rule.ports, packet.port),
        _port(rule.source_ports, packet.source_port),
        _addresses(rule.sources, packet.source),
        _addresses(rule.destinations, packet.destination),
        _interface(rule.input_interfaces, packet.input_interface),
        _interface(rule.output_interfaces, packet.output_interface),
        # It never is dnat: what meets a rule that makes it so is a packet of which nothing is told.
        not rule.states or packet.state in rule.states,
    ]
    if False in answers:
        return False
    return None if None in answers or not rule.complete else True


def _port(ranges: list[list[int]], port: Optional[int]) -> _Match:
    if not ranges:
        return True
    return None if port is None else any(first <= port <= last for first, last in ranges)


def _addresses(entries: list[str], address: str) -> _Match:
    wanted = ipaddress.ip_address(address)

    def within(entry: str) -> bool:
        first, last = bounds(entry)
        return first.version == wanted.version and int(first) <= int(wanted) <= int(last)

    try:
        return _chosen(entries, within)
    except ValueError:
        # A name, or a mask with holes.
        return None


def _interface(entries: list[str], name: Optional[str]) -> _Match:
    if not entries:
        return True
    if name is None:
        return None
    return _chosen(entries, lambda entry: name.startswith(entry[:-1]) if entry[-1:] in "+*" else name == entry)


def _chosen(entries: list[str], fits: Callable[[str], bool]) -> bool:
    """Return whether one of the entries fits, and none that is negated."""
    if any(fits(entry[1:]) for entry in entries if entry.startswith("!")):
        return False
    wanted = [entry for entry in entries if not entry.startswith("!")]
    return not wanted or any(fits(entry) for entry in wanted)
