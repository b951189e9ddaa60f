# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Several looks at one host as one, and what of a host is a component."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.classify import signatures
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.components import (
    Components,
    find_components,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.correlate import Node, correlate
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.merge import merge
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    Account,
    DataDirectory,
    Document,
    Firewall,
    MySQL,
    Storage,
    UnixFlow,
    Unseen,
)
from parts.survey_shop import DAY, NIGHT, document, documents, flow, service, waiting

LATER = "2026-11-26T02:00:00Z"
HIDDEN = Unseen("firewall", "It is closed.", "Become root.")
KNOWN = signatures()


def _found(*looks: Document, wanted: tuple[str, ...] = ()) -> Components:
    return find_components(looks, correlate(looks), KNOWN, {*wanted})


def test_what_comes_and_goes_adds_up() -> None:
    day = document(
        "db1",
        "10.0.0.1",
        services=[service("mariadbd", processes=3, cpu_seconds=1.5)],
        listeners=[waiting("mariadbd", 3306)],
        flows=[flow("mariadbd", "in", "10.0.0.1", "10.0.0.2", 3306, samples=2, connections=7)],
        unix_flows=[UnixFlow("backup", "mariadbd", "/run/db.sock", 1)],
    )
    night = document(
        "db1",
        "10.0.0.1",
        NIGHT,
        services=[service("mariadbd", processes=1, cpu_seconds=0.25), service("backup")],
        flows=[
            flow(
                "mariadbd", "in", "10.0.0.1", "10.0.0.2", 3306, first_seen=NIGHT, last_seen=NIGHT, sources=["conntrack"]
            ),
            flow("backup", "out", "10.0.0.1", "10.0.0.9", 22),
        ],
        unix_flows=[UnixFlow("backup", "mariadbd", "/run/db.sock", 5)],
    )
    [whole] = merge([night, day])
    assert (whole.started, whole.ended, whole.run) == (DAY, "2026-11-25T02:00:30Z", "20261125T020000Z")
    assert (whole.duration, whole.samples) == (60.0, 62)
    assert [(one.id, one.processes, one.cpu_seconds) for one in whole.services] == [
        ("backup", 1, 0.5),
        ("mariadbd", 3, 1.75),
    ]
    assert whole.listeners == day.listeners
    [database] = [one for one in whole.flows if one.service == "mariadbd"]
    assert (database.samples, database.connections, database.first_seen, database.last_seen) == (32, 7, DAY, NIGHT)
    assert database.sources == ["conntrack", "netlink"]
    assert [one.service for one in whole.flows] == ["backup", "mariadbd"]
    assert whole.unix_flows == [UnixFlow("backup", "mariadbd", "/run/db.sock", 6)]


def test_a_fact_of_the_moment_is_the_newest_that_was_seen() -> None:
    rules = Firewall(True, ["firewalld"], [])
    seen = document("a", "10.0.0.1", firewall=rules)
    blind = document("a", "10.0.0.2", NIGHT, firewall=Firewall(False, [], []), unseen=[HIDDEN], privileged=False)
    [whole] = merge([seen, blind])
    assert whole.firewall == rules
    assert whole.unseen == []
    assert whole.privileged
    assert whole.identity == blind.identity
    [never] = merge([blind, blind._replace(started=LATER)])
    assert never.unseen == [HIDDEN]
    assert not never.firewall.seen


def test_of_data_the_newest_size_that_was_counted_is_kept() -> None:
    def look(when: str, size: int | None) -> Document:
        return document("a", "10.0.0.1", when, storage=Storage([], [], [DataDirectory("db", "/data", size, False)]))

    [whole] = merge([look(DAY, 5), look(NIGHT, 7), look(LATER, None)])
    assert [one.size_bytes for one in whole.storage.data] == [7]


def test_accounts_of_all_looks_are_kept() -> None:
    def look(when: str, user: str) -> Document:
        answer = MySQL(f"8.0 {user}", "mysql", [], [Account(user, "10.0.0.2", None, "shop", 1)], "none", None)
        return document("a", "10.0.0.1", when, mysql=answer)

    [whole] = merge([look(DAY, "report"), look(NIGHT, "shop"), document("a", "10.0.0.1", LATER)])
    assert whole.mysql
    assert whole.mysql.version == "8.0 shop"
    assert [one.user for one in whole.mysql.accounts] == ["report", "shop"]
    refused = document("a", "10.0.0.1", LATER, unseen=[Unseen("mysql", "refused", "fix it")])
    [whole] = merge([look(DAY, "shop"), refused])
    assert whole.unseen == []
    # An earlier look that was not to ask has not seen it either.
    [whole] = merge([document("a", "10.0.0.1", DAY), refused])
    assert whole.unseen == refused.unseen


def test_the_order_of_looks_is_all_one() -> None:
    looks = [*documents()[2:4], *documents(NIGHT)[2:4]]
    assert len({str(merge(some)) for some in permutations(looks)}) == 1
    # A few at a time as well as all at once.
    assert merge([*merge(looks[:2]), *looks[2:]]) == merge(looks)


@pytest.mark.parametrize(
    ("parts", "label"),
    [
        ({"unit": "shop.service"}, "shop@a"),
        ({"unit": "shop@blue.service"}, "shop@blue@a"),
        ({"unit": None}, "prog@a"),
        ({"unit": "session-3.scope"}, "prog@a"),
        ({"unit": "cron.service"}, "prog@a"),
        ({"unit": "user@1000.service"}, "prog@a"),
        ({"unit": "docker.service", "container": "0123456789abcdef" * 4}, "prog-0123456789ab@a"),
    ],
)
def test_a_component_is_what_a_unit_runs(parts: dict[str, Any], label: str) -> None:
    look = document("a", "10.0.0.1", services=[service("prog", **parts)], listeners=[waiting("prog", 4711)])
    assert list(_found(look).components) == [label]


def test_services_of_one_unit_are_one() -> None:
    look = document(
        "a",
        "10.0.0.1",
        services=[service("nginx"), service("nginx")._replace(id="nginx@www", user="www")],
        listeners=[waiting("nginx", 80)],
    )
    [component] = _found(look).components.values()
    assert (component.name, component.services) == ("nginx@a", ["nginx", "nginx@www"])
    assert (component.role, component.technology) == ("web server", "nginx")


def test_what_belongs_to_the_host_is_none() -> None:
    ssh = service("sshd", package="openssh-server")
    resolver, mail = service("systemd-resolved"), service("master", unit="postfix.service")
    look = document(
        "a",
        "10.0.0.1",
        services=[ssh, resolver, mail, service("chronyd")],
        listeners=[
            waiting("sshd", 22),
            waiting("systemd-resolved", 53, "127.0.0.53"),
            waiting("master", 25, "127.0.0.1"),
        ],
        flows=[
            flow("sshd", "in", "10.0.0.1", "10.0.0.9", 22),
            flow("master", "local", "127.0.0.1", "127.0.0.53", 53, peer_service="systemd-resolved"),
        ],
    )
    assert list(_found(look).components) == []
    # Unless others reach it, or a person speaks of it.
    outward = look._replace(listeners=[waiting("master", 25)])
    assert list(_found(outward).components) == ["postfix@a"]
    assert list(_found(look, wanted=("sshd@a",)).components) == ["sshd@a"]


def test_a_job_that_cron_starts_is_itself_and_not_cron() -> None:
    job = service("invoices", unit="cron.service")
    cron = service("cron", package="cron")
    look = document(
        "a",
        "10.0.0.1",
        services=[cron, job],
        flows=[flow("invoices", "out", "10.0.0.1", "203.0.113.5", 443)],
    )
    [component] = _found(look).components.values()
    assert (component.name, component.role) == ("invoices@a", "unknown")


def test_processes_that_could_not_be_seen_are_a_component_of_their_host() -> None:
    look = document("a", "10.0.0.1", flows=[flow(None, "out", "10.0.0.1", "203.0.113.5", 443)])
    found = _found(look)
    [component] = found.components.values()
    assert (component.name, component.services, component.role) == ("unseen@a", [], "unknown")
    assert found.of(Node("component", "a", None, None)) == component
    assert found.of(Node("external", None, None, "203.0.113.5")) is None


def test_names_are_unique() -> None:
    def look(host: str, name: str) -> Document:
        return document(host, f"10.0.0.{len(host)}", services=[service(name)], listeners=[waiting(name, 4711)])

    assert list(_found(look("b@c", "a"), look("c", "a@b")).components) == ["a@b@c", "a@b@c~"]
