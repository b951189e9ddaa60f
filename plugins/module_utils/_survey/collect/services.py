# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Processes, grouped into services, and the sockets that are theirs. Private to the collection.

To read 2,000 processes takes a tenth of a second of processor, and to look for the sockets of all of them as long. So a
process is read when it is new, again if it is young, as it may yet become the program that it was started for,
then at every sixtieth sample, and at the end. Its sockets are looked for if somebody's are wanted, and first with
those who are likely to have them.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Optional

from ..document import Service
from .processes import Process, pids, process, socket_inodes
from .texts import read_text

# The seconds within which a process becomes what it was started for.
_YOUNG = 5
# At one sample of how many an old process is read.
_TURNS = 60
# The seconds of processor that looking for sockets may take at first, and in each second of the window.
_FIRST, _EACH = 0.2, 0.004


def moment(seconds: float) -> str:
    """Return a time in the format of the document.

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


class _Running:
    """A process that is there.

    :ivar latest: None: a thread of the kernel's, or this account may not see it.
    :ivar service: its Service.id.
    :ivar before: its processor seconds when it became this service, or the window began.
    """

    __slots__ = ("before", "latest", "service")

    def __init__(self) -> None:
        self.latest: Optional[Process] = None
        self.service = ""
        self.before = 0.0


class _Group:
    """The processes of one service, of which those that are gone are added up."""

    __slots__ = ("cpu_seconds", "largest", "memory_bytes", "oldest", "pids")

    def __init__(self, first: Process) -> None:
        self.oldest = first
        self.pids: set[int] = set()
        self.largest = self.memory_bytes = 0
        self.cpu_seconds = 0.0


class Services:
    """The services of the host in the window.

    :param interval: the seconds between samples.
    :ivar owners: the Service.id for each inode of a socket that is there and has been found.
    :ivar closed: of how many processes this account may not see everything.
    :ivar total: how many processes there were.
    :ivar postponed: whether sockets were not looked for everywhere, so as not to burden the host.
    """

    def __init__(self, interval: float = 1.0) -> None:
        self.owners: dict[int, str] = {}
        self.closed = 0
        self.total = 0
        self.postponed = False
        self._began = uptime()
        self._booted = time.time() - self._began
        self._running: dict[int, _Running] = {}
        self._groups: dict[str, _Group] = {}
        self._new: set[int] = set()
        self._young: set[int] = set()
        self._shut: set[int] = set()
        self._looks = 0
        # The inodes whose owner is wanted, with the number of searches and the look at which the next is due.
        self._wanted: dict[int, tuple[int, int]] = {}
        # Those who had sockets, the latest last; and with whom of the others the next search begins.
        self._likely: dict[int, None] = {}
        self._next = 0
        self._interval = interval
        self._budget = _FIRST

    def look(self) -> None:
        """Take note of the processes that there are now."""
        self._looks += 1
        now = set(pids())
        self._leave(self._running.keys() - now)
        young, self._young = self._young, set()
        self._new = now - self._running.keys()
        self.total += len(self._new)
        for pid in self._new:
            self._running[pid] = _Running()
        turn = self._looks % _TURNS
        for pid in sorted(self._new | (young & now)):
            self._read(pid, fresh=True)
        for pid in now - self._new - young:
            if pid % _TURNS == turn:
                self._read(pid)

    def find(self, opened: Iterable[int], closed: Iterable[int]) -> None:
        """Look for the owners of sockets; what has been looked for in vain is looked for ever less often.

        :param opened: the inodes of sockets that have come.
        :param closed: of those that have gone.
        """
        opened = set(opened)
        for inode in set(closed) - opened:
            self.owners.pop(inode, None)
            self._wanted.pop(inode, None)
        self._wanted.update((inode, (0, self._looks)) for inode in opened if inode and inode not in self.owners)
        due = {inode for inode, (_searches, when) in self._wanted.items() if when <= self._looks}
        self._budget = min(self._budget + _EACH * self._interval, _FIRST)
        if not due:
            return
        for inode, service in self._search(due).items():
            self.owners[inode] = service
            del self._wanted[inode]
            due.discard(inode)
        if self._budget > 0:
            for inode in due:
                searches = self._wanted[inode][0] + 1
                self._wanted[inode] = (searches, self._looks + min(2 ** (searches - 1), _TURNS))

    def services(self) -> list[Service]:
        """Return the services, sorted. Processes that are still there are read again."""
        for pid in list(self._running):
            self._read(pid)
        return [self._service(name, group) for name, group in sorted(self._groups.items())]

    def new(self) -> dict[int, Optional[str]]:
        """Return the processes that came at the last look, each with its container."""
        latest = {pid: self._running[pid].latest for pid in self._new}
        return {pid: found.container for pid, found in latest.items() if found}

    def pids(self) -> dict[str, int]:
        """Return the oldest process of each service that still has one."""
        return {name: min(group.pids) for name, group in self._groups.items() if group.pids}

    def _search(self, due: set[int]) -> dict[int, str]:
        """Return the owners that are found, as long as the budget lasts."""
        found: dict[int, str] = {}
        for pid in self._candidates():
            if len(found) == len(due):
                break
            if self._budget <= 0:
                self.postponed = True
                self._next = pid
                break
            began = time.thread_time()
            try:
                mine = due.intersection(socket_inodes(pid)) - found.keys()
            except PermissionError:
                self._deny(pid)
                continue
            if mine:
                # It may be another program since it was read.
                self._read(pid)
                found.update(dict.fromkeys(mine, self._running[pid].service))
                self._likely.pop(pid, None)
                self._likely[pid] = None
            self._budget -= time.thread_time() - began
        return found

    def _candidates(self) -> list[int]:
        """Return who may have a socket, the likely ones first.

        Of those who share one, the lowest number has made it; systemd, which made it for others, comes last.
        """
        likely = [pid for pid in reversed(self._likely) if pid != 1 and pid not in self._new]
        first = sorted(self._new - {1}) + likely
        known = {*first, 1}
        others = sorted(self._running.keys() - known)
        start = next((place for place, pid in enumerate(others) if pid >= self._next), 0)
        first += others[start:] + others[:start] + [1]
        return [pid for pid in first if pid in self._running and self._running[pid].latest and pid not in self._shut]

    def _deny(self, pid: int) -> None:
        if pid not in self._shut:
            self._shut.add(pid)
            self.closed += 1

    def _read(self, pid: int, fresh: bool = False) -> None:
        """Read a process.

        :param fresh: all of it, as its account and its unit may have changed, too.
        """
        running = self._running[pid]
        before = running.latest
        try:
            found = process(pid, None if fresh else before)
        except PermissionError:
            self._deny(pid)
            return
        if found is None:
            # It is gone, and what was known of it stays.
            return
        if found.started > self._began + self._looks * self._interval - _YOUNG:
            self._young.add(pid)
        name = service_id(found)
        same = before is not None and before.started == found.started
        if not same or name != running.service:
            self._part({pid})
            running.before = found.cpu_seconds if same or found.started < self._began else 0.0
        running.latest, running.service = found, name
        group = self._groups.setdefault(name, _Group(found))
        group.pids.add(pid)
        group.largest = max(group.largest, len(group.pids))
        if (found.started, pid) <= (group.oldest.started, group.oldest.pid):
            group.oldest = found

    def _leave(self, gone: set[int]) -> None:
        self._part(gone)
        for pid in gone:
            del self._running[pid]
            self._likely.pop(pid, None)
        self._shut -= gone

    def _part(self, gone: set[int]) -> None:
        """Take processes out of their services, which keep what they have used."""
        memory: dict[str, int] = {}
        for pid in gone:
            running = self._running[pid]
            if running.latest:
                group = self._groups[running.service]
                group.pids.discard(pid)
                group.cpu_seconds += running.latest.cpu_seconds - running.before
                memory[running.service] = memory.get(running.service, 0) + running.latest.memory_bytes
        for name, size in memory.items():
            if not self._groups[name].pids:
                self._groups[name].memory_bytes = size

    def _service(self, name: str, group: _Group) -> Service:
        oldest = group.oldest
        current = [self._running[pid] for pid in group.pids]
        running = [(one.latest, one.before) for one in current if one.latest]
        used = sum(latest.cpu_seconds - before for latest, before in running)
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
            processes=group.largest,
            started=moment(self._booted + oldest.started),
            memory_bytes=sum(latest.memory_bytes for latest, _before in running) if running else group.memory_bytes,
            cpu_seconds=round(group.cpu_seconds + used, 2),
        )
