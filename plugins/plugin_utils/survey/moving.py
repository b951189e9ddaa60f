# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How components move, phase by phase: what the sheets and the runbooks tell people to do."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Sequence

from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import (
    Facts,
    Overview,
    is_store,
    some,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.transfer import Transfer
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.waves import Wave
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.blocks import (
    Block,
    Code,
    Grid,
    Items,
    Link,
    Page,
    Section,
    Words,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import file_name

PHASES = ("Freeze", "Back up", "Copy or replicate", "Migrate", "Cut over", "Verify", "Roll back")
_MYSQL = ("MariaDB", "MySQL")
_OWN_SCHEMAS = ("information_schema", "mysql", "performance_schema", "sys")


def is_mysql(facts: Facts) -> bool:
    """Return whether this collection can bring a component's schemas up to date."""
    return facts.component.technology in _MYSQL


def steps(facts: Facts, whole: Overview) -> list[tuple[str, str, list[str]]]:
    """Return how a component moves: for each phase its name, a sentence or two, and lines for a shell."""
    name = facts.component.name
    clients = _clients(facts, whole)
    freeze = "Deploy nothing to it until the move is verified."
    cut = "Stop it on the old host and start it on the new one."
    if is_store(facts):
        freeze = "Do not change its schema or its settings."
        cut = (
            f"Stop what writes to it{f' ({clients})' if clients else ''}, wait until the copy has caught up, and make "
            f"the old one read-only. {cut}"
        )
    if clients:
        cut += f" Point its clients to the new host, by DNS, a load balancer or their settings: {clients}."
    lines = _migrate(facts) if is_mysql(facts) else []
    migrate = (
        "Bring the schema of the copy up to date. The first command shows what would be done and changes nothing. "
        "Replace the words in capitals."
        if lines
        else "If the new host runs another version, upgrade the data as the vendor documents."
        if is_store(facts)
        else "Install the same version, or the new one, on the new host, with its settings."
    )
    return [
        ("Freeze", freeze, []),
        ("Back up", _back_up(facts), []),
        ("Copy or replicate", _copy(facts), []),
        ("Migrate", migrate, lines),
        ("Cut over", cut, []),
        ("Verify", _verify(facts, whole), [_line("status", [])] if lines else []),
        (
            "Roll back",
            f"Until something has been written to the new one: start the old one and point the clients of {name} back "
            "to it. After that the new data has to be copied back, so decide before."
            if is_store(facts)
            else "Start the old one and point its clients back to it.",
            [],
        ),
    ]


def _clients(facts: Facts, whole: Overview) -> str:
    """Return a component's clients; empty if none were seen."""
    clients = dict.fromkeys(one.client for one in facts.used_by)
    shown = [whole.shown(one) for one in clients if one in whole.facts]
    outside = len(clients) - len(shown)
    addresses = [f"{outside} address{'es' * (outside > 1)} outside"] if outside else []
    return " and ".join([some(shown)] * bool(shown) + addresses)


def _back_up(facts: Facts) -> str:
    if is_mysql(facts):
        return (
            "Take a consistent backup (mariadb-backup, xtrabackup, or a dump in one transaction), and test it by "
            "restoring it elsewhere."
        )
    if is_store(facts):
        return "Take a backup with its own tool, and test restoring it elsewhere."
    return "Back up its settings and its files. It has no known data."


def _copy(facts: Facts) -> str:
    if not facts.copied:
        return "Nothing is known to need copying."
    paths = ", ".join(dict.fromkeys(one.path for one in facts.data))
    where = f" in {paths}" if paths else ""
    text = f"Copy {size(facts.copied)}{where}." if counted(facts) else f"Copy its data{where}. The size is unknown."
    return f"{text} Make the new server a replica of the old one from the backup." if is_mysql(facts) else text


def counted(facts: Facts) -> bool:
    """Return whether the size of a component's data is known."""
    return bool(facts.data) and all(one.size_bytes is not None for one in facts.data)


def _verify(facts: Facts, whole: Overview) -> str:
    ports = ", ".join(dict.fromkeys(f"{one.port}/{one.protocol}" for one in facts.listeners if not one.loopback))
    text = f"It answers at {ports}. " if ports else ""
    uses = some(dict.fromkeys(whole.shown(one.server) for one in facts.uses))
    text += f"It reaches {uses}. " if facts.uses else ""
    return f"{text}Survey both hosts again: the old one has no connections left."


def _migrate(facts: Facts) -> list[str]:
    """Return the lines that bring the schemas up to date."""
    server = facts.document.mysql
    schemas = [one.name for one in server.schemas] if server else []
    # What could be more than a name, to a template or to LIKE, is for people to fill in.
    schemas = [name for name in schemas if name not in _OWN_SCHEMAS and re.fullmatch(r"[\w$-]+", name, re.ASCII)]
    options = ["migrate_login_host=NEW_HOST"]
    if len(schemas) > 1:
        options.append(f"migrate_databases={','.join(schemas)}")
    else:
        options.append(f"migrate_login_database={schemas[0] if schemas else 'SCHEMA'}")
    return [_line("migrate", options, "--check --diff"), _line("migrate", options)]


def _line(playbook: str, options: Iterable[str], more: str = "") -> str:
    given = "".join(f" -e {shlex.quote(one)}" for one in options)
    return f"ansible-playbook -i inventory.yml dbops.migrations.{playbook} --limit DATABASE{given} {more}".rstrip()


def waves_page(whole: Overview) -> Page:
    """Return the runbooks of all waves."""
    first = "What others depend on moves first." if whole.order == "first" else "What others depend on moves last."
    intro: list[Block] = [
        Words(
            f"{first} Components that depend on each other move in one step; the steps of a wave are independent. "
            "Finish a phase for all components of its wave before you begin the next phase."
        ),
        Words(f"Copying times assume {_rate(whole)}, 80% of it usable."),
    ]
    sections = [Section("How to read this", intro)]
    for wave in whole.plan.waves:
        sections += _wave(wave, whole)
    unseen: list[list[str | Link]] = [[name, host.missed] for name, host in whole.hosts.items() if not host.document]
    if unseen:
        sections.append(Section("Hosts about which nothing is known", [Grid(["Host", "Why"], unseen)]))
    for fate, title in (("keep", "Staying"), ("retire", "To be retired")):
        rows = [_about(one) for one in whole.facts.values() if one.decision.fate == fate]
        if rows:
            sections.append(Section(title, [Grid(["Component", "Owner", "Notes"], rows)]))
    return Page(whole.title + ": waves", "waves", sections)


def _rate(whole: Overview) -> str:
    assumed = " (the default; set the bandwidth)" if whole.assumed else ""
    return f"{whole.bandwidth:g} Mbit/s{assumed}"


def _about(facts: Facts) -> list[str | Link]:
    return [linked(facts), facts.decision.owner, facts.decision.notes]


def linked(facts: Facts) -> Link:
    """Return a component's display name as a link to its sheet."""
    return Link(facts.decision.title or facts.component.name, file_name(facts.component.name))


def _wave(wave: Wave, whole: Overview) -> Iterator[Section]:
    members = [whole.facts[name] for group in wave.groups for name in group.components]
    blocks: list[Block] = [
        Grid(
            ["Step", "Component", "Technology", "Owner", "Decision", "To copy", "Notes"],
            [
                [
                    str(number),
                    linked(whole.facts[name]),
                    whole.facts[name].component.technology,
                    whole.facts[name].decision.owner,
                    whole.facts[name].decision.fate or "not decided",
                    amount(whole.facts[name]),
                    whole.facts[name].decision.notes,
                ]
                for number, group in enumerate(wave.groups, 1)
                for name in group.components
            ],
        ),
        *(Words(one) for one in downtime(members, whole)),
    ]
    yield Section(f"Wave {wave.number}", blocks)
    # Of each phase the texts, with whose they are: many components have the same.
    phases: dict[str, dict[tuple[str, tuple[str, ...]], list[str]]] = {phase: {} for phase in PHASES}
    for facts in members:
        for phase, text, lines in steps(facts, whole):
            phases[phase].setdefault((text, tuple(lines)), []).append(facts.component.name)
    for phase, done in phases.items():
        blocks = [Items([f"{some(names)}: {text}" for (text, shell), names in done.items() if not shell])]
        for (text, shell), names in done.items():
            blocks += [Words(f"{some(names)}: {text}"), Code(list(shell))] if shell else []
        yield Section(f"Wave {wave.number}: {phase.lower()}", blocks)


def downtime(members: Sequence[Facts], whole: Overview) -> list[str]:
    """Return how long a wave's components are down, and what that is based on, in sentences."""
    stores = [one for one in members if one.copied]
    # Two components with one directory copy it once.
    copies = {(one.component.host, one.copied.basis): one.copied for one in stores if one.copied and counted(one)}
    unknown = [one.component.name for one in stores if not counted(one)]
    if not stores:
        return ["Downtime: a restart of each component. None of them has known data."]
    lines = []
    if copies:
        hours = sum(one.hours for one in copies.values())
        least = any(one.least for one in copies.values())
        total = Transfer(sum(one.bytes for one in copies.values()), least, hours, "")
        lines += [
            f"Downtime: {'at least ' * least}{_duration(hours)} if {size(total)} are copied one after the other at "
            f"{_rate(whole)} while everything is stopped. With replication it is the time to stop the writers, catch "
            "up and switch.",
            f"Based on {'; '.join(dict.fromkeys(basis for _host, basis in copies))}.",
        ]
    if unknown:
        also = "Add" if copies else "Downtime:"
        lines.append(f"{also} the time to copy the data of {some(unknown)}, whose size is unknown.")
    return lines


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(hours * 60))} minute{'s' * (hours * 60 >= 1.5)}"


def amount(facts: Facts) -> str:
    """Return how much is copied; empty if the component has no known data."""
    if not facts.copied:
        return ""
    return f"{size(facts.copied)}, {_duration(facts.copied.hours)}" if counted(facts) else "unknown"


def size(copied: Transfer) -> str:
    """Return how many bytes are copied."""
    return f"{'at least ' * copied.least}{in_bytes(copied.bytes)}"


def in_bytes(count: int) -> str:
    """Return a number of bytes in a readable unit."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
