# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Runs migration_apply: shows its progress, reconnects to it, and writes its plan to a file.

Failures are reported as those of a step of the role.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleConnectionFailure
from ansible.utils.display import Display
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.plugin_utils.plan_file import PlanFile
from ansible_collections.dbops.migrations.plugins.plugin_utils.progress import shown
from ansible_collections.dbops.migrations.plugins.plugin_utils.reconnect import patience, reconnecting
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import StepForMany, told


class ActionModule(StepForMany):
    """Run the module; where the role names many schemas, the one for many in its place.

    :ivar reached: whether the host has carried out a command of this task.
    :ivar cut: the commands whose connection was lost.
    """

    reached = False
    cut: tuple[str, ...] = ()
    _plan_file: PlanFile | None = None

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        if self._task.args.get("plan_file"):
            try:
                self._plan_file = PlanFile(str(self._task.args["plan_file"]))
            except Error as error:
                return told(
                    self,
                    {"failed": True, "changed": False, "msg": coded(error.number, str(error))},
                    task_vars or {},
                )
        with shown(self) as run:
            seconds = patience(self) if run else 0
            if seconds <= 0:
                return super().run(tmp, task_vars)
            self._task.args = {**self._task.args, "detached": True}
            call = super().run
            return reconnecting(self, seconds, lambda: call(tmp, task_vars))

    def kept(self, result: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
        """Write the plan, if a file is named for it; return the result: a failure if the guards refuse the plan."""
        if self._plan_file is not None:
            try:
                self._plan_file.keep(self._task._uuid, variables["inventory_hostname"], result)
            except OSError as error:
                # What was to be done is done.
                Display().warning(coded(2121, f"The plan could not be written to plan_file: {error}"))
        if result.get("refusal") and not result.get("failed"):
            # Ansible shows no diff of a task that fails, and a person is to see it. Another task that fails would come
            # under the condition with which somebody imports the role, which may be about the result before this one.
            if not self._task.no_log and "prepared" in result.get("diff", {}):
                Display().display(result["diff"]["prepared"])
            result.update(failed=True, msg=result["refusal"])
        return result

    def _low_level_execute_command(self, cmd: str, *args: Any, **more: Any) -> dict[str, Any]:
        try:
            result: dict[str, Any] = super()._low_level_execute_command(cmd, *args, **more)
        except AnsibleConnectionFailure:
            self.cut = (*self.cut, cmd)
            raise
        self.reached = True
        return result
