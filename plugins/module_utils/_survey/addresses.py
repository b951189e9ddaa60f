# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks and ranges of addresses, as the document has them. Private to the collection."""

from __future__ import annotations

import ipaddress
from typing import Any


def other_addresses(entries: list[str]) -> list[str]:
    """Return the ranges of all addresses of the same version that are in none of these networks and ranges.

    :raises ValueError: one of them is neither.
    """
    taken = sorted(bounds(entry) for entry in entries)
    version = taken[0][0].version
    make = ipaddress.IPv4Address if version == 4 else ipaddress.IPv6Address
    start, end = 0, 2**32 - 1 if version == 4 else 2**128 - 1
    found = []
    for first, last in taken:
        if int(first) > start:
            found.append(f"{make(start)}-{make(int(first) - 1)}")
        start = max(start, int(last) + 1)
    return found + ([f"{make(start)}-{make(end)}"] if start <= end else [])


def bounds(entry: str) -> tuple[Any, Any]:
    """Return the first and the last address of an address, a network or a range.

    :raises ValueError: it is something else.
    """
    first, dash, last = entry.partition("-")
    if dash:
        return ipaddress.ip_address(first), ipaddress.ip_address(last)
    network = ipaddress.ip_network(entry, strict=False)
    return network[0], network[-1]
