# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""survey_gather: what the role survey has seen on all hosts, for the report, for people and for AWX.

In Python, because what comes from hosts must not pass through a template, and of hundreds of hosts it is much: a
template would copy all of it several times.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase

# Lines for each of the things that there may be hundreds of.
_LINES = 20
# Findings in AWX's artifacts, which are no place for thousands.
_FINDINGS = 200
_PATHS = ("directory", "signatures")
_COUNTED = {"components": "component", "flows": "flow", "externals": "external peer", "waves": "wave"}
# What may be an address: of a person, or of a machine.
_MAIL = re.compile(r"[^\s@/]+@[\w-]+(?:\.[\w-]+)+")
_NUMBERS = re.compile(r"[0-9a-fA-F.:]*[.:][0-9a-fA-F.:]+")


class ActionModule(ActionBase):
    """Report on all hosts at once, on the controller."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return what survey_report does, and the lines; with AWX's variables also what its workflow can read."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "directory": {"type": "path", "required": True},
                "signatures": {"type": "path"},
                "bandwidth": {"type": "float"},
                "data_stores": {"type": "str", "choices": ["first", "last"], "default": "first"},
            }
        )
        given = {name: value for name, value in arguments.items() if value is not None}
        # Where Ansible was started, and not where it happens to run a module.
        given.update({name: os.path.abspath(given[name]) for name in _PATHS if name in given})
        # Not templated, which hostvars[host] would be.
        hosts = {host: variables["hostvars"].raw_get(host) for host in variables["ansible_play_hosts_all"]}
        observations = [_observation(host, known) for host, known in hosts.items()]
        runs = [one["survey"]["run"] for one in observations if "survey" in one]
        for one in observations:
            if "survey" in one:
                one["survey"].update(host=one["host"], run=min(runs))
        given.update(observations=observations, inventory=_inventory(variables))
        result = self._reported(given, variables)
        if result.get("failed"):
            return result
        unseen = {one["host"]: one["error"] for one in observations if "error" in one}
        lines = list(_lines(result, hosts, unseen))
        if "awx_job_id" in variables or "tower_job_id" in variables:
            data = {"infrastructure_survey": _artifact(result, len(hosts), sorted(unseen))}
            result["ansible_stats"] = {"data": data, "per_host": False, "aggregate": True}
        if len(unseen) == len(hosts):
            return {**result, "failed": True, "msg": "\n".join(["No host was seen.", *lines])}
        plain = {host: _plainly(known) for host, known in hosts.items() if host not in unseen}
        lines[1:1] = _some("Seen without becoming root", {host: reason for host, reason in plain.items() if reason})
        where = f"{given['directory']}/index.html"
        lines.append(f"Check mode: {where} was not written." if self._task.check_mode else f"The report: {where}")
        return {**result, "report": lines}

    def _reported(self, given: dict[str, Any], variables: dict[str, Any]) -> dict[str, Any]:
        """Return what comes of all that was observed."""
        result: dict[str, Any] = self._execute_module("dbops.migrations.survey_report", given, task_vars=variables)
        # All that was observed once more.
        result.pop("invocation", None)
        return result


def _observation(host: str, known: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a host has shown, or why it was not seen."""
    first, plain = known.get("__survey_look") or {}, known.get("__survey_plain_look") or {}
    if "survey" in first:
        return {"host": host, "survey": dict(first["survey"])}
    # That of an earlier play has nothing to do with a host that is not reached now.
    if "survey" in plain and not first.get("unreachable"):
        survey = dict(plain["survey"])
        unseen = {
            "what": "processes",
            "why": f"The first try failed ({_told(first)}), so it was looked at without becoming root.",
            "remedy": "See that the account that Ansible logs in with may become root, for instance by sudo.",
        }
        return {"host": host, "survey": {**survey, "unseen": [*survey["unseen"], unseen]}}
    reasons = [_reason(look) for look in ([first] if first.get("unreachable") else [first, plain]) if look]
    return {"host": host, "error": "; ".join(dict.fromkeys(reasons)) or "It was not looked at."}


def _plainly(known: Mapping[str, Any]) -> str:
    """Return why a host was not seen at the first try; empty if it was."""
    first = known.get("__survey_look") or {}
    return "" if "survey" in first else _told(first)


def _reason(look: Mapping[str, Any]) -> str:
    word = "unreachable: " if look.get("unreachable") else ""
    return word + (_told(look) or "no reason was given")


def _told(look: Mapping[str, Any]) -> str:
    """Return what Ansible says of a failure, and what the host has printed, where Ansible only says that it did."""
    return ": ".join(filter(None, (_line(look.get(name)) for name in ("msg", "module_stderr"))))


def _line(text: Any) -> str:
    """Return a text of the host's as one line that a terminal does not interpret."""
    words = " ".join(str(text or "").split())
    return "".join(char if char.isprintable() else "?" for char in words).rstrip(".")[:500]


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


def _lines(result: Mapping[str, Any], hosts: Mapping[str, Any], unseen: Mapping[str, str]) -> Iterator[str]:
    counts = [_number(_count(result, name), word) for name, word in _COUNTED.items()]
    yield f"Seen: {len(hosts) - len(unseen)} of {_number(len(hosts), 'host')}, {', '.join(counts)}"
    severities = Counter(finding["severity"] for finding in result["findings"])
    yield f"Findings: {', '.join(f'{count} {word}' for word, count in severities.items()) or 'none'}"
    yield from _some("Not seen", unseen)
    for refused in result["refused"]:
        yield _line(f"Not read: {refused}")


def _some(what: str, hosts: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each host, up to a limit."""
    for host in sorted(hosts)[:_LINES]:
        yield f"{what}: {host}: {hosts[host]}"
    if len(hosts) > _LINES:
        yield f"{what}: {len(hosts) - _LINES} more, which are in the report"


def _count(result: Mapping[str, Any], name: str) -> int:
    found = result[name]
    return found if isinstance(found, int) else len(found)


def _number(count: int, word: str) -> str:
    return f"{count} {word}{'' if count == 1 else 's'}"


def _artifact(result: Mapping[str, Any], hosts: int, unseen: list[str]) -> dict[str, Any]:
    """Return what follows in a workflow can read: no text of a host's, and no address."""
    findings = [
        {name: _public(finding[name]) for name in ("kind", "severity", "component")}
        for finding in result["findings"][:_FINDINGS]
    ]
    counts = {"hosts": hosts, "not_seen": len(unseen), "findings": len(result["findings"])}
    counts.update({name: _count(result, name) for name in _COUNTED})
    return {"counts": counts, "findings": findings, "not_seen": [_public(host) for host in unseen]}


def _public(text: Any) -> str:
    """Return a name without addresses, and without what a template would take for its own."""
    plain = _MAIL.sub("(address)", _line(text).translate(str.maketrans("{}<>", "()()")))
    return _NUMBERS.sub(lambda match: "(address)" if _is_address(match[0]) else match[0], plain)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
