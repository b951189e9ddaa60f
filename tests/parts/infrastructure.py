# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Infrastructures that are made up, as documents of the survey: a shop on five hosts, and one of any size."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.classify import signatures
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Absence,
    Decision,
    Inputs,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    Chain,
    DataDirectory,
    Document,
    Firewall,
    Flow,
    HostName,
    Identity,
    Interface,
    Listener,
    Mount,
    Resolution,
    Rule,
    Service,
    Storage,
    Table,
)

_FROM, _UNTIL = "2026-11-27T21:00:00Z", "2026-11-27T21:00:30Z"
_GIB = 1 << 30
#: Of each program the port at which it waits (0: none), and where it keeps data.
_PROGRAMS = {
    "nginx": (443, ""),
    "haproxy": (80, ""),
    "gunicorn": (8000, ""),
    "celery": (0, ""),
    "nightly-report": (0, ""),
    "mariadbd": (3306, "/var/lib/mysql"),
    "postgres": (5432, "/var/lib/postgresql"),
    "redis-server": (6379, "/var/lib/redis"),
    "memcached": (11211, ""),
    "rabbitmq-server": (5672, "/var/lib/rabbitmq"),
    "elasticsearch": (9200, "/var/lib/elasticsearch"),
    "prometheus": (9090, "/var/lib/prometheus"),
}


def service(program: str) -> Service:
    """Return a program as a service."""
    return Service(
        id=program,
        program=program,
        name=program,
        user=program.partition("-")[0],
        unit=f"{program}.service",
        container=None,
        package=program,
        version="1.2.3-4",
        executable=f"/usr/bin/{program}",
        command=f"/usr/bin/{program} --config /etc/{program}.conf",
        processes=4,
        started="2026-11-01T06:00:00Z",
        memory_bytes=300 << 20,
        cpu_seconds=1.5,
    )


def flow(program: str, own: str, other: str, port: int, answered: bool = True, came: bool = False) -> Flow:
    """Return what a program has asked for at an address; ``came``: what it was asked for from there."""
    return Flow(
        service=program,
        direction="in" if came else "out",
        protocol="tcp",
        local_address=own,
        remote_address=other,
        port=port,
        peer_service=None,
        established=answered,
        first_seen=_FROM,
        last_seen=_UNTIL,
        samples=12,
        connections=3,
        sources=["netlink"],
        translated=None,
        namespace=None,
    )


def document(host: str, address: str, programs: Sequence[str], flows: Sequence[Flow], open_to: str = "") -> Document:
    """Return what one look at a host found.

    :param open_to: networks that its firewall lets in; empty: it has none, so that anybody gets in.
    """
    rule = Rule(["tcp"], [], [], [open_to], [], [], [], [], "accept", None, f"ip saddr {open_to} accept", True)
    chain = Chain("input", "input", "filter", 0, "drop", [rule])
    data = [(program, _PROGRAMS[program][1]) for program in programs if _PROGRAMS[program][1]]
    dice = random.Random(host)
    return Document(
        schema_version=1,
        host=host,
        run="first",
        started=_FROM,
        ended=_UNTIL,
        duration=30.0,
        interval=1.0,
        samples=30,
        privileged=True,
        unseen=[],
        identity=Identity(
            hostname=host,
            interfaces=[Interface("lo", ["127.0.0.1/8"]), Interface("eth0", [f"{address}/8"])],
            os_name="Debian GNU/Linux 12 (bookworm)",
            os_id="debian",
            os_version="12",
            kernel="6.1.0",
            architecture="x86_64",
            virtualization="kvm",
            vendor="QEMU",
            product="Standard PC",
            processors=4,
            memory_bytes=8 * _GIB,
            uptime_seconds=2_000_000,
        ),
        services=[service(program) for program in programs],
        listeners=[
            Listener(program, "tcp", "0.0.0.0", _PROGRAMS[program][0], False, None)
            for program in programs
            if _PROGRAMS[program][0]
        ],
        flows=list(flows),
        unix_flows=[],
        firewall=Firewall(True, [], [Table("inet", "filter", "nft", [chain])] if open_to else []),
        storage=Storage(
            [Mount("/", "ext4", "/dev/vda1", False, False, 100 * _GIB, 20 * _GIB)],
            [],
            [DataDirectory(name, path, dice.randrange(1, 400) * _GIB // 4, False) for name, path in data],
        ),
        schedules=[],
        resolution=Resolution([HostName("198.51.100.20", ["payments.example.net"])], ["10.0.0.1"], []),
        mysql=None,
    )


def five() -> Inputs:
    """Return a shop on five hosts, a sixth that nobody could reach, what is not a document, and what people decided."""
    lb, web1, web2, db, cache = (f"10.0.0.{number}" for number in range(1, 6))
    inside = "10.0.0.0/8"
    web = [
        document(
            host,
            own,
            ["nginx", "gunicorn", "celery"],
            [
                flow("nginx", "127.0.0.1", "127.0.0.1", 8000)._replace(direction="local", peer_service="gunicorn"),
                flow("gunicorn", own, db, 3306),
                flow("gunicorn", own, cache, 6379),
                flow("celery", own, cache, 5672),
                flow("celery", own, db, 3306),
                flow("celery", own, "198.51.100.20", 443),
            ],
            inside,
        )
        for host, own in (("web1", web1), ("web2", web2))
    ]
    documents = [
        document(
            "lb1",
            lb,
            ["haproxy"],
            [
                *(flow("haproxy", lb, f"203.0.113.{number}", 80, came=True) for number in range(1, 30)),
                flow("haproxy", lb, web1, 443),
                flow("haproxy", lb, web2, 443),
            ],
        ),
        *web,
        document(
            "db1", db, ["mariadbd", "nightly-report"], [flow("nightly-report", db, "192.0.2.44", 25, answered=False)]
        ),
        document("cache1", cache, ["redis-server", "rabbitmq-server"], [], inside),
    ]
    groups = {"lb1": ["edge"], "web1": ["web"], "web2": ["web"], "db1": ["data"], "cache1": ["data"]}
    decisions = {
        "mariadbd@db1": Decision("Shop database", "Dana", "move", None, "The largest table is orders."),
        "haproxy@lb1": Decision("", "Ola", "replace", None, "By the provider's load balancer."),
        "nightly-report@db1": Decision("", "", "retire", None, ""),
        "old-ftp@db1": Decision("", "Kim", "retire", None, ""),
    }
    return _inputs(
        documents,
        groups,
        [Absence(1, "backup1", "first", "Permission denied (publickey).")],
        decisions,
        {"runs/first/db9.json": "It is not JSON: line 1 has no end."},
        "Shop",
    )


_TIERS = {
    "lb": ["haproxy"],
    "web": ["nginx", "gunicorn"],
    "worker": ["celery"],
    "db": ["mariadbd"],
    "cache": ["redis-server", "memcached"],
    "queue": ["rabbitmq-server"],
    "search": ["elasticsearch"],
    "metrics": ["prometheus"],
}
#: Of twenty hosts of a product.
_SHARES = ["lb", *["web"] * 8, *["worker"] * 4, *["db"] * 2, *["cache"] * 2, "queue", "search", "metrics"]
_ASKS = {
    "haproxy": [("web", 443)],
    "gunicorn": [("db", 3306), ("cache", 6379), ("cache", 11211), ("queue", 5672), ("search", 9200)],
    "celery": [("queue", 5672), ("db", 3306), ("cache", 6379)],
    "prometheus": [("web", 443), ("db", 3306)],
}
#: A name that tries to be markup, in HTML, SVG, CSS, JavaScript, Markdown and Mermaid.
HOSTILE = (
    "x</style></script>--><script>alert(1)</script><img src=x onerror=alert(1)>"
    "\"'`]]>|&lt;{{7*7}}%%end;[a](b)\x00\x1b[31m\u202e"
)


def hostile() -> Inputs:
    """Return two hosts on which everything that has a name is called HOSTILE."""
    bad = HOSTILE
    one = document(f"{bad}1", "10.0.0.1", ["nginx"], [])
    service_ = service("nginx")._replace(
        program=bad, name=bad, unit=f"{bad}.service", user=bad, package=bad, version=bad, command=bad
    )
    asked = flow("nginx", "10.0.0.1", "198.51.100.20", 443)
    other = flow("nginx", "10.0.0.1", "10.0.0.2", 3306)
    first = one._replace(
        services=[service_],
        flows=[asked, other],
        identity=one.identity._replace(os_name=bad, hostname=bad),
        storage=Storage([], [], [DataDirectory("nginx", f"/{bad}", 1, False)]),
        resolution=Resolution([HostName("198.51.100.20", [bad])], [], []),
    )
    second = document(f"{bad}2", "10.0.0.2", ["mariadbd"], [])
    return _inputs(
        [first, second],
        {one.host: [bad], second.host: [f"{bad}2"]},
        [Absence(1, f"{bad}3", "first", bad)],
        {f"{bad}@{one.host}": Decision(bad, bad, "move", None, bad), f"{bad}@gone": Decision()},
        {bad: bad},
        bad,
    )


_PRODUCTS = ("accounts", "billing", "catalogue", "delivery", "search", "reports", "returns", "stock", "support", "shop")


def many(count: int) -> Inputs:
    """Return an infrastructure of products, twenty hosts each, which ask the load balancer of some others."""
    hosts = []
    for number in range(count):
        turn, product = divmod(number // 20, len(_PRODUCTS))
        tier = _SHARES[number % 20]
        name = _PRODUCTS[product] + (str(turn + 1) if turn else "")
        address = f"10.{number >> 14}.{number >> 7 & 127}.{number % 128 + 1}"
        hosts.append((f"{name}-{tier}{number % 20}", address, name, tier))
    places: dict[tuple[str, str], list[str]] = {}
    for _host, address, name, tier in hosts:
        places.setdefault((name, tier), []).append(address)
    products = sorted({name for _host, _address, name, _tier in hosts})
    documents = []
    for host, address, name, tier in hosts:
        dice = random.Random(host)
        flows = []
        if tier == "web":
            asked_here = flow("nginx", "127.0.0.1", "127.0.0.1", 8000)
            flows.append(asked_here._replace(direction="local", peer_service="gunicorn"))
        for program in _TIERS[tier]:
            for asked, port in _ASKS.get(program, []):
                flows += [flow(program, address, other, port) for other in places.get((name, asked), [])]
            if program == "celery":
                other = places[dice.choice(products[: 1 + products.index(name)]), "lb"][0]
                flows += [flow(program, address, other, 80)] if other != address else []
            if program == "haproxy":
                flows += [
                    flow(program, address, f"203.0.113.{dice.randrange(1, 255)}", 80, came=True) for _time in range(20)
                ]
        documents.append(document(host, address, _TIERS[tier], flows, "10.0.0.0/8" if tier != "lb" else ""))
    groups = {host: [name, f"{name}_{tier}", "production"] for host, _address, name, tier in hosts}
    absences = [Absence(1, f"old{number}", "first", "No route to host.") for number in range(count // 50)]
    return _inputs(documents, groups, absences, {}, {}, f"{count} hosts")


def _inputs(
    documents: Sequence[Document],
    groups: dict[str, list[str]],
    absences: Sequence[Absence],
    decisions: dict[str, Decision],
    refused: dict[str, str],
    title: str,
) -> Inputs:
    return Inputs(
        documents=documents,
        looks={one.host: 1 for one in documents},
        absences=absences,
        signatures=signatures(),
        decisions=decisions,
        groups=groups,
        bandwidth=None,
        order="first",
        refused=refused,
        title=title,
    )
