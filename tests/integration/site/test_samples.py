# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The samples of output in README.md and docs: each is what a run prints today. ``make samples`` rewrites them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from parts import CHECKOUT
from parts.mariadb import DatabaseServer
from parts.samples import WRITES, block
from parts.sshd import GitServer

if TYPE_CHECKING:
    from conftest import RunPlaybook

BLOCK = block("sample")
MIGRATIONS = {
    "db/0001_customers.up.sql": "CREATE TABLE customers (id INT PRIMARY KEY, name VARCHAR(80));\n",
    "db/0001_customers.down.sql": "DROP TABLE customers;\n",
    "db/0002_orders.up.sql": "CREATE TABLE orders (id INT PRIMARY KEY, customer INT, amount DECIMAL(8,2));\n",
    "db/0002_orders.down.sql": "DROP TABLE orders;\n",
}
EMAIL = (
    "ALTER TABLE customers ADD email VARCHAR(200);\n"
    "ALTER TABLE customers ADD UNIQUE KEY email (emial);\n"
    "ALTER TABLE orders ADD INDEX customer (customer);\n"
)
NEXT = {
    "db/0003_email.up.sql": EMAIL,
    "db/0003_email.down.sql": "ALTER TABLE orders DROP INDEX customer;\nALTER TABLE customers DROP email;\n",
}


def normal(text: str, schema: str) -> str:
    """Return an output with what differs from run to run in the form that the pages show."""
    text = text.replace(f"shop ({schema})", "shop").replace(schema, "shop")
    text = re.sub(r"\b\d\.\d+ s\b", "0.02 s", text)
    text = re.sub(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-11-28T10:15:00Z", text)
    text = re.sub(r"\bcommit [0-9a-f]{8}\b", "commit 5f0c1b1e", text)
    text = re.sub(r"\bby ann on [\w.-]+", "by ann on runner.example.com", text)
    return "".join(f"{line.rstrip()}\n" for line in text.strip().splitlines())


def report(stdout: str) -> str:
    """Return what the last task of a playbook prints: the report on all databases."""
    [lines] = re.findall(r'"msg": (\[\n.*?\n    \])', stdout, re.DOTALL)
    return "".join(f"{line}\n" for line in json.loads(lines))


@pytest.fixture
def samples(
    mariadb: DatabaseServer, schema: str, git_server: GitServer, playbook: RunPlaybook, tmp_path: Path
) -> dict[str, str]:
    """What a team sees from its first run on: name to text."""
    repository = git_server.create(schema)
    repository.commit(MIGRATIONS)
    variables = {
        "ansible_connection": "local",
        "migrate_python": sys.executable,
        "migrate_home": str(tmp_path / "home"),
        "migrate_repository": repository.url,
        "migrate_ref": "main",
        "migrate_directory": "db",
        "migrate_private_key": git_server.private_key,
        "migrate_known_hosts": git_server.known_hosts,
        "migrate_login_host": mariadb.host,
        "migrate_login_port": mariadb.port,
        "migrate_login_user": mariadb.user,
        "migrate_login_password": mariadb.password,
        "migrate_login_database": schema,
        "migrate_run_by": "ann",
    }
    inventory = {"databases": {"hosts": {"shop": variables}}}
    found: dict[str, str] = {}

    def run(sample: str, name: str, *options: str) -> None:
        output = normal(playbook(f"dbops.migrations.{name}", inventory, *options).stdout, schema)
        found[sample], found[f"{sample}_report"] = output, report(output)

    run("status_before", "status")
    run("plan", "migrate", "--check", "--diff")
    run("migrate", "migrate")
    run("again", "migrate")
    repository.commit(NEXT, "Customers have an e-mail address")
    run("plan_failing", "migrate", "--check", "--diff")
    run("failed", "migrate")
    run("status_dirty", "status")
    repository.commit({"db/0003_email.up.sql": EMAIL.replace("emial", "email")}, "Correct the column's name")
    run("resumed", "migrate")
    run("status_after", "status")
    run("rollback", "rollback", "-e", "migrate_steps=1", "--limit", "shop")
    return found


def test_the_samples_are_what_a_run_prints(samples: dict[str, str]) -> None:
    pages = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
    shown: set[str] = set()
    for page in pages:
        old = page.read_text(encoding="utf-8")
        shown.update(name for _before, name, _text, _end in BLOCK.findall(old))
        new = BLOCK.sub(lambda found: f"{found[1]}{samples[found[2]]}{found[4]}", old)
        if WRITES:
            page.write_text(new, encoding="utf-8")
        else:
            assert old == new, page.name
    assert {"migrate", "failed_report", "resumed_report"} <= shown
