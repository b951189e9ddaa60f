# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names that the controller's resolver knows for addresses outside: asked for once, and kept with the observations."""

from __future__ import annotations

import ipaddress
import json
import socket
import threading
import time
from collections.abc import Iterable
from pathlib import Path

from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import Writer

FILE = "names.json"
# Of all questions together. A resolver that does not answer takes longer for one alone.
_SECONDS = 5.0
_AT_ONCE = 16


def load(directory: Path) -> dict[str, str]:
    """Return the names by address; empty: the resolver knew none. What is no such file counts as none."""
    try:
        data = json.loads((directory / FILE).read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(data, dict):
        return {}
    return {address: name for address, name in data.items() if isinstance(name, str)}


def keep(known: dict[str, str], writer: Writer) -> None:
    """Write what is known.

    :raises Error: it cannot be written.
    """
    if known:
        writer.write(FILE, json.dumps(known, ensure_ascii=False, indent=0, sort_keys=True) + "\n")


def ask(addresses: Iterable[str]) -> dict[str, str]:
    """Return what the resolver says in five seconds, the first ones first.

    An address to which it has said nothing by then is absent.
    """
    waiting = [*addresses][::-1]
    found: dict[str, str] = {}
    lock = threading.Lock()
    end = time.monotonic() + _SECONDS

    def work() -> None:
        while time.monotonic() < end:
            with lock:
                if not waiting:
                    return
                address = waiting.pop()
            name = _name(address)
            with lock:
                found[address] = name

    # One that waits for the resolver does not keep the process.
    workers = [threading.Thread(target=work, daemon=True) for _number in range(min(_AT_ONCE, len(waiting)))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(max(0.0, end - time.monotonic()))
    with lock:
        return dict(found)


def _name(address: str) -> str:
    try:
        name = socket.getnameinfo((address, 0), socket.NI_NAMEREQD)[0]
    except OSError:
        return ""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name
    return ""
