#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_apply_many
short_description: Apply SQL migrations to many schemas of one MySQL or MariaDB server
version_added: 0.2.0
description:
  - Does for many schemas what M(dbops.migrations.migration_apply) does for one. It works on several schemas at the same
    time, and uses one login for many of them.
  - All schemas are checked first, with a few queries and without locks. Only those that need something done or
    reported are then processed. Each of these has its own lock, state and history, as if it was migrated alone, so that
    you can continue with golang-migrate or M(dbops.migrations.migration_apply) at any time.
  - A schema is not processed if its state is clean and at the target, and its history contains nothing that
    M(dbops.migrations.migration_apply) would refuse, warn about or add to. A history whose last entry has O(commit) is
    not read any further. Other histories are compared by a digest that the server computes, and each distinct one is
    read.
  - No session state is carried over from one schema to the next. The session is reset if the server can reset it
    completely. If it cannot, if a file changed the role, or after a failure, the module logs in again.
  - C(SIGTERM), C(SIGINT) and C(SIGHUP) stop the module after the current statements. The schemas that were not started
    remain unchanged.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._apply
  - dbops.migrations._databases
  - dbops.migrations._history
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Briefly takes the lock of each schema that needs migrating, reads its state, and returns the plans.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  parallel:
    description: The number of schemas to migrate at the same time, from 1 to 1000. Each has its own session.
    type: int
    default: 8
  canary:
    description:
      - The number of schemas to migrate first, before all others. If one of them fails, the others are not started.
      - Not used in check mode.
    type: int
    default: 1
  max_fail_percentage:
    description:
      - The percentage of schemas that may fail, from 0 to 100, of those that need migrating. If more than that fail, no
        further schemas are started. Those that are running are completed.
      - In check mode, all schemas are planned, regardless of failures.
    type: int
    default: 0
notes:
  - The next run resumes the schemas that failed, as with M(dbops.migrations.migration_apply). Use that module for
    options that are about a single schema, such as O(dbops.migrations.migration_apply#module:resume_from).
  - In check mode with C(--diff), the diff contains the SQL of each file, once for all schemas with the same plan, up to
    200 lines and 20,000 characters of each file and 200,000 characters of each plan. Truncated files are marked.
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.git_fetch
"""

EXAMPLES = r"""
- name: Apply all pending migrations to every customer's schema
  dbops.migrations.migration_apply_many:
    login_host: db.example.com
    login_user: migrations
    login_password: "{{ migrations_password }}"
    databases:
      - customer_demo
      - customer\_%
    directory: /opt/dbops-migrations/source/shop/current
    max_fail_percentage: 2

- name: Roll the first ten customers back to version 11, two at a time
  dbops.migrations.migration_apply_many:
    login_host: db.example.com
    login_user: migrations
    login_password: "{{ migrations_password }}"
    databases: "{{ customer_schemas[:10] }}"
    directory: /opt/dbops-migrations/source/shop/current
    target: 11
    allow_down: true
    parallel: 2
"""

RETURN = r"""
total:
  description: The number of schemas that match O(databases).
  returned: once the schemas have been checked
  type: int
  sample: 1000
up_to_date:
  description: The number of schemas that were already up to date.
  returned: once the schemas have been checked
  type: int
  sample: 997
migrated:
  description: The number of schemas that were migrated; 0 in check mode.
  returned: once the schemas have been checked
  type: int
  sample: 2
failed_databases:
  description: The number of schemas that failed.
  returned: once the schemas have been checked
  type: int
  sample: 1
not_started:
  description: The number of schemas that need migrating and were not started, because of failures or a signal.
  returned: once the schemas have been checked
  type: int
  sample: 0
databases:
  description: The schemas that were migrated or failed, in order.
  returned: once the schemas have been checked
  type: list
  elements: dict
  contains:
    database:
      description: The schema's name.
      type: str
    from_version:
      description: The version before the run; null if no migration was applied.
      type: int
    to_version:
      description: The version after the run; null if no migration is applied.
      type: int
    applied:
      description: The migrations that were applied or rolled back, as M(dbops.migrations.migration_apply) returns them.
      type: list
      elements: dict
    msg:
      description: What was done, or the reason for the failure.
      type: str
    failed:
      description: Whether it failed. Then it has the values of a failed M(dbops.migrations.migration_apply).
      type: bool
    resumed:
      description: The interrupted migration and the statement at which it was resumed; null if none was interrupted.
      type: dict
    baseline:
      description: The version that was recorded as the schema's baseline, if one was.
      type: int
  sample:
    - database: customer_7
      from_version: 3
      to_version: 4
      applied:
        - {version: 4, title: add_email, direction: up, statements: 2, seconds: 0.041}
      msg: 'customer_7: from version 3 to version 4, 1 migration'
plan_text:
  description:
    - The plans as Markdown, as in RV(dbops.migrations.migration_apply#module:plan_text), once for all schemas with
      the same plan.
  returned: when O(plan_file) is set and there is something to do, also on failure
  type: str
  sample: |
    ## customer_7, customer_8: from version 3 to version 4

    1 migration is pending: 4.
plans:
  description: The plans, each once for all schemas that share it.
  returned: in check mode
  type: list
  elements: dict
  contains:
    from_version:
      description: The current version; null if no migration is applied.
      type: int
    to_version:
      description: The version that a run would reach.
      type: int
    steps:
      description: The migrations, in order, each with C(version), C(title) and C(direction).
      type: list
      elements: dict
    count:
      description: The number of schemas with this plan.
      type: int
    first:
      description: The names of the first five schemas with this plan.
      type: list
      elements: str
    resumed:
      description: The interrupted migration and the statement at which it would be resumed, if one was interrupted.
      type: dict
    baseline:
      description: The version that would be recorded as the schemas' baseline, if any.
      type: int
  sample:
    - from_version: 3
      to_version: 4
      steps: [{version: 4, title: add_email, direction: up}]
      count: 998
      first: [customer_1, customer_2, customer_3, customer_4, customer_5]
msg:
  description:
    - The number of schemas that were migrated, or would be in check mode.
    - On failure, also the reasons, each once.
  returned: always
  type: str
  sample: '1000 databases: 3 migrated, 997 up to date'
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.choice import Choice
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.look import Looker
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.names import DATABASES
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.outcome import Outcome, Work
from ansible_collections.dbops.migrations.plugins.module_utils._migration.progress.file import progress_of
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.apply import APPLY, Order
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.line import starting_over

SPEC = (
    LOGIN
    + APPLY
    + DATABASES
    + ArgumentSpec(
        argument_spec={
            "parallel": {"type": "int", "default": 8},
            "canary": {"type": "int", "default": 1},
            "max_fail_percentage": {"type": "int", "default": 0},
        }
    )
)
# What only one schema can be asked for.
ALONE = {"steps": None, "resume_from": None, "expected_plan": None}


def apply_many(module: AnsibleModule) -> dict[str, Any]:
    check_numbers(module.params)
    source = read_source(module.params["directory"])
    login = Login(module, schema=False)
    params = {**module.params, **ALONE}
    document = bool(module.params["plan_file"])
    order = Order(params, module.check_mode, module._diff, module.warn, progress=progress_of(module), document=document)
    with login.session("") as session:
        looker = Looker(session, module.params)
        names = looker.names()
        to_open = Choice(looker, order, source).to_open(names)
        said = [*source.warnings, *([session.complaint] if session.complaint else [])]
    restoring = None
    if len(to_open) > 1:
        with login.session("") as session:
            restoring = starting_over(session)
    for warning in said:
        module.warn(warning)
    work = Work({})
    if to_open:
        # Most runs have nothing to do, and need not load what does it.
        from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.job import (  # noqa: PLC0415
            migrate_each,
        )

        work = migrate_each(order, source, login.session, to_open, restoring)
    outcome = Outcome(order, source, work, len(names))
    for warning in outcome.warnings(said):
        module.warn(warning)
    return outcome.returned()


def check_numbers(params: dict[str, Any]) -> None:
    for name, least, most in (("parallel", 1, 1000), ("canary", 0, None), ("max_fail_percentage", 0, 100)):
        value = params[name]
        if value < least or (most is not None and value > most):
            limit = f"from {least} to {most}" if most is not None else f"of {least} or more"
            raise Error(2003, f"{name} is {value}. Give a number {limit}.")


def main() -> None:
    run_module(SPEC, apply_many)


if __name__ == "__main__":
    main()
