# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A team's situation, and how to read what a playbook made of it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ansible_collections.dbops.migrations.plugins.plugin_utils.step import TOLD_LATER
from parts.mariadb import MariaDB
from parts.sshd import Repository

if TYPE_CHECKING:
    from conftest import PlaybookResult

MIGRATIONS = {
    "db/0001_people.up.sql": "CREATE TABLE people (id INT PRIMARY KEY);\n",
    "db/0001_people.down.sql": "DROP TABLE people;\n",
    "db/0002_email.up.sql": "ALTER TABLE people ADD email VARCHAR(99);\n",
    "db/0002_email.down.sql": "ALTER TABLE people DROP email;\n",
}


@dataclass
class Team:
    """What the team has, and the inventory that it writes for it."""

    repository: Repository
    mariadb: MariaDB
    home: Path
    variables: dict[str, Any]
    databases: dict[str, str] = field(default_factory=dict)

    def inventory(self, **variables: Any) -> dict[str, Any]:
        """Return an inventory of both databases. Variables that are given replace the team's; None takes one away."""
        merged = {key: value for key, value in {**self.variables, **variables}.items() if value is not None}
        hosts = {name: {"migrate_secret_id": f"{schema}/secret"} for name, schema in self.databases.items()}
        return {"all": {"vars": merged, "children": {"databases": {"hosts": hosts}}}}

    def each(self, **hosts: dict[str, Any]) -> dict[str, Any]:
        """Return an inventory of hosts on the database orders, each with variables of its own."""
        inventory = self.inventory()
        orders = inventory["all"]["children"]["databases"]["hosts"]["orders"]
        inventory["all"]["children"]["databases"]["hosts"] = {name: {**orders, **more} for name, more in hosts.items()}
        return inventory

    def version(self, name: str) -> tuple[Any, ...] | None:
        """Return what a database's state table says, (version, dirty); None without a table or a row."""
        schema = self.databases[name]
        if not self.mariadb.query("SHOW TABLES LIKE 'schema_migrations'", schema):
            return None
        rows = self.mariadb.query("SELECT version, dirty FROM schema_migrations", schema)
        return tuple(rows[0]) if rows else None

    def attempts(self, name: str, table: str = "schema_migrations_history") -> list[tuple[Any, ...]]:
        """Return a database's history, (direction, version, outcome)."""
        return self.mariadb.query(f"SELECT direction, version, outcome FROM {table} ORDER BY id", self.databases[name])

    def files(self) -> list[str]:
        """Return every file and link in the runner's home."""
        return sorted(str(path.relative_to(self.home)) for path in self.home.rglob("*"))


def changed(result: PlaybookResult) -> dict[str, int]:
    assert result.rc == 0, result.stdout + result.stderr
    return {host: counts["changed"] for host, counts in result.stats.items()}


def said(result: PlaybookResult, host: str) -> Any:
    assert result.rc == 0, result.stdout + result.stderr
    messages = [event["result"]["msg"] for event in result.tasks if "Report the result" in event["task"]]
    return lines_of(messages, host) or result.result(host, "Report the result")["msg"]


def lines_of(messages: list[list[str]], host: str) -> list[str]:
    """Return a host's lines in a message that is for all; none if there is no such message."""
    for message in messages:
        for number, line in enumerate(message):
            if line.startswith(f"{host} ("):
                more = itertools.takewhile(lambda line: line.startswith("  "), message[number + 1 :])
                # As if the database had the host's name.
                return [line[len(host) + 2 :].replace(")", "", 1), *[line.removeprefix("  ") for line in more]]
    return []


def failure(result: PlaybookResult, host: str, task: str = "") -> str:
    """Return the message of the last task that failed for a host, or what the report says about it."""
    assert result.rc == 2, result.stdout + result.stderr
    failed = [event for event in result.tasks if event["host"] == host and event["status"] == "failed"]
    assert task in failed[-1]["task"]
    assert "Traceback" not in result.stdout + result.stderr
    message: str = failed[-1]["result"]["msg"]
    return reasons(result)[host] if message == TOLD_LATER else message


def reasons(result: PlaybookResult) -> dict[str, str]:
    """Return what the report says about each host that has failed, without its line breaks."""
    [lines] = [event["result"]["msg"] for event in result.tasks if "Report the result" in event["task"]]
    return reasons_in(lines)


def reasons_in(lines: list[str]) -> dict[str, str]:
    """Return what the lines of the report say about each host that has failed, without their line endings."""
    found: dict[str, str] = {}
    hosts: list[str] = []
    for line in "\n".join(lines).replace("\n    ", " ").splitlines():
        told = re.fullmatch(r"([\w, .-]+): failed(?: like ([\w.-]+))?", line)
        if told:
            hosts = told[1].split(", ")
            found.update(dict.fromkeys(hosts, found.get(told[2], "")))
        elif hosts:
            found.update(dict.fromkeys(hosts, f"{found[hosts[0]]}\n{line.strip()}".lstrip()))
    return found
