# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How much there is to copy, and how long it takes. Private to the collection."""

from __future__ import annotations

from typing import NamedTuple

from ..document import Document

# What is left of a line for data: TCP's and the copying program's own share, and others on the line.
_USABLE = 0.8


class Transfer(NamedTuple):
    """What a host's move copies.

    :ivar bytes: of the data of its services, if that is known of all that have any, else of its own file systems.
    :ivar least: it is at least as much, as something could not be counted.
    :ivar hours: at the bandwidth that was given.
    :ivar basis: what the number is based on.
    """

    bytes: int
    least: bool
    hours: float
    basis: str


def transfer(document: Document, megabits: float) -> Transfer:
    """Return what a host's move copies.

    :param megabits: the bandwidth between the old and the new host, in Mbit/s.
    :raises ValueError: that is not above zero.
    """
    if not megabits > 0:
        raise ValueError(f"The bandwidth is {megabits}. Give more than 0 megabits a second.")
    data = document.storage.data
    known = [one.size_bytes for one in data if one.size_bytes is not None]
    if data and len(known) == len(data):
        # One directory of two services is copied once.
        sizes = {one.path: one.size_bytes or 0 for one in data}
        size, least = sum(sizes.values()), any(one.partial for one in data)
        basis = f"the data directories {', '.join(sorted(sizes))}"
    else:
        own = {one.source: one.used_bytes for one in document.storage.mounts if not one.network}
        size, least = sum(own.values()), False
        basis = "the used space of the host's own file systems, because no data directories are known"
    return Transfer(size, least, round(size * 8 / (megabits * 1e6 * _USABLE) / 3600, 2), basis)
