# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs/long-runs.md shows is what the runner and the controller say where a server answers so."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from threading import Event
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.plugins.connection.ssh import Connection as Ssh
from ansible.utils.display import Display
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.tally import Tally
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Plan
from ansible_collections.dbops.migrations.plugins.module_utils._migration.progress.ask import Questions
from ansible_collections.dbops.migrations.plugins.module_utils._migration.progress.look import (
    between_line,
    progress_line,
    subject,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import summary
from ansible_collections.dbops.migrations.plugins.plugin_utils import progress, reconnect
from ansible_collections.dbops.migrations.plugins.plugin_utils.reconnect import reconnecting
from parts.samples import compare
from unit.core.test_connection_of_a_run import BROKEN, action, calls
from unit.docs.test_shown_status import running_status, text
from unit.migration.fakes import FakeSession, record, statement

INDEX = "0012_add_index.up.sql"


class Server:
    """What a server with performance_schema says about connection 7."""

    def __init__(self, state: str) -> None:
        self.session: Any = FakeSession()
        self.answers = self.session.answers
        self.answers["@@GLOBAL.performance_schema"] = [(1,)]
        self.answers["SELECT state, max_stage, progress"] = [(state, 0, 0)]

    def copied(self, done: int, total: int) -> None:
        """So many rows of a table are copied."""
        self.answers["events_stages_current"] = [("stage/sql/copy to tmp table", done, total)]

    def locks(self, table: str, granted: dict[int, bool]) -> None:
        """Connections have a lock on a table, or wait for one."""
        self.answers["performance_schema.metadata_locks m"] = [
            (number, "TABLE", "shop", table, "EXCLUSIVE" if number == 7 else "SHARED_READ", has)
            for number, has in granted.items()
        ]

    def line(self, database: str, file: str, sql: str, seconds: int, line: int = 1) -> str:
        about = subject(database, file, statement(sql, line))
        return progress_line(about, seconds, Questions(self.session, 7).look(about, seconds))


def index() -> Iterable[str]:
    """Give the lines about an index that makes others wait in the end."""
    server, sql = Server("copy to tmp table"), "ALTER TABLE orders ADD INDEX (customer)"
    yield between_line("shop", INDEX, 1, 1, 4)
    server.copied(1_629, 3_001)
    yield server.line("shop", INDEX, sql, 5)
    server.copied(2_093, 3_001)
    server.locks("orders", {7: True, 21: False, 22: False, 23: False})
    yield server.line("shop", INDEX, sql, 7)


def others() -> Iterable[str]:
    """Give lines about other statements, and about many schemas."""
    updating = Server("Updating")
    updating.answers["SELECT trx_state"] = [("RUNNING", 1_485)]
    yield updating.line("crm", "0031_totals.up.sql", "UPDATE invoices SET total = net + tax", 7, 3)
    waiting = Server("Waiting for table metadata lock")
    waiting.locks("notes", {7: False, 18: True, 24: False})
    waiting.answers["SELECT id, user, host, time, command"] = [(18, "app", "10.0.0.5:49644", 9, "Sleep", None)]
    waiting.answers["TIMESTAMPDIFF"] = [(18, 9)]
    waiting.answers["events_statements_current"] = [("SELECT COUNT(*) FROM notes",)]
    yield waiting.line("crm", "0032_note.up.sql", "ALTER TABLE notes ADD note TEXT", 5)
    yield between_line("crm", "0033_rows.up.sql", 968, 2_000, 8)
    written: list[dict[str, Any]] = []
    file: Any = SimpleNamespace(write=written.append)
    tally = Tally(file, 300)
    tally._began, tally._due = tally._began - 15, 0.0
    tally.tell({str(number): {"failed": number == 7} for number in range(40)}, ["customer_41", "customer_42"])
    yield written[0]["text"]


def shown(lines: Iterable[str], monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return what the controller shows of a run over ssh that has written these lines."""
    over, left = Event(), list(lines)
    said: list[str] = []

    def read(_command: str) -> dict[str, str]:
        if not left:
            over.set()
        return {"stdout": json.dumps({"text": left.pop(0)} if left else {})}

    monkeypatch.setattr(progress, "PAUSES", (0,))
    monkeypatch.setattr(Display, "display", lambda _display, line, **_more: said.append(line))
    one = action(Ssh, detached=True)
    one._connection.become = None
    one.get_shell_option, one._low_level_execute_command = (lambda _name, default: default), read
    progress._follow(one, "0", over)
    return said


def test_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(reconnect, "_PAUSE", 0)
    reconnecting(action(Ssh, login_db="shop"), 300, calls(BROKEN[0], {}))
    last = record(version=12, started_at=datetime(2026, 11, 27, 21, 10, 4), ran_by="ann")
    outputs = {
        "running": running_status(tmp_path),
        "nothing": f"{summary('shop', Plan(12, 12, ()), False, last)}\n",
        "lost": capsys.readouterr().out,
        "progress": text([*shown(index(), monkeypatch), "", *others()]),
    }
    compare("long-runs.md", "output", outputs)
