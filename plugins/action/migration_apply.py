# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_apply, which is shown while it runs, and whose failure is told as one of the role's steps.

The role has one task for one schema and for many: a second one, which each host skips, would cost and show more.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.dbops.migrations.plugins.plugin_utils.progress import shown
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import Step


class ActionModule(Step):
    """Run the module; where the role names many schemas, the one for many in its place."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        # With until, the task comes here again.
        if "databases" in self._task.args and not self._task.action.endswith("_many"):
            self._task.action = f"{self._task.action}_many"
        with shown(self):
            return super().run(tmp, task_vars)
