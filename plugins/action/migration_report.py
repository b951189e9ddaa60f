# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_report: what the role migrate did for each host, for people and for AWX.

In Python, because what comes from runners, secrets and servers must not pass through a template as text: set_stats
templates it once more, and ansible-core before 2.19 then runs what a database's name says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ansible.plugins.action import ActionBase


class ActionModule(ActionBase):
    """Report on all hosts at once, on the controller."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the lines; with AWX's variables also what its workflow can read."""
        super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        hosts = {host: variables["hostvars"][host] for host in variables["ansible_play_hosts"]}
        tried = {host: known for host, known in hosts.items() if "migrate_result" in known}
        # A failure that is ignored leaves its host in the play.
        done = {host: known for host, known in tried.items() if not known["migrate_result"].get("failed")}
        lines = [line for host, known in done.items() for line in _lines(host, known["migrate_result"])]
        left = {*done, *(hosts.keys() - tried.keys())}
        failed = [host for host in variables["ansible_play_hosts_all"] if host not in left]
        result: dict[str, Any] = {
            "changed": False,
            "msg": [*lines, *(f"{host}: failed" for host in failed)],
            "_ansible_verbose_always": True,
        }
        if "awx_job_id" in variables or "tower_job_id" in variables:
            data = {"database_migrations": {host: _entry(known) for host, known in done.items()}}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": True}
        return result


def _lines(host: str, result: Mapping[str, Any]) -> Iterator[str]:
    database = result["database"]
    where = "" if database == host else f" ({database})"
    yield f"{host}{where}{result['msg'][len(database) :]}"
    resumed = result["resumed"]
    if resumed:
        yield f"  resuming version {resumed['version']} at statement {resumed['statement']}"
    for step in result["applied"]:
        yield f"  {step['direction']} {step['version']} {step['title']}: {step['seconds']:.3f} s"
    for step in result["pending"]:
        yield f"  pending: {step['direction']} {step['version']} {step['title']}"


def _entry(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what follows in a workflow can read: nothing of a migration's text, and no secret."""
    result = known["migrate_result"]
    return {
        "database": result["database"],
        "from": result["from_version"],
        "to": result["to_version"],
        "applied": len(result["applied"]),
        "pending": len(result["pending"]),
        "commit": known["__migrate_source"]["commit"],
        "seconds": round(sum(step["seconds"] for step in result["applied"]), 3),
    }
