# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``iptables-save`` prints, in the model. Private to the collection."""

from __future__ import annotations

import shlex
from typing import Literal, Optional, cast

from ..document import Chain, Hook, Kind, Policy, Rule, Table, Verdict
from .conditions import Conditions
from .texts import shown

# The chains that the kernel enters, and when, by table: iptables(8), and the kernel's nf_ip_hook_priorities.
_PRIORITIES = {"raw": -300, "mangle": -150, "nat": 0, "filter": 0, "security": 50}
_DNAT, _SNAT = -100, 100
_HOOKS = ("PREROUTING", "INPUT", "FORWARD", "OUTPUT", "POSTROUTING")
_VERDICTS: dict[str, Verdict] = {"ACCEPT": "accept", "DROP": "drop", "REJECT": "reject", "RETURN": "return"}
# The next rule decides.
_NEUTRAL = (
    "LOG",
    "NFLOG",
    "TRACE",
    "MARK",
    "CONNMARK",
    "CHECKSUM",
    "TCPMSS",
    "CLASSIFY",
    "DSCP",
    "TOS",
    "SET",
    "AUDIT",
)
_SENDER = ("SNAT", "MASQUERADE")
# Modules whose options are read below, or are not conditions.
_MODULES = ("tcp", "udp", "multiport", "conntrack", "state", "comment", "iprange", "icmp6")
# Those with one value that are read.
_OPTIONS = (
    *("-s", "-d", "-i", "-o", "-p", "-m", "--comment", "--src-range", "--dst-range", "--ctstate", "--state"),
    *("--dport", "--dports", "--sport", "--sports", "--icmpv6-type"),
)


def tables(text: str, family: Literal["ip", "ip6"]) -> list[Table]:
    """Return the tables."""
    found: list[Table] = []
    chains: dict[str, Chain] = {}
    for line in text.splitlines():
        if line.startswith("*"):
            chains = {}
            found.append(Table(family, line[1:], "iptables", []))
        elif line.startswith(":"):
            name, policy = line[1:].split()[:2]
            chains[name] = _chain(name, policy, found[-1].name)
            found[-1].chains.append(chains[name])
        elif line.startswith("-A "):
            words = shlex.split(line)
            chains[words[1]].rules.append(_rule(words[2:], chains, shown(line)))
    return found


def _chain(name: str, policy: str, table: str) -> Chain:
    if name not in _HOOKS:
        return Chain(shown(name), None, None, None, None, [])
    priority = _PRIORITIES.get(table, 0)
    if table == "nat":
        priority = _DNAT if name in ("PREROUTING", "OUTPUT") else _SNAT
    kind: Kind = "nat" if table == "nat" else "filter"
    return Chain(name, cast(Hook, name.lower()), kind, priority, cast(Policy, policy.lower()), [])


def _rule(words: list[str], chains: dict[str, Chain], text: str) -> Rule:
    conditions = Conditions()
    verdict: Verdict = "continue"
    target: Optional[str] = None
    rest = iter(words)
    negated = False
    for word in rest:
        if word == "!":
            negated = True
            continue
        if word in ("-j", "-g"):
            name = next(rest)
            verdict, target = _target(name, word == "-g", chains)
            if verdict == "unknown":
                conditions.complete = False
            # What follows are the target's own options.
            break
        if word in _OPTIONS:
            _condition(conditions, word, next(rest, ""), negated)
        elif word.startswith("-"):
            # Its values, of which there may be several, are skipped.
            conditions.complete = False
        negated = False
    return conditions.rule(verdict, target, text)


def _target(name: str, goto: bool, chains: dict[str, Chain]) -> tuple[Verdict, Optional[str]]:
    if name in chains:
        return ("goto" if goto else "jump"), shown(name)
    if name in _VERDICTS:
        return _VERDICTS[name], None
    if name in _SENDER:
        return "accept", None
    # DNAT, REDIRECT, TPROXY, NFQUEUE, CT, and what is still to be invented.
    return ("continue" if name in _NEUTRAL else "unknown"), None


def _condition(conditions: Conditions, option: str, value: str, negated: bool) -> None:
    if option in ("-s", "-d"):
        conditions.texts("sources" if option == "-s" else "destinations", [value], negated)
    elif option in ("--src-range", "--dst-range"):
        conditions.texts("sources" if option == "--src-range" else "destinations", [value], negated)
    elif option in ("-i", "-o"):
        conditions.texts("input_interfaces" if option == "-i" else "output_interfaces", [shown(value)], negated)
    elif option == "-p" and not negated:
        if value != "all":
            conditions.protocols([value])
    elif option in ("--dport", "--dports", "--sport", "--sports"):
        of = "ports" if option.startswith("--d") else "source_ports"
        conditions.ports(of, [_range(part) for part in value.split(",")], negated)
    elif option in ("--ctstate", "--state"):
        conditions.states(value.split(","), negated)
    elif option == "--icmpv6-type" and not negated:
        conditions.types("icmpv6", [value])
    elif (option == "-m" and value not in _MODULES) or option not in ("-m", "--comment"):
        # What is negated here and not above, too.
        conditions.complete = False


def _range(text: str) -> list[int]:
    first, colon, last = text.partition(":")
    return [int(first or 0), int((last or 65535) if colon else first)]
