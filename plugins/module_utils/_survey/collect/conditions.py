# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The conditions of one rule while they are read, whatever tool wrote them. Private to the collection.

What does not fit into the model makes the rule incomplete: it may then match less than it says, never more.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Optional, get_args

from ..document import Rule, State, Verdict

STATES: tuple[State, ...] = get_args(State)
# Protocols as tools may write them, too.
_NUMBERS = {"1": "icmp", "6": "tcp", "17": "udp", "58": "icmpv6", "ipv6-icmp": "icmpv6", "icmp6": "icmpv6"}
# Without these two, no packet of IPv6 finds its way.
_TYPES = {"135": "nd-neighbor-solicit", "136": "nd-neighbor-advert", "neighbour-solicitation": "nd-neighbor-solicit"}
_TYPES["neighbour-advertisement"] = "nd-neighbor-advert"
_EVERY = {4: "0.0.0.0/0", 6: "::/0"}


class Conditions:
    """What a rule asks for. What is asked for twice is kept once, and the rule is incomplete."""

    def __init__(self) -> None:
        self.complete = True
        self._lists: dict[str, list[str]] = {}
        self._ports: dict[str, list[list[int]]] = {}
        self._protocols: Optional[set[str]] = None
        self._states: Optional[list[State]] = None
        self._version: Optional[int] = None

    def protocols(self, names: Iterable[str]) -> None:
        """Ask for one of these protocols."""
        names = {_NUMBERS.get(name.lower(), name.lower()) for name in names}
        self._protocols = names if self._protocols is None else self._protocols & names
        if not self._protocols:
            # It never matches, and the model cannot say so.
            self._protocols, self.complete = names, False

    def types(self, protocol: str, names: Iterable[str]) -> None:
        """Ask for types of ICMP."""
        self._protocols = {f"{protocol}/{_TYPES.get(name, name)}" for name in names}

    def version(self, version: int) -> None:
        """Ask for IPv4 or IPv6."""
        self._version = version

    def ports(self, of: str, ranges: list[list[int]], negated: bool = False) -> None:
        """Ask for ports.

        :param of: ports or source_ports.
        """
        if of in self._ports or not ranges:
            self.complete = False
            return
        self._ports[of] = _others(ranges) if negated else sorted(ranges)
        if not self._ports[of]:
            del self._ports[of]
            self.complete = False

    def texts(self, of: str, entries: list[str], negated: bool = False) -> None:
        """Ask for networks or interfaces.

        :param of: sources, destinations, input_interfaces or output_interfaces.
        """
        if of in self._lists or not entries:
            self.complete = False
            return
        self._lists[of] = [f"!{entry}" if negated else entry for entry in entries]

    def states(self, names: Iterable[str], negated: bool = False) -> None:
        """Ask for states of connection tracking."""
        wanted = {name.lower() for name in names}
        if self._states is not None or not wanted <= set(STATES):
            # SNAT is called a state by iptables, as DNAT is.
            self.complete = False
            return
        self._states = [state for state in STATES if (state in wanted) != negated]
        self.complete &= bool(self._states)

    def rule(self, verdict: Verdict, target: Optional[str], text: str) -> Rule:
        """Return the rule."""
        if self._version:
            self._lists.setdefault("sources", [_EVERY[self._version]])
        return Rule(
            protocols=sorted(self._protocols or ()),
            ports=self._ports.get("ports", []),
            source_ports=self._ports.get("source_ports", []),
            sources=self._lists.get("sources", []),
            destinations=self._lists.get("destinations", []),
            input_interfaces=self._lists.get("input_interfaces", []),
            output_interfaces=self._lists.get("output_interfaces", []),
            states=self._states or [],
            verdict=verdict,
            target=target,
            text=text,
            complete=self.complete,
        )


def _others(ranges: list[list[int]]) -> list[list[int]]:
    start, found = 0, []
    for first, last in sorted(ranges):
        if first > start:
            found.append([start, first - 1])
        start = max(start, last + 1)
    return found + ([[start, 65535]] if start <= 65535 else [])
