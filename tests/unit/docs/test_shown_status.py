# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What docs show of the status is what the playbook says about databases of which the server says such things."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import failed
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_directory
from ansible_collections.dbops.migrations.plugins.module_utils._migration.info import Info, look
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.overview import overview
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Source
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import Account, parse
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.drift import result as drift_result
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.kept import COPIED, RENAMED, Entry, Kept
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.snapshot import Change, Key
from ansible_collections.dbops.migrations.plugins.plugin_utils import report
from parts.samples import compare
from unit.migration.fakes import record
from unit.migration.test_status import PARAMS, Server

PLAIN = Account(None, {})
# Without attempts, which the pages leave out.
OPTIONS = {**PARAMS, "migrations_table": "schema_migrations", "lock": True, "history_limit": 0}


def directory(folder: Path, *titles: str, last: int = 0) -> Source:
    """Return a directory with these migrations, the last of which has a number."""
    for version, title in enumerate(titles, (last or len(titles)) - len(titles) + 1):
        (folder / f"{version:04}_{title}.up.sql").write_text("SELECT 1;\n")
    return read_directory(str(folder))


def seen(server: Server, source: Source, name: str = "shop", account: Account = PLAIN, drift: Any = None) -> Info:
    """Return what is said about a schema."""
    server.fake.database = server.fake.schema = name
    return look(server.session, OPTIONS, source, account, drift)


def told(info: Info, host: str = "shop", **more: Any) -> str:
    """Return the lines of the report about a host's database."""
    return text(report.done(host, {**info.standing, **info.own, **more}))


def text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def test_what_is_in_the_way(tmp_path: Path) -> None:
    grants = parse(["GRANT SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, REFERENCES ON `shop`.* TO `migrate`@`%`"])
    account = Account(grants, {"log_bin": "ON", "log_bin_trust_function_creators": "OFF"})
    info = seen(Server(), directory(tmp_path, "customers", "orders", "audit"), account=account)
    compare("account.md", "output", {"status": told(info)})


def test_drift(tmp_path: Path) -> None:
    changes = [Change(Key("TABLE", "orders"), "changed", ""), Change(Key("VIEW", "placed_orders"), "removed", "")]
    info = seen(Server((12, 0)), directory(tmp_path, "email", last=12), drift=drift_result(changes))
    compare("drift.md", "output", {"status": told(info)})


def kept(number: int, what: str, table: str, columns: list[str], size: int) -> dict[str, Any]:
    """Return what an up migration has destroyed three days ago."""
    moment = datetime.now(timezone.utc).replace(tzinfo=None) - timedelta(days=3)
    how = RENAMED if what == "table" else COPIED
    details = {"columns": columns, "partitions": []}
    entry = Entry(number, "m", what, table, how, 12, "up", None, True, moment, "ann", None, details)
    return Kept(entry, None, size).result()


def kept_status(folder: Path) -> str:
    """Return the status of a database of which something is kept."""
    rows = [kept(7, "table", "orders", [], 24_700_000), kept(8, "columns", "customer", ["legacy"], 6_100_000)]
    return told(seen(Server((12, 0)), directory(folder, "email", last=12)), kept=rows)


def running_status(folder: Path) -> str:
    """Return the status of a database that is being migrated, by an account that the server tells about others."""
    row = record(
        version=12, leads_to=12, title="add_index", begun=1, started_at=datetime(2026, 11, 27, 21, 10, 4),
        ran_by="ann", ran_on="runner1",
    )  # fmt: skip
    server = Server((12, 1), rows=[row])
    server.fake.answers.update(
        {
            "IS_USED_LOCK": [(42,)],
            "SELECT user, host, time, command": [("shop", "10.0.0.7:51234", 72, "Query", "ALTER TABLE orders ADD")],
            "@@GLOBAL.performance_schema": [(0,)],
            "SELECT LEFT(info, 1000), time": [("ALTER TABLE orders ADD INDEX (customer)", 72)],
            "SELECT state, max_stage, progress": [("copy to tmp table", 2, 41)],
        }
    )
    return told(seen(server, directory(folder, "add_index", last=12)))


def test_many(tmp_path: Path) -> None:
    """Of three of a thousand there is something to say."""
    source = directory(tmp_path, "customers", "orders", "notes", "add_email")
    names = [f"customer_{number}" for number in range(1, 1001)]
    row = record(
        version=4, leads_to=4, title="add_email", outcome="failed", error="(1060) Duplicate column name 'email'",
        started_at=datetime(2026, 11, 27, 10, 15), ran_by="deploy", ran_on="runner.example.com",
    )  # fmt: skip
    current, behind = seen(Server((4, 0)), source), seen(Server((3, 0)), source)
    infos = {name: behind if 11 <= number <= 18 else current for number, name in enumerate(names, 1)}
    infos["customer_7"] = seen(Server((4, 1), rows=[row]), source, "customer_7")
    infos["customer_9"] = Info({}, {"database": "customer_9", "failed": True, **unreadable(source, "customer_9")})
    compare("many-databases.md", "output", {"status": text(report.done("customers", overview(infos, source)))})


def unreadable(source: Source, name: str) -> Mapping[str, Any]:
    """Return what is said about a schema whose state table has a row too many."""
    server = Server()
    server.fake.answers["SELECT version, dirty"] = [(4, 0), (3, 0)]
    with pytest.raises(Error) as caught:
        seen(server, source, name)
    return failed(caught.value)
