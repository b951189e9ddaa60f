#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_info_many
short_description: Show the migration status of many schemas of one MySQL or MariaDB server
version_added: 0.2.0
description:
  - Says of each of many schemas what M(dbops.migrations.migration_info) says of it, in groups of those that stand
    alike.
  - All schemas are looked at together, in a few questions and with one login. What is equal is found out once, by a
    digest of each history that the server computes. A schema that is dirty, whose lock is held, whose tables have other
    columns than golang-migrate and this collection make, or that cannot be read together with others is looked at
    alone.
  - Changes nothing, creates nothing and takes no lock, so O(lock_timeout) has no effect; it is there to share module
    defaults. O(lock=false) says that runs take none, so that one that is running cannot be told from one that was
    interrupted.
  - A schema that cannot be read is no failure of the module. It is counted in RV(unreadable), and RV(databases) has the
    reason.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._attributes.info_module
  - dbops.migrations._info
  - dbops.migrations._databases
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
seealso:
  - module: dbops.migrations.migration_info
  - module: dbops.migrations.migration_apply_many
"""

EXAMPLES = r"""
- name: Get the migration status of every customer's schema
  dbops.migrations.migration_info_many:
    login_host: db.example.com
    login_user: migrations
    login_password: "{{ migrations_password }}"
    databases:
      - customer_demo
      - customer\_%
    directory: /opt/dbops-migrations/source/shop/current
  register: customers

- name: Stop the deploy unless all is well with all of them
  ansible.builtin.assert:
    that: customers.healthy
    fail_msg: "{{ customers.msg }}"
"""

RETURN = r"""
total:
  description: How many schemas O(databases) means.
  returned: success
  type: int
  sample: 1000
healthy:
  description:
    - Whether all could be read, and all is as it should be with each of them, to assert on.
    - Pending migrations are no fault, as in RV(dbops.migrations.migration_info#module:healthy).
  returned: success
  type: bool
  sample: false
up_to_date:
  description: How many of them are as they should be, and have nothing pending.
  returned: success
  type: int
  sample: 990
behind:
  description: How many are as they should be, and have migrations pending.
  returned: success
  type: int
  sample: 8
unhealthy:
  description: How many are not as they should be.
  returned: success
  type: int
  sample: 1
unreadable:
  description: How many could not be read.
  returned: success
  type: int
  sample: 1
groups:
  description:
    - How the schemas stand that could be read, once for all that stand alike, the largest group first.
    - A group has what M(dbops.migrations.migration_info) returns of each of its schemas, but for what is about one
      alone.
  returned: success
  type: list
  elements: dict
  contains:
    databases:
      description: How many schemas stand so.
      type: int
    first:
      description: The names of the first five of them.
      type: list
      elements: str
    version:
      description: The version they are at; null when nothing is applied.
      type: int
    healthy:
      description: Whether all is as it should be.
      type: bool
    dirty:
      description: Whether a migration is running, or was interrupted.
      type: bool
    known:
      description: Whether the directory has the version.
      type: bool
    pending:
      description: The migrations above the version, in order, each with C(version), C(title) and C(direction).
      type: list
      elements: dict
    changed_files:
      description: The files that were changed since they were applied.
      type: list
      elements: str
    missing:
      description: The versions that are applied and have no file.
      type: list
      elements: int
    out_of_order:
      description: The versions below the current one that were never applied.
      type: list
      elements: int
    history_ahead:
      description: The versions that the history has as applied and the state table does not.
      type: list
      elements: int
    drift:
      description: Always null; M(dbops.migrations.migration_info) looks for what no migration has changed.
      type: list
      elements: dict
    missing_privileges:
      description: The privileges on the schemas that migrations need and the account lacks.
      type: list
      elements: str
    obstacles:
      description: Settings of the server that refuse what migrations do, each with C(name), C(value) and C(effect).
      type: list
      elements: dict
    msg:
      description: How they stand, in one line.
      type: str
  sample:
    - databases: 990
      first: [customer_1, customer_2, customer_3, customer_4, customer_5]
      version: 4
      healthy: true
      dirty: false
      known: true
      pending: []
      changed_files: []
      missing: []
      out_of_order: []
      history_ahead: []
      drift: null
      missing_privileges: []
      obstacles: []
      msg: 'customer_1, customer_2, customer_3, customer_4, customer_5 and 985 more: version 4, 0 migrations pending'
databases:
  description:
    - The schemas that are not as they should be, whose lock somebody holds, or that could not be read, in order.
    - Each has what M(dbops.migrations.migration_info) returns of it, but for what is the same for all schemas.
  returned: success
  type: list
  elements: dict
  contains:
    database:
      description: The schema's name.
      type: str
    attempt:
      description: The migration that is running or was interrupted, and how far it got.
      type: dict
    history:
      description: The newest attempts at migrations, the newest first.
      type: list
      elements: dict
    lock_holder:
      description: Who holds the schema's lock; null when nobody does.
      type: str
    running:
      description: Who runs the migration that is running, from which host, since when; null if none is.
      type: str
    failed:
      description: Whether it could not be read. Then there is nothing more but what a failure returns.
      type: bool
    msg:
      description: The schema's status, in one line; or why it could not be read.
      type: str
  sample:
    - database: customer_7
      failed: true
      msg: >-
        The state table schema_migrations in customer_7 has more than one row; golang-migrate keeps one at most. Look at
        the rows and delete the wrong ones. Nothing was changed.
latest:
  description: The highest version in the directory; null when it has none.
  returned: success
  type: int
  sample: 4
migrations:
  description:
    - Every migration in the directory, in order, each with C(version), C(title), C(up) and C(down), as
      M(dbops.migrations.migration_info) returns it.
  returned: success
  type: list
  elements: dict
  sample:
    - {version: 4, title: add_email, up: 0004_add_email.up.sql, down: 0004_add_email.down.sql}
server:
  description: The server's version.
  returned: success
  type: str
  sample: 10.11.19-MariaDB
supported:
  description: Whether the server's version is supported.
  returned: success
  type: bool
  sample: true
msg:
  description: How many schemas stand how, in one line.
  returned: always
  type: str
  sample: '1000 databases: 990 up to date, 8 behind, 1 unhealthy, 1 unreadable'
"""

from contextlib import closing
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.info import INFO, check_limit, of_server
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.look import Looker
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.names import DATABASES
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.overview import overview
from ansible_collections.dbops.migrations.plugins.module_utils._migration.many.statuses import Statuses
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.line import Line
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import account

SPEC = LOGIN + INFO + DATABASES


def info_many(module: AnsibleModule) -> dict[str, Any]:
    check_limit(module.params)
    source = read_source(module.params["directory"])
    login = Login(module, schema=False)
    # What is left in a session that only reads does not matter to the next schema.
    with login.session("") as session, closing(Line(login.session, ())) as line:
        looker = Looker(session, module.params)
        statuses = Statuses(looker, module.params, source, account(session), line)
        found = statuses.of(looker.names())
    for warning in (*source.warnings, *([session.complaint] if session.complaint else ())):
        module.warn(warning)
    return {"changed": False, **of_server(session, source), **overview(found, source)}


def main() -> None:
    run_module(SPEC, info_many)


if __name__ == "__main__":
    main()
