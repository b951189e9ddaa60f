# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A shop of five hosts as a survey sees it, by day and by night: ``python -m parts.survey_shop DIRECTORY`` reports.

The load balancer asks two hosts of the application, these ask the database, a cache and a payment service outside. At
night a job makes invoices. A sixth host cannot be reached. The documents are made up, and the same each time.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

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
    Schedule,
    Service,
    Storage,
    Table,
    Unseen,
    as_data,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey import names
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import Writer
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.report import report

DAY, NIGHT = "2026-11-24T10:00:00Z", "2026-11-25T02:00:00Z"
_GIB = 2**30
_PAYMENTS = "203.0.113.20"
_NAMES = [HostName("127.0.0.1", ["localhost"]), HostName(_PAYMENTS, ["pay.example.net"])]
_RULE = Rule(["tcp"], [], [], [], [], [], [], [], "accept", None, "", True)
INVENTORY: dict[str, dict[str, Any]] = {
    "lb1": {"groups": ["front"], "ansible_host": "10.20.0.10"},
    "app1": {"groups": ["shop"], "ansible_host": "10.20.0.21"},
    "app2": {"groups": ["shop"], "ansible_host": "10.20.0.22"},
    "db1": {"groups": ["data"], "ansible_host": "10.20.0.30"},
    "cache1": {"groups": ["data"], "ansible_host": "10.20.0.40"},
    "old1": {"groups": ["legacy"], "ansible_host": "10.20.0.90"},
}


def service(name: str, user: str = "root", **more: Any) -> Service:
    """Return the service of one program in a unit of its name."""
    start = "2026-11-01T04:00:00Z"
    path = f"/usr/sbin/{name}"
    return Service(
        name, name, name, user, f"{name}.service", None, None, None, path, path, 1, start, 64 * 2**20, 0.5
    )._replace(**more)


def waiting(name: str, port: int, address: str = "0.0.0.0") -> Listener:
    """Return a listener."""
    return Listener(name, "tcp", address, port, address.startswith("127."), None)


def flow(name: str | None, direction: Any, here: str, there: str, port: int, **more: Any) -> Flow:
    """Return conversations that continued while somebody looked."""
    return Flow(
        name,
        direction,
        "tcp",
        here,
        there,
        port,
        None,
        True,
        DAY,
        "2026-11-24T10:00:30Z",
        30,
        4,
        ["netlink"],
        None,
        None,
    )._replace(**more)


def document(host: str, address: str, when: str = DAY, **parts: Any) -> Document:
    """Return a look at a host with little on it."""
    interfaces = [Interface("eth0", [f"{address}/24"]), Interface("lo", ["127.0.0.1/8"])]
    kernel = "5.14.0-503.el9.x86_64"
    system = ("CentOS Stream 9", "centos", "9", kernel, "x86_64", "kvm", "QEMU", "Standard PC")
    root = Mount("/", "xfs", "/dev/vda1", False, False, 40 * _GIB, 9 * _GIB)
    whole = Document(
        schema_version=1,
        host=host,
        run=re.sub(r"[-:]", "", when),
        started=when,
        ended=when.replace(":00Z", ":30Z"),
        duration=30.0,
        interval=1.0,
        samples=31,
        privileged=True,
        unseen=[],
        identity=Identity(host, interfaces, *system, 4, 8 * _GIB, 2_000_000),
        services=[],
        listeners=[],
        flows=[],
        unix_flows=[],
        firewall=Firewall(True, [], []),
        storage=Storage([root], [], []),
        schedules=[],
        resolution=Resolution(_NAMES, ["10.20.0.2"], []),
        mysql=None,
    )
    return whole._replace(**parts)


def _firewalled(*rules: Rule) -> Firewall:
    first = [
        _RULE._replace(protocols=[], states=["established", "related"], text="ct state established,related accept"),
        _RULE._replace(protocols=[], input_interfaces=["lo"], text='iif "lo" accept'),
        _RULE._replace(protocols=["icmp"], text="ip protocol icmp accept"),
    ]
    chain = Chain("input", "input", "filter", 0, "drop", [*first, *rules])
    return Firewall(True, ["firewalld"], [Table("inet", "filter", "nft", [chain])])


def _opened(port: int, source: str = "") -> Rule:
    text = f"{f'ip saddr {source} ' if source else ''}tcp dport {port} accept"
    return _RULE._replace(ports=[[port, port]], sources=[source] if source else [], text=text)


def _lb(when: str) -> Document:
    shop = ["10.20.0.21", "10.20.0.22"]
    return document(
        "lb1",
        "10.20.0.10",
        when,
        services=[
            service("haproxy", "haproxy", package="haproxy", version="2.4.22-4.el9", processes=2),
            service("sshd", package="openssh-server", version="8.7p1-45.el9"),
        ],
        listeners=[waiting("haproxy", 443), waiting("haproxy", 8404), waiting("sshd", 22)],
        flows=[
            flow("haproxy", "in", "10.20.0.10", "198.51.100.7", 443, connections=12),
            flow("haproxy", "in", "10.20.0.10", "198.51.100.99", 443, connections=2),
            *(flow("haproxy", "out", "10.20.0.10", there, 8000, connections=9) for there in shop),
        ],
        firewall=_firewalled(_opened(443), _opened(80), _opened(22, "10.20.0.0/24")),
    )


def _app(host: str, address: str, when: str) -> Document:
    at_night = host == "app1" and when == NIGHT
    job = service("invoices", "shop", unit="cron.service", executable="/srv/shop/bin/invoices")
    return document(
        host,
        address,
        when,
        services=[
            service(
                "gunicorn",
                "shop",
                program="python3.11",
                unit="shop.service",
                executable="/usr/bin/python3.11",
                command="/usr/bin/python3.11 -m gunicorn --workers 4 shop.wsgi",
                package="python3.11",
                version="3.11.9-7.el9",
                processes=5,
                memory_bytes=900 * 2**20,
                cpu_seconds=11.5,
            ),
            service("sshd", package="openssh-server", version="8.7p1-45.el9"),
            *([job._replace(command="/srv/shop/bin/invoices --password ********")] if at_night else []),
        ],
        listeners=[waiting("gunicorn", 8000), waiting("sshd", 22)],
        flows=[
            flow("gunicorn", "in", address, "10.20.0.10", 8000, connections=9),
            flow("gunicorn", "out", address, "10.20.0.30", 3306, connections=5),
            flow("gunicorn", "out", address, "10.20.0.40", 6379, connections=5),
            flow("gunicorn", "out", address, _PAYMENTS, 443, samples=0, connections=0, sources=["conntrack"]),
            flow("gunicorn", "out", address, "10.20.0.90", 5672, established=False),
            *([flow("invoices", "out", address, "10.20.0.30", 3306)] if at_night else []),
        ],
        firewall=_firewalled(_opened(8000, "10.20.0.10"), _opened(22, "10.20.0.0/24")),
        schedules=[Schedule("cron", "/etc/cron.d/shop", "0 2 * * *", "shop", "/srv/shop/bin/invoices")]
        if host == "app1"
        else [],
    )


def _db(when: str) -> Document:
    data = Mount("/var/lib/mysql", "xfs", "/dev/vdb", False, False, 500 * _GIB, 211 * _GIB)
    backups = Mount("/backup", "nfs4", "nas.example.net:/backup", True, False, 2000 * _GIB, 900 * _GIB)
    plain = document("db1", "10.20.0.30", when)
    return plain._replace(
        services=[
            service(
                "mariadbd",
                "mysql",
                unit="mariadb.service",
                package="mariadb-server",
                version="10.11.10-1.el9",
                memory_bytes=12 * _GIB,
                cpu_seconds=21.0,
            ),
            service("sshd", package="openssh-server", version="8.7p1-45.el9"),
        ],
        listeners=[waiting("mariadbd", 3306), waiting("sshd", 22)],
        flows=[
            flow("mariadbd", "in", "10.20.0.30", there, 3306, connections=5) for there in ("10.20.0.21", "10.20.0.22")
        ],
        firewall=_firewalled(_opened(3306), _opened(22, "10.20.0.0/24")),
        storage=Storage(
            [*plain.storage.mounts, data, backups],
            [],
            [DataDirectory("mariadbd", "/var/lib/mysql", 208 * _GIB, False)],
        ),
    )


def _cache(when: str) -> Document:
    return document(
        "cache1",
        "10.20.0.40",
        when,
        privileged=False,
        unseen=[Unseen("firewall", "The rules of the firewall are closed to this account.", "Run the module as root.")],
        services=[
            service("redis-server", "redis", unit="redis.service", package="redis", version="6.2.7-1.el9"),
            service("sshd", package="openssh-server", version="8.7p1-45.el9"),
        ],
        listeners=[waiting("redis-server", 6379), waiting("sshd", 22)],
        flows=[
            flow("redis-server", "in", "10.20.0.40", there, 6379, connections=5)
            for there in ("10.20.0.21", "10.20.0.22")
        ],
        firewall=Firewall(False, [], []),
        storage=Storage([], [], [DataDirectory("redis-server", "/var/lib/redis", None, False)]),
    )


def documents(when: str = DAY) -> list[Document]:
    """Return a look at each of the five hosts."""
    apps = [_app("app1", "10.20.0.21", when), _app("app2", "10.20.0.22", when)]
    return [_lb(when), *apps, _db(when), _cache(when)]


def observations(looks: Iterable[Document]) -> list[dict[str, Any]]:
    """Return what the report is given."""
    return [{"host": one.host, "survey": as_data(one)} for one in looks]


def write(directory: Path) -> dict[str, Any]:
    """Survey by day and by night, and return the latter's result."""
    # The same wherever it is made, whatever the resolver there says.
    writer = Writer(directory)
    names.keep({"198.51.100.7": "office.example.net", "198.51.100.99": "", "10.20.0.90": ""}, writer)
    absent = {"host": "old1", "error": "Failed to connect to the host via ssh: connection timed out"}
    result: dict[str, Any] = {}
    for when in (DAY, NIGHT):
        looks = [*observations(documents(when)), absent]
        options = {"directory": str(directory), "observations": looks, "inventory": INVENTORY, "bandwidth": 500.0}
        result = report(options, False)
    return result


if __name__ == "__main__":
    for line in write(Path(sys.argv[1]))["files"]:
        print(line)
