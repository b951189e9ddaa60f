# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""git_fetch, run once for all hosts of a task that want the same on the same runner."""

from __future__ import annotations

import fcntl
import hashlib
import json
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import coded
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import (
    explained,
    freeze_inherited,
    is_reported,
    told,
)

_RETURNED = ("changed", "commit", "previous_commit", "ref", "directory", "files", "diff")


class ActionModule(NormalAction):
    """Run the module, or reuse what it just returned for another database."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result; where another host's fetch is the same and has failed, that it has.

        Ansible runs each host in a process of its own. A file among Ansible's temporary ones, which this run alone
        uses and removes at its end, holds the result; its lock makes the others wait for the first.
        """
        variables = task_vars or {}
        if self._task.async_val or self._task.until or "ansible_loop_var" in variables:
            # Here the same options may be meant to ask again.
            return told(self, self._fetch(variables), variables)
        with Path(C.DEFAULT_LOCAL_TMP, f"git_fetch-{self._wish(variables)}").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            known = json.loads(file.read() or "{}")
            # A batch loses the hosts that fail, and the next one is to ask again.
            if variables["inventory_hostname"] not in known.get("batch", ()):
                known = {"batch": variables.get("ansible_play_batch", ()), "result": None}
                try:
                    result = self._fetch(variables)
                    known["result"] = self._shared(result, variables)
                    return told(self, result, variables)
                finally:
                    file.truncate(0)
                    json.dump(known, file)
        # Without a result the first was killed.
        return told(self, known["result"] or self._fetch(variables), variables)

    def _fetch(self, variables: dict[str, Any]) -> dict[str, Any]:
        freeze_inherited()
        return explained(self, super().run(task_vars=variables), variables)

    def _wish(self, variables: dict[str, Any]) -> str:
        """Return the digest of all that makes a difference: the task and its options, the runner."""
        connection, become = self._connection, self._connection.become
        local = connection.transport == "local"
        wish = [
            self._task._uuid,
            self._task.args,
            self._task.check_mode,
            self._task.diff,
            self._compute_environment_string(),
            self._templar.template(variables.get("ansible_python_interpreter")),
            connection.transport,
            # Some connections have their target among the options, others do not declare it.
            None if local else [self._play_context.remote_addr, connection.get_options()],
            become and [become.name, become.get_options()],
        ]
        return hashlib.sha256(json.dumps(wish, sort_keys=True, default=str).encode()).hexdigest()

    def _shared(self, result: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Return what the module would return if it were run again for another host."""
        if result.get("failed"):
            host, message = variables["inventory_hostname"], result.get("msg")
            if not is_reported(variables):
                message = coded(1241, f"The fetch failed: it is the one of {host}, whose message says why.")
            return {"failed": True, "changed": False, "msg": message}
        shared = {name: result[name] for name in _RETURNED if name in result}
        if not self._task.check_mode:
            shared.update(changed=False, previous_commit=result["commit"])
            shared.pop("diff", None)
        return shared
