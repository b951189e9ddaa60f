# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The engine beside golang-migrate and the command line client: ``python -m benchmarks.engine [RUNS] [MIGRATIONS]``.

Whole processes on durable servers, in turn, on fresh schemas; medians and their ratios. What matters is the ratio:
seconds differ from machine to machine.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from parts import CHECKOUT, NotAvailable, golang_migrate, private_folder
from parts.mariadb import DatabaseServer, MariaDB
from parts.mysql import MySQL


def write_migrations(directory: Path, count: int) -> None:
    """Write a mix of what teams write: a table, a column, an index, fifty rows."""
    for number in range(1, count + 1):
        table = f"t{(number + 3) // 4}"
        rows = ", ".join(f"({number * 100 + row}, 'name {row}', NOW())" for row in range(50))
        text = (
            f"INSERT INTO {table} (id, name, created) VALUES {rows};",
            f"CREATE TABLE {table} (id INT PRIMARY KEY, name VARCHAR(100) NOT NULL, created DATETIME);",
            f"ALTER TABLE {table} ADD COLUMN note VARCHAR(50) NULL;",
            f"CREATE INDEX by_name ON {table} (name);",
        )[number % 4]
        (directory / f"{number:05}_m{number}.up.sql").write_text(text + "\n")


class Contest:
    """The contestants on one server."""

    def __init__(self, server: DatabaseServer, folder: Path) -> None:
        self._server, self._folder = server, folder
        self._schema = "contest"

    def engine(self) -> None:
        """Run migration_apply as Ansible does, in a process of its own."""
        arguments = {
            "login_host": self._server.host,
            "login_port": self._server.port,
            "login_user": self._server.user,
            "login_password": self._server.password,
            "login_db": self._schema,
            "directory": str(self._folder),
        }
        done = subprocess.run(
            [sys.executable, "-m", "ansible_collections.dbops.migrations.plugins.modules.migration_apply"],
            input=json.dumps({"ANSIBLE_MODULE_ARGS": arguments}).encode(),
            env={**os.environ, "PYTHONPATH": str(CHECKOUT / ".venv" / "collections")},
            capture_output=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-2000:]

    def golang_migrate(self) -> None:
        """Run ``migrate up``."""
        done = golang_migrate.run(golang_migrate.binary(), self._server, self._schema, self._folder, "up")
        assert done.returncode == 0, done.stderr[-2000:]

    def client(self) -> None:
        """Have the client run all files as one."""
        script = b"".join(path.read_bytes() for path in sorted(self._folder.iterdir()))
        server = self._server
        place = [f"--host={server.host}", f"--port={server.port}", f"--user={server.user}", self._schema]
        environment = {**os.environ, "MYSQL_PWD": server.password}
        subprocess.run(["mariadb", "--no-defaults", "--batch", *place], input=script, env=environment, check=True)

    def measure(self, contestants: list[Callable[[], None]], runs: int, fresh: bool) -> dict[str, float]:
        """Return each contestant's median of some runs, in seconds."""
        seconds: dict[str, list[float]] = {contestant.__name__: [] for contestant in contestants}
        for _run in range(runs):
            for contestant in contestants:
                if fresh:
                    self._server.query(f"DROP DATABASE IF EXISTS {self._schema}")
                    self._server.create_schema(self._schema)
                started = time.perf_counter()
                contestant()
                seconds[contestant.__name__].append(time.perf_counter() - started)
        return {name: statistics.median(values) for name, values in seconds.items()}


def show(title: str, medians: dict[str, float]) -> None:
    """Print one row: seconds, and the engine's share of every other's."""
    figures = ", ".join(f"{name} {seconds:.2f} s" for name, seconds in medians.items())
    engine = medians["engine"]
    ratios = ", ".join(f"engine/{name} {engine / other:.2f}" for name, other in medians.items() if name != "engine")
    print(f"{title}: {figures}; {ratios}", flush=True)


def main(runs: int, migrations: int) -> None:
    """Measure on each server that can be had."""
    for kind in (MariaDB, MySQL):
        with private_folder("bench") as data, private_folder("files") as files, private_folder("many") as many:
            try:
                with kind(data, durable=True) as server:
                    write_migrations(files, migrations)
                    contest = Contest(server, files)
                    all_three = [contest.engine, contest.golang_migrate, contest.client]
                    show(f"{kind.__name__}, {migrations} migrations", contest.measure(all_three, runs, fresh=True))
                    write_migrations(many, 5 * migrations)
                    idle = Contest(server, many)
                    idle.measure([idle.engine], 1, fresh=True)
                    medians = idle.measure([idle.engine, idle.golang_migrate], runs, fresh=False)
                    show(f"{kind.__name__}, nothing to do in {5 * migrations} files", medians)
            except NotAvailable as reason:
                print(f"not run on {kind.__name__}: {reason}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
