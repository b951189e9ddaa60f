#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_apply_many
short_description: Bring many schemas of one MySQL or MariaDB server to a version
version_added: 0.2.0
description:
  - Does for each of many schemas what M(dbops.migrations.migration_apply) does for one, with one login for many of
    them, and several at once.
  - All schemas are looked at first, in a few questions and without locks. Only those that have something to do, or of
    which something has to be said, are then opened. Each of these has its own lock, state and history, exactly as
    alone, so that golang-migrate or M(dbops.migrations.migration_apply) can go on with any of them.
  - A schema is not opened if its state is clean and at the target, and its history says nothing that
    M(dbops.migrations.migration_apply) would refuse, warn of or add to. A history that ends with O(commit) is not
    looked at any further, as there. Others are compared by a digest that the server computes, and each that is not
    equal to one seen before is read.
  - Nothing of a session reaches the next schema. The server is asked whether it can start a session over as if after a
    login; where it cannot, where a file has changed the role, and after a failure, there is another login.
  - C(SIGTERM), C(SIGINT) and C(SIGHUP) end it after the statements that are running. The schemas that were not begun
    stay as they are.
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
    details: Takes the lock of each schema that has something to do for a moment, reads, and returns the plans.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  parallel:
    description: How many schemas are worked on at once, each in a session of its own.
    type: int
    default: 8
  canary:
    description:
      - How many of the schemas that have something to do come first, alone. If one of them fails, no other is begun.
      - In check mode there are none.
    type: int
    default: 1
  max_fail_percentage:
    description:
      - No other schema is begun once more than this share of those that are opened has failed. Those that are running
        go on to their end.
      - In check mode all are planned, whatever fails.
    type: int
    default: 0
notes:
  - A schema that fails is resumed by the next run, as by M(dbops.migrations.migration_apply). What only one schema can
    answer, such as O(dbops.migrations.migration_apply#module:resume_from), is for that module.
  - In check mode with C(--diff) the diff has each file's SQL, once for all schemas that go the same way; 200 lines and
    20,000 characters of a file and 200,000 characters in all of each way. What is left out is said.
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.git_fetch
"""

EXAMPLES = r"""
- name: Apply all that is pending, to every customer's schema
  dbops.migrations.migration_apply_many:
    login_host: db.example.com
    login_user: migrations
    login_password: "{{ migrations_password }}"
    databases:
      - customer_demo
      - customer\_%
    directory: /opt/dbops-migrations/source/shop/current
    max_fail_percentage: 2
"""

RETURN = r"""
total:
  description: How many schemas O(databases) means.
  returned: once the schemas have been looked at
  type: int
  sample: 1000
up_to_date:
  description: How many of them had nothing to do.
  returned: once the schemas have been looked at
  type: int
  sample: 997
migrated:
  description: How many were migrated; 0 in check mode.
  returned: once the schemas have been looked at
  type: int
  sample: 2
failed_databases:
  description: How many have failed.
  returned: once the schemas have been looked at
  type: int
  sample: 1
not_begun:
  description: How many have something to do and were not begun, because others failed or a signal came.
  returned: once the schemas have been looked at
  type: int
  sample: 0
databases:
  description: The schemas that were migrated and those that have failed, in order.
  returned: once the schemas have been looked at
  type: list
  elements: dict
  contains:
    database:
      description: The schema's name.
      type: str
    from_version:
      description: The version before; null when nothing was applied.
      type: int
    to_version:
      description: The version now; null when nothing is applied.
      type: int
    applied:
      description: The migrations that were carried out, as M(dbops.migrations.migration_apply) returns them.
      type: list
      elements: dict
    msg:
      description: What was done, or the reason of the failure.
      type: str
    failed:
      description: Whether it has failed. Then it has what M(dbops.migrations.migration_apply) returns of one.
      type: bool
    resumed:
      description: The migration that was interrupted, and where it was resumed; null if none was.
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
    - The plan as Markdown, once for all schemas that go the same way, as
      RV(dbops.migrations.migration_apply#module:plan_text) has it.
  returned: when O(plan_file) is set and there is something to do, also if that fails
  type: str
  sample: |
    ## customer_7, customer_8: from version 3 to version 4

    1 migration is pending: 4.
plans:
  description: What would be carried out, once for all schemas for which it is the same.
  returned: in check mode
  type: list
  elements: dict
  contains:
    from_version:
      description: The version now; null when nothing is applied.
      type: int
    to_version:
      description: The version that would be reached.
      type: int
    steps:
      description: The migrations, in order, each with C(version), C(title) and C(direction).
      type: list
      elements: dict
    databases:
      description: How many schemas go this way.
      type: int
    first:
      description: The names of the first five of them.
      type: list
      elements: str
    resumed:
      description: The migration that was interrupted, and where it would be resumed, if one was.
      type: dict
    baseline:
      description: The version that would be recorded as the schemas' baseline, if one would.
      type: int
  sample:
    - from_version: 3
      to_version: 4
      steps: [{version: 4, title: add_email, direction: up}]
      databases: 998
      first: [customer_1, customer_2, customer_3, customer_4, customer_5]
msg:
  description: How many schemas were migrated, or would be in check mode, and what has failed, each reason once.
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
            bring_each,
        )

        work = bring_each(order, source, login.session, to_open, restoring)
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
