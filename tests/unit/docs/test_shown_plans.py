# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs show of plans and checks is what is said about migrations of which a rehearsal has found such things."""

from __future__ import annotations

from contextlib import nullcontext
from itertools import takewhile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.finding import Found, Rule
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.tried import judge
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_directory
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Goal, State, Step
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import make_plan
from ansible_collections.dbops.migrations.plugins.module_utils._migration.statements.classified import digest
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.destroyed import Loss
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.keep import _Keeping
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.kept import Catalogue
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.rehearse import Rehearsal, Request
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.runner import Ran
from ansible_collections.dbops.migrations.plugins.modules import migration_check
from parts.samples import compare
from unit.docs.test_shown_messages import message
from unit.docs.test_shown_status import kept_status, text
from unit.migration.fakes import FakeSession
from unit.migration.test_plan_text import COPY, IMPACT, LOST, RISK, markdown
from unit.rehearsal.test_questions import snapshot
from unit.rehearsal.test_verdicts import PLAIN, WARN, judged

# Nothing is known of the down file, and nothing is said about it.
NO_MORE = {"reversible": None, "irreversible": None}


def bullets(**found: Any) -> str:
    """Return what a plan lists of a migration."""
    guards = {**WARN, "would_fail": "refuse"}
    migration = {**NO_MORE, **found}
    lines = markdown(migration, guards=tuple(judged({**PLAIN, **migration}, guards=guards)))
    return text(takewhile(bool, lines[2:]))


def test_what_an_alter_does() -> None:
    large = {**COPY, "line": 1, "rows": 299_398, "bytes": 23_100_000}
    compare("large-tables.md", "output", {"impact": bullets(impact=[large])})


def test_a_rehearsal() -> None:
    risks = [{**RISK, "named": "orders.placed", "line": 4}, {**LOST, "named": "customer.legacy", "line": 7}]
    compare("rehearsal.md", "output", {"impact": bullets(impact=[IMPACT]), "risks": bullets(risks=risks)})


def test_what_is_kept(tmp_path: Path) -> None:
    (tmp_path / "12_x.up.sql").write_text("DROP TABLE orders;\nALTER TABLE customer DROP COLUMN legacy;\n")
    drop = digest(b"DROP TABLE orders")
    session: Any = FakeSession()
    session.answers["SHOW GRANTS"] = [("GRANT ALL PRIVILEGES ON `shop`.* TO `migrate`@`%`",)]
    step = Step(12, "x", "up", "12_x.up.sql", 12)
    catalogue = Catalogue(session, "dbops_kept")
    keeping = _Keeping(session, catalogue, str(tmp_path), step, {})

    def foretold(loss: Loss, rows: int, size: int) -> dict[str, Any]:
        session.answers["SELECT table_rows"] = [(rows, size, None, "BASE TABLE")]
        return keeping.foretell(loss)

    kept = [
        foretold(Loss("table", "orders", dropped_by=drop, together=("orders",)), 297_330, 24_700_000),
        foretold(Loss("columns", "customer", columns=("legacy",)), 40_112, 6_100_000),
    ]
    folder = tmp_path / "status"
    folder.mkdir()
    with pytest.raises(Error) as caught:
        catalogue.check_rights()
    outputs = {"status": kept_status(folder), "plan": bullets(kept=kept), "denied": message(caught.value)}
    compare("kept.md", "output", outputs)


def tried(folder: Path) -> list[tuple[str, Rule, Found]]:
    """Return what is found where the down file leaves another table than there was."""
    source = read_directory(str(folder))
    plan = make_plan(source, State(None, False), Goal())
    tables = [snapshot("NOT NULL", "users", name) for name in ("name", "email")]
    shown = iter([*tables, snapshot("DEFAULT NULL", "users", "name")])
    room: Any = SimpleNamespace(
        session=nullcontext, carry_out=lambda *_step: Ran(None, None, []), snapshot=lambda: next(shown)
    )
    there: Any = nullcontext
    rehearsed = Rehearsal(Request(source, plan, False, there, there, False, {}), Mock(return_value=None))
    rehearsed.walk(room, lambda: None)
    return list(judge(source, rehearsed.migrations))


def test_a_finding_of_the_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The migration was applied and rolled back on a server, where a table is not what it was before."""
    folder = tmp_path / "db" / "migrations"
    folder.mkdir(parents=True)
    (tmp_path / ".git").mkdir()
    for direction, change in (("up", "ADD email TEXT"), ("down", "DROP name")):
        (folder / f"0004_email.{direction}.sql").write_text(f"ALTER TABLE users {change};\n")
    monkeypatch.setattr(migration_check, "carry_out", lambda _params: (tried(folder), "MariaDB 10.11.6"))
    options = {"directory": str(folder), "login_user": "root", "ignore": [], "strict": False}
    module: Any = SimpleNamespace(params={**options, "junit_file": None, "annotations_file": None}, check_mode=False)
    with pytest.raises(Error) as caught:
        migration_check.check(module)
    compare("ci.md", "output", {"finding": f"{caught.value.results['report'][0]}\n"})
