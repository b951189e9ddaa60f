# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What one look at one host found: the document, version 1. Private to the collection.

A document is one JSON object whose keys are the fields below, every one of them present; nested tuples are objects,
too. Reading is strict: an unknown key, a missing key or a value of another type is refused, with its place. Null is
"not known, or there is none" and allowed only where a field says Optional. Texts came from the host: they hold no
control characters, but may well hold HTML, Markdown or Jinja.

Times are UTC, ISO 8601 with seconds: ``2026-11-27T21:00:00Z``. Addresses are written as the ipaddress module writes
them, an IPv4-mapped one as IPv4, a link-local one with its interface (``fe80::1%eth0``); "every address" is
``0.0.0.0`` or ``::``. Networks are CIDR, ranges of addresses ``10.0.0.1-10.0.0.9``.
"""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple, Optional

from .shape import checked, plain

SCHEMA_VERSION = 1

What = Literal[
    "processes",
    "sockets",
    "conntrack",
    "namespaces",
    "packages",
    "firewall",
    "storage",
    "schedules",
    "identity",
    "resolution",
    "mysql",
]
Protocol = Literal["tcp", "udp"]
Direction = Literal["in", "out", "local", "unknown"]
Source = Literal["proc", "netlink", "conntrack"]
State = Literal["new", "established", "related", "invalid", "untracked", "dnat"]
Verdict = Literal["accept", "drop", "reject", "jump", "goto", "return", "continue", "unknown"]
Hook = Literal["prerouting", "input", "forward", "output", "postrouting", "ingress", "egress"]
Kind = Literal["filter", "nat", "route"]
Policy = Literal["accept", "drop"]
Family = Literal["ip", "ip6", "inet", "netdev", "bridge"]
Tool = Literal["nft", "iptables", "firewalld"]
Replication = Literal["source", "replica", "both", "none"]
Device = Literal["disk", "part", "lvm", "raid", "crypt", "other"]


class Unseen(NamedTuple):
    """Something that could not be looked at. What it would have shown is absent from the document, not empty."""

    what: What
    #: Why, as a sentence: "The processes of other accounts are closed to this account (12 of 80)."
    why: str
    #: What would show it, as a sentence: "Run the module as root (become: true)."
    remedy: str


class Interface(NamedTuple):
    """A network interface with at least one address."""

    name: str
    #: With prefix length: ``10.0.0.5/24``. Loopback's are here as well.
    addresses: list[str]


class Identity(NamedTuple):
    """What the host is."""

    #: What the kernel says; the inventory's name is Document.host.
    hostname: str
    interfaces: list[Interface]
    #: PRETTY_NAME, ID and VERSION_ID of os-release; empty if there is none.
    os_name: str
    os_id: str
    os_version: str
    kernel: str
    #: As uname says: x86_64, aarch64.
    architecture: str
    #: kvm, vmware, xen, hyperv, virtualbox, container, aws, gcp, azure, … by DMI; null: bare metal, or not known.
    virtualization: Optional[str]
    #: DMI's vendor and product, empty if not to be read.
    vendor: str
    product: str
    processors: int
    memory_bytes: int
    uptime_seconds: int


class Service(NamedTuple):
    """The processes of one program under one account in one unit and one container."""

    #: Unique in the document, and the same from run to run as long as its four parts are: "nginx", "nginx@www-data"
    #: and so on. What other parts of the document call ``service`` is this.
    id: str
    #: The name of the executable, without its directory and " (deleted)"; for an interpreter the script's or module's
    #: name goes to ``name``. If the executable is not to be read, the kernel's name of the process (15 characters).
    program: str
    #: What a person calls it: the script or module of an interpreter ("gunicorn"), or the name that it was called by,
    #: which may be a link to the program.
    name: str
    #: The account's name, or its number where it has none.
    user: str
    #: The systemd unit of its cgroup: ``nginx.service``, ``session-3.scope``.
    unit: Optional[str]
    #: The container's ID, 64 hexadecimal digits or what the runtime uses; null: no container.
    container: Optional[str]
    #: The package that owns the executable, with its version; null if none does, or in a container.
    package: Optional[str]
    version: Optional[str]
    #: The path of the executable, if it is to be read.
    executable: Optional[str]
    #: The command line of its oldest process, secrets replaced by ``********``, at most 1,000 characters.
    command: str
    #: The largest number of processes at one time in the window.
    processes: int
    #: When its oldest process was started.
    started: str
    #: Resident memory of all its processes at the last sample at which it was there.
    memory_bytes: int
    #: Processor seconds that its processes used in the window.
    cpu_seconds: float


class Listener(NamedTuple):
    """A socket that waits for others: TCP in LISTEN, UDP bound and not connected."""

    #: Service.id; null if the process is not to be seen.
    service: Optional[str]
    protocol: Protocol
    address: str
    port: int
    #: Only this host reaches it: the address is a loopback one.
    loopback: bool
    #: The network namespace: null is the host's own, otherwise the container's ID, or ``net:[4026532001]``.
    namespace: Optional[str]


class Flow(NamedTuple):
    """All conversations of one service with one remote address over one service port, in the window.

    Unique by service, direction, protocol, local_address, remote_address, port, peer_service and namespace.
    """

    #: Service.id of this end; null if not known (conntrack alone saw it, or the process is not to be seen).
    service: Optional[str]
    #: ``in``: the others began, ``port`` is ours. ``out``: we began, ``port`` is theirs. ``local``: both ends are on
    #: this host; ``service`` began it and ``peer_service`` was asked; it is there once, not twice. ``unknown``:
    #: neither a listener nor conntrack told; ``port`` is then the lower of the two, and says no more than that.
    direction: Direction
    protocol: Protocol
    local_address: str
    remote_address: str
    #: The port that was asked for, from which the conversation is known: that of the side that waited.
    port: int
    #: For ``local`` the Service.id that waited; null otherwise, or if not known.
    peer_service: Optional[str]
    #: A connection was established at least once (TCP), or both sides have sent (UDP, known from conntrack only).
    #: False: only attempts (SYN_SENT, unanswered) were seen.
    established: bool
    first_seen: str
    last_seen: str
    #: At how many samples it was open; 0: what was seen is that it had ended, or conntrack saw it between samples.
    samples: int
    #: The largest number of connections that were open at one sample; 0 as with samples.
    connections: int
    #: Which of ``proc``, ``netlink`` and ``conntrack`` showed it, sorted.
    sources: list[Source]
    #: Where the remote address really is, if this host translates addresses (DNAT, SNAT): conntrack's reply source
    #: with its port, ``10.0.0.9:8080``; null: not translated, or not known.
    translated: Optional[str]
    #: As in Listener.
    namespace: Optional[str]


class UnixFlow(NamedTuple):
    """Connections over a Unix socket between two different services of this host."""

    #: Who is connected to the path, and who made the path. Null: the process is not to be seen.
    client: Optional[str]
    server: Optional[str]
    #: An abstract name begins with @.
    path: str
    samples: int


class Rule(NamedTuple):
    """One rule. It matches a packet that fits every condition; an empty list is not a condition."""

    #: tcp, udp, icmp, icmpv6, icmpv6/nd-neighbor-solicit and other types, …; empty: all.
    protocols: list[str]
    #: Of the destination: ``[22, 22]``, ``[8000, 8999]``; any of them fits.
    ports: list[list[int]]
    #: Of the sender's side, written alike.
    source_ports: list[list[int]]
    #: Networks or ranges; any of them fits. An entry with ``!`` before it must not fit; if all entries are such,
    #: whatever is none of them fits.
    sources: list[str]
    destinations: list[str]
    #: Names of interfaces; a ``+`` or ``*`` at the end is "begins with", ``!`` before it negates.
    input_interfaces: list[str]
    output_interfaces: list[str]
    #: Of connection tracking. ``dnat`` is beside the others: the connection was for another address or port.
    states: list[State]
    #: ``continue`` counts, logs or marks, and does not decide; ``unknown`` is none that the model has.
    verdict: Verdict
    #: The chain for jump and goto, otherwise null.
    target: Optional[str]
    #: The rule's own text, as the tool printed it.
    text: str
    #: True: the conditions above and the verdict are the whole rule. False: there are conditions in ``text`` that
    #: they do not hold, so that it may match less than they say.
    complete: bool


class Chain(NamedTuple):
    """A chain of rules."""

    name: str
    #: Where the kernel enters it; null: only by jump.
    hook: Optional[Hook]
    #: Null without hook.
    kind: Optional[Kind]
    #: Lower ones are entered first (filter is 0, raw -300, mangle -150, dstnat -100).
    priority: Optional[int]
    #: Null without hook.
    policy: Optional[Policy]
    rules: list[Rule]


class Table(NamedTuple):
    """A table of chains. Names of chains are unique in their table only."""

    #: inet is both of ip and ip6. Of netdev and bridge the rules are kept as text only.
    family: Family
    name: str
    #: Which tool told about it.
    source: Tool
    chains: list[Chain]


class Firewall(NamedTuple):
    """What the host lets through. A packet passes if every table's chains at its hook let it."""

    #: Could be read. False: tables is empty because nothing is known (see unseen), not because all is open.
    seen: bool
    #: Of firewalld, ufw, docker: what manages the rules, if it shows.
    managers: list[str]
    tables: list[Table]


class Mount(NamedTuple):
    """A mounted file system with storage after it; proc, sysfs, cgroups and the like are left out."""

    path: str
    type: str
    #: The device, ``server:/export`` for NFS, ``//server/share`` for CIFS.
    source: str
    network: bool
    read_only: bool
    #: Zero if it could not be asked.
    size_bytes: int
    used_bytes: int


class Volume(NamedTuple):
    """A block device: disk, partition, LVM or RAID volume."""

    name: str
    type: Device
    size_bytes: int
    #: Names of the devices that it lies on.
    parents: list[str]


class DataDirectory(NamedTuple):
    """Where a service that keeps data keeps it."""

    service: str
    path: str
    #: Allocated on disk; null if it could not be counted (see unseen).
    size_bytes: Optional[int]
    #: The count was stopped at a limit: it is at least that much.
    partial: bool


class Storage(NamedTuple):
    """File systems, devices and data."""

    mounts: list[Mount]
    volumes: list[Volume]
    data: list[DataDirectory]


class Schedule(NamedTuple):
    """Something that is started by the clock."""

    kind: Literal["timer", "cron"]
    #: The timer's unit, or the file of the line.
    name: str
    #: OnCalendar=… and the like, or cron's five fields, or @daily.
    when: str
    #: The account; null: not said.
    user: Optional[str]
    #: The unit that a timer starts, or cron's command, secrets replaced.
    command: str


class HostName(NamedTuple):
    """A line of /etc/hosts."""

    address: str
    names: list[str]


class Resolution(NamedTuple):
    """How names are resolved."""

    hosts: list[HostName]
    #: Addresses of resolv.conf's name servers.
    nameservers: list[str]
    search: list[str]


class Schema(NamedTuple):
    """A database on the MySQL or MariaDB server."""

    name: str
    #: Of its data and indexes, as the server estimates them, and how many tables; null if that took too long.
    size_bytes: Optional[int]
    tables: Optional[int]


class Account(NamedTuple):
    """An account that was connected, from one address with one program, to one schema."""

    user: str
    #: The address or name of the client; ``localhost`` for a socket.
    host: str
    #: The client's program_name, or null.
    program: Optional[str]
    schema: Optional[str]
    connections: int


class MySQL(NamedTuple):
    """What the database server says about itself."""

    version: str
    flavour: Literal["mysql", "mariadb"]
    schemas: list[Schema]
    accounts: list[Account]
    #: ``source``: a replica, or something like one, is connected and reads its changes. Null: not known.
    replication: Optional[Replication]
    #: If replica: the source's host and port, ``10.0.0.9:3306``; several are separated by ``, ``.
    source: Optional[str]


class Document(NamedTuple):
    """One look at one host."""

    #: SCHEMA_VERSION.
    schema_version: int
    #: The name in the inventory.
    host: str
    #: Names the run on all hosts: letters, digits, ``-`` and ``_``.
    run: str
    started: str
    ended: str
    #: Seconds that were asked for, and between samples.
    duration: float
    interval: float
    #: Samples that were taken.
    samples: int
    #: Root, with sight of every process.
    privileged: bool
    unseen: list[Unseen]
    identity: Identity
    services: list[Service]
    listeners: list[Listener]
    flows: list[Flow]
    unix_flows: list[UnixFlow]
    firewall: Firewall
    storage: Storage
    schedules: list[Schedule]
    resolution: Resolution
    #: Null: not asked for.
    mysql: Optional[MySQL]


def read(text: str) -> Document:
    """Read a document.

    :param text: JSON.
    :raises Error: it is not JSON, no document, of another version, or has something where it should not be; the
        message names the place, as ``flows[3].port``.
    """
    document: Document = checked(Document, text, SCHEMA_VERSION)
    return document


def as_json(document: Document) -> str:
    """Return a document as JSON: one object, keys in the order above, each entry of flows on no line of its own."""
    return json.dumps(as_data(document), ensure_ascii=False, separators=(",", ":"))


def as_data(document: Document) -> dict[str, Any]:
    """Return a document as dicts and lists, as a module returns it."""
    data: dict[str, Any] = plain(document)
    return data
