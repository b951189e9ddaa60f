# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The SSH agent that the module's environment names. Private to the collection."""

from __future__ import annotations

import os
import socket
import struct

from .._core.errors import Error

# Taken out of the environment, so that no ssh finds it that is not meant to.
SOCKET = os.environ.pop("SSH_AUTH_SOCK", None)
_SECONDS = 10
_LIST, _LISTED = 11, 12


def environment() -> dict[str, str]:
    """Return the environment by which ssh finds the agent, which answers and has keys."""
    if not SOCKET:
        raise Error(
            1312,
            "use_ssh_agent: SSH_AUTH_SOCK is not set for this task on the runner. Forward your agent (ForwardAgent=yes "
            "in ansible_ssh_common_args), or set it with environment; become may take it away.",
        )
    try:
        count = _keys(SOCKET)
    except (OSError, struct.error):
        raise Error(1313, f"use_ssh_agent: no SSH agent answers at {SOCKET!r} (SSH_AUTH_SOCK) on the runner.") from None
    if not count:
        raise Error(
            1314, f"use_ssh_agent: the SSH agent at {SOCKET!r} holds no keys. Add one with ssh-add, or unlock it."
        )
    return {"SSH_AUTH_SOCK": SOCKET}


def _keys(path: str) -> int:
    """Ask an agent how many keys it has."""
    with socket.socket(socket.AF_UNIX) as agent:
        agent.settimeout(_SECONDS)
        agent.connect(path)
        agent.sendall(struct.pack(">IB", 1, _LIST))
        _length, kind, count = struct.unpack(">IBI", agent.recv(9, socket.MSG_WAITALL))
    if kind != _LISTED:
        raise OSError("This is something else.")
    return int(count)
