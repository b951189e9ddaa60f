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
  - Returns for many schemas what M(dbops.migrations.migration_info) returns for one. Schemas with the same status are
    grouped.
  - All schemas are read together, with a few queries and one login. The server computes a digest of each history, so
    that equal ones are only evaluated once. A schema is read separately if it is dirty, its lock is held, its tables
    have other columns than golang-migrate and this collection create, or it cannot be read together with others.
  - Changes nothing, creates nothing and takes no lock. O(lock_timeout) has no effect; it is accepted so that it can be
    among shared module defaults. Set O(lock=false) if runs take no lock; a running migration can then not be told from
    an interrupted one.
  - The module does not fail if a schema cannot be read. It counts such schemas in RV(unreadable), and RV(databases)
    contains the reasons.
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

- name: Stop the deployment unless all of them are healthy
  ansible.builtin.assert:
    that: customers.healthy
    fail_msg: "{{ customers.msg }}"
"""

RETURN = r"""
total:
  description: The number of schemas that match O(databases).
  returned: success
  type: int
  sample: 1000
healthy:
  description:
    - Whether all schemas could be read and are healthy, as in RV(dbops.migrations.migration_info#module:healthy).
    - Healthy schemas may have pending migrations.
  returned: success
  type: bool
  sample: false
up_to_date:
  description: The number of healthy schemas without pending migrations.
  returned: success
  type: int
  sample: 990
behind:
  description: The number of healthy schemas with pending migrations.
  returned: success
  type: int
  sample: 8
unhealthy:
  description: The number of unhealthy schemas.
  returned: success
  type: int
  sample: 1
unreadable:
  description: The number of schemas that could not be read.
  returned: success
  type: int
  sample: 1
groups:
  description:
    - The readable schemas, grouped by their status, the largest group first.
    - A group contains what M(dbops.migrations.migration_info) returns for each of its schemas, except for the values
      that differ between them.
  returned: success
  type: list
  elements: dict
  contains:
    count:
      description: The number of schemas in the group.
      type: int
    first:
      description: The names of the first five schemas in the group.
      type: list
      elements: str
    version:
      description: Their current version; null if no migration is applied.
      type: int
    healthy:
      description: Whether they are healthy.
      type: bool
    dirty:
      description: Whether the state table is dirty, because a migration is running or partially applied.
      type: bool
    known:
      description: Whether the directory contains the version.
      type: bool
    pending:
      description: The migrations above the version, in order, each with C(version), C(title) and C(direction).
      type: list
      elements: dict
    changed_files:
      description: The files that changed after they were applied.
      type: list
      elements: str
    missing:
      description: The versions that are applied according to the history and have no file.
      type: list
      elements: int
    out_of_order:
      description: The versions below the current one that were never applied.
      type: list
      elements: int
    history_ahead:
      description: The versions that are applied according to the history, but not according to the state table.
      type: list
      elements: int
    drift:
      description: Always null. Use M(dbops.migrations.migration_info) to detect drift.
      type: list
      elements: dict
    missing_privileges:
      description: The privileges that migrations need and the account lacks on the schemas.
      type: list
      elements: str
    obstacles:
      description: Settings of the server that can make migrations fail, each with C(name), C(value) and C(effect).
      type: list
      elements: dict
    msg:
      description: Their status in one line.
      type: str
  sample:
    - count: 990
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
    - The schemas that are unhealthy, whose lock is held, or that could not be read, in order.
    - Each contains what M(dbops.migrations.migration_info) returns for it, except for the values that are the same for
      all schemas.
  returned: success
  type: list
  elements: dict
  contains:
    database:
      description: The schema's name.
      type: str
    attempt:
      description: The migration that is running or partially applied, and its progress.
      type: dict
    history:
      description: The latest attempts, the newest first.
      type: list
      elements: dict
    lock_holder:
      description: The connection that holds the schema's lock; null if nobody holds it.
      type: str
    running:
      description: Who runs the migration that is currently running, on which host, since when; null if none is running.
      type: str
    failed:
      description: Whether the schema could not be read. Then only the values that a failed module returns are present.
      type: bool
    msg:
      description: The schema's status in one line, or the reason why it could not be read.
      type: str
  sample:
    - database: customer_7
      failed: true
      msg: >-
        The state table schema_migrations in customer_7 has more than one row; golang-migrate keeps one at most. Look at
        the rows and delete the wrong ones. Nothing was changed.
latest:
  description: The highest version in the directory; null if it has no migrations.
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
  description: The number of schemas with each status, in one line.
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
