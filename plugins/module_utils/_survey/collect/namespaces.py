# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The network namespaces of containers and others, which only root may enter. Private to the collection.

To list the sockets of one namespace, the kernel walks through all sockets. So each sample covers as many namespaces as
a few milliseconds allow, in turn, and at least one.
"""

from __future__ import annotations

import ctypes
import os
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Optional

from ..document import Flow, Listener, Source
from .conversations import Conversations
from .sockets import PROTOCOLS, Changes, Table

_OWN = "/proc/self/ns/net"
_SECONDS = 0.005
# setns(2).
_CLONE_NEWNET = 0x40000000


class _Space:
    """One namespace.

    :ivar name: as in Flow.namespace.
    :ivar pids: who is in it.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.pids: set[int] = set()
        self.conversations = Conversations(name)
        self.tables: list[Table] = []
        self.changes: list[tuple[Source, Changes]] = []


class Namespaces:
    """The namespaces beside this one in the window.

    :ivar closed: why they cannot be entered; None: they can, or there are none.
    """

    def __init__(self) -> None:
        self.closed: Optional[str] = None
        self._own = os.readlink(_OWN)
        self._spaces: dict[str, _Space] = {}

    def notice(self, processes: Mapping[int, Optional[str]]) -> None:
        """Take note of processes that are new.

        :param processes: the container of each, or None.
        """
        for pid, container in processes.items():
            try:
                place = os.readlink(f"/proc/{pid}/ns/net")
            except OSError:
                continue
            if place != self._own:
                space = self._spaces.setdefault(place, _Space(container or place))
                space.pids.add(pid)

    def look(self) -> tuple[list[int], list[int]]:
        """Look at some; return the inodes that came, and those that went."""
        began = time.process_time()
        came: list[int] = []
        went: list[int] = []
        for place in [] if self.closed else list(self._spaces):
            # To the end of the turn.
            space = self._spaces[place] = self._spaces.pop(place)
            space.changes = self._changes(space)
            came += [entry.inode for _source, changes in space.changes for entry in changes.opened]
            went += [entry.inode for _source, changes in space.changes for entry in changes.closed]
            if time.process_time() - began > _SECONDS:
                break
        return came, went

    def own(self, owners: Mapping[int, str], moment: str) -> None:
        """Add what was found to the conversations.

        :param owners: the Service.id for each inode that is known.
        """
        for space in self._spaces.values():
            if space.changes:
                space.conversations.add(space.changes, owners, moment)
                space.changes = []

    def listeners(self) -> list[Listener]:
        """Return the listeners in all of them."""
        return [one for space in self._sorted() for one in space.conversations.listeners()]

    def flows(self) -> Iterator[Flow]:
        """Yield the flows in all of them. No other sample follows."""
        for space in self._sorted():
            space.conversations.end()
            yield from space.conversations.flows()

    def _sorted(self) -> list[_Space]:
        return sorted(self._spaces.values(), key=lambda space: space.name)

    def _changes(self, space: _Space) -> list[tuple[Source, Changes]]:
        for pid in sorted(space.pids):
            try:
                # The thread ends inside, so that nobody has to come back.
                with ThreadPoolExecutor(1) as thread:
                    return thread.submit(_looked, space, pid).result()
            except PermissionError as error:
                self.closed = error.strerror
                return []
            except OSError:
                # That process is gone.
                space.pids.discard(pid)
        return []


def _looked(space: _Space, pid: int) -> list[tuple[Source, Changes]]:
    """Return what has changed in the network namespace of a process, in which the thread is from now on.

    :raises OSError: it is gone, or may not be entered.
    """
    place = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    try:
        _enter(place)
    finally:
        os.close(place)
    space.tables = space.tables or [Table(protocol) for protocol in PROTOCOLS]
    return [(table.source, table.changes(ended=True)) for table in space.tables]


def _enter(place: int) -> None:
    # Python has os.setns from 3.12 on.
    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(place, _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
