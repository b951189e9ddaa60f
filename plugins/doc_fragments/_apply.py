# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  directory:
    description:
      - The directory of migrations, on the runner.
      - A migration is called C(VERSION_TITLE.up.sql) or C(VERSION_TITLE.down.sql). Sub-directories are left out.
    type: path
    required: true
  target:
    description:
      - The version to bring the schema to, V(latest), or V(none) to roll everything back.
      - V(latest) by default.
    type: str
  allow_down:
    description: Whether migrations may be rolled back. Down migrations destroy data.
    type: bool
    default: false
  resume:
    description:
      - Whether to resume a migration that was interrupted in an earlier run, if the history knows how far it got.
      - What was done must not have been changed since; what comes after it may be. The settings, variables and prepared
        statements of the session are brought back first.
      - V(false) refuses a dirty database, as golang-migrate does.
    type: bool
    default: true
  history_ahead:
    description:
      - What to do if the history has versions as applied that the state table does not, because its row was deleted, an
        older backup of it was restored, or golang-migrate rolled back or was forced. Where the state table has no row,
        a migration that was begun and has not succeeded counts, too.
      - V(fail) shows both and runs nothing. V(ignore) believes the state table.
    type: str
    default: fail
    choices: [fail, ignore]
    version_added: 0.2.0
  adopt:
    description:
      - Whether a schema that holds tables, and for which no migration is recorded, is migrated from the first version.
      - V(false) refuses it and says what was found; the table of another tool is named. The role
        P(dbops.migrations.migrate#role) does so by default.
    type: bool
    default: true
    version_added: 0.2.0
  baseline:
    description:
      - The version that the schema has if no migration is recorded for it. It is recorded, and what comes after it is
        applied. Where a migration is recorded it counts for nothing.
      - V(auto) takes the version from the table of another tool, if the files here are numbered as its versions are.
    type: str
    version_added: 0.2.0
  out_of_order:
    description:
      - What to do about files below the current version that were never applied, which golang-migrate silently skips.
      - V(fail) names them and runs nothing. V(ignore) skips them. V(apply) runs them first; the state table cannot tell
        the difference, so golang-migrate then treats them as applied in the order of their versions.
      - Versions that golang-migrate or M(dbops.migrations.migration_force) reached are treated as applied together with
        those below them.
    type: str
    default: fail
    choices: [fail, ignore, apply]
  checksums:
    description: What to do about files that were changed since they were applied, as far as the history knows.
    type: str
    default: warn
    choices: [fail, warn, ignore]
  statement_timeout:
    description:
      - How many seconds a statement may take. A second connection then ends it, and the run fails.
    type: int
  lock_wait_timeout:
    description:
      - How many seconds a statement may wait for the application's transactions to let go of a table; the server's
        C(lock_wait_timeout). While it waits, all that comes after it on that table waits, too.
      - The server's own setting holds by default, which is a day.
    type: int
  lock_wait_retries:
    description: How often a statement that waited longer than O(lock_wait_timeout) is tried again, a second apart.
    type: int
    default: 3
  batch:
    description:
      - Run C(INSERT) statements of nothing but literals, one behind the other, in one transaction, which is several
        times as fast. Together they have 64 KiB at most, and their transaction is meant to take less than 0.2 s.
      - Each takes effect exactly once all the same. If one is refused, those before it stay, as with V(false). Only
        tables whose engine has transactions and that have no triggers are written so.
      - Without it each is committed by itself.
    type: bool
    default: true
  commit:
    description: The Git commit of O(directory), for the history.
    type: str
  portability:
    description:
      - What to do about files that run here and that golang-migrate could not run, because they use C(DELIMITER), start
        with a byte order mark, are empty, have an empty statement in the middle, or are larger than 4 MiB.
      - V(warn) runs them and warns, with file and line. V(require) refuses before anything is run. V(ignore) runs them.
    type: str
    default: warn
    choices: [warn, require, ignore]
  run_id:
    description:
      - A number of the run, 32 hexadecimal digits in small letters. The module then keeps a line about what it is doing
        in a file in Ansible's temporary folder on the host, C(dbops-migrations-) and this number. Only the account may
        read it. It is there from some seconds after the beginning until the end.
      - The collection's action plugin gives one to each run, reads the file and shows the line.
    type: str
    version_added: 0.2.0
  plan_file:
    description:
      - A file on the controller for the plan, as RV(plan_text) has it, of all hosts of the run; hosts with equal plans
        are together. Beside it, with the ending C(.json) in place of its own, are the plans, the rehearsals and the
        guards as data. Both are written in check mode, too.
      - It is relative to where Ansible was started. The collection's action plugin writes it.
    type: str
    version_added: 0.2.0
  reconnect:
    description:
      - For how many seconds the collection's action plugin tries to reach the host again when the connection breaks
        while M(dbops.migrations.migration_apply) runs. The run goes on meanwhile, and its result is the task's. V(0)
        does not try.
      - For the connection plugin C(ssh), and with a history and a lock. It counts for nothing in
        M(dbops.migrations.migration_apply_many).
    type: int
    default: 300
    version_added: 0.2.0
"""
