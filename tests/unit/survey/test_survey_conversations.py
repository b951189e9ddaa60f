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
    Socket,
    sockets,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Flow, Listener

WEB = Socket("tcp", "0.0.0.0", 8080, "0.0.0.0", 0, LISTEN, 1)
ASKED = Socket("tcp", "10.0.0.1", 8080, "10.0.0.2", 40000, ESTABLISHED, 2)
ASKING = Socket("tcp", "10.0.0.1", 50000, "10.0.0.3", 3306, ESTABLISHED, 3)
OWNERS = {1: "web", 2: "web", 3: "web"}


def _flow(service: str | None, direction: str, remote: str, port: int, **more: Any) -> Flow:
    flow = Flow(service, direction, "tcp", "10.0.0.1", remote, port, None, True, "a", "a", 1, 1, ["proc"], None, None)
    return flow._replace(**more)


def _added(*samples: list[Socket]) -> list[Flow]:
    conversations = Conversations()
    for moment, sample in zip("abc", samples):
        conversations.add(sample, OWNERS, moment)
    return conversations.flows()


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
    assert _added([ASKING._replace(state=SYN_SENT)]) == [_flow("web", "out", "10.0.0.3", 3306, established=False)]


def test_a_connection_that_has_ended_keeps_its_service() -> None:
    ended = ASKING._replace(state="06", inode=0)
    assert _added([ASKING], [ended]) == [_flow("web", "out", "10.0.0.3", 3306, last_seen="b", samples=2)]


def test_what_nobody_tells_is_unknown() -> None:
    assert _added([ASKING._replace(state="06", inode=0)]) == [_flow(None, "unknown", "10.0.0.3", 3306)]


def test_listeners_tell_whether_only_this_host_reaches_them() -> None:
    conversations = Conversations()
    waiting = Socket("udp", "127.0.0.1", 53, "0.0.0.0", 0, CLOSE, 9)
    conversations.add([WEB, waiting], OWNERS, "a")
    assert conversations.listeners() == [
        Listener("web", "tcp", "0.0.0.0", 8080, False, None),
        Listener(None, "udp", "127.0.0.1", 53, True, None),
    ]


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
            conversations.add(sockets("/proc/net"), owners, "a")
        # One of before, to the same port, may be in TIME_WAIT, and nobody's.
        found = [flow for flow in conversations.flows() if flow.port == port and flow.service is not None]
        assert [(flow.service, flow.direction, flow.peer_service) for flow in found] == [("client", "local", "server")]


def test_a_local_connection_that_has_ended_is_local_whoever_closed_it() -> None:
    asker = Socket("tcp", "10.0.0.1", 50000, "10.0.0.1", 8080, "06", 0)
    closed = Socket("tcp", "10.0.0.1", 8080, "10.0.0.1", 50000, "06", 0)
    expected = [_flow(None, "local", "10.0.0.1", 8080, peer_service="web")]
    assert _added([WEB, asker]) == expected
    assert _added([WEB, closed]) == expected
