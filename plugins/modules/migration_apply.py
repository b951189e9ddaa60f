#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_apply
short_description: Apply or roll back the SQL migrations of a MySQL or MariaDB schema
version_added: 0.1.0
description:
  - Applies the SQL migrations in a directory to a schema, in order of their versions, or rolls them back.
  - The files, the state table and the lock are compatible with golang-migrate. You can switch between the two tools at
    any time.
  - If a statement fails, the error names the file, the line and the statement. The state table is then dirty, at the
    version of the failed migration, as golang-migrate leaves it.
  - The next run resumes at the statement that failed or was interrupted, whatever the cause. No statement is executed
    twice. If it is impossible to determine whether a statement took effect, the run stops, and tells you what to check
    and which values of O(resume_from) are possible.
  - C(SIGTERM), C(SIGINT) and C(SIGHUP) stop a run after the current statement. A signal that was ignored when Ansible
    was started remains ignored, such as C(SIGHUP) with C(nohup).
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._apply
  - dbops.migrations._history
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Takes the lock briefly, reads the state, and returns the plan.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Each run with O(steps) applies or rolls back that many migrations.
options:
  steps:
    description:
      - The number of migrations to apply, or to roll back if it is negative. Mutually exclusive with O(target).
      - If there are fewer migrations than that, all of them are taken, with a warning.
    type: int
  resume_from:
    description:
      - The number of the statement at which to resume an interrupted migration, counted from 1. Use it when a run has
        stopped because it is unknown which statements took effect.
      - The statements before it are treated as done. The option is refused if no migration was interrupted.
    type: int
  expected_plan:
    description:
      - The approved plan, as RV(plan) returned it in check mode. If the plan is now a different one, nothing is run.
      - A plan consists of the version at which the database is and the names of the files to run. Use
        O(dbops.migrations.git_fetch#module:expected_commit) to make sure that the contents of the files are the same,
        too.
    type: str
    version_added: 0.2.0
  rehearse:
    description:
      - Rehearse the plan before it is executed, on copies of the objects that the files name, in a temporary schema.
        Each migration is applied there, rolled back with its down file, and applied again. See RV(rehearsal) and the
        page about rehearsals in the collection's documentation.
      - V(check) rehearses in check mode only. V(always) also rehearses in normal runs, which then change nothing if
        O(guards) refuse what was found.
      - The account needs privileges on the schemas C(dbops_rehearsal_%). If it lacks them, RV(rehearsal) contains the
        C(GRANT) statement that grants them.
      - Nothing is rehearsed if nothing is pending.
    type: str
    default: never
    choices: [never, check, always]
    version_added: 0.2.0
  assert_impact:
    description:
      - Add the C(ALGORITHM) and C(LOCK) that were used in the rehearsal to each C(ALTER TABLE), C(CREATE INDEX) and
        C(DROP INDEX). The server then refuses a statement that would have a greater impact on its table, before the
        statement starts. The resulting definition is the same.
      - Requires O(rehearse=always).
    type: bool
    default: false
    version_added: 0.2.0
  rehearsal_login_user:
    description:
      - The account to use for rehearsals instead of O(login_user). It must have privileges on the schemas
        C(dbops_rehearsal_%) and on no others; an account with more privileges is refused.
      - Without this option, a file that could affect anything outside of its schema is not rehearsed.
    type: str
    version_added: 0.2.0
  rehearsal_login_password:
    description: The password of O(rehearsal_login_user).
    type: str
    version_added: 0.2.0
  rehearsal_login_host:
    description:
      - Another server to rehearse on, as seen from the runner, with the account O(rehearsal_login_user). It must have
        the same release series, such as 8.4, and the same settings, such as C(sql_mode). Otherwise nothing is
        rehearsed, and RV(rehearsal) contains the reason.
      - Rows are still counted on the database's own server. The impact of an C(ALTER) is only reported as certain if it
        copies the table.
      - O(login_unix_socket) and O(config_file) are not used for this server.
    type: str
    version_added: 0.2.0
  rehearsal_login_port:
    description:
      - The port of the server to rehearse on. The default is 3306.
      - Without O(rehearsal_login_host), it is a port of the same host.
    type: int
    version_added: 0.2.0
  guards:
    description:
      - What to do if a plan does something that can harm a production database. V(refuse) runs nothing. V(warn) warns,
        in check mode and in runs that rehearse. V(allow) ignores it.
      - All guards but V(no_down_file) depend on the results of the rehearsal, see O(rehearse). The guards
        C(irreversible), C(rename) and C(no_down_file) do not apply to rollbacks.
      - In check mode, the plan is shown first. RV(refusal) contains the reason why it would be refused.
    type: dict
    version_added: 0.2.0
    suboptions:
      destroy:
        description: Rows, column values, partitions or tables that are not empty are destroyed.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      block_writes:
        description: An C(ALTER) blocks, or may block, writes to a large table while it runs.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      block_writes_above:
        description: The table size above which O(guards.block_writes) applies, in bytes, for example V(100M).
        type: bytes
        default: 100M
      rebuild:
        description: An C(ALTER) rewrites, or may rewrite, all rows of a large table.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      rebuild_above:
        description: The table size above which O(guards.rebuild) applies, in bytes, for example V(1G).
        type: bytes
        default: 1G
      would_fail:
        description:
          - A migration fails on the copies, or the real tables have rows on which it would fail.
          - If another statement of the plan may change these rows first, V(refuse) only warns.
        type: str
        default: refuse
        choices: [allow, warn, refuse]
      irreversible:
        description: A down file fails, or does not restore the schema.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      not_rehearsed:
        description: A migration, or its down file, could not be rehearsed.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      rename:
        description: A table or column is renamed, while the running application still uses the old name.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      no_down_file:
        description: A migration has no down file.
        type: str
        default: warn
        choices: [allow, warn, refuse]
  allow:
    description:
      - For each guard in O(guards), the versions that it lets pass. Versions that are not pending are ignored.
      - >-
        A file can also allow something itself, with a comment such as C(-- dbops: allow destroy orders.note) above the
        statement.
    type: dict
    version_added: 0.2.0
    suboptions:
      destroy: &versions
        description: The versions that this guard lets pass.
        type: list
        elements: int
      block_writes: *versions
      rebuild: *versions
      would_fail: *versions
      irreversible: *versions
      not_rehearsed: *versions
      rename: *versions
      no_down_file: *versions
  drift:
    description:
      - What to do if the schema was changed outside of migrations since the last run. It is checked if something is
        pending.
      - V(warn) and V(refuse) store the definitions of all objects in a table beside the history, together with the
        version and the number of the newest attempt. Objects whose definitions differ later have drifted. If no
        definitions are stored for the current version, for example after golang-migrate has run, nothing is reported,
        and the next run stores them again.
      - V(refuse) runs nothing if there is drift. After a run with V(warn), the changed definitions are the new
        reference.
    type: str
    default: ignore
    choices: [ignore, warn, refuse]
    version_added: 0.2.0
  keep_destroyed:
    description:
      - A schema in which to keep the data that migrations destroy. It is created if it does not exist.
      - A table that a plain C(DROP TABLE) drops is moved into it, if the table has no foreign keys and no triggers.
        Otherwise the table is copied before the migration starts. All rows of a table that C(TRUNCATE), or C(DELETE)
        without a condition, empties are copied, too, as well as the rows of a dropped or truncated partition. Of a
        column that is dropped, or that C(UPDATE) without a condition changes, the values are copied with the primary
        key.
      - Requires O(rehearse=always), which finds out what is destroyed, O(lock) and O(history_table). A migration that
        cannot be rehearsed is not run. A warning names what cannot be detected. See the page about kept data in the
        collection's documentation.
      - The account needs C(SELECT), C(INSERT), C(UPDATE), C(DELETE), C(CREATE), C(ALTER) and C(DROP) on that schema.
      - M(dbops.migrations.migration_kept) lists, restores and purges the kept data.
    type: str
    version_added: 0.2.0
  detached:
    description:
      - Let the run continue if the connection to the host is lost. The module leaves the process group of the
        connection's session and ignores C(SIGHUP). C(SIGTERM) and C(SIGINT) still stop it after the current statement.
      - Requires O(run_id). The collection's action plugin sets this option if it can reconnect to the run.
    type: bool
    default: false
    version_added: 0.2.0
  reattach:
    description:
      - Return the result of the run O(run_id), which an earlier call may have started before its connection was lost.
        The module waits until that run has ended, and takes its results from the history. If the run was interrupted,
        it is resumed.
      - Requires O(run_id). The collection's action plugin sets this option.
    type: bool
    default: false
    version_added: 0.2.0
notes:
  - In check mode with C(--diff), the plan is shown as in RV(plan_text), up to 200 lines and 20,000 characters of each
    file and 200,000 characters in total. Truncated files are marked.
  - >-
    A file that contains the comment C(-- dbops: all-or-nothing) before its first statement, within its first 4 KiB, is
    executed in one transaction. If it fails, the schema is unchanged, at the previous version, clean. Such a file may
    only contain statements that change rows of transactional tables.
  - A file whose name looks like that of a migration but is not valid causes a warning.
seealso:
  - module: dbops.migrations.git_fetch
  - module: dbops.migrations.migration_info
  - module: dbops.migrations.migration_force
"""

EXAMPLES = r"""
- name: Apply all pending migrations
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current

- name: Apply all pending migrations, with credentials from AWS Secrets Manager that the runner may read
  dbops.migrations.migration_apply:
    login_secret:
      id: prod/shop
    region: eu-central-1
    directory: /opt/dbops-migrations/source/shop/current

- name: Migrate to version 12
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    target: 12

- name: Roll back the last migration
  dbops.migrations.migration_apply:
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    steps: -1
    allow_down: true

- name: Apply only the plan that was approved
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    expected_plan: "{{ approved.plan }}"

- name: Rehearse the plan first, and refuse to destroy anything but what version 12 destroys
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    rehearse: always
    guards:
      destroy: refuse
    allow:
      destroy: [12]

- name: Resume an interrupted migration at its third statement, after checking that the second took effect
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    resume_from: 3

- name: Take over a schema whose tables match the migrations up to version 4
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    baseline: 4
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
from_version:
  description: The version before the run; null if no migration was applied.
  returned: once the state table has been read
  type: int
  sample: 3
to_version:
  description:
    - The version after the run; null if no migration is applied.
    - In check mode, the version that the run would reach.
  returned: once the state table has been read
  type: int
  sample: 5
applied:
  description: The migrations that were applied or rolled back, in order. Empty in check mode.
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
      description: The number of statements that were executed.
      type: int
    seconds:
      description: The duration in seconds.
      type: float
  sample:
    - {version: 4, title: add_email, direction: up, statements: 2, seconds: 0.041}
pending:
  description:
    - In check mode, the migrations that would be applied or rolled back, in order.
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
plan:
  description: A digest of the plan, to pass to O(expected_plan) of the run that executes it.
  returned: in check mode
  type: str
  sample: 5f0c1b1e3a0d4d0f8a3c2b1a09f8e7d6c5b4a39287f6e5d4c3b2a19080f7e6d5
plan_text:
  description:
    - The plan as Markdown, which is also readable in a terminal. Two lines summarize it; then follow, for each
      migration, the results of the rehearsal, its SQL, and the differences in the schema.
  returned: when O(plan_file) is set and there is something to do, also on failure
  type: str
  sample: |
    ## shop: from version 3 to version 4

    1 migration is pending: 4. It ran without an error on copies of the tables.

    Writes to `orders` **wait** while 24.7 MB are copied.
rehearsal:
  description: The result of the rehearsal.
  returned: when O(rehearse) asks for it and something is pending
  type: dict
  contains:
    complete:
      description: Whether each migration of the plan was rehearsed.
      type: bool
    why:
      description: Why no migration was rehearsed, or why the rehearsal ended early; null otherwise.
      type: str
    objects:
      description: The number of objects that were copied.
      type: int
    left_out:
      description: The objects that could not be copied, with the reasons.
      type: list
      elements: dict
    migrations:
      description: The result for each migration, in order.
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
        rehearsed:
          description: Whether the migration was rehearsed.
          type: bool
        why:
          description: Why it was not rehearsed; null if it was.
          type: str
        error:
          description: The error with which it failed; null if it succeeded.
          type: str
        changes:
          description: The objects that it changes.
          type: list
          elements: dict
          contains:
            type:
              description:
                - V(TABLE), V(VIEW), V(TRIGGER), V(FUNCTION), V(PROCEDURE), V(EVENT), V(SEQUENCE) or V(PACKAGE).
              type: str
            name:
              description: The name of the object.
              type: str
            change:
              description: V(added), V(removed) or V(changed).
              type: str
            diff:
              description: A unified diff of the definition.
              type: str
        impact:
          description: The impact of each C(ALTER TABLE), C(CREATE INDEX) and C(DROP INDEX) on its table.
          type: list
          elements: dict
          contains:
            statement:
              description: The number of the statement in its file, from 1.
              type: int
            line:
              description: The line in that file on which the statement starts, from 1.
              type: int
            table:
              description: The table's name.
              type: str
            algorithm:
              description: V(INSTANT), V(NOCOPY), V(INPLACE) or V(COPY); null if the server does not report it.
              type: str
            rebuilds:
              description: Whether all rows are rewritten; null if unknown.
              type: bool
            blocks_writes:
              description: Whether writes are blocked while it runs; null if unknown.
              type: bool
            rows:
              description: The approximate number of rows of the table.
              type: int
            bytes:
              description: The approximate size of the table with its indexes, in bytes.
              type: int
            certain:
              description: Whether the impact on the real table is certain to be the same as on its copy.
              type: bool
            uncertain:
              description: Why it is not certain; null if it is.
              type: str
        risks:
          description: The rows on which it would fail, and the data that it would destroy, counted in the real tables.
          type: list
          elements: dict
          contains:
            kind:
              description: V(would_fail) or V(destroy).
              type: str
            what:
              description:
                - For V(would_fail), the reason is V(null), V(duplicate), V(does_not_fit), V(character_set), V(check),
                  V(orphan) or V(zero_date).
                - For V(destroy), the lost data is V(table), V(column), V(partition), V(rows) or V(values).
              type: str
            table:
              description: The name of the table before the plan is run.
              type: str
            name:
              description: The name of the column, key, constraint or partition; empty if it is about the table.
              type: str
            named:
              description: Both names before the migration, separated by a dot, as a comment in the file may name it.
              type: str
            line:
              description: The line on which the responsible statement starts, from 1; null if uncertain.
              type: int
            rows:
              description: The number of rows or values; null if counting took too long or was not permitted.
              type: int
            certain:
              description: >-
                Whether the number is known, no earlier statement of the plan may change it, and the server does not
                accept such rows.
              type: bool
            text:
              description: A summary in one line.
              type: str
        renames:
          description: The existing tables and columns that it renames.
          type: list
          elements: dict
          contains:
            table:
              description: The table's name before the migration.
              type: str
            column:
              description: The column's name before the migration; empty if the table is renamed.
              type: str
            to:
              description: The name after the migration.
              type: str
            line:
              description: The line on which the responsible statement starts, from 1; null if uncertain.
              type: int
        kept:
          description: What O(keep_destroyed) keeps, or would keep in a normal run.
          returned: with O(keep_destroyed)
          type: list
          elements: dict
          contains:
            what:
              description: V(table), V(rows) for all rows of a table, V(partition) or V(columns).
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
            how:
              description: V(renamed) or V(copied).
              type: str
            why:
              description: Why the data is copied; null if the table is renamed.
              type: str
            rows:
              description: The approximate number of rows of the table; null if the plan creates it.
              type: int
            bytes:
              description: The approximate size of the table with its indexes, in bytes; null if the plan creates it.
              type: int
            text:
              description: A summary in one line.
              type: str
        not_kept:
          description: Data that may be destroyed without being kept, as texts.
          returned: with O(keep_destroyed)
          type: list
          elements: str
        skipped:
          description: The statements that were skipped because they need rows, which the copies do not have.
          type: list
          elements: str
        reversible:
          description:
            - Whether its down file restores the schema, so that the migration can be applied again. Null if unknown.
          type: bool
        irreversible:
          description: Why it is not reversible, or why that is unknown; null if it is reversible.
          type: str
        not_restored:
          description: The objects that the down file does not restore, as in RV(rehearsal.migrations[].changes).
          type: list
          elements: dict
        lines:
          description: The lines of its files that the results refer to, from 1.
          type: dict
          contains:
            up:
              description: The statement that fails or cannot be rehearsed; null if it is not about a statement.
              type: int
            down:
              description: The same for its down file.
              type: int
            skipped:
              description: The skipped statements, in order.
              type: list
              elements: int
    cannot_tell:
      description: What the rehearsal cannot check.
      type: list
      elements: str
    seconds:
      description: The duration in seconds.
      type: float
  sample:
    complete: true
    why: null
    objects: 3
    left_out: []
    migrations:
      - version: 6
        title: add_index
        direction: up
        rehearsed: true
        why: null
        error: null
        changes:
          - type: TABLE
            name: orders
            change: changed
            diff: "@@ -3,4 +3,5 @@\n   `placed` date DEFAULT NULL,\n+  KEY `placed` (`placed`),\n"
        impact:
          - statement: 1
            line: 1
            table: orders
            algorithm: INPLACE
            rebuilds: false
            blocks_writes: false
            rows: 297330
            bytes: 24723456
            certain: true
            uncertain: null
        risks:
          - kind: would_fail
            what: duplicate
            table: orders
            name: number
            named: orders.number
            line: 1
            rows: 3
            certain: true
            text: 'orders: values that occur more than once under the unique key number (1062): 3'
        renames: []
        skipped: []
        reversible: true
        irreversible: null
        not_restored: []
        lines: {up: null, down: null, skipped: []}
    cannot_tell: ['The copies have no rows, so what statements do to rows is not checked.']
    seconds: 0.21
guards:
  description:
    - The findings of all O(guards) that are not set to V(allow), in the order of the plan.
    - A normal run without a rehearsal only checks the guard C(no_down_file), and only if it is set to V(refuse).
  returned: when something is pending and a guard was checked
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
    guard:
      description: The name of the guard, see O(guards).
      type: str
    verdict:
      description: V(refuse), V(warn), or V(allowed).
      type: str
    text:
      description: What was found, where, and the number of rows.
      type: str
    allowed_by:
      description:
        - V(migrate_allow) if O(allow) allows it, which is the role's name for that option; otherwise the place of the
          comment in the file.
        - Null if it is not allowed.
      type: str
  sample:
    - version: 6
      title: drop_note
      direction: up
      guard: destroy
      verdict: allowed
      text: 'orders: values lost with the column note: 40,112 (line 3)'
      allowed_by: line 2 of 0006_drop_note.up.sql
refusal:
  description: Why a run would be refused and what to do about it; null if it would not be refused.
  returned: when something is pending and a guard was checked
  type: str
  sample: 'The guards refuse this plan: up 7, no_down_file: there is no down file. Correct the files.'
drift:
  description:
    - The objects that were changed outside of migrations, as in
      RV(dbops.migrations.migration_info#module:drift).
  returned: when O(drift) is not V(ignore) and something is pending
  type: list
  elements: dict
  sample: []
resumed:
  description: The interrupted migration and the statement at which it was resumed; null if none was interrupted.
  returned: success
  type: dict
  contains:
    version:
      description: The migration's version.
      type: int
    statement:
      description: The number of the first statement that was not recorded as done, from 1.
      type: int
  sample: {version: 4, statement: 3}
out_of_order:
  description: The versions below the current one that were never applied.
  returned: when they caused the failure
  type: list
  elements: int
  sample: [3]
changed_files:
  description: The files that changed after they were applied.
  returned: when they caused the failure
  type: list
  elements: str
  sample: [0002_orders.up.sql]
dirty:
  description: Whether the state table is dirty after the run, because a migration is partially applied.
  returned: once the state table has been read
  type: bool
  sample: false
reattached:
  description: Whether an earlier call, whose connection was lost, started the run. The result is of the whole run.
  returned: when the run was started by an earlier call
  type: bool
  sample: true
msg:
  description: A summary in one line of what was done, or would be done in check mode.
  returned: always
  type: str
  sample: 'shop: from version 3 to version 5, 2 migrations'
baseline:
  description: The version that was recorded as the schema's baseline, or would be in check mode.
  returned: when O(baseline) was recorded
  type: int
  sample: 12
tables:
  description: The tables in the schema.
  returned: when they caused the failure
  type: list
  elements: str
  sample: [accounts]
file:
  description: The file that failed.
  returned: when a migration failed
  type: str
  sample: 0004_add_email.up.sql
line:
  description: The line in that file on which the failed statement starts, from 1.
  returned: when a statement failed
  type: int
  sample: 12
column:
  description: The column on that line at which the statement starts, in characters, from 1.
  returned: when a statement failed
  type: int
  sample: 1
in_doubt:
  description: The statements that may have taken effect without being recorded. Resolve it with O(resume_from).
  returned: when it is unknown which statements took effect
  type: dict
  contains:
    first:
      description: The number of the first of them.
      type: int
    last:
      description: The number of the last of them.
      type: int
  sample: {first: 2, last: 2}
history_ahead:
  description: The versions that are applied or started according to the history, but not according to the state table.
  returned: when they caused the failure
  type: list
  elements: int
  sample: [4, 5]
statement:
  description: The number of the failed statement in that file, from 1.
  returned: when a statement failed
  type: int
  sample: 2
error_code:
  description: The error code from the server; 0 if the connection failed.
  returned: when the server returned an error
  type: int
  sample: 1060
"""

from collections.abc import Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._core.stop import leave_session
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.guards import GUARDS
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.progress.file import progress_of
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.apply import (
    APPLY,
    DriftCheck,
    Order,
    migrate,
)

if TYPE_CHECKING:
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.preview import Preview

LEVEL = {"type": "str", "default": "warn", "choices": ["allow", "warn", "refuse"]}

SPEC = (
    LOGIN
    + APPLY
    + ArgumentSpec(
        argument_spec={
            "steps": {"type": "int"},
            "resume_from": {"type": "int"},
            "expected_plan": {"type": "str"},
            "rehearse": {"type": "str", "default": "never", "choices": ["never", "check", "always"]},
            "assert_impact": {"type": "bool", "default": False},
            "rehearsal_login_user": {"type": "str"},
            "rehearsal_login_password": {"type": "str", "no_log": True},
            "rehearsal_login_host": {"type": "str"},
            "rehearsal_login_port": {"type": "int"},
            "guards": {
                "type": "dict",
                "apply_defaults": True,
                "options": {
                    **dict.fromkeys(GUARDS, LEVEL),
                    "would_fail": {**LEVEL, "default": "refuse"},
                    "block_writes_above": {"type": "bytes", "default": "100M"},
                    "rebuild_above": {"type": "bytes", "default": "1G"},
                },
            },
            "allow": {
                "type": "dict",
                "apply_defaults": True,
                "options": {name: {"type": "list", "elements": "int"} for name in GUARDS},
            },
            "drift": {"type": "str", "default": "ignore", "choices": ["ignore", "warn", "refuse"]},
            "keep_destroyed": {"type": "str"},
            "detached": {"type": "bool", "default": False},
            "reattach": {"type": "bool", "default": False},
        },
        mutually_exclusive=[["target", "steps"]],
        required_by={f"rehearsal_login_{name}": ["rehearsal_login_user"] for name in ("password", "host", "port")},
        required_if=[["detached", True, ["run_id"]], ["reattach", True, ["run_id"]]],
    )
)


def apply(module: AnsibleModule) -> dict[str, Any]:
    if module.params["detached"]:
        leave_session()
    check(module.params)
    source = read_source(module.params["directory"])
    login = Login(module)
    order = Order(
        module.params,
        module.check_mode,
        module._diff,
        module.warn,
        progress=progress_of(module),
        document=bool(module.params["plan_file"]),
    )
    ahead = cache(partial(preview, module, login, source))
    if module.params["rehearse"] == "always" or (module.check_mode and module.params["rehearse"] == "check"):
        order = order._replace(rehearse=lambda plan, resumes: ahead().rehearse(plan, resumes))
    # In a run that rehearses nothing, there is nothing else that could be refused.
    if module.check_mode or order.rehearse is not None or module.params["guards"]["no_down_file"] == "refuse":
        order = order._replace(guard=lambda *about: ahead().guard(*about))
    if module.params["drift"] != "ignore":
        order = order._replace(drift=drift_check(module, login))
    with login.session() as session:
        return migrate(order, session, login.session, source)


def check(params: Mapping[str, Any]) -> None:
    if params["rehearse"] != "always":
        if params["assert_impact"]:
            raise Error(2101, "assert_impact needs a rehearsal. Set rehearse to always.")
        if params["keep_destroyed"]:
            raise Error(
                2201, "keep_destroyed needs a rehearsal, which finds out what is destroyed. Set rehearse to always."
            )


def preview(module: AnsibleModule, login: Login, source: Source) -> Preview:
    # Most runs have nothing to do, and need not load it.
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.preview import Preview  # noqa: PLC0415

    user, password, host, port = (
        module.params[f"rehearsal_login_{name}"] for name in ("user", "password", "host", "port")
    )
    there = login.other(user, password, host, port) if user else login
    return Preview(module.params, module.check_mode, module.warn, source, login.database, login.session, there.session)


def drift_check(module: AnsibleModule, login: Login) -> DriftCheck:
    # Most runs do without.
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal import drift  # noqa: PLC0415

    return drift.check(module.params, module.warn, login.database, login.session)


def main() -> None:
    run_module(SPEC, apply)


if __name__ == "__main__":
    main()
