# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned of the status of many schemas. Pure; private to the collection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from ..info import Info, line
from ..model import Source
from ..report import count, few

# So many names stand for a group.
_FIRST = 5


def overview(found: Mapping[str, Info], source: Source) -> dict[str, Any]:
    """Return the return values.

    :param found: each schema's status, in order.
    """
    readable = [info.standing for info in found.values() if info.standing]
    unreadable = len(found) - len(readable)
    healthy = [stands for stands in readable if stands["healthy"]]
    behind = sum(bool(stands["pending"]) for stands in healthy)
    unhealthy = len(readable) - len(healthy)
    counts = [
        f"{len(healthy) - behind} up to date",
        f"{behind} behind",
        *([f"{unhealthy} unhealthy"] if unhealthy else []),
        *([f"{unreadable} unreadable"] if unreadable else []),
    ]
    return {
        "total": len(found),
        "healthy": len(healthy) == len(found),
        "up_to_date": len(healthy) - behind,
        "behind": behind,
        "unhealthy": unhealthy,
        "unreadable": unreadable,
        "groups": sorted(_groups(found, source), key=lambda group: -int(group["count"])),
        "databases": [{**info.standing, **info.own} for info in found.values() if _is_said(info)],
        "msg": f"{count(len(found), 'database')}: {', '.join(counts)}",
    }


def _groups(found: Mapping[str, Info], source: Source) -> Iterator[dict[str, Any]]:
    """Group schemas that have the same status."""
    # Most of them have one object in common, which need not be compared again.
    same: dict[int, list[str]] = {}
    for name, info in found.items():
        if info.standing:
            same.setdefault(id(info.standing), []).append(name)
    alike: dict[str, list[str]] = {}
    for names in same.values():
        alike.setdefault(json.dumps(found[names[0]].standing), []).extend(names)
    places = {name: place for place, name in enumerate(found)}
    for names in alike.values():
        names.sort(key=places.__getitem__)
        stands = found[names[0]].standing
        yield {
            **stands,
            "count": len(names),
            "first": names[:_FIRST],
            "msg": line(few(names), stands, source),
        }


def _is_said(info: Info) -> bool:
    """Tell whether something has to be said about a schema that is not said about its group."""
    return not info.standing or not info.standing["healthy"] or info.own.get("lock_holder") is not None
