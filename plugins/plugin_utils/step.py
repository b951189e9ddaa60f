# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A step of the role migrate: how its failure is reported to a person, and reported once.

Ansible prints a failure for each host, as JSON on one line. Where a play ends with migration_report, which tells each
reason once and in lines that can be read, the step says no more than that it has failed, and leaves the reason for the
report in a file among Ansible's temporary ones, which this run alone uses and removes at its end.
"""

from __future__ import annotations

import gc
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible.plugins.action import ActionBase
from ansible.plugins.action.normal import ActionModule as NormalAction
from ansible.utils.display import Display
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import coded
from ansible_collections.dbops.migrations.plugins.plugin_utils import report

# So a shell ends that finds no such program, or may not run it.
_NOT_STARTED = (126, 127)
# Short, so that Ansible's line is no longer than 120 characters.
TOLD_LATER = "See the report, or use -v."
# Where a variable of the role becomes an option of a module.
_OPTION = re.compile(r"'(\w{3,})': (migrate_\w+)")
_MORE = {
    "repo": "migrate_repository",
    "history_limit": "migrate_history_limit",
    "login_secret": "migrate_secret_id",
    **{name: f"migrate_aws_{name}" for name in ("access_key", "secret_key", "session_token")},
}
# Options whose names are words of such sentences, too.
_ORDINARY = ("directory", "lock", "job", "batch")
# An option in one of our sentences. A name with "_" is no other word; what is quoted, or part of a path or of a longer
# name, came from elsewhere. Any other name is one where a sentence begins, or where somebody is told to set it.
_LONG_NAME = r"""(?<![\w.'"`/-])({})\b(?!['"`/-]|\.\S)"""
_SHORT_NAME = (
    r"(^|[.:;] |\(|\b(?:[Ss]et|[Gg]ive|[Cc]heck|[Rr]aise|[Uu]se|accept|in|and|or) )({})"
    r"(?=[:,.;)]| \(| (?:is|to|must|holds|uses|names|has|and|or)\b|$)"
)
# What came from elsewhere in a message, or has words of ours that are not options there.
_OF_OTHERS = re.compile(
    r"( The statement: .*|(?<=must be one of: ).*?(?=, got: )"
    r"|(?<=The guards refuse this plan: ).*?(?=\. Correct the files))",
    re.S,
)


class Step(NormalAction):
    """Run the module of the action's name."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        variables = task_vars or {}
        freeze_inherited()
        return told(self, self.kept(super().run(task_vars=task_vars), variables), variables)

    def kept(self, result: dict[str, Any], _variables: Mapping[str, Any]) -> dict[str, Any]:
        """Keep what is to be kept of a result before the reason of a failure is told elsewhere; return it."""
        return result


class StepForMany(Step):
    """Run the module; where the role names many schemas, the one for many in its place.

    The role has one task for one schema and for many: a second one, which each host skips, would cost and show more.
    """

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the module's result."""
        # With until, the task comes here again.
        if "databases" in self._task.args and not self._task.action.endswith("_many"):
            self._task.action = f"{self._task.action}_many"
        return super().run(tmp, task_vars)


def freeze_inherited() -> None:
    """Exclude from garbage collection all that the controller had made before it forked this process.

    Ansible parses a module and all that it imports, and the many objects of that would have the collector go through
    the rest again and again.
    """
    gc.freeze()


def told(action: ActionBase, result: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a step's result; a failure in the words of the role, or left for the report."""
    if not result.get("failed"):
        # What an earlier play has left of a failure that counted as none is over.
        _file(variables["inventory_hostname"]).unlink(missing_ok=True)
        return result
    result = explained(action, result, variables)
    role = variables.get("role_path")
    if role and Path(role).name == "migrate" and "msg" in result:
        result["msg"] = in_role(str(result["msg"]), Path(role))
    if not is_reported(variables):
        return result
    lines = [str(result.get("msg")), *report.many(result)]
    reason = {"reason": "\n".join(lines), "database": result.get("database")}
    _file(variables["inventory_hostname"]).write_text(json.dumps(reason))
    kept: dict[str, Any] = {name: result[name] for name in ("warnings", "deprecations") if name in result}
    return {**kept, "failed": True, "changed": bool(result.get("changed")), "msg": TOLD_LATER}


def is_reported(variables: Mapping[str, Any]) -> bool:
    """Tell whether the reasons of failures are left for the report at the end of the play."""
    return bool(variables.get("__migrate_reports")) and not Display().verbosity


def left_for_the_report(host: str) -> dict[str, Any] | None:
    """Return the reason of a host's failure, and the name of its database if that is known; None if there is none."""
    try:
        reason: dict[str, Any] = json.loads(_file(host).read_text())
    except FileNotFoundError:
        return None
    return reason


def in_role(text: str, role: Path) -> str:
    """Return a module's message with the role's variables in place of the module's options."""
    names = dict(_MORE)
    for file in (role / "vars" / "main").glob("*.yml"):
        names.update(_OPTION.findall(file.read_text("utf-8")))
    long = "|".join(name for name in names if "_" in name)
    short = "|".join(name for name in names if "_" not in name and name not in _ORDINARY)
    parts = _OF_OTHERS.split(text)
    for place in range(0, len(parts), 2):
        ours = re.sub(_LONG_NAME.format(long), lambda match: names[match[1]], parts[place])
        parts[place] = re.sub(_SHORT_NAME.format(short), lambda match: match[1] + names[match[2]], ours)
    return "".join(parts)


def _file(host: str) -> Path:
    return Path(C.DEFAULT_LOCAL_TMP, f"migrate_failure-{hashlib.sha256(host.encode()).hexdigest()}")


def explained(action: ActionBase, result: dict[str, Any], variables: Mapping[str, Any]) -> dict[str, Any]:
    """Return a result; where the interpreter was not started, which Ansible cannot explain, what to do."""
    if not result.get("failed") or result.get("rc") not in _NOT_STARTED or "module_stderr" not in result:
        return result
    python = action._templar.template(variables.get("ansible_python_interpreter"))
    host = action._play_context.remote_addr or variables["inventory_hostname"]
    message = coded(
        1101,
        f"{python} on {host} does not exist, or this account may not run it. Prepare the host with the playbook "
        "dbops.migrations.prepare_runner, or set migrate_home or migrate_python.",
    )
    return {"failed": True, "changed": False, "msg": message}
