# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_report: reports what the role migrate did for each host, for people and for AWX.

This is Python because texts from runners, secrets and servers must not pass through a template: set_stats
templates it again, and ansible-core before 2.19 then runs what a database's name says.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.action import ActionBase
from ansible_collections.dbops.migrations.plugins.plugin_utils import report
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import TOLD_LATER, left_for_the_report

# The maximum lengths of a line and of a whole chat message; chats refuse or truncate longer ones.
_SENT_LINE = 300
_SENT = 1500
# What JSON writes in another way, and what templates and chats could take for more than text.
_OTHERWISE = str.maketrans('"`\\{}<>', "''/()()")
# Steps of the role whose failure is a reason, the last one first.
_STEPS = ("__migrate_judged", "migrate_result", "__migrate_before", "__migrate_source", "__migrate_variables")


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
        reasons = {host: _failure(host, known) for host, known in hosts.items() if host not in done or host in lost}
        failed = {host: reason or "" for host, reason in reasons.items() if reason is not None or host in lost}
        names = {host: list(_names(host, hosts[host])) for host in failed}
        failures = list(report.failed(failed, names))
        lines = [line for host, known in done.items() for line in report.done(host, _told(host, known))]
        result: dict[str, Any] = {
            "changed": False,
            "msg": [*lines, *report.wrapped(failures)],
            "_ansible_verbose_always": True,
        }
        if "awx_job_id" in variables or "tower_job_id" in variables:
            moved = {host: known for host, known in done.items() if "applied" in known["migrate_result"]}
            data = {
                "database_report": _sent([*failures, *lines]),
                "database_migrations": {host: _entry(known) for host, known in moved.items()},
                # For the job that carries them out: hexadecimal digits only, as it passes through templates there.
                "database_plans": {
                    host: _plan(known)
                    for host, known in done.items()
                    if {"plan", "plans"} & known["migrate_result"].keys()
                },
            }
            given = {name: value for name, value in data.items() if value}
            result["ansible_stats"] = {"data": given, "per_host": False, "aggregate": True}
        return result


def _failed(result: Mapping[str, Any] | None) -> bool:
    """Tell whether there is no successful result."""
    return not result or bool(result.get("failed"))


def _told(host: str, known: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a step's result, with its reason if it is a failure that counts as none."""
    result: Mapping[str, Any] = known["migrate_result"]
    left = left_for_the_report(host)
    return {**result, "msg": left["reason"]} if left and result["msg"] == TOLD_LATER else result


def _failure(host: str, known: Mapping[str, Any]) -> str | None:
    """Return what a step of the role has failed with; None if none has."""
    left = left_for_the_report(host)
    for text in [left["reason"]] if left else _reasons(known):
        return "\n".join(" ".join(line.split()) for line in str(text or "").splitlines())
    return None


def _reasons(known: Mapping[str, Any]) -> Iterator[str]:
    for step in _STEPS:
        result = known.get(step)
        if result and result.get("failed"):
            yield result.get("msg", "")


def _names(host: str, known: Mapping[str, Any]) -> Iterator[str]:
    """Return texts that are specific to this host."""
    left = left_for_the_report(host) or {}
    yield from filter(None, (host, left.get("database")))
    for variable in ("migrate_secret_id", "migrate_login_database"):
        # It may name another variable that is not defined, which is then the failure.
        with suppress(AnsibleError):
            yield str(known.get(variable, ""))


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
    # It ends with a newline, because Ansible concatenates the texts of several plays or batches.
    return text


def _plan(known: Mapping[str, Any]) -> dict[str, str]:
    """Return what was planned; of many schemas, only of which commit the files are.

    :raises ValueError: it is not a digest.
    """
    found = {"commit": known["__migrate_source"]["commit"]}
    if "plan" in known["migrate_result"]:
        found["plan"] = known["migrate_result"]["plan"]
    for text in found.values():
        int(text, 16)
    return found


def _entry(known: Mapping[str, Any]) -> dict[str, Any]:
    """Return the artifact for later nodes of a workflow, without texts of migrations and secrets."""
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
