# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A survey of this host, from the first sample to the document. Private to the collection."""

from __future__ import annotations

import os
import re
import time
from typing import Callable, Optional

from ..document import SCHEMA_VERSION, Document, Flow, Interface, Listener, Storage, Unseen, What
from .conversations import Conversations
from .firewall import firewall
from .identity import identity, interfaces
from .namespaces import Namespaces
from .packages import with_packages
from .schedules import schedules
from .services import Services, moment
from .sockets import PROTOCOLS, Table, chosen_ports
from .storage import directories, volumes
from .system import mounts, resolution
from .texts import read_or_empty
from .tracking import Tracking
from .unix import Paths

# The seconds between two looks at the connections that have ended, which are there for 60.
_ENDED_EVERY = 20
_ROOT = "Run the module as root (become: true), outside of containers."


def survey(
    duration: float,
    interval: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Document:
    """Survey this host.

    :param duration: seconds. There is a sample at once, and one after each interval, the end included.
    :param interval: seconds between samples. Where one takes longer, the next ones are left out.
    :raises OSError: the kernel's tables cannot be read.
    """
    missing: list[Unseen] = []
    window = _Window(interval, _interfaces(missing), missing)
    started, begin, samples = time.time(), clock(), 0
    tick, looked = 0, -float(_ENDED_EVERY)
    while True:
        # Three times 0.1 is a little more than 0.3.
        last = (tick + 1) * interval > duration + 1e-6
        ended = last or tick * interval - looked >= _ENDED_EVERY
        looked = tick * interval if ended else looked
        window.sample(ended)
        samples += 1
        tick = max(tick + 1, int((clock() - begin) / interval) + 1)
        if tick * interval > duration + 1e-6:
            break
        sleep(max(0.0, begin + tick * interval - clock()))
    services = window.services.services()
    missing += _unseen(window.services)
    if os.geteuid():
        missing.append(Unseen("namespaces", "Only root may enter the network namespaces of containers.", _ROOT))
    elif window.namespaces.closed:
        why = f"The network namespaces of containers may not be entered ({window.namespaces.closed})."
        missing.append(Unseen("namespaces", why, _ROOT))
    rules, closed = firewall()
    missing += closed
    services, closed = with_packages(services)
    missing += closed
    clock_starts, closed = schedules()
    missing += closed
    data, closed = directories(services, window.services.pids())
    host = identity(window.interfaces)
    listeners = window.conversations.listeners()
    return Document(
        schema_version=SCHEMA_VERSION,
        host=host.hostname,
        run=re.sub(r"[-:]", "", moment(started)),
        started=moment(started),
        ended=moment(time.time()),
        duration=float(duration),
        interval=float(interval),
        samples=samples,
        privileged=os.geteuid() == 0 and not window.services.closed,
        unseen=missing + closed,
        identity=host,
        services=services,
        listeners=listeners + window.namespaces.listeners(),
        flows=window.flows(listeners),
        unix_flows=window.paths.flows() if window.paths else [],
        firewall=rules,
        storage=Storage(mounts=mounts(), volumes=volumes(), data=data),
        schedules=clock_starts,
        resolution=resolution(),
        mysql=None,
    )


class _Window:
    """What each sample reads.

    :param missing: what cannot be looked at is added to it.
    """

    def __init__(self, interval: float, addresses: list[Interface], missing: list[Unseen]) -> None:
        self.interfaces = addresses
        self.services = Services(interval)
        self.conversations = Conversations(chosen=chosen_ports())
        self.namespaces = Namespaces()
        self.paths: Optional[Paths] = None
        self._tables = [Table(protocol) for protocol in PROTOCOLS]
        own = [one.partition("/")[0] for entry in addresses for one in entry.addresses]
        self._tracking: Optional[Tracking] = Tracking(own)
        self._missing = missing
        try:
            self.paths = Paths()
        except OSError as error:
            self._cannot("sockets", "The kernel does not report Unix sockets", error, "Allow netlink sockets.")

    def sample(self, ended: bool) -> None:
        """Look once.

        :param ended: at connections that have ended, too.
        """
        self.services.look()
        found = [(table.source, table.changes(ended)) for table in self._tables]
        self.namespaces.notice(self.services.new())
        came, went = self.namespaces.look()
        if self.paths:
            opened, closed = self.paths.look()
            came, went = came + opened, went + closed
        came += [entry.inode for _source, changes in found for entry in changes.opened]
        went += [entry.inode for _source, changes in found for entry in changes.closed]
        self.services.find(came, went)
        now = moment(time.time())
        self.conversations.add(found, self.services.owners, now)
        self.namespaces.own(self.services.owners, now)
        if self.paths:
            self.paths.own(self.services.owners)
        if ended and self._tracking:
            try:
                self._tracking.look(now, self.conversations.waits)
            except OSError as error:
                self._tracking = None
                self._cannot("conntrack", "The kernel does not report connection tracking", error, _ROOT)

    def flows(self, listeners: list[Listener]) -> list[Flow]:
        """Return the flows. No other sample follows."""
        self.conversations.end()
        found = self.conversations.flows()
        found = self._tracking.merged(found, listeners) if self._tracking else found
        return [*found, *self.namespaces.flows()]

    def _cannot(self, what: What, why: str, error: OSError, remedy: str) -> None:
        self._missing.append(Unseen(what, f"{why} ({error.strerror or error}).", remedy))


def _interfaces(missing: list[Unseen]) -> list[Interface]:
    try:
        return interfaces()
    except OSError as error:
        why = f"The kernel does not report the host's addresses ({error.strerror or error})."
        missing.append(Unseen("identity", why, "Allow this account to use netlink sockets."))
        return []


def _unseen(services: Services) -> list[Unseen]:
    found = []
    if services.closed:
        count = f"{services.closed} of {services.total}"
        found.append(Unseen("processes", f"This account may not read the sockets of some processes ({count}).", _ROOT))
    if os.geteuid() and re.search(r"^\S+ /proc proc \S*hidepid=(?!0|off)", read_or_empty("/proc/self/mounts"), re.M):
        found.append(Unseen("processes", "The processes of other accounts are hidden (hidepid).", _ROOT))
    if services.postponed:
        why = "The processes of some connections were not looked up, to limit the load on a host with so many."
        found.append(Unseen("sockets", why, "Survey for longer."))
    return found
