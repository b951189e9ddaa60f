# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Writes what each task returned to the file $TASK_RESULTS, one JSON object a line."""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.plugins.callback import CallbackBase

DOCUMENTATION = """
name: task_results
type: aggregate
short_description: Task results as a file
description:
  - For the tests. What C(no_log) hides is hidden here too.
"""


class CallbackModule(CallbackBase):
    """Collects the results as they come."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "aggregate"
    CALLBACK_NAME = "task_results"

    def _write(self, event: dict[str, Any]) -> None:
        if "TASK_RESULTS" in os.environ:
            with open(os.environ["TASK_RESULTS"], "a", encoding="utf-8") as file:
                file.write(json.dumps(event, default=str) + "\n")

    def _task(self, status: str, result: Any) -> None:
        values = result.result if hasattr(result, "result") else result._result
        host, task = result._host.get_name(), result._task.get_name().strip()
        self._write({"host": host, "task": task, "status": status, "result": values})

    def v2_runner_on_ok(self, result: Any) -> None:
        self._task("ok", result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        self._task("failed", result)

    def v2_runner_on_skipped(self, result: Any) -> None:
        self._task("skipped", result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        self._task("unreachable", result)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        self._write({"stats": {host: stats.summarize(host) for host in stats.processed}})
