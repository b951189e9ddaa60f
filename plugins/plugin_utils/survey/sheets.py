# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The sheet of a component: eight headings, always in this order."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.components import UNKNOWN
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Connection,
    Facts,
    Host,
    Overview,
    answered,
    is_store,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Document, MySQL
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import (
    Block,
    Grid,
    Items,
    Link,
    Page,
    Section,
    Words,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import file_name
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.moving import (
    counted,
    in_bytes,
    is_mysql,
    linked,
    size,
    steps,
)

# Rows of a table; flows.csv has the rest.
_MOST = 40


def sheet(facts: Facts, whole: Overview) -> Page:
    """Return the sheet of a component."""
    host = whole.hosts[facts.component.host]
    name = facts.component.name
    title = f"{facts.decision.title} ({name})" if facts.decision.title else name
    return Page(
        title,
        file_name(name),
        [
            Section("Role", _role(facts, host)),
            Section("Technologies", _technologies(facts, facts.document)),
            Section("Firewalls", _firewalls(facts, whole)),
            Section("Running processes", _processes(facts, facts.document)),
            Section("Storage", _storage(facts, facts.document)),
            Section("Communication with other components", _communication(facts, whole)),
            Section("Moving it step by step", _moving(facts, whole)),
            Section("Open questions", _questions(facts, whole, host)),
        ],
    )


def _role(facts: Facts, host: Host) -> list[Block]:
    component, decision = facts.component, facts.decision
    identity = facts.document.identity
    rows: list[tuple[str, str]] = [
        ("Role", component.role if component.role != UNKNOWN else "Unknown"),
        ("Host", component.host),
        ("Groups", ", ".join(host.groups)),
        ("Addresses", ", ".join(_addresses(facts.document))),
        ("Operating system", identity.os_name),
        ("Machine", _machine(facts.document)),
        ("Owner", decision.owner),
        ("Decision", decision.fate or "Undecided"),
        ("Requested wave", str(decision.wave or "")),
        ("Notes", decision.notes),
    ]
    return [Grid(["What", "Value"], [[what, value] for what, value in rows if value])]


def _addresses(document: Document) -> list[str]:
    every = [address for one in document.identity.interfaces for address in one.addresses]
    return [one for one in every if not one.startswith(("127.", "::1/", "fe80:"))]


def _machine(document: Document) -> str:
    one = document.identity
    parts = [one.virtualization or "", f"{one.processors} processors", in_bytes(one.memory_bytes), one.architecture]
    return ", ".join(filter(None, parts))


def _technologies(facts: Facts, document: Document) -> list[Block]:
    blocks: list[Block] = []
    found = facts.component.technologies
    if found:
        rows: list[list[str | Link]] = [
            [one.technology, one.role, f"{one.confidence:.0%}", ", ".join(one.evidence)] for one in found
        ]
        blocks.append(Grid(["Technology", "Role", "Confidence", "Evidence"], rows))
    else:
        blocks.append(Words("No signature matches. You can add one in a signatures file of your own."))
    packages = {(one.package, one.version or "") for one in document.services if _own(facts, one.id) and one.package}
    if packages:
        blocks.append(Grid(["Package", "Version"], [list(one) for one in sorted(packages)]))
    if document.mysql and is_mysql(facts):
        blocks.append(
            Words(f"The server reports version {document.mysql.version}, replication: {_replication(document.mysql)}.")
        )
    return blocks


def _replication(server: MySQL) -> str:
    return f"{server.replication or 'unknown'}{f', of {server.source}' if server.source else ''}"


def _own(facts: Facts, service: str | None) -> bool:
    return service in facts.component.services


def _firewalls(facts: Facts, whole: Overview) -> list[Block]:
    if not facts.document.firewall.seen:
        return [Words("The firewall of its host could not be read. That does not mean that there is none.")]
    allowed = whole.allowed[facts.component.host]
    blocks: list[Block] = []
    exposed = {
        (str(one.listener.port), one.listener.protocol, one.address, _OUTCOMES[one.outcome == "accept"])
        for one in allowed.exposed
        if _own(facts, one.listener.service)
    }
    if exposed:
        blocks.append(
            Grid(["Port", "Protocol", "Address", "Reachable from anywhere"], [list(one) for one in sorted(exposed)])
        )
    elif facts.listeners:
        blocks.append(Words("The firewall of its host does not let arbitrary addresses reach it."))
    else:
        blocks.append(Words("It listens on no port."))
    refused = {(str(one.port), one.protocol, one.remote_address) for one in allowed.refused if _own(facts, one.service)}
    if refused:
        blocks.append(Words("These connections were seen, but the current rules would block them:"))
        blocks.append(_cut(["Port", "Protocol", "From"], (list(one) for one in sorted(refused))))
    return blocks


_OUTCOMES = ("Unknown", "Yes")


def _processes(facts: Facts, document: Document) -> list[Block]:
    services = [one for one in document.services if _own(facts, one.id)]
    blocks: list[Block] = []
    if services:
        rows: list[list[str | Link]] = [
            [
                one.program,
                one.user,
                one.unit or "",
                (one.container or "")[:12],
                str(one.processes),
                in_bytes(one.memory_bytes),
                f"{one.cpu_seconds:.1f} s",
                one.started,
                one.command,
            ]
            for one in services
        ]
        head = ["Program", "Account", "Unit", "Container", "Processes", "Memory", "Processor", "Started", "Command"]
        blocks.append(Grid(head, rows))
    else:
        blocks.append(Words("Its processes could not be seen."))
    if facts.listeners:
        listening: list[list[str | Link]] = [
            [str(one.port), one.protocol, one.address, "yes" if one.loopback else "no"] for one in facts.listeners
        ]
        blocks.append(_cut(["Port", "Protocol", "Address", "Only this host"], listening))
    schedules: list[list[str | Link]] = [
        [one.name, one.when, one.user or "", one.command] for one in document.schedules if _started(facts, one.command)
    ]
    if schedules:
        blocks.append(Words("It is started on a schedule:"))
        blocks.append(Grid(["From", "When", "Account", "Command"], schedules))
    return blocks


def _started(facts: Facts, command: str) -> bool:
    """Return whether a timer or cron starts a component: by its unit, or by its name in the command."""
    label = facts.component.name.rpartition("@")[0]
    return bool(label) and (command == f"{label}.service" or label in command.replace("/", " ").split())


def _storage(facts: Facts, document: Document) -> list[Block]:
    blocks: list[Block] = []
    if facts.data:
        rows: list[list[str | Link]] = [
            [
                one.path,
                "not measured" if one.size_bytes is None else f"{'at least ' * one.partial}{in_bytes(one.size_bytes)}",
                _mounted(one.path, document),
            ]
            for one in facts.data
        ]
        blocks.append(Grid(["Data directory", "Size", "File system"], rows))
    else:
        blocks.append(Words("No data directory is known."))
    if facts.copied and facts.copied.bytes:
        basis = "" if counted(facts) else f", {facts.copied.basis}"
        blocks.append(Words(f"A move copies {size(facts.copied)}{basis}."))
    if document.mysql and is_mysql(facts) and document.mysql.schemas:
        schemas: list[list[str | Link]] = [
            [
                one.name,
                "not measured" if one.size_bytes is None else in_bytes(one.size_bytes),
                "" if one.tables is None else str(one.tables),
            ]
            for one in document.mysql.schemas
        ]
        blocks.append(Grid(["Schema", "Size", "Tables"], schemas))
    network = [one for one in document.storage.mounts if one.network]
    if network:
        blocks.append(Words("Its host mounts these over the network, so the new host needs them, too:"))
        blocks.append(Grid(["Path", "From", "Type"], [[one.path, one.source, one.type] for one in network]))
    return blocks


def _mounted(path: str, document: Document) -> str:
    """Return the file system of a path: the innermost one above it."""
    above = [one for one in document.storage.mounts if f"{path}/".startswith(f"{one.path.rstrip('/')}/")]
    if not above:
        return ""
    mount = max(above, key=lambda one: len(one.path))
    free = in_bytes(max(0, mount.size_bytes - mount.used_bytes))
    return f"{mount.path} ({mount.type}{'' if mount.network else f', {free} free'})"


def _communication(facts: Facts, whole: Overview) -> list[Block]:
    blocks: list[Block] = []
    for title, other, connections in (("Uses", "server", facts.uses), ("Used by", "client", facts.used_by)):
        if connections:
            blocks.append(Words(f"{title}:"))
            rows = (_connection(one, getattr(one, other), whole) for one in connections)
            blocks.append(_cut(["Component", "Where", "Port", "Answered", "Samples", "First seen", "Last seen"], rows))
    server = facts.document.mysql
    if server and is_mysql(facts) and server.accounts:
        blocks.append(Words("These accounts were connected when the server was asked:"))
        accounts = (
            [one.user, one.host, one.program or "", one.schema or "", str(one.connections)] for one in server.accounts
        )
        blocks.append(_cut(["Account", "From", "Program", "Schema", "Connections"], accounts, "the observations"))
    return blocks or [Words("No connection to another component was seen.")]


def _connection(one: Connection, other: str, whole: Overview) -> list[str | Link]:
    edge = one.edge
    if other in whole.facts:
        shown: str | Link = linked(whole.facts[other])
        where = whole.facts[other].component.host
    else:
        external = whole.externals[other]
        shown = external.names[0] if external.names else other
        where = "several hosts share this address" if external.unclear else "outside"
        if shown in whole.hosts:
            where = "not seen"
    if edge.translated:
        where += ", through NAT"
    port = "socket" if edge.protocol == "unix" else f"{edge.port}/{edge.protocol}"
    return [
        shown,
        where,
        port,
        "yes" if edge.established else "unknown" if answered(edge) else "no",
        str(edge.samples),
        edge.first_seen,
        edge.last_seen,
    ]


def _moving(facts: Facts, whole: Overview) -> list[Block]:
    wave = next(
        (one.number for one in whole.plan.waves for group in one.groups if facts.component.name in group.components),
        None,
    )
    if wave is None:
        return [Words(f"It does not move: the decision is {facts.decision.fate}.")]
    items: list[str | Link] = []
    for phase, text, lines in steps(facts, whole):
        items.append(f"{phase}: {text}{' The commands are in waves.md.' if lines else ''}")
    return [Words(f"Moves in wave {wave}."), Items(items, numbered=True)]


def _questions(facts: Facts, whole: Overview, host: Host) -> list[Block]:
    asked: list[str | Link] = list(_asked(facts, whole, host))
    return [Items(asked) if asked else Words("None.")]


def _asked(facts: Facts, whole: Overview, host: Host) -> Iterator[str]:
    component, decision = facts.component, facts.decision
    if component.role == UNKNOWN:
        yield "What is it for? No signature matches well enough."
    if not component.services:
        yield "Which processes are these? Survey its host as root."
    if not decision.owner:
        yield "Who owns it?"
    if not decision.fate:
        yield "Should it be moved, replaced, retired or kept?"
    if not facts.used_by and facts.listeners:
        yield "Who uses it? Nobody did during the survey: survey for longer, or at another time of day."
    for address in dict.fromkeys(one.server for one in facts.uses):
        if address in whole.externals and not whole.externals[address].names:
            yield f"What is {address}? No surveyed host has this address, and no name is known."
    if any(one.size_bytes is None for one in facts.data) or (is_store(facts) and not facts.data):
        yield "How much data does it have? The size could not be measured."
    for part in facts.document.unseen:
        yield f"Not visible on its host: {part.why} {part.remedy}"
    if host.missed:
        yield f"Its host could not be surveyed in the latest run: {host.missed}"


def _cut(head: list[str], rows: Iterable[list[str | Link] | list[str]], rest: str = "flows.csv") -> Grid:
    every = [list(row) for row in rows]
    shown = every[:_MOST]
    if len(every) > _MOST:
        shown.append([f"… and {len(every) - _MOST} more: see {rest}", *[""] * (len(head) - 1)])
    return Grid(head, shown)
