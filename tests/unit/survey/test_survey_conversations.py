# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Samples of sockets, added up: who began, which port counts, and what is one flow."""

from __future__ import annotations

import os
import socket
from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.conversations import Conversations
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.sockets import (
    CLOSE,
    ESTABLISHED,
    LISTEN,
    SYN_SENT,
    TIME_WAIT,
    Changes,
    Socket,
    Table,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Flow, Listener
from hypothesis import given, settings
from hypothesis import strategies as st

WEB = Socket("tcp", "0.0.0.0", 8080, "0.0.0.0", 0, LISTEN, 1)
ASKED = Socket("tcp", "10.0.0.1", 8080, "10.0.0.2", 40000, ESTABLISHED, 2)
ASKING = Socket("tcp", "10.0.0.1", 50000, "10.0.0.3", 3306, ESTABLISHED, 3)
OWNERS = {1: "web", 2: "web", 3: "web"}
_FLOW = Flow(None, "in", "tcp", "10.0.0.1", "", 0, None, True, "a", "a", 1, 1, ["proc"], None, None)


def _flow(service: str | None, direction: Any, remote: str, port: int, **more: Any) -> Flow:
    return _FLOW._replace(service=service, direction=direction, remote_address=remote, port=port, **more)


def _changes(before: list[Socket], now: list[Socket]) -> Changes:
    """Return what has changed; what has ended comes each time that it is looked at for the first time."""
    opened = [entry for entry in now if entry not in before]
    return Changes(opened, [entry for entry in before if entry not in now and entry.state != TIME_WAIT])


def _all(*samples: list[Socket], owners: list[dict[int, str]] | None = None) -> Conversations:
    conversations = Conversations()
    before: list[Socket] = []
    for number, sample in enumerate(samples):
        known = owners[number] if owners else OWNERS
        conversations.add([("proc", _changes(before, sample))], known, "abcdefghijklmno"[number])
        before = sample
    conversations.end()
    return conversations


def _added(*samples: list[Socket], owners: list[dict[int, str]] | None = None) -> list[Flow]:
    return _all(*samples, owners=owners).flows()


def test_who_waits_is_asked_and_who_does_not_asks() -> None:
    assert _added([ASKED, ASKING, WEB]) == [
        _flow("web", "in", "10.0.0.2", 8080),
        _flow("web", "out", "10.0.0.3", 3306),
    ]


def test_connections_of_one_client_are_one_flow() -> None:
    more = [WEB, ASKED, ASKED._replace(remote_port=40001)]
    assert _added([WEB, ASKED], more, [WEB]) == [
        _flow("web", "in", "10.0.0.2", 8080, last_seen="b", samples=2, connections=2)
    ]


def test_an_attempt_is_not_established() -> None:
    asking = ASKING._replace(state=SYN_SENT)
    assert _added([asking]) == [_flow("web", "out", "10.0.0.3", 3306, established=False)]
    assert _added([asking], [ASKING]) == [_flow("web", "out", "10.0.0.3", 3306, last_seen="b", samples=2)]


def test_a_connection_that_has_ended_is_no_other_one() -> None:
    ended = ASKING._replace(state=TIME_WAIT, inode=0)
    assert _added([ASKING], [ended]) == [_flow("web", "out", "10.0.0.3", 3306)]
    assert _added([ASKING], [], [ended]) == [_flow("web", "out", "10.0.0.3", 3306)]


def test_what_was_seen_only_after_its_end_was_open_at_no_sample() -> None:
    short = {"samples": 0, "connections": 0}
    asked = ASKED._replace(state=TIME_WAIT, inode=0)
    assert _added([WEB, asked]) == [_flow("web", "in", "10.0.0.2", 8080, **short)]
    # Nobody tells who began.
    ended = ASKING._replace(state=TIME_WAIT, inode=0)
    assert _added([ended]) == [_flow(None, "unknown", "10.0.0.3", 3306, **short)]


def test_a_process_that_is_found_late_is_that_of_the_whole_connection() -> None:
    late = [{1: "web"}, {1: "web"}, {1: "web"}, OWNERS]
    assert _added([ASKING], [ASKING], [ASKING], [ASKING], owners=late) == [
        _flow("web", "out", "10.0.0.3", 3306, last_seen="d", samples=4)
    ]
    # One that went before it was found stays nobody's.
    gone = ASKING._replace(local_port=50001, inode=4)
    both = [gone, ASKING]
    assert _added(both, both, [ASKING], [ASKING], owners=late) == [
        _flow(None, "out", "10.0.0.3", 3306, last_seen="b", samples=2, connections=2),
        _flow("web", "out", "10.0.0.3", 3306, last_seen="d", samples=4),
    ]


def test_listeners_tell_whether_only_this_host_reaches_them() -> None:
    waiting = Socket("udp", "127.0.0.1", 53, "0.0.0.0", 0, CLOSE, 9)
    assert _all([WEB, waiting], [WEB], owners=[{}, OWNERS]).listeners() == [
        Listener("web", "tcp", "0.0.0.0", 8080, False, None),
        Listener(None, "udp", "127.0.0.1", 53, True, None),
    ]


def test_a_client_of_udp_is_not_a_listener() -> None:
    client = Socket("udp", "0.0.0.0", 40000, "0.0.0.0", 0, CLOSE, 9)
    assert _all([WEB], [WEB, client], [WEB]).listeners() == _all([WEB]).listeners()
    assert _all([WEB], [WEB, client]).listeners() == _all([WEB]).listeners()
    # It was there before, or stays, or it was not the kernel that chose the port.
    assert [one.port for one in _all([client]).listeners()] == [40000]
    assert [one.port for one in _all([], *[[client]] * 11).listeners()] == [40000]
    assert [one.port for one in _all([], [client._replace(local_port=53)], []).listeners()] == [53]


def test_a_real_local_connection_is_one_flow_from_who_began_it() -> None:
    with socket.socket() as listener, socket.socket() as client:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        port = listener.getsockname()[1]
        client.connect(("127.0.0.1", port))
        server, _peer = listener.accept()
        with server:
            owners = {
                os.fstat(end.fileno()).st_ino: name
                for end, name in ((listener, "server"), (server, "server"), (client, "client"))
            }
            conversations = Conversations()
            conversations.add([("netlink", Table("tcp").changes(ended=False))], owners, "a")
            conversations.end()
        found = [flow for flow in conversations.flows() if flow.port == port]
        assert [(flow.service, flow.direction, flow.peer_service) for flow in found] == [("client", "local", "server")]


def test_a_local_connection_that_has_ended_is_local_whoever_closed_it() -> None:
    asker = Socket("tcp", "10.0.0.1", 50000, "10.0.0.1", 8080, TIME_WAIT, 0)
    closed = Socket("tcp", "10.0.0.1", 8080, "10.0.0.1", 50000, TIME_WAIT, 0)
    expected = [_flow(None, "local", "10.0.0.1", 8080, peer_service="web", samples=0, connections=0)]
    assert _added([WEB, asker]) == expected
    assert _added([WEB, closed]) == expected


def test_what_is_long_gone_is_forgotten() -> None:
    conversations = Conversations()
    for number in range(400):
        entry = ASKING._replace(local_port=number + 1, inode=number + 10)
        gone = [entry._replace(local_port=number, inode=number + 9)] if number else []
        conversations.add([("proc", Changes([entry], gone))], {}, "a")
    kept = [value for value in vars(conversations).values() if isinstance(value, (dict, set, list))]
    assert max(len(value) for value in kept) <= 180


# A small world, in which everything happens: one client, one server, one other host.
_CONNECTIONS = [
    ASKED,
    ASKED._replace(remote_port=40001, inode=12),
    ASKING,
    Socket("tcp", "10.0.0.1", 41000, "10.0.0.1", 8080, ESTABLISHED, 5),
    Socket("tcp", "10.0.0.1", 8080, "10.0.0.1", 41000, ESTABLISHED, 6),
]
_OWNED = {1: "web", 2: "web", 12: "worker", 3: "web", 5: "client", 6: "web"}


def _counted(samples: list[set[int]]) -> dict[tuple[Any, ...], tuple[int, int, str, str]]:
    """Return what must come out, counted again at each sample: samples, connections, first and last seen."""
    result: dict[tuple[Any, ...], tuple[int, int, str, str]] = {}
    kinds: dict[tuple[Any, ...], set[int]] = {
        ("web", "in", "10.0.0.2", 8080, None): {0},
        ("worker", "in", "10.0.0.2", 8080, None): {1},
        ("web", "out", "10.0.0.3", 3306, None): {2},
        ("client", "local", "10.0.0.1", 8080, "web"): {3},
    }
    for kind, which in kinds.items():
        there = [(number, len(which & sample)) for number, sample in enumerate(samples) if which & sample]
        if there:
            first, last = ("abcdefghijkl"[there[place][0]] for place in (0, -1))
            result[kind] = (len(there), max(count for _number, count in there), first, last)
    return result


@settings(deadline=None)
@given(st.lists(st.sets(st.integers(0, 3)), min_size=1, max_size=12))
def test_what_is_kept_from_sample_to_sample_equals_what_is_counted_again(samples: list[set[int]]) -> None:
    # The fourth has its other end on this host.
    shown = [
        [WEB, *(_CONNECTIONS[number] for number in sorted(sample | ({4} if 3 in sample else set())))]
        for sample in samples
    ]
    flows = _added(*shown, owners=[_OWNED] * len(samples))
    assert {
        (flow.service, flow.direction, flow.remote_address, flow.port, flow.peer_service): (
            flow.samples,
            flow.connections,
            flow.first_seen,
            flow.last_seen,
        )
        for flow in flows
    } == _counted(samples)
