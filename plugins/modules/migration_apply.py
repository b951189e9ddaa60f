#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_apply
short_description: Bring a MySQL or MariaDB schema to a version
version_added: 0.1.0
description:
  - Applies the SQL migrations of a directory to a schema, in order, or undoes them.
  - Files, state table and lock are those of golang-migrate, which can take over at any time, or be taken over from.
  - A failure names the file, line and statement, and leaves the state table as golang-migrate would, at the version
    that the failed migration leads to, dirty.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._mysql
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Takes the lock for a moment, reads, and returns the plan.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Each run with O(steps) takes that many steps.
options:
  directory:
    description:
      - The directory of migrations, on the runner.
      - A migration is called C(VERSION_TITLE.up.sql) or C(VERSION_TITLE.down.sql). Sub-directories are left out.
    type: path
    required: true
  target:
    description:
      - The version to bring the schema to, V(latest), or V(none) to undo everything.
      - V(latest) unless O(steps) is given.
    type: str
  steps:
    description:
      - How many migrations to apply, or, if negative, to undo, instead of a O(target).
      - If there are fewer, those are taken, with a warning.
    type: int
  allow_down:
    description: Whether migrations may be undone. Down migrations destroy data.
    type: bool
    default: false
  portability:
    description:
      - What to do about files that run here and that golang-migrate could not run, because they use C(DELIMITER), start
        with a byte order mark, are empty, have an empty statement in the middle, or are larger than 4 MiB.
      - V(warn) runs them and warns, with file and line. V(require) refuses before anything is run. V(ignore) runs them.
    type: str
    default: warn
    choices: [warn, require, ignore]
notes:
  - Warns of a file that looks like a migration but is none.
seealso:
  - module: dbops.migrations.git_fetch
  - module: dbops.migrations.migration_info
  - module: dbops.migrations.migration_force
"""

EXAMPLES = r"""
- name: Apply all that is pending
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current

- name: Undo the last migration
  dbops.migrations.migration_apply:
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    steps: -1
    allow_down: true
"""

RETURN = r"""
from_version:
  description: The version before; null when nothing was applied.
  returned: once the state table has been read
  type: int
  sample: 3
to_version:
  description: The version now; null when nothing is applied. In check mode the version that would be reached.
  returned: once the state table has been read
  type: int
  sample: 5
applied:
  description: The migrations that were carried out, in order. Empty in check mode.
  returned: success, and when a migration failed
  type: list
  elements: dict
  contains:
    version:
      description: The migration's version.
      type: int
    title:
      description: The migration's title.
      type: str
    direction:
      description: V(up) or V(down).
      type: str
    statements:
      description: How many statements were run.
      type: int
    seconds:
      description: How long it took, in seconds.
      type: float
  sample:
    - {version: 4, title: add_email, direction: up, statements: 2, seconds: 0.041}
pending:
  description:
    - In check mode the plan, which is what would be carried out, in order.
    - Otherwise the migrations above the version that was reached.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: The migration's version.
      type: int
    title:
      description: The migration's title.
      type: str
    direction:
      description: V(up) or V(down).
      type: str
  sample:
    - {version: 6, title: add_index, direction: up}
dirty:
  description: Whether the state table says that a migration failed part way.
  returned: once the state table has been read
  type: bool
  sample: false
msg:
  description: What was done, in one line.
  returned: always
  type: str
  sample: 'shop: from version 3 to 5, 2 migrations'
file:
  description: The file that failed.
  returned: when a migration failed
  type: str
  sample: 0004_add_email.up.sql
line:
  description: The line in that file at which the failed statement starts, from 1.
  returned: when a statement failed
  type: int
  sample: 12
column:
  description: The column in that line, in characters, from 1.
  returned: when a statement failed
  type: int
  sample: 1
statement:
  description: The number of the failed statement in that file, from 1.
  returned: when a statement failed
  type: int
  sample: 2
error_code:
  description: The server's error code; 0 when the connection failed.
  returned: when the server refused something
  type: int
  sample: 1060
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.execution import Execution
from ansible_collections.dbops.migrations.plugins.module_utils._migration.ledger import Ledger
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import Goal, Plan, make_plan, pending
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import difference, listed, summary
from ansible_collections.dbops.migrations.plugins.module_utils._migration.source import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings

SPEC = MYSQL + ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "target": {"type": "str"},
        "steps": {"type": "int"},
        "allow_down": {"type": "bool", "default": False},
        "portability": {"type": "str", "default": "warn", "choices": ["warn", "require", "ignore"]},
    },
    mutually_exclusive=[["target", "steps"]],
)


def apply(module: AnsibleModule) -> dict[str, Any]:
    goal = Goal(module.params["target"] or "latest", module.params["steps"], module.params["allow_down"])
    source = read_source(module.params["directory"])
    table = module.params["migrations_table"]
    with connect(read_settings(module.params)) as session, locked(session, table, module.params["lock_timeout"]):
        ledger = Ledger(session, table)
        plan = make_plan(source, ledger.read(), goal)
        for warning in (*source.warnings, *plan.warnings):
            module.warn(warning)
        execution = Execution(session, ledger, source.directory, plan)
        if module.params["portability"] == "require":
            require_portability(execution.scan())
        elif module.check_mode:
            warn_of(module, execution.scan())
        if not module.check_mode:
            carry_out(module, execution)
    ahead = plan.steps if module.check_mode else pending(source, plan.to_version)
    return {**report(session.database, plan), **execution.results(), "pending": listed(ahead)}


def carry_out(module: AnsibleModule, execution: Execution) -> None:
    try:
        execution.run()
    finally:
        warn_of(module, execution.notes)


def require_portability(notes: list[str]) -> None:
    if notes:
        more = f"; and {len(notes) - 5} more" if len(notes) > 5 else ""
        raise Error(
            f"golang-migrate could not run these files as they are: {'; '.join(notes[:5])}{more}. "
            "Change them, or set portability to warn. Nothing was run."
        )


def warn_of(module: AnsibleModule, notes: list[str]) -> None:
    for note in notes if module.params["portability"] != "ignore" else ():
        module.warn(f"golang-migrate could not run this file: {note}.")


def report(database: str, plan: Plan) -> dict[str, Any]:
    return {
        "changed": bool(plan.steps),
        "from_version": plan.from_version,
        "to_version": plan.to_version,
        "dirty": False,
        "msg": summary(database, plan),
        "diff": difference(database, plan),
    }


def main() -> None:
    run_module(SPEC, apply)


if __name__ == "__main__":
    main()
