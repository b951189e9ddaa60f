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
    """Return what is done with a component: of each phase a sentence or two, and lines for a shell."""
    name = facts.component.name
    clients = _clients(facts, whole)
    freeze = "Release nothing to it until the move is verified."
    cut = "Stop it at the old place and start it at the new one."
    if is_store(facts):
        freeze = "Change no schema and no settings."
        cut = (
            f"Stop what writes to it{f' ({clients})' if clients else ''}, wait until the copy has caught up, and make "
            f"it read-only at the old place. {cut}"
        )
    if clients:
        cut += f" Let those that use it ask at the new place, by a name, a load balancer or a setting: {clients}."
    lines = _migrate(facts) if is_mysql(facts) else []
    migrate = (
        "Bring the schema of the copy up to date. The first line shows what would be done, and changes nothing. "
        "Words in capitals stand for what you know."
        if lines
        else "If the new place has another version of it, bring its data to that one as its makers say."
        if is_store(facts)
        else "Install the same version, or the new one, at the new place, with its settings."
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
            f"Until something has been written at the new place: point those that use {name} back, and start the old "
            "one. Later what was written has to be copied back, so decide before."
            if is_store(facts)
            else "Point those that use it back, and start the old one.",
            [],
        ),
    ]


def _clients(facts: Facts, whole: Overview) -> str:
    """Return who uses a component; empty: nobody was seen to."""
    clients = dict.fromkeys(one.client for one in facts.used_by)
    shown = [whole.shown(one) for one in clients if one in whole.facts]
    outside = len(clients) - len(shown)
    addresses = [f"{outside} address{'es' * (outside > 1)} outside"] if outside else []
    return " and ".join([some(shown)] * bool(shown) + addresses)


def _back_up(facts: Facts) -> str:
    if is_mysql(facts):
        return (
            "Take a consistent backup (mariadb-backup, xtrabackup, or a dump in one transaction), and restore it once "
            "elsewhere."
        )
    if is_store(facts):
        return "Take a backup with its own tool, and restore it once elsewhere."
    return "Keep its settings and its files. It keeps no data that is known."


def _copy(facts: Facts) -> str:
    if not facts.copied:
        return "Nothing is known that would have to be copied."
    paths = ", ".join(dict.fromkeys(one.path for one in facts.data))
    where = f" in {paths}" if paths else ""
    text = (
        f"Copy {size(facts.copied)}{where}."
        if counted(facts)
        else f"Copy its data{where}, of which the size is not known."
    )
    return f"{text} Make the new server a replica of the old one from the backup." if is_mysql(facts) else text


def counted(facts: Facts) -> bool:
    """Return whether the size of a component's data is known."""
    return bool(facts.data) and all(one.size_bytes is not None for one in facts.data)


def _verify(facts: Facts, whole: Overview) -> str:
    ports = ", ".join(dict.fromkeys(f"{one.port}/{one.protocol}" for one in facts.listeners if not one.loopback))
    text = f"It answers at {ports}. " if ports else ""
    uses = some(dict.fromkeys(whole.shown(one.server) for one in facts.uses))
    text += f"It reaches {uses}. " if facts.uses else ""
    return f"{text}Survey both places again: the old one has no conversations left."


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
            f"{first} What depends on each other moves in one step; the steps of a wave do not depend on each other. A "
            "phase is done for all components of its wave before the next one begins."
        ),
        Words(f"Hours of copying are at {_rate(whole)}, of which 80 % are used."),
    ]
    sections = [Section("How to read this", intro)]
    for wave in whole.plan.waves:
        sections += _wave(wave, whole)
    unseen: list[list[str | Link]] = [[name, host.missed] for name, host in whole.hosts.items() if not host.document]
    if unseen:
        sections.append(Section("Hosts of which nothing is known", [Grid(["Host", "Why"], unseen)]))
    for fate, title in (("keep", "Stay where they are"), ("retire", "Are retired")):
        rows = [_about(one) for one in whole.facts.values() if one.decision.fate == fate]
        if rows:
            sections.append(Section(title, [Grid(["Component", "Owner", "Notes"], rows)]))
    return Page(whole.title + ": waves", "waves", sections)


def _rate(whole: Overview) -> str:
    assumed = ", which nobody said: set the bandwidth" if whole.assumed else ""
    return f"{whole.bandwidth:g} megabits a second{assumed}"


def _about(facts: Facts) -> list[str | Link]:
    return [linked(facts), facts.decision.owner, facts.decision.notes]


def linked(facts: Facts) -> Link:
    """Return a component's name, as people call it, that leads to its sheet."""
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
    """Return how long a wave's components are away, and what that rests on, in sentences."""
    stores = [one for one in members if one.copied]
    # Two components with one directory copy it once.
    copies = {(one.component.host, one.copied.basis): one.copied for one in stores if one.copied and counted(one)}
    unknown = [one.component.name for one in stores if not counted(one)]
    if not stores:
        return ["Downtime: a restart of each component. None of them keeps data that is known."]
    lines = []
    if copies:
        hours = sum(one.hours for one in copies.values())
        least = any(one.least for one in copies.values())
        total = Transfer(sum(one.bytes for one in copies.values()), least, hours, "")
        lines += [
            f"Downtime: {'at least ' * least}{_duration(hours)} if {size(total)} are copied while all is stopped, one "
            f"after the other, at {_rate(whole)}. With replication it is the time to stop the writers, catch up and "
            "switch.",
            "It rests on: " + " ".join(dict.fromkeys(basis for _host, basis in copies)),
        ]
    if unknown:
        also = "To it comes" if copies else "Downtime:"
        lines.append(f"{also} the time to copy what {some(unknown)} keeps, of which the size is not known.")
    return lines


def _duration(hours: float) -> str:
    return f"{hours:.1f} hours" if hours >= 1 else f"{max(1, round(hours * 60))} minute{'s' * (hours * 60 >= 1.5)}"


def amount(facts: Facts) -> str:
    """Return how much is copied; empty: it keeps nothing that is known."""
    if not facts.copied:
        return ""
    return f"{size(facts.copied)}, {_duration(facts.copied.hours)}" if counted(facts) else "not known"


def size(copied: Transfer) -> str:
    """Return how many bytes are copied."""
    return f"{'at least ' * copied.least}{in_bytes(copied.bytes)}"


def in_bytes(count: int) -> str:
    """Return a number of bytes for people."""
    value = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if value < 1024:
            return f"{value:.0f} {unit}" if unit == "bytes" or value >= 100 else f"{value:.1f} {unit}"
        value /= 1024
    return f"{value:.1f} TiB"
