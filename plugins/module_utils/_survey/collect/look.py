# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One look at this host, from the first sample to the document. Private to the collection."""

from __future__ import annotations

import os
import re
import time
from typing import Callable

from ..document import SCHEMA_VERSION, Document, Storage, Unseen, What
from .conversations import Conversations
from .firewall import firewall
from .identity import identity, interfaces
from .packages import with_packages
from .schedules import schedules
from .services import Services, moment
from .sockets import PROTOCOLS, Table
from .storage import directories, volumes
from .system import mounts, resolution
from .texts import read_or_empty

# The seconds between two looks at the connections that have ended, which are there for 60.
_ENDED_EVERY = 20
_LATER = "Wait for a version that collects it, or look by hand."
_ROOT = "Run the module as root (become: true), outside of containers."
_NOT_COLLECTED: tuple[tuple[What, str], ...] = (
    ("conntrack", "Connections shorter than the interval, and translated addresses, are"),
    ("namespaces", "Sockets in the network namespaces of containers are"),
    ("sockets", "Unix sockets are"),
)


def survey(
    duration: float,
    interval: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Document:
    """Look at this host.

    :param duration: seconds. There is a sample at once, and one after each interval, the end included.
    :param interval: seconds between samples. Where one takes longer, the next ones are left out.
    :raises OSError: the kernel's tables cannot be read.
    """
    services, conversations = Services(interval), Conversations()
    tables = [Table(protocol) for protocol in PROTOCOLS]
    started, begin, samples = time.time(), clock(), 0
    tick, looked = 0, -float(_ENDED_EVERY)
    while True:
        # Three times 0.1 is a little more than 0.3.
        last = (tick + 1) * interval > duration + 1e-6
        ended = last or tick * interval - looked >= _ENDED_EVERY
        looked = tick * interval if ended else looked
        services.look()
        found = [(table.source, table.changes(ended)) for table in tables]
        services.find(
            [entry.inode for _source, changes in found for entry in changes.opened],
            [entry.inode for _source, changes in found for entry in changes.closed],
        )
        conversations.add(found, services.owners, moment(time.time()))
        samples += 1
        tick = max(tick + 1, int((clock() - begin) / interval) + 1)
        if tick * interval > duration + 1e-6:
            break
        sleep(max(0.0, begin + tick * interval - clock()))
    conversations.end()
    missing: list[Unseen] = []
    try:
        addresses = interfaces()
    except OSError as error:
        addresses = []
        why = f"The kernel does not tell the host's addresses ({error.strerror or error})."
        missing.append(Unseen("identity", why, "Allow netlink sockets to this account."))
    host = identity(addresses)
    known = services.services()
    rules, closed = firewall()
    missing += closed
    known, closed = with_packages(known)
    missing += closed
    clock_starts, closed = schedules()
    missing += closed
    data, closed = directories(known, services.pids())
    return Document(
        schema_version=SCHEMA_VERSION,
        host=host.hostname,
        run=re.sub(r"[-:]", "", moment(started)),
        started=moment(started),
        ended=moment(time.time()),
        duration=float(duration),
        interval=float(interval),
        samples=samples,
        privileged=os.geteuid() == 0 and not services.closed,
        unseen=missing + closed + _unseen(services),
        identity=host,
        services=known,
        listeners=conversations.listeners(),
        flows=conversations.flows(),
        unix_flows=[],
        firewall=rules,
        storage=Storage(mounts=mounts(), volumes=volumes(), data=data),
        schedules=clock_starts,
        resolution=resolution(),
        mysql=None,
    )


def _unseen(services: Services) -> list[Unseen]:
    found = []
    if services.closed:
        count = f"{services.closed} of {services.total}"
        found.append(Unseen("processes", f"The sockets of some processes are closed to this account ({count}).", _ROOT))
    if os.geteuid() and re.search(r"^\S+ /proc proc \S*hidepid=(?!0|off)", read_or_empty("/proc/self/mounts"), re.M):
        found.append(Unseen("processes", "The processes of other accounts are hidden (hidepid).", _ROOT))
    if services.postponed:
        why = "The processes of some connections were not looked for, to spare a host with so many."
        found.append(Unseen("sockets", why, "Look for longer."))
    return found + [Unseen(what, f"{why} not collected by this version.", _LATER) for what, why in _NOT_COLLECTED]
