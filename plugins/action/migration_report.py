# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_report: what the role migrate did for each host, for people and for AWX.

In Python, because what comes from runners, secrets and servers must not pass through a template as text: set_stats
templates it once more, and ansible-core before 2.19 then runs what a database's name says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from ansible.plugins.action import ActionBase

# Characters of a line.
_WIDTH = 110
# Characters of a line, and of the whole, in a message to a chat; a chat refuses or cuts what is longer.
_SENT_LINE = 300
_SENT = 1500
# What JSON writes in another way, and what templates and chats could take for more than text.
_OTHERWISE = str.maketrans('"`\\{}<>', "''/()()")


class ActionModule(ActionBase):
    """Report on all hosts at once, on the controller."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the lines; with AWX's variables also what its workflow can read."""
        super().run(tmp, task_vars)
        self.validate_argument_spec(argument_spec={})
        variables = task_vars or {}
        hosts = {host: variables["hostvars"][host] for host in variables["ansible_play_hosts_all"]}
        done = {host: known for host, known in hosts.items() if not _failed(known.get("migrate_result"))}
        # A host that has left the play has failed; one that has not been tried has nothing to say.
        lost = hosts.keys() - set(variables["ansible_play_hosts"])
        failures = {host: _failure(known) for host, known in hosts.items() if host not in done}
        failed = {host: reason or "" for host, reason in failures.items() if reason is not None or host in lost}
        reasons = _by_reason(failed)
        lines = [line for host, known in done.items() for line in _lines(host, known["migrate_result"])]
        result: dict[str, Any] = {
            "changed": False,
            "msg": [*lines, *_failures(reasons)],
            "_ansible_verbose_always": True,
        }
        if "awx_job_id" in variables or "tower_job_id" in variables:
            first = [f"{names}: failed{': ' if reason else ''}{reason}" for reason, names in reasons.items()]
            moved = {host: known for host, known in done.items() if "applied" in known["migrate_result"]}
            data = {
                "database_report": _sent([*first, *lines]),
                "database_migrations": {host: _entry(known) for host, known in moved.items()},
                # For the job that carries them out: hexadecimal digits only, as it passes through templates there.
                "database_plans": {
                    host: _plan(known) for host, known in moved.items() if "plan" in known["migrate_result"]
                },
            }
            given = {name: value for name, value in data.items() if value}
            result["ansible_stats"] = {"data": given, "per_host": False, "aggregate": True}
        return result


def _failed(result: Mapping[str, Any] | None) -> bool:
    """Tell whether there is no result of a success."""
    return not result or bool(result.get("failed"))


def _failure(known: Mapping[str, Any]) -> str | None:
    """Return what a step of the role has failed with; None if none has."""
    for step in ("migrate_result", "__migrate_source", "__migrate_variables"):
        result = known.get(step)
        if result and result.get("failed"):
            return " ".join(str(result.get("msg", "")).split())
    return None


def _by_reason(failed: Mapping[str, str]) -> dict[str, str]:
    """Return for each reason the hosts that have failed with it."""
    hosts: dict[str, list[str]] = {}
    for host, reason in failed.items():
        hosts.setdefault(reason, []).append(host)
    return {reason: ", ".join(names) for reason, names in hosts.items()}


def _failures(reasons: Mapping[str, str]) -> Iterator[str]:
    """Say which hosts have failed, and each reason once."""
    for reason, hosts in reasons.items():
        yield from wrap(f"{hosts}: failed", _WIDTH, subsequent_indent="  ")
        yield from wrap(reason, _WIDTH, initial_indent="  ", subsequent_indent="  ")


def _sent(lines: list[str]) -> str:
    """Return lines as one text for a message: it needs no escape but that of a line's end, and says where it was cut.

    AWX shows an approval's message the plan inside of JSON inside of JSON, and has no filter to read that with.
    """
    text = ""
    for line in lines:
        plain = "".join(char if " " <= char <= "~" else "?" for char in line.translate(_OTHERWISE))
        short = plain if len(plain) <= _SENT_LINE else f"{plain[:_SENT_LINE]}..."
        if len(text) + len(short) > _SENT:
            return f"{text}The output of the job says more.\n"
        text += f"{short}\n"
    # With its last line's end, as Ansible puts the texts of several plays or batches one behind the other.
    return text


def _lines(host: str, result: Mapping[str, Any]) -> Iterator[str]:
    database = result["database"]
    where = "" if database == host else f" ({database})"
    yield f"{host}{where}{result['msg'][len(database) :]}"
    if "applied" not in result:
        return
    resumed = result["resumed"]
    if resumed:
        yield f"  resuming version {resumed['version']} at statement {resumed['statement']}"
    for step in result["applied"]:
        yield f"  {step['direction']} {step['version']} {step['title']}: {step['seconds']:.3f} s"
    for step in result["pending"]:
        yield f"  pending: {step['direction']} {step['version']} {step['title']}"


def _plan(known: Mapping[str, Any]) -> dict[str, str]:
    """Return what was planned.

    :raises ValueError: it is no digest.
    """
    found = {"commit": known["__migrate_source"]["commit"], "plan": known["migrate_result"]["plan"]}
    for text in found.values():
        int(text, 16)
    return found


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
