# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Many schemas of a real server, one for each customer, and what can be done to all of them."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from integration.migration.support import Database
from parts.mariadb import DatabaseServer

HISTORY = (
    "version, title, direction, from_version, leads_to, outcome, checksum, statements, done, begun, error, git_commit, "
    "ran_by, ran_on, job, tool, last_insert_id"
)


@dataclass
class Fleet:
    """Schemas whose names have one beginning, and a directory of migrations."""

    server: DatabaseServer
    prefix: str
    directory: Path
    run_module: Any
    names: Sequence[str] = ()

    def create(self, number: int, kind: str = "t") -> list[str]:
        """Create schemas, and return their names."""
        made = [f"{self.prefix}_{kind}{place:03}" for place in range(number)]
        with self.server.connect() as connection, connection.cursor() as cursor:
            for name in made:
                cursor.execute(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
        self.names = [*self.names, *made]
        return made

    def drop(self) -> None:
        """Drop them all."""
        with self.server.connect() as connection, connection.cursor() as cursor:
            for name in self.names:
                cursor.execute(f"DROP DATABASE IF EXISTS `{name}`")

    def of(self, name: str) -> Database:
        """Return one of them."""
        return Database(self.server, name, self.directory, self.run_module)

    def write(self, **files: str) -> None:
        """Write migrations, by what they are called without the end."""
        for name, text in files.items():
            (self.directory / f"{name.removeprefix('v')}.up.sql").write_text(text)

    def arguments(self, databases: Sequence[str], **options: Any) -> dict[str, Any]:
        """Return all options of migration_apply_many."""
        one = self.of("").arguments("apply", {"run_by": "me", **options})
        del one["login_db"]
        return {**one, "databases": list(databases)}

    def apply(
        self, databases: Sequence[str] | None = None, check: bool = False, diff: bool = False, **options: Any
    ) -> dict[str, Any]:
        """Run migration_apply_many; for all schemas by default."""
        arguments = self.arguments(self.names if databases is None else databases, **options)
        result: dict[str, Any] = self.run_module("migration_apply_many", arguments, check, diff)
        assert "Traceback" not in str(result)
        assert "\n" not in result["msg"]
        return result

    def info(self, databases: Sequence[str] | None = None, **options: Any) -> dict[str, Any]:
        """Run migration_info_many; for all schemas by default."""
        arguments = self.of("").arguments("info", options)
        arguments["databases"] = list(self.names if databases is None else databases)
        result: dict[str, Any] = self.run_module("migration_info_many", arguments)
        assert "Traceback" not in str(result)
        assert "\n" not in result["msg"]
        assert not result.get("changed")
        return result

    def found(self, name: str) -> dict[str, Any]:
        """Return all that a schema holds, except for times and numbers of rows."""
        with self.server.connect(name) as connection, connection.cursor() as cursor:

            def rows(sql: str) -> list[tuple[Any, ...]]:
                cursor.execute(sql)
                return list(cursor.fetchall())

            tables = [table for (table,) in rows("SHOW TABLES")]
            return {
                "definitions": {table: rows(f"SHOW CREATE TABLE `{table}`")[0][1] for table in tables},
                "rows": {table: sorted(rows(f"SELECT * FROM `{table}`")) for table in tables if "history" not in table},
                "history": rows(f"SELECT {HISTORY} FROM schema_migrations_history ORDER BY id")
                if "schema_migrations_history" in tables
                else None,
            }

    def version(self, name: str) -> Any:
        """Return what the state table of a schema says; None if there is none."""
        if not self.server.query(f"SHOW TABLES FROM `{name}` LIKE 'schema_migrations'"):
            return None
        rows = self.server.query(f"SELECT version, dirty FROM `{name}`.schema_migrations")
        return rows[0] if rows else None


def make_fleet(server: DatabaseServer, directory: Path, run_module: Any) -> Fleet:
    """Return a fleet without schemas."""
    directory.mkdir(exist_ok=True)
    return Fleet(server, f"f{uuid.uuid4().hex[:8]}", directory, run_module)
