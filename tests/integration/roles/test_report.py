# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""migration_report, of results that are put before it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunPlaybook

STEP = {"direction": "up", "version": 2, "title": "email", "seconds": 0.0125}
DONE = {
    "database": "shop", "msg": "shop: from version 1 to version 2, 1 migration", "resumed": None, "applied": [STEP],
    "pending": [], "from_version": 1, "to_version": 2,
}  # fmt: skip
RESUMED = {**DONE, "resumed": {"version": 2, "statement": 3}, "applied": [], "pending": [STEP]}
RESULTS: dict[str, Any] = {
    "shop": DONE,
    "other": RESUMED,
    "ignored": {"failed": True, "msg": "It failed, and continues."},
    "third": {"failed": True, "msg": "It  failed, and continues."},
    "fetching": None,
    "beside": None,
}
REASON_LINES = ["  " + " ".join(["word"] * 21), "    " + " ".join(["word"] * 9)]


@pytest.mark.parametrize("awx", [False, True])
def test_each_host_is_reported_once(playbook: RunPlaybook, tmp_path: Path, awx: bool) -> None:
    hosts = {
        host: {"__migrate_source": {"commit": "c"}, **({"migrate_result": result} if result else {})}
        for host, result in RESULTS.items()
    }
    hosts["fetching"] = {"__migrate_source": {"failed": True, "msg": " ".join(["word"] * 30)}}
    tasks = [{"name": "Report the result", "dbops.migrations.migration_report": {}, "run_once": True}]
    path = tmp_path / "play.json"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    outcome = playbook(path, {"all": {"hosts": hosts}}, extra_vars={"awx_job_id": 7} if awx else {})
    assert outcome.rc == 0, outcome.stdout
    result = outcome.tasks[-1]["result"]
    assert result["msg"] == [
        "shop: from version 1 to version 2, 1 migration",
        "  up 2 email: 0.013 s",
        "other (shop): from version 1 to version 2, 1 migration",
        "  resuming version 2 at statement 3",
        "  pending: up 2 email",
        "ignored, third: failed",
        "  It failed, and continues.",
        "fetching: failed",
        *REASON_LINES,
    ]
    entry = {"database": "shop", "from": 1, "to": 2, "applied": 1, "pending": 0, "commit": "c", "seconds": 0.013}
    # The failures first, as the text may be cut.
    report = [
        "ignored, third: failed",
        "  It failed, and continues.",
        "fetching: failed",
        f"  {' '.join(['word'] * 30)}",
        *result["msg"][:5],
    ]
    data = {
        "database_report": "\n".join(report) + "\n",
        "database_migrations": {"shop": entry, "other": {**entry, "applied": 0, "pending": 1, "seconds": 0}},
    }
    assert result.get("ansible_stats", {}).get("data", {}) == (data if awx else {})


def test_many_schemas_of_one_host(playbook: RunPlaybook, tmp_path: Path) -> None:
    """What was approved of them is the commit."""
    plan = {"from_version": 1, "to_version": 2, "steps": [STEP], "count": 7, "first": list("abcde")}
    many = {"msg": "9 databases: check mode, 7 would", "total": 9, "databases": [], "plans": [plan]}
    one = {**DONE, "plan": "ab12", "msg": "shop: it would go"}
    hosts = {
        host: {"__migrate_source": {"commit": "c0ffee"}, "migrate_result": result}
        for host, result in (("customers", many), ("shop", one))
    }
    tasks = [{"name": "Report the result", "dbops.migrations.migration_report": {}, "run_once": True}]
    path = tmp_path / "play.json"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    outcome = playbook(path, {"all": {"hosts": hosts}}, extra_vars={"awx_job_id": 7})
    assert outcome.rc == 0, outcome.stdout
    result = outcome.tasks[-1]["result"]
    assert result["msg"][:3] == [
        "customers: 9 databases: check mode, 7 would",
        "  a, b, c, d, e and 2 more:",
        "    pending: up 2 email",
    ]
    data = result["ansible_stats"]["data"]
    assert data["database_plans"] == {"customers": {"commit": "c0ffee"}, "shop": {"commit": "c0ffee", "plan": "ab12"}}
    assert list(data["database_migrations"]) == ["shop"]


def test_a_message_is_short_and_plain(playbook: RunPlaybook, tmp_path: Path) -> None:
    """What is sent to a chat can be neither markup, nor a template, nor end a text in JSON."""
    hostile = 'near "{{ x }}" \\ `<!channel>`\u202e\u00e9\x1b[1m'
    hosts: dict[str, Any] = {"bad": {"migrate_result": {"failed": True, "msg": "{{ hostile }}"}}}
    for number in range(40):
        done = {**DONE, "database": f"n{number}", "msg": f"n{number}: from version 1 to version 2, 1 migration"}
        hosts[f"n{number}"] = {"__migrate_source": {"commit": "c"}, "migrate_result": done}
    tasks = [{"name": "Report the result", "dbops.migrations.migration_report": {}, "run_once": True}]
    path = tmp_path / "play.json"
    path.write_text(json.dumps([{"hosts": "all", "gather_facts": False, "tasks": tasks}]))
    given = {"awx_job_id": 7, "hostile": {"__ansible_unsafe": hostile + "x" * 500}}
    outcome = playbook(path, {"all": {"hosts": hosts}}, extra_vars=given)
    assert outcome.rc == 0, outcome.stdout
    report = outcome.tasks[-1]["result"]["ansible_stats"]["data"]["database_report"]
    head, first, second, *_others, last = report.splitlines()
    assert head == "bad: failed"
    assert first.startswith("  near '(( x ))' / '(!channel)'???[1mxxx")
    assert first.endswith("x...")
    assert len(first) == 303
    assert second == "n0: from version 1 to version 2, 1 migration"
    assert last == "The output of the job says more."
    assert 1400 < len(report) <= 1540
    assert json.dumps(report) == '"' + report.replace("\n", "\\n") + '"'
