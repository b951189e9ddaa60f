#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_info
short_description: Show the migration status of a MySQL or MariaDB schema
version_added: 0.1.0
description:
  - Compares the state table and the history of a schema with a directory of migrations. Returns what is pending, the
    progress of a running or interrupted migration, the previous attempts, and whether everything is healthy.
  - Changes nothing, creates nothing and takes no lock. O(lock_timeout) has no effect; it is accepted so that it can be
    among shared module defaults. Set O(lock=false) if runs take no lock; a running migration can then not be told from
    an interrupted one.
  - While a migration is running, the state table is dirty, as with golang-migrate.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._attributes.info_module
  - dbops.migrations._info
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
options:
  keep_destroyed:
    description:
      - The schema in which runs with O(dbops.migrations.migration_apply#module:keep_destroyed) keep the data that
        migrations destroy. RV(kept) lists the data.
    type: str
    version_added: 0.2.0
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.migration_kept
"""

EXAMPLES = r"""
- name: Get the migration status of the schema
  dbops.migrations.migration_info:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
  register: shop

- name: Stop the deployment unless the schema is healthy and up to date
  ansible.builtin.assert:
    that:
      - shop.healthy
      - shop.pending | length == 0
    fail_msg: "{{ shop.msg }}"

- name: Show who is running a migration, and for how long
  ansible.builtin.debug:
    msg: "{{ shop.running or 'no migration is running' }}"
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
version:
  description: The current version of the schema; null if no migration is applied.
  returned: success
  type: int
  sample: 3
healthy:
  description:
    - Whether the schema is healthy. That means that RV(dirty) is false, RV(known) is true, and RV(changed_files),
      RV(missing), RV(out_of_order), RV(history_ahead) and RV(drift) are empty.
    - A healthy schema may have pending migrations. RV(lock_holder), RV(missing_privileges) and RV(obstacles) do not
      matter, either.
    - Without a history, only RV(dirty) and RV(known) matter.
  returned: success
  type: bool
  sample: true
dirty:
  description: Whether the state table is dirty, because a migration is running or partially applied.
  returned: success
  type: bool
  sample: false
latest:
  description: The highest version in the directory; null if it has no migrations.
  returned: success
  type: int
  sample: 5
known:
  description: Whether the directory contains the current version of the schema. True if no migration is applied.
  returned: success
  type: bool
  sample: true
pending:
  description: The migrations above the current version, in order.
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
      description: Always V(up).
      type: str
  sample:
    - {version: 4, title: add_email, direction: up}
running:
  description:
    - Who runs the migration that is currently running, on which host, since when, and what its statement is doing.
    - Null if no migration is running, or the history does not know it.
  returned: success
  type: str
  sample: >-
    by ann on runner1, job 41 since 2026-11-27T21:10:04Z; ALTER TABLE: copy to tmp table 41 %, 1 min 12 s
attempt:
  description:
    - The migration that is running or partially applied, and its progress.
    - Null if there is none, or the history does not know it, for example because golang-migrate ran it.
  returned: success
  type: dict
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
    file:
      description: The name of its file; null if the directory does not have the file.
      type: str
    done:
      description: The number of statements that are known to be done. It resumes at the next one.
      type: int
    begun:
      description:
        - The number of the last statement that may have started.
        - If it is greater than RV(attempt.done), the statements after RV(attempt.done) up to this one may have taken
          effect. A statement that changes rows of transactional tables is committed in one transaction with its record
          in the history, so it is only counted when it is done.
      type: int
    outcome:
      description:
        - V(running), V(failed), or V(interrupted) after a signal.
        - It stays V(running) if the run died before it could record its outcome. Nobody holds the lock then.
      type: str
    error:
      description: The error from the server, or the name of the signal; null if nothing has gone wrong.
      type: str
    started_at:
      description: The start time in UTC, in ISO 8601 format.
      type: str
    ran_by:
      description: The user who ran it.
      type: str
    ran_on:
      description: The host on which the module ran.
      type: str
    job:
      description: The job that ran it; null if none was given.
      type: str
  sample:
    version: 4
    title: add_email
    direction: up
    file: 0004_add_email.up.sql
    done: 1
    begun: 1
    outcome: failed
    error: (1060) Duplicate column name 'email'
    started_at: '2026-11-22T10:15:00Z'
    ran_by: deploy
    ran_on: runner.example.com
    job: '1742'
history:
  description:
    - The latest attempts, the newest first, including version changes that ran no file.
    - Empty if there is no history table, or O(history_table) is empty.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: The migration's version, or the version that was set; null if it was V(none).
      type: int
    title:
      description: The migration's title; empty if no file was run.
      type: str
    direction:
      description:
        - V(up) or V(down).
        - V(force) if M(dbops.migrations.migration_force) set the version. V(external) if something else did, such as
          golang-migrate, which a later run noticed. V(baseline) for the version from which on the history is known,
          at its start or after a V(force); that version and those below it are treated as applied.
      type: str
    outcome:
      description: V(applied), V(running), V(failed) or V(interrupted).
      type: str
    checksum:
      description: The SHA-256 checksum of the file; null if the file was not completed.
      type: str
    statements:
      description: The number of statements in the file; null if the file was not completed.
      type: int
    done:
      description: The number of statements that were executed.
      type: int
    started_at:
      description: The start time in UTC, in ISO 8601 format.
      type: str
    seconds:
      description: The duration in seconds, as far as it was recorded; null if no file was run.
      type: float
    error:
      description: The error from the server, or the name of the signal; null if nothing went wrong.
      type: str
    commit:
      description: The Git commit of the files; null if none was given.
      type: str
    ran_by:
      description: The user who ran it.
      type: str
    ran_on:
      description: The host on which the module ran.
      type: str
    job:
      description: The job that ran it; null if none was given.
      type: str
    tool:
      description: The name and version of the collection.
      type: str
  sample:
    - version: 3
      title: add_index
      direction: up
      outcome: applied
      checksum: 3a6eb0790f39ac87c94f3856b2dd2c5d110e6811602261a9a923d3bb23adc8b7
      statements: 2
      done: 2
      started_at: '2026-11-22T10:14:00Z'
      seconds: 0.041
      error: null
      commit: 8f3c1d0a5b7e4f6c9a2b1d0e3f4a5b6c7d8e9f0a
      ran_by: deploy
      ran_on: runner.example.com
      job: '1741'
      tool: dbops.migrations 0.2.0
changed_files:
  description: The files that changed after they were applied, as far as the history knows them.
  returned: success
  type: list
  elements: str
  sample: [0002_orders.up.sql]
missing:
  description: The versions that are applied according to the history and have no file.
  returned: success
  type: list
  elements: int
  sample: []
out_of_order:
  description:
    - The versions below the current one that were never applied, as far as the history knows.
    - Empty if another tool left the state dirty, as it is then unknown which versions that tool applied.
  returned: success
  type: list
  elements: int
  sample: []
history_ahead:
  description:
    - The versions that are applied according to the history, but not according to the state table. This happens if
      the row in the state table was deleted, an older backup of the table was restored, or golang-migrate rolled back
      or forced a version.
  returned: success
  type: list
  elements: int
  sample: []
drift:
  description:
    - The objects that were changed outside of migrations since the last run. A run stores their definitions if
      O(dbops.migrations.migration_apply#module:drift) is set.
    - Null if no definitions are stored for the current version, or if a migration is running or partially applied.
  returned: success
  type: list
  elements: dict
  contains:
    type:
      description: V(TABLE), V(VIEW), V(TRIGGER), V(FUNCTION), V(PROCEDURE), V(EVENT), V(SEQUENCE) or V(PACKAGE).
      type: str
    name:
      description: The object's name.
      type: str
    change:
      description: V(added), V(removed) or V(changed).
      type: str
    diff:
      description: A unified diff of its definition.
      type: str
  sample:
    - type: TABLE
      name: orders
      change: changed
      diff: "@@ -3,4 +3,5 @@\n   `placed` date DEFAULT NULL,\n+  KEY `placed` (`placed`),\n"
kept:
  description:
    - The kept data that migrations of the schema destroyed, the oldest first. M(dbops.migrations.migration_kept)
      restores or purges it.
  returned: with O(keep_destroyed)
  type: list
  elements: dict
  contains:
    id:
      description: The number that identifies it.
      type: int
    what:
      description: V(table), V(rows) for all rows of a table, V(partition) for the rows of partitions, or V(columns).
      type: str
    table:
      description: The table's name before the migration.
      type: str
    columns:
      description: The columns whose values are kept.
      type: list
      elements: str
    partitions:
      description: The partitions whose rows are kept.
      type: list
      elements: str
    kept_as:
      description: The name of the table in O(keep_destroyed) that contains it.
      type: str
    how:
      description: V(renamed) or V(copied).
      type: str
    version:
      description: The migration's version.
      type: int
    direction:
      description: V(up) or V(down).
      type: str
    rows:
      description: The number of rows; approximate if the table was renamed.
      type: int
    bytes:
      description: The approximate size with its indexes, in bytes.
      type: int
    kept_at:
      description: Since when it is kept, in UTC, in ISO 8601 format.
      type: str
    days:
      description: For how many whole days it has been kept.
      type: int
    ran_by:
      description: The user who ran the migration.
      type: str
    job:
      description: The job that ran it; null if none was given.
      type: str
  sample:
    - id: 7
      what: table
      table: orders
      columns: []
      partitions: []
      kept_as: kept_7_orders
      how: renamed
      version: 12
      direction: up
      rows: 297330
      bytes: 24723456
      kept_at: '2026-11-22T10:14:00Z'
      days: 3
      ran_by: deploy
      job: '1741'
migrations:
  description: Every migration in the directory, in order.
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
    up:
      description: The name of its up file; null if there is none.
      type: str
    down:
      description: The name of its down file; null if there is none.
      type: str
  sample:
    - {version: 4, title: add_email, up: 0004_add_email.up.sql, down: 0004_add_email.down.sql}
lock_holder:
  description: The connection that holds the database's lock, as far as the account may see it; null if nobody holds it.
  returned: success
  type: str
  sample: connection 42, shop@10.0.0.5:51234, running ALTER TABLE users … for 3 s
server:
  description: The server's version.
  returned: success
  type: str
  sample: 10.11.19-MariaDB
missing_privileges:
  description:
    - The privileges that migrations need and the account lacks on the schema, out of C(SELECT), C(INSERT), C(UPDATE),
      C(DELETE), C(CREATE), C(ALTER), C(DROP), C(INDEX) and C(REFERENCES). Privileges on single tables do not count.
    - Also empty if the server does not show the account's grants.
  returned: success
  type: list
  elements: str
  sample: [CREATE, DROP]
obstacles:
  description:
    - Settings of the server that can make migrations fail.
    - These are C(log_bin_trust_function_creators), C(read_only), C(super_read_only), C(sql_require_primary_key),
      C(max_statement_time), and C(max_allowed_packet) if a pending file is larger.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The name of the setting.
      type: str
    value:
      description: Its value.
      type: str
    effect:
      description: What it does.
      type: str
  sample:
    - name: log_bin_trust_function_creators
      value: 'OFF'
      effect: CREATE TRIGGER and CREATE FUNCTION are refused (1419)
supported:
  description: Whether the server's version is supported, which is MySQL 8.0 and later and MariaDB 10.6 and later.
  returned: success
  type: bool
  sample: true
msg:
  description: The schema's status, in one line.
  returned: always
  type: str
  sample: 'shop: version 3, 2 migrations pending, 1 file changed'
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.info import INFO, check_limit, look, of_server
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import definitions_name, is_there
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import account
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError, Session

SPEC = LOGIN + INFO + ArgumentSpec(argument_spec={"keep_destroyed": {"type": "str"}})


def info(module: AnsibleModule) -> dict[str, Any]:
    check_limit(module.params)
    source = read_source(module.params["directory"])
    login = Login(module)
    with login.session() as session:
        found = look(session, module.params, source, account(session), drift_of(login, module.params, session))
        kept = kept_of(session, module.params["keep_destroyed"]) if module.params["keep_destroyed"] else {}
    for warning in (*source.warnings, *([session.complaint] if session.complaint else ())):
        module.warn(warning)
    return {"changed": False, **of_server(session, source), **found.standing, **found.own, **kept}


def kept_of(session: Session, schema: str) -> dict[str, Any]:
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.kept import Catalogue  # noqa: PLC0415

    return {"kept": [item.result() for item in Catalogue(session, schema).kept()]}


def drift_of(login: Login, params: dict[str, Any], session: Session) -> Optional[list[dict[str, str]]]:
    try:
        if not is_there(session, definitions_name(params)):
            return None
    except ServerError as error:
        if error.lost:
            raise
        # The account may not read it.
        return None
    # Where nobody asks for it, it need not be loaded.
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal import drift  # noqa: PLC0415

    with login.session() as reading:
        return drift.result(drift.Drift(reading, params).find())


def main() -> None:
    run_module(SPEC, info)


if __name__ == "__main__":
    main()
