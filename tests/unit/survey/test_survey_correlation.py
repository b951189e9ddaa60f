# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documents of several hosts as one graph, and firewalls against what is used."""

from __future__ import annotations

from itertools import permutations
from typing import Any, get_type_hints

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.correlate import (
    Edge,
    Node,
    correlate,
    names,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.findings import Exposed, findings
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    Chain,
    Document,
    Firewall,
    Flow,
    HostName,
    Identity,
    Interface,
    Listener,
    Resolution,
    Rule,
    Table,
    UnixFlow,
)

_OPEN = Firewall(True, [], [])
_RULE = Rule(["tcp"], [], [], [], [], [], [], [], "accept", None, "", True)


def _document(host: str, address: str, run: str = "a", **parts: Any) -> Document:
    interfaces = [Interface("eth0", [f"{address}/24"]), Interface("lo", ["127.0.0.1/8"])]
    identity = Identity(host, interfaces, "", "", "", "", "", None, "", "", 1, 1, 1)
    empty: dict[str, Any] = {name: [] for name in get_type_hints(Document)}
    start = {"host": host, "identity": identity, "run": run, "started": run, "ended": run, "firewall": _OPEN}
    return Document(**{**empty, "resolution": Resolution([], [], []), **start, **parts})


def _flow(service: str | None, direction: Any, here: str, there: str, port: int, **more: Any) -> Flow:
    flow = Flow(service, direction, "tcp", here, there, port, None, True, "b", "c", 2, 1, ["netlink"], None, None)
    return flow._replace(**more)


def _waiting(service: str, port: int, address: str = "0.0.0.0") -> Listener:
    return Listener(service, "tcp", address, port, address.startswith("127."), None)


def _component(host: str, service: str | None) -> Node:
    return Node("component", host, service, None)


WEB = _document(
    "web",
    "10.0.0.1",
    listeners=[_waiting("nginx", 80)],
    flows=[
        _flow("nginx", "in", "10.0.0.1", "198.51.100.7", 80),
        _flow("nginx", "local", "127.0.0.1", "127.0.0.1", 8000, peer_service="shop"),
        _flow("shop", "out", "10.0.0.1", "10.0.0.2", 3306),
        _flow("shop", "out", "10.0.0.1", "203.0.113.5", 443),
        _flow(None, "unknown", "10.0.0.1", "10.0.0.2", 999),
    ],
)
DATABASE = _document(
    "db",
    "10.0.0.2",
    listeners=[_waiting("mariadbd", 3306)],
    flows=[
        _flow("mariadbd", "in", "10.0.0.2", "10.0.0.1", 3306),
        _flow("sshd", "in", "10.0.0.2", "10.0.0.1", 22),
    ],
    unix_flows=[UnixFlow("backup", "mariadbd", "/run/mysqld/mysqld.sock", 3)],
)


def _lines(edges: list[Edge]) -> list[str]:
    def node(one: Node) -> str:
        return f"{one.host} {one.service or '?'}" if one.kind == "component" else f"{one.kind} {one.address}"

    return [
        f"{node(edge.client)} > {node(edge.server)} {edge.protocol} {edge.port} {'+'.join(edge.seen_by)}"
        for edge in edges
    ]


def test_addresses_are_hosts_and_both_ends_are_one_edge() -> None:
    assert sorted(_lines(correlate([WEB, DATABASE]))) == [
        "db backup > db mariadbd unix 0 db",
        "external 198.51.100.7 > web nginx tcp 80 web",
        # The other end did not say which of its services it was.
        "web ? > db sshd tcp 22 db",
        "web nginx > web shop tcp 8000 web",
        "web shop > db mariadbd tcp 3306 db+web",
        "web shop > external 203.0.113.5 tcp 443 web",
    ]


def test_the_order_of_documents_is_all_one() -> None:
    later = WEB._replace(run="z", started="z")
    assert len({str(correlate(some)) for some in permutations([WEB, DATABASE, later])}) == 1


def test_several_looks_add_up() -> None:
    later = _document(
        "web",
        "10.0.0.1",
        "z",
        flows=[
            _flow("shop", "out", "10.0.0.1", "10.0.0.2", 3306, first_seen="y", last_seen="z", samples=5),
        ],
    )
    found = [edge for edge in correlate([later, WEB, DATABASE]) if edge.port == 3306]
    assert [(edge.samples, edge.first_seen, edge.last_seen) for edge in found] == [(7, "b", "z")]


def test_a_translated_address_leads_to_who_answers() -> None:
    web = _document(
        "web",
        "10.0.0.1",
        flows=[
            _flow("shop", "out", "10.0.0.1", "10.9.9.9", 3307, translated="10.0.0.2:3306"),
        ],
    )
    (edge,) = [edge for edge in correlate([web, DATABASE]) if edge.client.service == "shop"]
    assert (edge.server, edge.translated) == (_component("db", "mariadbd"), True)


def test_an_address_of_two_hosts_is_whose_has_seen_the_other_end() -> None:
    other = _document("elsewhere", "10.0.0.2", listeners=[_waiting("postgres", 3306)])
    assert "web shop > db mariadbd tcp 3306 db+web" in _lines(correlate([WEB, DATABASE, other]))
    blind = DATABASE._replace(flows=[])
    assert "web shop > unclear 10.0.0.2 tcp 3306 web" in _lines(correlate([WEB, blind, other]))


def test_names_are_those_of_all_hosts() -> None:
    lines = [HostName("127.0.0.1", ["localhost"]), HostName("203.0.113.5", ["pay.example", "pay"])]
    assert names([WEB._replace(resolution=Resolution(lines, [], [])), DATABASE]) == {
        "203.0.113.5": ["pay", "pay.example"]
    }


def _firewalled(*rules: Rule, **parts: Any) -> Document:
    chain = Chain("input", "input", "filter", 0, "drop", list(rules))
    return WEB._replace(firewall=Firewall(True, [], [Table("inet", "filter", "nft", [chain])]), **parts)


def test_what_anybody_reaches_is_told() -> None:
    web, established = _RULE._replace(ports=[[80, 80]]), _RULE._replace(protocols=[], states=["established"])
    inner = _RULE._replace(ports=[[8000, 9000]], sources=["10.0.0.0/8"])
    limited = _RULE._replace(ports=[[22, 22]], complete=False)
    waiting = [_waiting("nginx", 80), _waiting("shop", 8000), _waiting("sshd", 22), _waiting("db", 3306, "127.0.0.1")]
    found = findings(_firewalled(web, established, inner, limited, listeners=waiting))
    assert found.exposed == [
        Exposed(waiting[0], "10.0.0.1", "accept"),
        Exposed(waiting[2], "10.0.0.1", "cannot tell"),
    ]
    assert found.refused == []
    # Nobody asked at these ports.
    assert found.unused == [("inet filter input", inner), ("inet filter input", limited)]


def test_what_the_rules_do_not_let_in_and_was_there_is_told() -> None:
    assert [flow.port for flow in findings(_firewalled()).refused] == [80]


def test_of_a_firewall_that_was_not_seen_nothing_is_said() -> None:
    assert findings(WEB._replace(firewall=Firewall(False, [], []))) == ([], [], [])
