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
  - Applies the SQL migrations of a directory to a schema, in order, or rolls them back.
  - Files, state table and lock are those of golang-migrate, which can take over at any time, or be taken over from.
  - A failure names the file, line and statement, and leaves the state table as golang-migrate would, at the version
    that the failed migration leads to, dirty.
  - The next run resumes from the statement that failed, or at which the run was interrupted, whatever it was that ended
    it. A statement is never run twice. Where nobody can know whether one took effect, the run stops and says what to
    look at, and which answers O(resume_from) can have.
  - C(SIGTERM), C(SIGINT) and C(SIGHUP) end a run after the statement that is running. One that is ignored where
    Ansible was started stays so, as C(SIGHUP) does under C(nohup).
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
    details: Takes the lock for a moment, reads, and returns the plan.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Each run with O(steps) takes that many steps.
options:
  steps:
    description:
      - How many migrations to apply, or, if negative, to roll back, in place of O(target).
      - If there are fewer, those are taken, with a warning.
    type: int
  resume_from:
    description:
      - The number of the statement to resume from, for a migration that was interrupted; the answer when a run has
        stopped because nobody can know which statements took effect.
      - The statements before it are treated as done. Where nothing was interrupted it is refused.
    type: int
  expected_plan:
    description:
      - The plan that was approved, as RV(plan) of check mode has it. Another one is refused, and nothing is run.
      - It says from which version the database goes and which files are run. That these are the same is for
        O(dbops.migrations.git_fetch#module:expected_commit) to see to.
    type: str
  rehearse:
    description:
      - Whether to carry the plan out on copies of the objects that its files name, in a schema of its own, before it is
        carried out. Each migration is applied there, rolled back by its down file, and applied again. See
        RV(rehearsal), and the page on rehearsals in the collection's documentation.
      - V(check) does so in check mode. V(always) does so in a run, too, which then does nothing if O(guards) refuse
        what was found.
      - The account needs rights on the schemas C(dbops_rehearsal_%). Where it has none, RV(rehearsal) says which
        C(GRANT) gives them.
      - Where nothing is pending, nothing is rehearsed.
    type: str
    default: never
    choices: [never, check, always]
    version_added: 0.2.0
  assert_impact:
    description:
      - Send each C(ALTER TABLE), C(CREATE INDEX) and C(DROP INDEX) with the C(ALGORITHM) and the C(LOCK) by which the
        rehearsal has carried it out, so that the server refuses one that would do more to its table, before it begins.
        The definition that results is the same.
      - Needs O(rehearse=always).
    type: bool
    default: false
    version_added: 0.2.0
  rehearsal_login_user:
    description:
      - The account that rehearses, in place of O(login_user). It must have rights on the schemas C(dbops_rehearsal_%)
        and no others; one that has more is refused.
      - Without it, a file is not rehearsed that could reach out of the schema it runs in.
    type: str
    version_added: 0.2.0
  rehearsal_login_password:
    description: The password of O(rehearsal_login_user).
    type: str
    version_added: 0.2.0
  rehearsal_login_host:
    description:
      - Another server to rehearse on, as the runner reaches it, with the account O(rehearsal_login_user). It must be of
        the same series and have the same settings, such as C(sql_mode); otherwise nothing is rehearsed, and
        RV(rehearsal) says why.
      - What the tables hold is asked of the database's own server all the same. What an C(ALTER) does to its table is
        called certain only if it copies it.
      - O(login_unix_socket) and O(config_file) do not matter there.
    type: str
    version_added: 0.2.0
  rehearsal_login_port:
    description: The port of that server; 3306 by default. Without O(rehearsal_login_host) it is on the same host.
    type: int
    version_added: 0.2.0
  guards:
    description:
      - What to do about what a plan should not do to a database in production. V(refuse) runs nothing. V(warn) says it,
        in check mode and in a run that rehearses. V(allow) ignores it.
      - All but V(no_down_file) see only what the rehearsal has found, see O(rehearse). In a rollback C(irreversible),
        C(rename) and C(no_down_file) look for nothing.
      - In check mode the plan is shown first. RV(refusal) says why it is refused.
    type: dict
    version_added: 0.2.0
    suboptions:
      destroy:
        description: Rows, columns, partitions or tables go in which there is something.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      block_writes:
        description: An C(ALTER) has writes wait as long as it takes, or may have, on a table of some size.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      block_writes_above:
        description: The size in bytes above which O(guards.block_writes) counts, such as V(100M).
        type: bytes
        default: 100M
      rebuild:
        description: An C(ALTER) writes all rows anew, or may do so, on a table of some size.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      rebuild_above:
        description: The size in bytes above which O(guards.rebuild) counts, such as V(1G).
        type: bytes
        default: 1G
      would_fail:
        description:
          - A migration fails on the copies, or there are rows on which it would fail.
          - V(refuse) only warns of rows that a statement of the plan may change before.
        type: str
        default: refuse
        choices: [allow, warn, refuse]
      irreversible:
        description: A down file fails, or does not restore the schema.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      not_rehearsed:
        description: A migration, or its down file, was to be rehearsed and was not.
        type: str
        default: warn
        choices: [allow, warn, refuse]
      rename:
        description: A table or a column gets another name, which an application that still runs does not know.
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
      - The versions that each guard of O(guards) lets pass. Those that are not pending count for nothing.
      - >-
        A file may allow it itself, with a comment such as C(-- dbops: allow destroy orders.note) above the statement.
    type: dict
    version_added: 0.2.0
    suboptions:
      destroy: &versions
        description: The versions that it lets pass.
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
      - What to do about changes of the schema that no migration has made, if something is pending.
      - V(warn) and V(refuse) keep the definitions of all objects in a table beside the history, with the version and
        the number of the newest attempt. What differs from them later was changed by other means. While nothing is kept
        of the present version, for instance after golang-migrate has run, nothing is said; a run keeps it again.
      - V(refuse) runs nothing. A run with V(warn) makes known what was changed.
    type: str
    default: ignore
    choices: [ignore, warn, refuse]
    version_added: 0.2.0
  keep_destroyed:
    description:
      - A schema in which what migrations destroy is kept. It is made if it is not there.
      - A table that is dropped is renamed into it, if it has no foreign keys and no triggers and a plain C(DROP TABLE)
        drops it. Otherwise it is copied before the migration begins. So are all rows of a table that C(TRUNCATE) or
        C(DELETE) without a condition empties, the rows of a partition, and, with the primary key, the values of a
        column that is dropped or that C(UPDATE) without a condition changes.
      - Needs O(rehearse=always), which says what is destroyed, O(lock) and O(history_table). A migration that is not
        rehearsed is not run. What nobody can see is named in a warning. See the page on what is kept in the
        collection's documentation.
      - The account needs C(SELECT), C(INSERT), C(UPDATE), C(DELETE), C(CREATE), C(ALTER) and C(DROP) on that schema.
      - M(dbops.migrations.migration_kept) lists, restores and purges what is kept.
    type: str
    version_added: 0.2.0
  detached:
    description:
      - Have the run go on when the connection to the host ends. It leaves the process group of the connection's session
        and ignores C(SIGHUP). C(SIGTERM) and C(SIGINT) end it after the statement that is running, as ever.
      - The collection's action plugin sets it where it can take the run up again.
    type: bool
    default: false
    version_added: 0.2.0
  reattach:
    description:
      - The run of O(run_id) may have been begun before, and its result been lost with the connection. The module waits
        until that run has ended, and returns what it has done, by the history; what was interrupted it resumes.
      - The collection's action plugin sets it.
    type: bool
    default: false
    version_added: 0.2.0
notes:
  - In check mode with C(--diff) the plan is shown as RV(plan_text) has it, with 200 lines and 20,000 characters of a
    file and 200,000 characters in all. What is left out is said.
  - >-
    A file with the comment C(-- dbops: all-or-nothing) before its first statement, within its first 4 KiB, is one
    transaction. After a failure the schema is as before, at the version before, clean. It may only hold statements that
    change rows of transactional tables.
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

- name: Apply with the credentials that AWS Secrets Manager holds, and that the runner may read
  dbops.migrations.migration_apply:
    login_secret:
      id: prod/shop
    region: eu-central-1
    directory: /opt/dbops-migrations/source/shop/current

- name: Roll back the last migration
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
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
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
plan:
  description: A digest of the plan, for O(expected_plan) of the run that is to carry it out.
  returned: in check mode
  type: str
  sample: 5f0c1b1e3a0d4d0f8a3c2b1a09f8e7d6c5b4a39287f6e5d4c3b2a19080f7e6d5
plan_text:
  description:
    - The plan as Markdown, which reads well in a terminal, too. First two lines that say what decides; then of each
      migration what the rehearsal has found out, its SQL, and the difference of the schema.
  returned: when O(plan_file) is set and there is something to do, also if that fails
  type: str
  sample: |
    ## shop: from version 3 to version 4

    1 migration is pending: 4. It ran without an error on copies of the tables.

    Writes to `orders` **wait** while 24.7 MB are copied.
rehearsal:
  description: What came of the rehearsal.
  returned: when O(rehearse) asks for it and something is pending
  type: dict
  contains:
    complete:
      description: Whether each migration of the plan was rehearsed.
      type: bool
    why:
      description: Why none was, or why it ended before its time; null otherwise.
      type: str
    objects:
      description: How many objects were copied.
      type: int
    left_out:
      description: The objects that could not be copied, and why.
      type: list
      elements: dict
    migrations:
      description: What came of each migration, in order.
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
          description: Whether it was rehearsed.
          type: bool
        why:
          description: Why it was not; null if it was.
          type: str
        error:
          description: Why it failed; null if it did not.
          type: str
        changes:
          description: What it changes in which object, with a unified diff of the definition.
          type: list
          elements: dict
        impact:
          description: What each C(ALTER TABLE), C(CREATE INDEX) and C(DROP INDEX) does to its table.
          type: list
          elements: dict
          contains:
            statement:
              description: The statement's number in its file, from 1.
              type: int
            line:
              description: The line in that file at which it starts, from 1.
              type: int
            table:
              description: The table's name.
              type: str
            algorithm:
              description: V(INSTANT), V(NOCOPY), V(INPLACE) or V(COPY); null if the server does not say.
              type: str
            rebuilds:
              description: Whether all rows are written anew; null if that is not known.
              type: bool
            blocks_writes:
              description: Whether writes wait as long as it takes; null if that is not known.
              type: bool
            rows:
              description: About how many rows the table has.
              type: int
            bytes:
              description: About how many bytes the table has, with its indexes.
              type: int
            certain:
              description: Whether the real table will do as its copy did.
              type: bool
            uncertain:
              description: Why it may not; null if it will.
              type: str
        risks:
          description: What the migration would fail on, and what it would destroy, counted in the real tables.
          type: list
          elements: dict
          contains:
            kind:
              description: V(would_fail) or V(destroy).
              type: str
            what:
              description:
                - Of the former V(null), V(duplicate), V(does_not_fit), V(character_set), V(check), V(orphan) or
                  V(zero_date).
                - Of the latter V(table), V(column), V(partition), V(rows) or V(values).
              type: str
            table:
              description: The table's name before the plan.
              type: str
            name:
              description: The column, key, constraint or partition; empty for the table.
              type: str
            named:
              description: Both by the names before the migration, with a point between; so a comment may name it.
              type: str
            line:
              description: The line at which the statement starts that does it, from 1; null if that is not certain.
              type: int
            rows:
              description: How many rows or values; null if that took too long, or the account may not read them.
              type: int
            certain:
              description: >-
                Whether the number is known, no statement of the plan before may change it, and the server does not pass
                over such rows.
              type: bool
            text:
              description: All of it in one line.
              type: str
        renames:
          description: The real tables and columns to which it gives another name.
          type: list
          elements: dict
          contains:
            table:
              description: The table's name before the migration.
              type: str
            column:
              description: The column's name before it; empty for the table.
              type: str
            to:
              description: The name after it.
              type: str
            line:
              description: The line at which the statement starts that does it, from 1; null if that is not certain.
              type: int
        kept:
          description: What of it O(keep_destroyed) keeps, or would in a run.
          returned: with O(keep_destroyed)
          type: list
          elements: dict
          contains:
            what:
              description: V(table), V(rows) for all rows of one, V(partition) or V(columns).
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
            how:
              description: V(renamed) or V(copied).
              type: str
            why:
              description: Why it is copied; null if it is renamed.
              type: str
            rows:
              description: About how many rows the table has now; null if the plan makes it.
              type: int
            bytes:
              description: About how many bytes it has now, with its indexes; null if the plan makes it.
              type: int
            text:
              description: All of it in one line.
              type: str
        not_kept:
          description: What may be destroyed without being kept, a text for each.
          returned: with O(keep_destroyed)
          type: list
          elements: str
        skipped:
          description: The statements that were left out because they need rows, which the copies do not have.
          type: list
          elements: str
        reversible:
          description:
            - Whether its down file restores the schema, and it can be applied again then. Null if that is not known.
          type: bool
        irreversible:
          description: Why it is not reversible, or why that is not known.
          type: str
        not_restored:
          description: What is another one after the down file than before the migration, in the same form.
          type: list
          elements: dict
        lines:
          description: The lines of its files that this is about, from 1.
          type: dict
          contains:
            up:
              description: Where it fails or is not rehearsed; null if that is not at a statement.
              type: int
            down:
              description: The same in its down file.
              type: int
            skipped:
              description: Where the statements are that were left out, in order.
              type: list
              elements: int
    cannot_tell:
      description: What a rehearsal does not see.
      type: list
      elements: str
    seconds:
      description: How long it took, in seconds.
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
          - sort: TABLE
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
    - What those of O(guards) have found that are not set to V(allow), in the order of the plan.
    - A run that rehearses nothing asks none but C(no_down_file), and this one if it is to refuse.
  returned: when something is pending and a guard was asked
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
      description: The guard's name, see O(guards).
      type: str
    verdict:
      description: V(refuse), V(warn), or V(allowed).
      type: str
    text:
      description: What was found, where, and how much.
      type: str
    allowed_by:
      description:
        - V(migrate_allow) for O(allow), which is so called in the role; or the comment in the file.
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
  description: Why a run would be refused, with what to do; null if it would not.
  returned: when something is pending and a guard was asked
  type: str
  sample: 'The guards refuse this plan: up 7, no_down_file: there is no down file. Correct the files.'
drift:
  description: What no migration has changed, as RV(dbops.migrations.migration_info#module:drift) has it.
  returned: when O(drift) is not V(ignore) and something is pending
  type: list
  elements: dict
  sample: []
resumed:
  description: The migration that was interrupted, and where it was resumed; null if none was.
  returned: success
  type: dict
  contains:
    version:
      description: The migration's version.
      type: int
    statement:
      description: The number of the first statement that an earlier run had not recorded as done.
      type: int
  sample: {version: 4, statement: 3}
out_of_order:
  description: The versions below the current one that were never applied.
  returned: when they are the reason for a failure
  type: list
  elements: int
  sample: [3]
changed_files:
  description: The files that were changed since they were applied.
  returned: when they are the reason for a failure
  type: list
  elements: str
  sample: [0002_orders.up.sql]
dirty:
  description: Whether the state table says that a migration failed part way.
  returned: once the state table has been read
  type: bool
  sample: false
reattached:
  description: The run was begun by an earlier call, whose connection was lost; the result is that of the whole run.
  returned: when that is so
  type: bool
  sample: true
msg:
  description: What was done, or would be in check mode, in one line.
  returned: always
  type: str
  sample: 'shop: from version 3 to version 5, 2 migrations'
baseline:
  description: The version that the schema is taken to have from now on, or would be in check mode.
  returned: when O(baseline) was recorded
  type: int
  sample: 12
tables:
  description: The tables that the schema holds.
  returned: when they are the reason for a failure
  type: list
  elements: str
  sample: [accounts]
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
in_doubt:
  description: The statements of the file that may have taken effect without being recorded; O(resume_from) answers it.
  returned: when nobody can know which statements took effect
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
  description: The versions that the history has as applied or begun, and the state table does not.
  returned: when they are the reason for a failure
  type: list
  elements: int
  sample: [4, 5]
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
    bring,
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
        return bring(order, session, login.session, source)


def check(params: Mapping[str, Any]) -> None:
    if params["rehearse"] != "always":
        if params["assert_impact"]:
            raise Error("assert_impact needs the rehearsal that it is about. Set rehearse to always.")
        if params["keep_destroyed"]:
            raise Error("keep_destroyed needs the rehearsal that says what is destroyed. Set rehearse to always.")


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
