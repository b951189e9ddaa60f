# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Merges several surveys of a host into one. Private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Callable, Optional, TypeVar

from ..document import DataDirectory, Document, Flow, MySQL, Service, UnixFlow, Unseen, What

_Entry = TypeVar("_Entry")


def merge(documents: Iterable[Document]) -> list[Document]:
    """Return one document for each host, sorted by host, and the same for documents in any order.

    Facts about the moment (addresses, mounts, rules, schedules) are taken from the newest survey. Services, listeners
    and connections accumulate. A part counts as not seen if no survey has seen it.
    """
    hosts: dict[str, list[Document]] = {}
    for document in sorted(documents, key=lambda one: (one.host, one.started, one.run)):
        hosts.setdefault(document.host, []).append(document)
    return [_merged(looks) if len(looks) > 1 else looks[0] for looks in hosts.values()]


def _merged(looks: Sequence[Document]) -> Document:
    """Return the looks at one host, the oldest first, as one."""
    newest = looks[-1]
    return newest._replace(
        started=looks[0].started,
        ended=max(look.ended for look in looks),
        duration=sum(look.duration for look in looks),
        samples=sum(look.samples for look in looks),
        privileged=any(look.privileged for look in looks),
        unseen=_unseen(looks),
        identity=_newest(looks, "identity").identity,
        services=_union((look.services for look in looks), lambda one: one.id, _service),
        listeners=_union((look.listeners for look in looks), lambda one: one, lambda _old, new: new),
        flows=_union((look.flows for look in looks), _conversation, _flow),
        unix_flows=_union((look.unix_flows for look in looks), lambda one: one._replace(samples=0), _path),
        firewall=_newest(looks, "firewall").firewall,
        storage=_newest(looks, "storage").storage._replace(data=_data(looks)),
        schedules=_newest(looks, "schedules").schedules,
        resolution=_newest(looks, "resolution").resolution,
        mysql=_mysql(looks),
    )


def _newest(looks: Sequence[Document], what: What) -> Document:
    """Return the newest look that saw a part; the newest, if none did."""
    return next((look for look in reversed(looks) if what not in {one.what for one in look.unseen}), looks[-1])


def _unseen(looks: Sequence[Document]) -> list[Unseen]:
    never = set.intersection(*map(_missed, looks))
    return [one for one in looks[-1].unseen if one.what in never]


def _missed(look: Document) -> set[What]:
    # A look that did not ask for a database has seen none.
    database: set[What] = set() if look.mysql else {"mysql"}
    return database | {one.what for one in look.unseen}


def _union(
    lists: Iterable[Iterable[_Entry]], key: Callable[[_Entry], Any], join: Callable[[_Entry, _Entry], _Entry]
) -> list[_Entry]:
    found: dict[Any, _Entry] = {}
    for entries in lists:
        for entry in entries:
            # Lists inside make an entry no key by themselves.
            name = str(key(entry))
            found[name] = join(found[name], entry) if name in found else entry
    return [found[name] for name in sorted(found)]


def _service(old: Service, new: Service) -> Service:
    return new._replace(
        processes=max(old.processes, new.processes), cpu_seconds=round(old.cpu_seconds + new.cpu_seconds, 2)
    )


def _conversation(flow: Flow) -> tuple[Optional[str], ...]:
    return (
        flow.service,
        flow.direction,
        flow.protocol,
        flow.local_address,
        flow.remote_address,
        str(flow.port),
        flow.peer_service,
        flow.namespace,
    )


def _flow(old: Flow, new: Flow) -> Flow:
    return new._replace(
        established=old.established or new.established,
        first_seen=min(old.first_seen, new.first_seen),
        last_seen=max(old.last_seen, new.last_seen),
        samples=old.samples + new.samples,
        connections=max(old.connections, new.connections),
        sources=sorted({*old.sources, *new.sources}),
        translated=new.translated or old.translated,
    )


def _path(old: UnixFlow, new: UnixFlow) -> UnixFlow:
    return new._replace(samples=old.samples + new.samples)


def _data(looks: Sequence[Document]) -> list[DataDirectory]:
    """Return the directories; of each the newest size that could be counted."""

    def join(old: DataDirectory, new: DataDirectory) -> DataDirectory:
        return old if new.size_bytes is None else new

    return _union((look.storage.data for look in looks), lambda one: (one.service, one.path), join)


def _mysql(looks: Sequence[Document]) -> Optional[MySQL]:
    """Return the newest answer of the server, with every account that was connected at one of the looks."""
    answers = [look.mysql for look in looks if look.mysql]
    if not answers:
        return None
    accounts = _union((one.accounts for one in answers), lambda one: one._replace(connections=0), lambda _old, new: new)
    return answers[-1]._replace(accounts=accounts)
