# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rules that do not fit into the model: they are kept as text, and what they do cannot be told."""

from __future__ import annotations

import json
import os
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.addresses import other_addresses
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.firewall import Probe, inbound
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import firewall as collected
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import iptables, nft
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Firewall, Rule

_PROBE = Probe("tcp", "10.0.0.2", "10.0.0.1", 22)
_SAVED = "*filter\n:INPUT DROP [0:0]\n:OUTPUT ACCEPT [0:0]\n{}\nCOMMIT\n"


def _ruleset(*expressions: dict[str, Any], more: Any = ()) -> str:
    place = {"family": "inet", "table": "filter"}
    chain = {**place, "name": "input", "type": "filter", "hook": "input", "prio": 0, "policy": "drop"}
    rule = {**place, "chain": "input", "handle": 4, "expr": list(expressions)}
    table = {"table": {"family": "inet", "name": "filter"}}
    return json.dumps({"nftables": [{"metainfo": {}}, table, *more, {"chain": chain}, {"rule": rule}]})


_PORT = {"payload": {"protocol": "tcp", "field": "dport"}}
_ACCEPT: dict[str, Any] = {"accept": None}
_SET = {"set": {"family": "inet", "table": "filter", "name": "s", "elem": [22], "flags": ["dynamic"]}}


@pytest.mark.parametrize(
    ("expressions", "more"),
    [
        ([{"xt": None}, _ACCEPT], []),
        ([{"match": {"op": "==", "left": {"fib": {"result": "type"}}, "right": "local"}}, _ACCEPT], []),
        ([{"match": {"op": "<", "left": _PORT, "right": 100}}, _ACCEPT], []),
        ([{"match": {"op": "==", "left": _PORT, "right": "@s"}}, _ACCEPT], [_SET]),
        ([{"match": {"op": "==", "left": _PORT, "right": "@nowhere"}}, _ACCEPT], []),
        ([{"vmap": {"key": _PORT, "data": "@nowhere"}}], []),
        ([{"vmap": {"key": _PORT, "data": {"set": [[22, _ACCEPT]]}}}, {"counter": {}}], []),
        ([{"queue": {"num": 1}}], []),
    ],
)
def test_what_nft_can_say_and_the_model_cannot(expressions: list[dict[str, Any]], more: list[Any]) -> None:
    words = "table inet filter {\n\tchain input { # handle 1\n\t\tthe rule # handle 4\n\t}\n}\n"
    tables = nft.tables(_ruleset(*expressions, more=more), words)
    (rule,) = tables[0].chains[0].rules
    assert (rule.complete, rule.text) == (False, "the rule")
    assert inbound(Firewall(True, [], tables), _PROBE) == "cannot tell"


@pytest.mark.parametrize(
    "line",
    [
        "-A INPUT -m string --string x --algo bm -j ACCEPT",
        "-A INPUT -p tcp -j NFQUEUE --queue-num 1",
        "-A INPUT ! -p udp -j ACCEPT",
        "-A INPUT -m conntrack --ctstate SNAT -j ACCEPT",
        "-A INPUT -m set --match-set s src -j ACCEPT",
        "-A INPUT -p tcp -m tcp --tcp-flags FIN,SYN SYN -j ACCEPT",
        "-A INPUT -p tcp --syn -j ACCEPT",
        "-A INPUT -m u32 --u32 0 -j ACCEPT",
    ],
)
def test_what_iptables_can_say_and_the_model_cannot(line: str) -> None:
    tables = iptables.tables(_SAVED.format(line), "ip")
    (rule,) = tables[0].chains[0].rules
    assert (rule.complete, rule.text) == (False, line)
    assert inbound(Firewall(True, [], tables), _PROBE) == "cannot tell"


def test_what_decides_alike_either_way_can_be_told() -> None:
    tables = iptables.tables(_SAVED.format("-A INPUT -m string --string x --algo bm -j DROP"), "ip")
    assert inbound(Firewall(True, [], tables), _PROBE) == "drop"
    assert inbound(Firewall(False, [], []), _PROBE) == "cannot tell"
    assert inbound(Firewall(True, [], []), _PROBE) == "accept"


def test_what_was_for_another_address_is_let_in_and_nothing_else() -> None:
    """Of a packet that meets a rule which makes it so, nothing can be told."""
    line = "-A INPUT -m conntrack --ctstate DNAT -j ACCEPT\n-A INPUT -j DROP"
    tables = iptables.tables(_SAVED.format(line), "ip")
    assert inbound(Firewall(True, [], tables), _PROBE) == "drop"
    nat = iptables.tables("*nat\n:PREROUTING ACCEPT [0:0]\n-A PREROUTING -j REDIRECT --to-ports 1\nCOMMIT\n", "ip")
    assert inbound(Firewall(True, [], [*nat, *tables]), _PROBE) == "cannot tell"


def test_rules_that_jump_to_each_other_end() -> None:
    loop = iptables.tables(_SAVED.format(":a - [0:0]\n-A INPUT -j a\n-A a -j a"), "ip")
    assert inbound(Firewall(True, [], loop), _PROBE) == "cannot tell"


def test_all_other_addresses() -> None:
    assert other_addresses(["10.0.0.0/8", "0.0.0.0-0.0.0.9"]) == ["0.0.0.10-9.255.255.255", "11.0.0.0-255.255.255.255"]
    assert other_addresses(["::/1"]) == ["8000::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]


def test_managers_are_known_by_their_names(monkeypatch: pytest.MonkeyPatch) -> None:
    rules: list[Rule] = []
    table = iptables.tables("*nat\n:DOCKER - [0:0]\n:ufw-before-input - [0:0]\nCOMMIT\n", "ip")[0]
    assert [chain.rules for chain in table.chains] == [rules, rules]
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(collected, "find", lambda _program: None)
    monkeypatch.setattr(collected, "_tables", lambda: {"nat"})
    monkeypatch.setattr(collected, "_saved", lambda: ([table], [], []))
    found, unseen = collected.firewall()
    assert (found.seen, found.managers, unseen) == (True, ["docker", "ufw"], [])


@pytest.mark.parametrize(
    ("account", "tables", "why"),
    [
        (1000, set(), "Only root may read the firewall's rules."),
        (0, {"filter"}, "The tables of nftables cannot be read: there is no nft."),
    ],
)
def test_rules_that_cannot_be_read_are_not_mistaken_for_none(
    monkeypatch: pytest.MonkeyPatch, account: int, tables: set[str], why: str
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: account)
    monkeypatch.setattr(collected, "find", lambda _program: None)
    monkeypatch.setattr(collected, "_tables", lambda: tables)
    monkeypatch.setattr(collected, "_saved", lambda: ([], [], []))
    found, unseen = collected.firewall()
    assert (found, [entry.why for entry in unseen]) == (Firewall(False, [], []), [why])


def test_tools_that_fail_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(collected, "find", lambda program: program)
    monkeypatch.setattr(
        collected, "answer", lambda _program, *arguments: "nf_tables" if "--version" in arguments else None
    )
    monkeypatch.setattr(collected, "read_or_empty", lambda _path: "")
    assert [entry.why for entry in collected.firewall()[1]] == [
        "iptables-save is missing or fails.",
        "ip6tables-save is missing or fails.",
        "nft does not list its rules as JSON.",
    ]
