# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module whose interpreter could not be started: what to do, which Ansible does not know."""

from __future__ import annotations

from typing import Any

from ansible.plugins.action import ActionBase

# So a shell ends that finds no such program, or may not run it.
_NOT_STARTED = (126, 127)


def explained(action: ActionBase, result: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
    """Return a module's result, or a failure that says what is missing if its interpreter was not started."""
    if not result.get("failed") or result.get("rc") not in _NOT_STARTED or "module_stderr" not in result:
        return result
    python = action._templar.template(variables.get("ansible_python_interpreter"))
    host = action._play_context.remote_addr or variables["inventory_hostname"]
    message = (
        f"{python} on {host} does not exist, or this account may not run it. Prepare the host with the playbook "
        "dbops.migrations.prepare_runner, or set migrate_home or migrate_python."
    )
    return {"failed": True, "changed": False, "msg": message}
