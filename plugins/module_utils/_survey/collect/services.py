# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes, grouped into services, and the sockets that are theirs. Private to the collection.

To read 2,000 processes takes a tenth of a second of processor, so each is read when it is new, at the next sample, by
which time it has become the program that it was started for, and at the end.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Optional

from ..document import Service
from .processes import Process, pids, process, socket_inodes
from .texts import read_text

_READS = 2


def moment(seconds: float) -> str:
    """Return a time as the document has it.

    :param seconds: since 1970.
    """
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def uptime() -> float:
    """Return the seconds since the machine was started."""
    return float(read_text("/proc/uptime").split()[0])


def service_id(found: Process) -> str:
    """Return the Service.id of a process: ``nginx@www-data/nginx.service``."""
    parts = [f"{found.name}@{found.user}", found.unit, found.container and found.container[:12]]
    return "/".join(part for part in parts if part)


class _Seen:
    """One process in the window."""

    __slots__ = ("before", "latest", "reads")

    def __init__(self) -> None:
        self.reads = 0
        self.latest: Optional[Process] = None
        # Its processor seconds when the window began.
        self.before = 0.0


class Services:
    """The services of the host in the window.

    :ivar owners: the Service.id for each inode of a socket that has been found.
    :ivar closed: the processes of which this account may not see everything.
    :ivar total: the processes that there were.
    """

    def __init__(self) -> None:
        self.owners: dict[int, str] = {}
        self.closed: set[int] = set()
        self.total: set[int] = set()
        self._began = uptime()
        self._booted = time.time() - self._began
        self._seen: dict[int, _Seen] = {}
        self._current: list[int] = []
        self._largest: Counter[str] = Counter()
        # Who was there at the last sample at which any process of the service was.
        self._members: dict[str, list[int]] = {}
        self._in_vain: set[int] = set()

    def look(self) -> None:
        """Take note of the processes that there are now."""
        # The lowest number is the one that made a socket; systemd, which made it for others, comes last.
        self._current = sorted(pids(), key=lambda pid: (pid == 1, pid))
        self.total.update(self._current)
        for pid in self._current:
            seen = self._seen.get(pid)
            if seen is None:
                seen = self._seen[pid] = _Seen()
            if seen.reads < _READS:
                self._read(pid, seen)
        self._count()

    def find(self, inodes: Iterable[int]) -> None:
        """Add the owners of sockets to ``owners``; what has been looked for once is not looked for again."""
        wanted = {inode for inode in inodes if inode and inode not in self.owners and inode not in self._in_vain}
        for pid in self._current:
            if not wanted:
                return
            found = self._seen[pid].latest
            if found is None:
                continue
            try:
                mine = wanted.intersection(socket_inodes(pid))
            except PermissionError:
                self.closed.add(pid)
                continue
            self.owners.update(dict.fromkeys(mine, service_id(found)))
            wanted -= mine
        self._in_vain |= wanted

    def services(self) -> list[Service]:
        """Return the services, sorted. Processes that are still there are read once more."""
        for pid in self._current:
            self._read(pid, self._seen[pid])
        groups: dict[str, list[_Seen]] = {}
        for seen in self._seen.values():
            if seen.latest:
                groups.setdefault(service_id(seen.latest), []).append(seen)
        return [self._service(name, group) for name, group in sorted(groups.items())]

    def _read(self, pid: int, seen: _Seen) -> None:
        seen.reads += 1
        try:
            found = process(pid)
        except PermissionError:
            self.closed.add(pid)
            return
        if found is None:
            # It is gone, and what was known of it stays.
            return
        if seen.latest is None or found.started != seen.latest.started:
            seen.before = found.cpu_seconds if found.started < self._began else 0.0
        seen.latest = found

    def _count(self) -> None:
        members: dict[str, list[int]] = {}
        for pid in self._current:
            found = self._seen[pid].latest
            if found:
                members.setdefault(service_id(found), []).append(pid)
        for name, group in members.items():
            self._largest[name] = max(self._largest[name], len(group))
        self._members.update(members)

    def _service(self, name: str, group: list[_Seen]) -> Service:
        found = [seen.latest for seen in group if seen.latest]
        oldest = min(found, key=lambda one: (one.started, one.pid))
        last = set(self._members.get(name, ()))
        return Service(
            id=name,
            program=oldest.program,
            name=oldest.name,
            user=oldest.user,
            unit=oldest.unit,
            container=oldest.container,
            package=None,
            version=None,
            executable=oldest.executable,
            command=oldest.command,
            processes=max(self._largest[name], 1),
            started=moment(self._booted + oldest.started),
            memory_bytes=sum(one.memory_bytes for one in found if one.pid in last),
            cpu_seconds=round(sum(seen.latest.cpu_seconds - seen.before for seen in group if seen.latest), 2),
        )
