# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Reconnects to a module whose connection broke: the run continues, and the module is called again for its result."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.module_utils.parsing.convert_bool import boolean
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import coded

# The module's options and their defaults, as far as they matter here.
_SECONDS = 300
# Seconds between two attempts; and after which a connection counts as one that was there.
_PAUSE, _THERE = 2.0, 60.0
# So ssh says that it could not log in, and has started nothing.
_NO_LOGIN = re.compile(
    r"(?:^|ssh: )(?:ssh: connect to host|ssh: Could not resolve hostname|kex_exchange_identification: |"
    r"ssh_exchange_identification: |Host key verification failed|\S+: Permission denied|"
    r"Connection timed out during banner exchange)",
    re.MULTILINE,
)
# The folder that Ansible makes, as a shell's word.
_FOLDER = re.compile(r'mkdir ("` echo [^`"]*/ansible-tmp-[\d.-]+ `")')


def patience(action: ActionBase) -> float:
    """Return for how many seconds a run is asked for again whose connection was lost; 0 if it is not."""
    args: Mapping[str, Any] = action._task.args
    # What is left in doubt can be told by the lock and the history only.
    tells = boolean(args.get("lock", True), strict=False) and args.get("history_table") != ""
    over_ssh = type(action._connection).__module__ == "ansible.plugins.connection.ssh"
    if not (tells and over_ssh) or "databases" in args:
        return 0
    try:
        return float(args.get("reconnect", _SECONDS))
    except (TypeError, ValueError):
        # The module says what is wrong with it.
        return 0


def reconnecting(action: ActionBase, seconds: float, call: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """Call a module, and again when its connection breaks.

    :param seconds: for how long to try.
    :raises AnsibleConnectionFailure: the host could not be reached at first, or not again.
    """
    try:
        return call()
    except AnsibleConnectionFailure as error:
        # An unreachable host is reported at once.
        if not action.reached and _NO_LOGIN.search(str(error)):
            raise
    action._task.args = {**action._task.args, "reattach": True}
    name = action._task.args.get("login_db") or action._play_context.remote_addr
    Display().display(
        f"{name}: the connection to the runner was lost. The run continues there. Trying to reconnect for "
        f"{seconds:.0f} s."
    )
    deadline = time.monotonic() + seconds
    while True:
        time.sleep(_PAUSE)
        began = time.monotonic()
        try:
            with suppress(Exception):
                action._connection.reset()
            _remove_folders(action)
            return call()
        except AnsibleConnectionFailure as error:
            if time.monotonic() - began > _THERE:
                deadline = time.monotonic() + seconds
            if time.monotonic() > deadline:
                # Ansible would try to remove its folder on the host, and tell about nothing but that.
                action._cleanup_remote_tmp = False
                # From 2.19 on ansible-core would add the cause again.
                raise AnsibleConnectionFailure(
                    coded(
                        1119,
                        f"The connection was lost and could not be restored within {seconds:.0f} s: {error} The run "
                        "may still be in progress. Check with the playbook dbops.migrations.status, and run again "
                        "when it has finished.",
                    )
                ) from None


def _remove_folders(action: ActionBase) -> None:
    """Remove the folders that the host has made, and of which Ansible was not told, as the connection was lost.

    :raises AnsibleConnectionFailure: it was lost again.
    """
    folders = [found[1] for found in map(_FOLDER.search, action.cut) if found]
    if folders:
        # They are empty. One that was not made is not a failure.
        action._low_level_execute_command(f"rmdir {' '.join(folders)} 2>/dev/null", sudoable=False)
