# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs show of messages and summaries is what is said about hosts and databases of which such things are known."""

from __future__ import annotations

from datetime import datetime
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.dbops.migrations.plugins.action import survey_report
from ansible_collections.dbops.migrations.plugins.action.migration_report import _sent
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import failed
from ansible_collections.dbops.migrations.plugins.module_utils._migration.messages import history_ahead
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan, State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import steps_result, summary
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run import adoption
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import running_attempt
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked
from ansible_collections.dbops.migrations.plugins.plugin_utils import report
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import in_role
from parts import CHECKOUT
from parts.samples import compare
from unit.awx.test_awx import MESSAGES, approval, sent
from unit.docs.test_shown_status import text
from unit.migration.fakes import FakeSession, record
from unit.migration.test_plan_text import COPY, rehearsal
from unit.migration.test_status import PARAMS


def message(error: Error) -> str:
    """Return what the role says about an error."""
    return in_role(failed(error)["msg"], CHECKOUT / "roles" / "migrate")


def test_a_schema_with_tables() -> None:
    session: Any = FakeSession()
    session.answers["information_schema.columns"] = [("accounts", "id", "int"), ("orders", "id", "int")]
    refusal = adoption.refusal(session, adoption.look(session, PARAMS))
    compare("adopt.md", "output", {"refusal": message(refusal)})


def test_a_state_that_was_lowered() -> None:
    compare("leaving.md", "output", {"ahead": message(history_ahead("shop", State(6, False), [7]))})


def test_awx() -> None:
    compare("awx.md", "output", {"approval": request(), "lock": lock_held()})


def request() -> str:
    """Return the request that asks for a plan's approval."""
    plan = Plan(1, 2, (Step(2, "email", "up", "0002_email.up.sql", 2),))
    found = rehearsal({"version": 2, "title": "email", "impact": [COPY]})
    result = {"database": "shop", "msg": summary("shop", plan, True), "pending": steps_result(plan.steps), "plan": ""}
    lines = list(report.done("orders", {**result, "rehearsal": found}))
    about = {**approval(database_report=_sent(lines)), "workflow_url": "https://awx.example.com/#/jobs/workflow/18"}
    return f"{sent(MESSAGES['workflow_approval']['running']['body'], about)}\n"


def lock_held() -> str:
    """Return what a second run says."""
    session: Any = FakeSession()
    row = record(version=7, leads_to=7, started_at=datetime(2026, 11, 22, 10, 15), ran_by="alice", job="17")
    session.database = session.schema = "orders"
    session.answers.update(
        {
            "GET_LOCK": [(0,)],
            "IS_USED_LOCK": [(42,)],
            "SELECT user, host, time, command": [("app", "10.0.0.7:51234", 31, "Query", "ALTER TABLE orders ADD")],
            "SELECT id, version": [tuple(row)],
        }
    )
    options = {**PARAMS, "lock": True, "lock_timeout": 10}
    with pytest.raises(Error) as caught, locked(session, options, lambda _warning: None, running_attempt):
        pass
    return message(caught.value)


class Hosts(dict[str, Any]):
    """What Ansible knows of hosts."""

    raw_get = dict.__getitem__


def test_a_survey(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of one host Ansible has not become root, and one it has not reached."""
    seen: dict[str, Any] = {"survey": {"unseen": []}}
    unreachable = "Failed to connect to the host via ssh: ssh: connect to host db2 port 22: Connection timed out"
    hosts = Hosts(
        app1={"__survey_look": seen},
        db1={"__survey_look": seen},
        db2={"__survey_look": {"unreachable": True, "msg": unreachable}},
        web1={"__survey_look": seen},
        web2={"__survey_look": {"failed": True, "msg": "Missing sudo password"}, "__survey_plain_look": seen},
    )
    counts = {"components": 23, "flows": 41, "externals": 3, "waves": 4}
    severities = ["high", *["low"] * 4]

    def found(options: dict[str, Any], _check: bool) -> dict[str, Any]:
        unseen = [one for one in options["observations"] if "error" in one]
        findings = [{"severity": severity} for severity in severities]
        return {"hosts": len(hosts) - len(unseen), "not_seen": unseen, "findings": findings, "refused": [], **counts}

    monkeypatch.setattr(survey_report, "report", found)
    task = SimpleNamespace(args={"directory": "/srv/inventory/survey"}, check_mode=False, async_val=0)
    action = survey_report.ActionModule(task, *[Mock()] * 5)
    known = {"hostvars": hosts, "ansible_play_hosts_all": list(hosts), "groups": {"all": list(hosts)}}
    compare("survey-run.md", "output", {"summary": text(action.run(task_vars=known)["report"])})
