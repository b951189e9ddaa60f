# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What ``nft -j list ruleset`` prints, as libnftables-json(5) has it, in the model. Private to the collection."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, cast, get_args

from ..addresses import other_addresses
from ..document import Chain, Family, Policy, Rule, Table, Verdict
from .conditions import Conditions
from .texts import shown

_VERDICTS: tuple[Verdict, ...] = ("accept", "drop", "reject", "jump", "goto", "return", "continue")
# Statements that let the next rule decide.
_NEUTRAL = ("counter", "log", "mangle", "ct helper", "ct timeout", "set", "secmark", "flow")
# Of chains of the type nat: the packet continues, with another sender.
_SENDER = ("snat", "masquerade")
# A rule with more elements is kept as text.
_MOST = 1000

# An expression of a rule, and a set's or map's elements by its table and name.
_Expression = dict[str, Any]
_Sets = dict[tuple[str, str, str], _Expression]


class _UnreadableError(Exception):
    """An expression does not fit into the model."""


def tables(text: str, words: str) -> list[Table]:
    """Return the tables.

    :param text: of ``nft -j -a list ruleset``.
    :param words: of ``nft -a list ruleset``, for the rules' own texts; may be empty.
    :raises ValueError: the text is not a ruleset.
    """
    entries = json.loads(text)["nftables"]
    named = _texts(words)
    sets: _Sets = {}
    found: dict[tuple[str, str], dict[str, Chain]] = {}
    for entry in entries:
        for kind, body in entry.items():
            place = (body.get("family"), body.get("table", body.get("name")))
            if kind == "table" and body["family"] in get_args(Family):
                found[place] = {}
            elif kind in ("set", "map"):
                sets[(*place, body["name"])] = body
            elif kind == "chain" and place in found:
                found[place][body["name"]] = _chain(body)
    for entry in entries:
        body = entry.get("rule")
        if body and (place := (body["family"], body["table"])) in found:
            chain = found[place][body["chain"]]
            own = named.get((*place, body["handle"]))
            chain.rules.extend(_rules(body, sets, shown(own or json.dumps(body["expr"]))))
    return [
        Table(cast(Family, family), shown(name), "nft", list(chains.values()))
        for (family, name), chains in found.items()
    ]


def _chain(body: _Expression) -> Chain:
    hook = body.get("hook")
    priority = body.get("prio")
    return Chain(
        name=shown(body["name"]),
        hook=hook,
        kind=body.get("type"),
        priority=priority if isinstance(priority, int) else None,
        policy=cast(Policy, body.get("policy", "accept")) if hook else None,
        rules=[],
    )


def _texts(words: str) -> dict[tuple[str, str, int], str]:
    """Return the rules' texts by family, table and handle."""
    found = {}
    family = table = ""
    for line in words.splitlines():
        start = re.match(r"table (\w+) (\S+) \{", line)
        if start:
            family, table = start.group(1), start.group(2)
        rule = re.match(r"\s+(.*) # handle (\d+)$", line)
        if rule and not rule.group(1).endswith("{"):
            found[(family, table, int(rule.group(2)))] = rule.group(1)
    return found


def _rules(body: _Expression, sets: _Sets, text: str) -> Iterator[Rule]:
    """Yield the rules that one rule stands for: one for each entry of a map, and each pair of a set of pairs."""
    place = body["family"], body["table"]
    known = {name: value for (*where, name), value in sets.items() if tuple(where) == place}
    if body["family"] in ("netdev", "bridge"):
        yield _unreadable(text)
        return
    try:
        alternatives = [_rule(expressions, known, text) for expressions in _expanded(body["expr"], known)]
    except (_UnreadableError, KeyError, TypeError, ValueError, AttributeError):
        alternatives = [_unreadable(text)]
    yield from alternatives


def _unreadable(text: str) -> Rule:
    conditions = Conditions()
    conditions.complete = False
    return conditions.rule("unknown", None, text)


def _expanded(expressions: list[_Expression], sets: dict[str, _Expression]) -> Iterator[list[_Expression]]:
    """Yield the rule without maps and without pairs."""
    for place, expression in enumerate(expressions):
        before, after = expressions[:place], expressions[place + 1 :]
        if "vmap" in expression:
            key, data = expression["vmap"]["key"], expression["vmap"]["data"]
            for value, verdict in _elements(data, sets):
                yield from _expanded([*before, _equal(key, value), verdict, *after], sets)
            # Nothing fits: the next expression.
            if after:
                raise _UnreadableError
            return
        left = expression.get("match", {}).get("left")
        if isinstance(left, dict) and "concat" in left:
            right = expression["match"]["right"]
            if expression["match"]["op"] not in ("==", "in"):
                raise _UnreadableError
            values = _elements(right, sets) if isinstance(right, str) or "set" in right else [right]
            for value in values:
                pairs = [_equal(one, other) for one, other in zip(left["concat"], value["concat"])]
                yield from _expanded([*before, *pairs, *after], sets)
            return
    yield expressions


def _equal(left: Any, right: Any) -> _Expression:
    if isinstance(left, dict) and "concat" in left:
        right = {"set": [right]}
    return {"match": {"op": "==", "left": left, "right": right}}


def _elements(data: Any, sets: dict[str, _Expression]) -> list[Any]:
    """Return the elements of a set or map, each without its counter and comment."""
    if isinstance(data, str) and data.startswith("@"):
        body = sets[data[1:]]
        if {"dynamic", "timeout"} & set(body.get("flags", ())) or "timeout" in body:
            # Who is in it changes by itself.
            raise _UnreadableError
        elements = body.get("elem", [])
    else:
        elements = data["set"]
    if len(elements) > _MOST:
        raise _UnreadableError
    return [_bare(element) for element in elements]


def _bare(element: Any) -> Any:
    if isinstance(element, list):
        return [_bare(part) for part in element]
    return element["elem"]["val"] if isinstance(element, dict) and "elem" in element else element


def _rule(expressions: list[_Expression], sets: dict[str, _Expression], text: str) -> Rule:
    conditions = Conditions()
    verdict: Verdict = "continue"
    target = None
    for expression in expressions:
        ((kind, body),) = expression.items()
        if kind == "match":
            try:
                _match(conditions, body, sets)
            except (_UnreadableError, KeyError, TypeError, ValueError, AttributeError):
                conditions.complete = False
        elif kind in _VERDICTS:
            verdict, target = kind, body["target"] if kind in ("jump", "goto") else None
        elif kind in _SENDER:
            verdict = "accept"
        elif kind in _NEUTRAL and "payload" not in (body or {}).get("key", ()):
            continue
        elif kind == "limit":
            conditions.complete = False
        else:
            # dnat, redirect, tproxy, queue, notrack, and what is still to be invented.
            verdict = "unknown"
            conditions.complete = False
            break
    return conditions.rule(verdict, target and shown(target), text)


def _match(conditions: Conditions, body: _Expression, sets: dict[str, _Expression]) -> None:
    operator, left, right = body["op"], body["left"], body["right"]
    if operator not in ("==", "in", "!="):
        raise _UnreadableError
    negated = operator == "!="
    values = _values(right, sets)
    if "payload" in left:
        _payload(conditions, left["payload"]["protocol"], left["payload"]["field"], values, negated)
    elif "ct" in left and left["ct"]["key"] == "state":
        conditions.states([str(value) for value in values], negated)
    elif "ct" in left and left["ct"]["key"] == "status" and not negated and values == ["dnat"]:
        conditions.states(["dnat"])
    elif "meta" in left:
        _meta(conditions, left["meta"]["key"], values, negated)
    else:
        raise _UnreadableError


def _values(right: Any, sets: dict[str, _Expression]) -> list[Any]:
    if isinstance(right, list):
        return right
    if isinstance(right, str) and right.startswith("@"):
        return _elements(right, sets)
    if isinstance(right, dict) and "set" in right:
        return _elements(right, sets)
    return [right]


def _payload(conditions: Conditions, protocol: str, field: str, values: list[Any], negated: bool) -> None:
    of = {"saddr": "sources", "daddr": "destinations", "dport": "ports", "sport": "source_ports"}.get(field)
    if protocol in ("ip", "ip6"):
        conditions.version(4 if protocol == "ip" else 6)
        if field in ("protocol", "nexthdr") and not negated:
            conditions.protocols(str(value) for value in values)
        elif of in ("sources", "destinations"):
            networks = [_network(value) for value in values]
            # What is none of these is still of this version.
            conditions.texts(of, other_addresses(networks) if negated else networks)
        else:
            raise _UnreadableError
        return
    if protocol != "th":
        conditions.protocols([protocol])
    if protocol == "icmpv6" and field == "type" and not negated:
        conditions.types(protocol, (str(value) for value in values))
        return
    if of not in ("ports", "source_ports"):
        raise _UnreadableError
    conditions.ports(of, [_range(value) for value in values], negated)


def _meta(conditions: Conditions, key: str, values: list[Any], negated: bool) -> None:
    of = {"iif": "input_interfaces", "iifname": "input_interfaces"}.get(key)
    of = of or {"oif": "output_interfaces", "oifname": "output_interfaces"}.get(key)
    if of:
        conditions.texts(of, [shown(str(value)) for value in values], negated)
    elif key == "l4proto" and not negated:
        conditions.protocols(str(value) for value in values)
    elif key in ("nfproto", "protocol") and not negated and len(values) == 1:
        conditions.version({"ipv4": 4, "ip": 4, "ipv6": 6, "ip6": 6}[values[0]])
    else:
        raise _UnreadableError


def _network(value: Any) -> str:
    if isinstance(value, str):
        return value
    if "prefix" in value:
        return f"{value['prefix']['addr']}/{value['prefix']['len']}"
    first, last = value["range"]
    return f"{first}-{last}"


def _range(value: Any) -> list[int]:
    first, last = (value, value) if isinstance(value, int) else value["range"]
    return [int(first), int(last)]
