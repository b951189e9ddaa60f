# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the firewall allows, against what is used. Private to the collection."""

from __future__ import annotations

import ipaddress
from typing import NamedTuple

from ..document import Chain, Document, Flow, Listener, Rule
from .firewall import Outcome, Probe, asked, inbound, matches

# Addresses that stand for anybody: RFC 5737's and RFC 3849's, which nobody has.
_ANYBODY = ("203.0.113.1", "2001:db8::1")


class Exposed(NamedTuple):
    """A listener that packets from any address reach, or may reach.

    :ivar address: at which.
    """

    listener: Listener
    address: str
    outcome: Outcome


class Findings(NamedTuple):
    """What a person should check.

    :ivar exposed: what waits for others, at each address of the host.
    :ivar refused: connections that the rules block; they are older than the rules, or the model is incomplete.
    :ivar unused: rules that accept a port which no connection used during the survey, each with its chain.
    """

    exposed: list[Exposed]
    refused: list[Flow]
    unused: list[tuple[str, Rule]]


def findings(document: Document) -> Findings:
    """Return what the firewall of a host allows, against what is used; nothing where the firewall was not seen."""
    if not document.firewall.seen:
        return Findings([], [], [])
    incoming = [flow for flow in document.flows if flow.direction == "in" and flow.namespace is None]
    own = _own(document)
    refused = [flow for flow in incoming if _is_refused(document, flow, own)]
    return Findings(_exposed(document, own), refused, _unused(document, incoming))


def _exposed(document: Document, own: list[tuple[str, str]]) -> list[Exposed]:
    found = []
    for listener in document.listeners:
        if listener.loopback or listener.namespace:
            continue
        for address, interface in own:
            # A link-local address cannot be reached from other networks.
            if "%" in address:
                continue
            version = 6 if ":" in address else 4
            # At "::" IPv4 is waited for, too, unless the program says otherwise, which is not seen.
            if listener.address not in (address, "::", "0.0.0.0" if version == 4 else "::"):
                continue
            probe = Probe(listener.protocol, _ANYBODY[version == 6], address, listener.port, None, interface)
            outcome = inbound(document.firewall, probe)
            if outcome in ("accept", "cannot tell"):
                found.append(Exposed(listener, address, outcome))
    return found


def _own(document: Document) -> list[tuple[str, str]]:
    """Return the host's addresses, each with its interface, except for those that only the host itself reaches."""
    return [
        (text.partition("/")[0], interface.name)
        for interface in document.identity.interfaces
        for text in interface.addresses
        if not ipaddress.ip_interface(text).is_loopback
    ]


def _is_refused(document: Document, flow: Flow, own: list[tuple[str, str]]) -> bool:
    """Return whether the rules do not let a conversation in, by whichever interface it comes."""
    if flow.remote_address in {address for address, _name in own}:
        # It is the host itself, by its loopback interface.
        names: list[str] = []
    else:
        # Mostly it comes by the interface of its address, and is let in.
        likely = [name for address, name in own if address == flow.local_address]
        names = list(dict.fromkeys([*likely, *(name for _address, name in own)]))
    probes = [_probe(flow)._replace(interface=name) for name in names] or [_probe(flow)]
    return all(inbound(document.firewall, probe) in ("drop", "reject") for probe in probes)


def _unused(document: Document, incoming: list[Flow]) -> list[tuple[str, Rule]]:
    packets = [asked(_probe(flow)) for flow in incoming]
    return [
        (f"{table.family} {table.name} {chain.name}", rule)
        for table in document.firewall.tables
        for chain in table.chains
        if _lets_in(chain)
        for rule in chain.rules
        if rule.verdict == "accept"
        and rule.ports
        # What may match counts as used.
        and all(matches(rule, packet) is False for packet in packets)
    ]


def _lets_in(chain: Chain) -> bool:
    """Return whether a chain is for what comes in, or, as it is entered by jumps, may be."""
    return chain.hook in ("input", None)


def _probe(flow: Flow) -> Probe:
    return Probe(flow.protocol, flow.remote_address, flow.local_address, flow.port)
