# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Shows the progress of a running module: a thread reads what it writes, by further commands of the connection.

The module keeps one line in a file on the runner, see module_utils/_migration/progress. The thread has copies of the
connection and of what becomes another account there, as these keep notes of the command that is running.
"""

from __future__ import annotations

import contextvars
import copy
import json
import shlex
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import chain, repeat
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import clean
from ansible_collections.dbops.migrations.plugins.module_utils._migration.progress.file import PREFIX

# Seconds before the first look, and from each to the next; the last of them again and again.
PAUSES = (5, 2, 2, 2, 5, 10)
# For each command these start a program of its own.
_CONNECTIONS = ("ansible.plugins.connection.local", "ansible.plugins.connection.ssh")
# Characters of a line.
_LONGEST = 1000
# Said before it matters: after Ctrl-C ansible-core ends at once what could still say it.
_CONTINUES = ". It continues after Ctrl-C: see dbops.migrations.status"


@contextmanager
def shown(action: ActionBase) -> Iterator[str]:
    """Give the module of a task a number, and show what it does for the length of a ``with`` block.

    Where that cannot be, the module runs as any other, and the number is empty.
    """
    reason = hindrance(action)
    if reason:
        _say_why(action, reason)
        yield ""
        return
    run = uuid.uuid4().hex
    action._task.args = {**action._task.args, "run_id": run}
    over = threading.Event()
    # What Ansible knows of the task belongs to the thread that runs it.
    context = contextvars.copy_context()
    thread = threading.Thread(target=context.run, args=(_follow, action, run, over), daemon=True)
    thread.start()
    try:
        yield run
    finally:
        over.set()
        # One more line would come after the result; a connection that hangs keeps nobody waiting.
        thread.join(2)


def hindrance(action: ActionBase) -> str:
    """Say what hinders the progress of a task from being shown; nothing if nothing does."""
    task, connection = action._task, action._connection
    hindrances = (
        (task.check_mode, "check mode"),
        (task.async_val, "async"),
        (task.until, "until"),
        (task.no_log, "no_log"),
        (
            type(connection).__module__ not in _CONNECTIONS,
            f"the connection {connection.transport}, which is not known to run two commands at once",
        ),
    )
    return next((reason for holds, reason in hindrances if holds), "")


def _say_why(action: ActionBase, reason: str) -> None:
    Display().v(f"{action._task.action}: its progress is not shown, because of {reason}.")


def _follow(action: ActionBase, run: str, over: threading.Event) -> None:
    """Show each line once, until it is over."""
    looker = _second(action)
    told: set[str] = set()
    last = ""
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        if over.wait(pause):
            return
        values: dict[str, Any] = {}
        # Whatever the connection answers, the module's own command will say it.
        with suppress(Exception):
            values = _read(looker, run)
        if values.get("refused"):
            _say_why(action, "remote_tmp, to which the account cannot write")
            return
        line = _line(values, "text")
        if line and line != last and not over.is_set():
            # It is set after this thread has started.
            detached = not last and action._task.args.get("detached")
            _show(f"{line}{_CONTINUES if detached else ''}")
            last = line
        advice = _line(values, "hint")
        if advice and advice not in told:
            _show(advice)
            told.add(advice)


def _second(action: ActionBase) -> ActionBase:
    """Return an action with a connection that may be used beside the other one's."""
    looker: ActionBase = copy.copy(action)
    looker._connection = copy.copy(action._connection)
    looker._connection.become = copy.copy(action._connection.become)
    return looker


def _read(looker: ActionBase, run: str) -> dict[str, Any]:
    folder = _folder(looker)
    # As the module does, which makes the folder before it writes to it.
    writable = f"( mkdir -p -m 700 {folder} && test -w {folder} ) 2>/dev/null"
    refused = shlex.quote(json.dumps({"refused": True}))
    command = f"cat {folder}/{PREFIX}{run} 2>/dev/null || {writable} || echo {refused}"
    found = looker._low_level_execute_command(command)
    values = json.loads(found["stdout"] or "{}")
    return values if isinstance(values, dict) else {}


def _folder(looker: ActionBase) -> str:
    """Return the folder's name for a shell, in which its variables and the home of an account are expanded."""
    folder = str(looker.get_shell_option("remote_tmp", default="~/.ansible/tmp"))
    home, slash, rest = folder.partition("/") if folder.startswith("~") else ("", "", folder)
    return f'{home}{slash}"{rest}"'


def _line(values: dict[str, Any], name: str) -> str:
    # Whoever can write to the file could write anything.
    return " ".join(clean(str(values.get(name) or "")).split())[:_LONGEST]


def _show(text: str) -> None:
    # What reads a callback's JSON would find something else in it.
    Display().display(text, stderr="json" in str(C.DEFAULT_STDOUT_CALLBACK))
