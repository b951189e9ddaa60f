# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""survey_report: creates a report of what the role survey has observed, now and before.

This is Python on the controller, because texts from hosts must not pass through a template, and the data of hundreds of
hosts is too large for a module's arguments.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.report import report
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.summary import artifact, line, lines

_PATHS = ("directory", "signatures")


class ActionModule(ActionBase):
    """Report on all hosts at once, on the controller."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what the report says, and the lines; with AWX's variables also what its workflow can read."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, options = self.validate_argument_spec(
            argument_spec={
                "directory": {"type": "path", "required": True},
                "signatures": {"type": "path"},
                "bandwidth": {"type": "float"},
                "data_stores": {"type": "str", "choices": ["first", "last"], "default": "first"},
            }
        )
        # From where Ansible was started.
        options.update({name: os.path.abspath(options[name]) for name in _PATHS if options[name]})
        # Not templated, which hostvars[host] would be.
        hosts = {host: variables["hostvars"].raw_get(host) for host in variables["ansible_play_hosts_all"]}
        looked = any("__survey_look" in known for known in hosts.values())
        observations = [_observation(host, known) for host, known in hosts.items()] if looked else []
        check = self._task.check_mode
        try:
            result = report({**options, "observations": observations, "inventory": _inventory(variables)}, check)
        except Error as error:
            return {"failed": True, "msg": coded(error.number, str(error))}
        seen = {one["host"] for one in observations if "survey" in one}
        plainly = {host: _plainly(hosts[host]) for host in seen}
        said = list(lines(result, {host: reason for host, reason in plainly.items() if reason}))
        if "awx_job_id" in variables or "tower_job_id" in variables:
            data = {"infrastructure_survey": artifact(result)}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": True}
        if observations and not seen:
            return {**result, "failed": True, "msg": "\n".join([coded(2504, "No host was seen."), *said])}
        where = f"{options['directory']}/index.html"
        return {
            **result,
            "report": [*said, f"Check mode: {where} was not written." if check else f"The report: {where}"],
        }


def _observation(host: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a host has shown, or why it was not seen."""
    first, plain = known.get("__survey_look") or {}, known.get("__survey_plain_look") or {}
    if "survey" in first:
        return {"host": host, "survey": first["survey"]}
    # That of an earlier play has nothing to do with a host that is not reached now.
    if "survey" in plain and not first.get("unreachable"):
        survey = plain["survey"]
        unseen = {
            "what": "processes",
            "why": f"The first attempt failed ({_told(first)}), so the host was surveyed without root.",
            "remedy": "Let the account that Ansible logs in with become root, for instance by sudo.",
        }
        return {"host": host, "survey": {**survey, "unseen": [*survey["unseen"], unseen]}}
    reasons = [_reason(look) for look in ([first] if first.get("unreachable") else [first, plain]) if look]
    return {"host": host, "error": "; ".join(dict.fromkeys(reasons)) or "It was not surveyed."}


def _plainly(known: Mapping[str, Any]) -> str:
    """Return why a host was not seen at the first try; empty if it was."""
    first = known.get("__survey_look") or {}
    return "" if "survey" in first else _told(first)


def _reason(look: Mapping[str, Any]) -> str:
    word = "unreachable: " if look.get("unreachable") else ""
    return word + (_told(look) or "no reason was given")


def _told(look: Mapping[str, Any]) -> str:
    """Return what Ansible says about a failure, and what the host has printed, where Ansible only says that it did."""
    return ": ".join(filter(None, (line(look.get(name)) for name in ("msg", "module_stderr"))))


def _inventory(variables: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the groups of all hosts of the inventory, and where Ansible reaches them."""
    groups: dict[str, list[str]] = {}
    for group, hosts in variables["groups"].items():
        for host in hosts if group not in ("all", "ungrouped") else []:
            groups.setdefault(host, []).append(group)
    found = {}
    for host in variables["groups"]["all"]:
        address = host
        # It may name a variable that is not defined; that is the failure of whoever uses it.
        with suppress(AnsibleError):
            address = str(variables["hostvars"][host].get("ansible_host") or host)
        found[host] = {"groups": sorted(groups.get(host, [])), "ansible_host": address}
    return found
