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
  - Compares a schema's state table and its history with a directory of migrations. Shows what is pending, how far a
    migration got that is running or was interrupted, what was done before, and whether all is as it should be.
  - Changes nothing, creates nothing and takes no lock, so O(lock_timeout) has no effect; it is there to share module
    defaults. O(lock=false) says that runs take none, so that one that is running cannot be told from one that was
    interrupted.
  - While a migration runs, the state table says dirty, as it does with golang-migrate.
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
      - The schema in which runs with O(dbops.migrations.migration_apply#module:keep_destroyed) keep what migrations
        destroy, to have it listed in RV(kept).
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

- name: Stop the deploy unless all is well and nothing is pending
  ansible.builtin.assert:
    that:
      - shop.healthy
      - shop.pending | length == 0
    fail_msg: "{{ shop.msg }}"
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
version:
  description: The version the schema is at; null when nothing is applied.
  returned: success
  type: int
  sample: 3
healthy:
  description:
    - Whether all is as it should be, to assert on. RV(dirty) is false and RV(known) is true, and RV(changed_files),
      RV(missing), RV(out_of_order), RV(history_ahead) and RV(drift) are empty.
    - Pending migrations are no fault, so they may be there. Neither is a lock that somebody holds, nor what
      RV(missing_privileges) and RV(obstacles) say.
    - Without a history only RV(dirty) and RV(known) count.
  returned: success
  type: bool
  sample: true
dirty:
  description: Whether a migration is running, or was interrupted.
  returned: success
  type: bool
  sample: false
latest:
  description: The highest version in the directory; null when it has none.
  returned: success
  type: int
  sample: 5
known:
  description: Whether the directory has the version the schema is at. It does if nothing is applied.
  returned: success
  type: bool
  sample: true
pending:
  description: The migrations above the schema's version, in order.
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
    - Who runs the migration that is running, from which host, since when, and what the server says of its statement.
    - Null if none is, or if the history does not know it.
  returned: success
  type: str
  sample: >-
    by ann on runner1, job 41 since 2026-11-27T21:10:04Z; ALTER TABLE: copy to tmp table 41 %, 1 min 12 s
attempt:
  description:
    - The migration that is running or was interrupted, and how far it got.
    - Null if there is none, or if the history does not know it, for instance because golang-migrate ran it.
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
      description: Its file in the directory; null if there is none.
      type: str
    done:
      description: How many statements are known to be done. The next one is where it resumes.
      type: int
    begun:
      description:
        - The number of the last statement that may have begun.
        - If it is above RV(attempt.done), the statements between them may have taken effect. A statement that changes
          rows of transactional tables is committed together with the record that it is done, and is not counted before.
      type: int
    outcome:
      description:
        - V(running), V(failed), or V(interrupted) after a signal.
        - V(running) stays if the run was interrupted before it could say how it ended. Nobody holds the lock then.
      type: str
    error:
      description: What the server answered, or which signal it was; null while nothing has gone wrong.
      type: str
    started_at:
      description: When the attempt was started, in UTC, as ISO 8601 has it.
      type: str
    ran_by:
      description: Who ran it.
      type: str
    ran_on:
      description: The host on which the module ran.
      type: str
    job:
      description: The job that ran it; null if none was named.
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
    - The newest attempts at migrations, the newest first, with the moves that ran no file.
    - Empty if there is no history table, or O(history_table) is empty.
  returned: success
  type: list
  elements: dict
  contains:
    version:
      description: The migration's version, or the one that was moved to; null for a move to V(none).
      type: int
    title:
      description: The migration's title; empty for a move.
      type: str
    direction:
      description:
        - V(up) or V(down).
        - V(force) for a move by M(dbops.migrations.migration_force). V(external) for one by something else, which was
          found afterwards. V(baseline) for a version that was found when the history began, or after a force, with what
          is treated as applied then.
      type: str
    outcome:
      description: V(applied), V(running), V(failed) or V(interrupted).
      type: str
    checksum:
      description: The file's SHA-256; null if it was not carried out to its end.
      type: str
    statements:
      description: How many statements the file has; null if it was not carried out to its end.
      type: int
    done:
      description: How many statements were done.
      type: int
    started_at:
      description: When the attempt was started, in UTC, as ISO 8601 has it.
      type: str
    seconds:
      description: How long it took, as far as is recorded; null for a move.
      type: float
    error:
      description: What the server answered, or which signal it was; null if nothing went wrong.
      type: str
    commit:
      description: The Git commit of the files; null if none was named.
      type: str
    ran_by:
      description: Who ran it.
      type: str
    ran_on:
      description: The host on which the module ran.
      type: str
    job:
      description: The job that ran it; null if none was named.
      type: str
    tool:
      description: The collection and its version.
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
      tool: dbops.migrations 0.1.0
changed_files:
  description: The files that were changed since they were applied, as far as the history knows.
  returned: success
  type: list
  elements: str
  sample: [0002_orders.up.sql]
missing:
  description: The versions that the history says are applied and that have no file.
  returned: success
  type: list
  elements: int
  sample: []
out_of_order:
  description:
    - The versions below the current one that were never applied, as far as the history knows.
    - Empty while something else has left the state dirty, as nothing says yet which versions it has passed.
  returned: success
  type: list
  elements: int
  sample: []
history_ahead:
  description:
    - The versions that the history has as applied and the state table does not. The state row was deleted, an older
      backup of it was restored, or golang-migrate rolled back or was forced.
  returned: success
  type: list
  elements: int
  sample: []
drift:
  description:
    - The objects that were changed since the last run, and not by a migration, in order. A run keeps what they are
      compared with if O(dbops.migrations.migration_apply#module:drift) says so.
    - Null if nothing is kept of the present version, or a migration is running or was interrupted.
  returned: success
  type: list
  elements: dict
  contains:
    sort:
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
    - sort: TABLE
      name: orders
      change: changed
      diff: "@@ -3,4 +3,5 @@\n   `placed` date DEFAULT NULL,\n+  KEY `placed` (`placed`),\n"
kept:
  description:
    - What is kept of what migrations of the schema have destroyed, the oldest first; M(dbops.migrations.migration_kept)
      restores or purges it.
  returned: with O(keep_destroyed)
  type: list
  elements: dict
  contains:
    id:
      description: Its number.
      type: int
    what:
      description: V(table), V(rows) for all rows of one, V(partition) for those of partitions, or V(columns).
      type: str
    table:
      description: The table's name before the migration.
      type: str
    columns:
      description: The columns of which values are kept.
      type: list
      elements: str
    partitions:
      description: The partitions of which rows are kept.
      type: list
      elements: str
    kept_as:
      description: The name of the table in O(keep_destroyed) that holds it.
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
      description: How many rows; of a table that was renamed, about how many.
      type: int
    bytes:
      description: About how many bytes it takes, with its indexes.
      type: int
    kept_at:
      description: Since when, in UTC, as ISO 8601 has it.
      type: str
    days:
      description: For how many whole days.
      type: int
    ran_by:
      description: Who ran the migration.
      type: str
    job:
      description: The job that ran it; null if none was named.
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
      description: The file that applies it; null if there is none.
      type: str
    down:
      description: The file that rolls it back; null if there is none.
      type: str
  sample:
    - {version: 4, title: add_email, up: 0004_add_email.up.sql, down: 0004_add_email.down.sql}
lock_holder:
  description: Who holds the database's lock, as far as the user may see; null when nobody does.
  returned: success
  type: str
  sample: connection 42, shop@10.0.0.5:51234, in its present state for 3 s
server:
  description: The server's version.
  returned: success
  type: str
  sample: 10.11.19-MariaDB
missing_privileges:
  description:
    - The privileges on the schema that migrations need and the account lacks, of C(SELECT), C(INSERT), C(UPDATE),
      C(DELETE), C(CREATE), C(ALTER), C(DROP), C(INDEX) and C(REFERENCES). Privileges on single tables do not count.
    - Empty, too, if the server does not show the account's grants.
  returned: success
  type: list
  elements: str
  sample: [CREATE, DROP]
obstacles:
  description:
    - Settings of the server that refuse what migrations do, or end it.
    - They are looked at for C(log_bin_trust_function_creators), C(read_only), C(super_read_only),
      C(sql_require_primary_key), C(max_statement_time), and C(max_allowed_packet) where a pending file is longer.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: The setting.
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
  description: Whether the server's version is supported, MySQL 8.0 and later and MariaDB 10.6 and later.
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
