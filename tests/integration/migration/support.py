# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One schema of a real server, and what the modules and golang-migrate can do to it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from parts import golang_migrate as golang_migrate_part
from parts.mariadb import DatabaseServer
from parts.snapshot import snapshot

_UNSUPPORTED = "is no longer supported"


@dataclass
class Database:
    """One schema, a directory of migrations, and what can be done to them."""

    server: DatabaseServer
    name: str
    directory: Path
    run_module: Any

    def write(self, files: Mapping[str, str | bytes]) -> None:
        """Write migration files."""
        for name, text in files.items():
            (self.directory / name).write_bytes(text.encode() if isinstance(text, str) else text)

    def module(self, module: str, check: bool = False, diff: bool = False, **options: Any) -> dict[str, Any]:
        """Run migration_<module> and return its result; the warnings are plain texts without the database's name.

        What is said about a server that is not supported is in each, and is tested where its version is.
        """
        result: dict[str, Any] = self.run_module(f"migration_{module}", self.arguments(module, options), check, diff)
        assert "Traceback" not in str(result)
        warnings = [_text(warning) for warning in result.get("warnings", [])]
        if module != "create":
            assert all(text.startswith(f"{self.name}: ") for text in warnings), warnings
            warnings = [text.removeprefix(f"{self.name}: ") for text in warnings]
        result["warnings"] = [text for text in warnings if self.server.supported or _UNSUPPORTED not in text]
        return result

    def arguments(self, module: str, options: Mapping[str, Any]) -> dict[str, Any]:
        """Return all options of migration_<module>."""
        return {
            "login_host": self.server.host,
            "login_port": self.server.port,
            "login_user": self.server.user,
            "login_password": self.server.password,
            "login_db": self.name,
            **({} if module in ("force", "drop") else {"directory": str(self.directory)}),
            **options,
        }

    def apply(self, **options: Any) -> dict[str, Any]:
        return self.module("apply", **options)

    def refusal(self, **options: Any) -> str:
        """Return the message of a run that fails."""
        result = self.module("apply", **options)
        assert result["failed"], result
        message: str = result["msg"]
        assert len(message) < 1200
        assert message.count("\n") == 0, message
        return message

    def golang(self, *arguments: str, table: str | None = None) -> str:
        """Run golang-migrate and return all it printed."""
        program = golang_migrate_part.binary()
        done = golang_migrate_part.run(program, self.server, self.name, self.directory, *arguments, table=table)
        return done.stdout + done.stderr

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        return self.server.query(sql, self.name)

    def state(self) -> list[tuple[Any, ...]]:
        """Return the rows of the state table."""
        return self.query("SELECT version, dirty FROM schema_migrations")

    def tables(self) -> set[str]:
        return {row[0] for row in self.query("SHOW TABLES")} - {"schema_migrations", "schema_migrations_history"}

    def snapshot(self) -> dict[str, Any]:
        """Return everything in the schema but our history, which golang-migrate has not."""
        return snapshot(self.server, self.name, without="_history")


def _text(warning: Any) -> str:
    # ansible-core 2.19 and later hand a structure to the controller, earlier ones a text.
    return str(warning["event"]["msg"]) if isinstance(warning, dict) else str(warning)


def make(server: DatabaseServer, directory: Path, run_module: Any) -> Database:
    name = f"test_{uuid.uuid4().hex[:12]}"
    server.create_schema(name)
    directory.mkdir(exist_ok=True)
    return Database(server, name, directory, run_module)


def server_names(metafunc: pytest.Metafunc) -> list[str]:
    """Return the names of the servers on which a test runs: what ``--servers`` names.

    Without it, MariaDB and MySQL, and a newer MariaDB for a module that is about what servers do.
    """
    newer = ["mariadb-11.8"] if getattr(metafunc.module, "ABOUT_SERVERS", False) else []
    return metafunc.config.getoption("servers") or ["mariadb", *newer, "mysql"]
