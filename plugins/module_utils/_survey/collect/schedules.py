# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the clock starts: timers of systemd, and the tables of cron and anacron. Private to the collection."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Optional

from ..document import Schedule, Unseen
from .redaction import redacted
from .texts import read_or_empty, read_text, shown

# systemd.unit(5): the first one that has a unit counts.
_UNITS = (
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
)
# systemd.timer(5).
_WHEN = re.compile(r"(On(?:Calendar|Active|Boot|Startup|UnitActive|UnitInactive)(?:Sec)?)\s*=\s*(.*)")
_STARTS = re.compile(r"Unit\s*=\s*(\S+)")
# crontab(5): with the account in each line, and without.
_TABLES, _FOLDERS = ("/etc/crontab",), ("/etc/cron.d",)
# anacrontab(5): days, minutes to wait, a name, and the command.
_ANACRON = "/etc/anacrontab"
_SPOOLS = ("/var/spool/cron/crontabs", "/var/spool/cron")
_PERIODIC, _PERIODS = "/etc/cron.", ("hourly", "daily", "weekly", "monthly")
_SETTING = re.compile(r"[\w'\"]+\s*=")
# What package managers and editors leave, and cron passes by.
_LEFT = re.compile(r"\..*|.*(?:~|\.rpm(?:save|orig|new)|\.dpkg-\w+|\.swp|\.bak)|.*,v")


def schedules() -> tuple[list[Schedule], list[Unseen]]:
    """Return what the clock starts, sorted, and what of it could not be read."""
    closed: list[str] = []
    found = [*_timers(), *_cron(closed)]
    unseen = []
    if closed:
        why = f"The tables of cron in {', '.join(closed)} are not readable by this account."
        unseen = [Unseen("schedules", why, "Run the module as root (become: true).")]
    return sorted(found, key=lambda one: (one.kind, one.name, one.when, one.command)), unseen


def _timers() -> Iterator[Schedule]:
    for name in sorted({name for folder in _UNITS for name in _wanted(folder)}):
        text = _unit(name)
        when = [f"{match.group(1)}={match.group(2).strip()}" for match in _matches(_WHEN, text)]
        starts = [match.group(1) for match in _matches(_STARTS, text)]
        if when:
            unit = starts[-1] if starts else f"{name[: -len('.timer')]}.service"
            yield Schedule("timer", shown(name), shown(" ".join(when)), None, shown(unit))


def _wanted(folder: str) -> Iterator[str]:
    """Yield the timers that are switched on in a folder of units."""
    for target in _names(folder):
        if target.endswith((".wants", ".requires")):
            for name in _names(f"{folder}/{target}"):
                if name.endswith(".timer"):
                    yield name


def _unit(name: str) -> str:
    """Return the text of a unit with what has been added to it; an instance has that of its template."""
    template = re.sub(r"@.*\.timer$", "@.timer", name)
    texts = [read_or_empty(f"{folder}/{one}") for one in dict.fromkeys((name, template)) for folder in _UNITS]
    parts = [next(filter(None, texts), "")]
    for folder in reversed(_UNITS):
        for extra in sorted(_names(f"{folder}/{name}.d")):
            parts.append(read_or_empty(f"{folder}/{name}.d/{extra}"))
    return "\n".join(parts)


def _matches(pattern: re.Pattern[str], text: str) -> list[re.Match[str]]:
    """Return the settings of a unit; an empty one takes back those before it."""
    found: list[re.Match[str]] = []
    for line in text.splitlines():
        match = pattern.match(line.strip())
        if match and not match.group(match.lastindex or 0).strip():
            found = []
        elif match:
            found.append(match)
    return found


def _cron(closed: list[str]) -> Iterator[Schedule]:
    tables = [*_TABLES, *(f"{folder}/{name}" for folder in _FOLDERS for name in _names(folder) if not _left(name))]
    for path in tables:
        yield from _table(path, read_or_empty(path), None)
    yield from _anacron(read_or_empty(_ANACRON))
    for folder in _SPOOLS:
        try:
            names = os.listdir(folder)
        except PermissionError:
            closed.append(folder)
            continue
        except OSError:
            continue
        for name in names:
            if not os.path.isdir(f"{folder}/{name}") and not _left(name):
                try:
                    yield from _table(f"{folder}/{name}", read_text(f"{folder}/{name}"), name)
                except OSError:
                    closed.append(f"{folder}/{name}")
    for period in _PERIODS:
        for name in _names(f"{_PERIODIC}{period}"):
            path = f"{_PERIODIC}{period}/{name}"
            if not _left(name) and os.access(path, os.X_OK):
                yield Schedule("cron", f"{_PERIODIC}{period}", f"@{period}", "root", shown(path))


def _table(path: str, text: str, user: Optional[str]) -> Iterator[Schedule]:
    """Yield the lines of a table.

    :param user: whose it is; None: each line says it.
    """
    for line in map(str.strip, text.splitlines()):
        if not line or line.startswith("#") or _SETTING.match(line):
            continue
        fields = line.split(None, (1 if line.startswith("@") else 5) + (user is None))
        command = fields.pop() if len(fields) > (1 if line.startswith("@") else 5) + (user is None) else ""
        if not command:
            continue
        account = user or fields.pop()
        yield Schedule("cron", shown(path), shown(" ".join(fields)), shown(account), redacted([command]))


def _anacron(text: str) -> Iterator[Schedule]:
    """Yield the lines of the table of anacron, which catches up with what was missed while the host was off."""
    for line in map(str.strip, text.splitlines()):
        fields = line.split(None, 3)
        if len(fields) == 4 and not line.startswith("#") and not _SETTING.match(line):
            when = fields[0] if fields[0].startswith("@") else f"every {fields[0]} days"
            yield Schedule("cron", _ANACRON, shown(when), "root", redacted([fields[3]]))


def _left(name: str) -> bool:
    return bool(_LEFT.fullmatch(name))


def _names(folder: str) -> list[str]:
    try:
        return sorted(os.listdir(folder))
    except OSError:
        return []
