# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  directory:
    description:
      - The directory on the runner that holds the migration files.
      - Migration files are named C(VERSION_TITLE.up.sql) and C(VERSION_TITLE.down.sql). Subdirectories are ignored.
    type: path
    required: true
  target:
    description:
      - The version to migrate the schema to, up or down. V(latest) applies everything that is pending, V(none) rolls
        everything back.
      - The default is V(latest).
    type: str
  allow_down:
    description: Allow rolling back migrations. Down migrations destroy data.
    type: bool
    default: false
  resume:
    description:
      - Resume a migration that an earlier run left partially applied, if the history recorded how far it got.
      - The statements that were already executed must be unchanged in the file; the ones after them may have changed.
        Session settings, user variables and prepared statements are restored first.
      - V(false) refuses a dirty database, as golang-migrate does.
    type: bool
    default: true
  history_ahead:
    description:
      - What to do if the history lists versions as applied that the state table does not have. This happens if the row
        in the state table was deleted, an older backup of the table was restored, or golang-migrate rolled back or
        forced a version. If the state table has no row, a migration that was started but did not succeed counts, too.
      - V(fail) reports both versions and changes nothing. V(ignore) trusts the state table.
    type: str
    default: fail
    choices: [fail, ignore]
    version_added: 0.2.0
  adopt:
    description:
      - Migrate a schema that already has tables but no recorded migrations, starting at the first version.
      - V(false) refuses such a schema and reports its tables, and the migration table of another tool if there is one.
        The role P(dbops.migrations.migrate#role) uses V(false) by default.
    type: bool
    default: true
    version_added: 0.2.0
  baseline:
    description:
      - The version of a schema that has no recorded migrations. It is recorded as the baseline, and the migrations
        after it are applied. The option is ignored for a schema that has recorded migrations.
      - V(auto) reads the version from the migration table of another tool. The files must be numbered as that tool
        numbers its versions.
    type: str
    version_added: 0.2.0
  out_of_order:
    description:
      - What to do about migrations below the current version that were never applied, which golang-migrate silently
        skips.
      - V(fail) lists them and changes nothing. V(ignore) skips them. V(apply) applies them before the pending ones.
        The state table cannot record this order; golang-migrate then treats all of them as applied in version order.
      - Versions that were reached by golang-migrate or M(dbops.migrations.migration_force) are treated as applied,
        together with all versions below them.
    type: str
    default: fail
    choices: [fail, ignore, apply]
  checksums:
    description: What to do about files that changed after they were applied, as far as the history knows them.
    type: str
    default: warn
    choices: [fail, warn, ignore]
  statement_timeout:
    description:
      - The maximum time a statement may take, in seconds. After that, a second connection kills the statement and the
        run fails. By default, the time is not limited.
    type: int
  lock_wait_timeout:
    description:
      - The maximum time a statement may wait for a metadata lock that the application holds on a table, in seconds. It
        sets the server's C(lock_wait_timeout) for the session. Meanwhile, other statements on that table queue up
        behind the waiting one.
      - The default is the server's setting. Unless somebody changed it, it is one day on MariaDB and one year on MySQL.
    type: int
  lock_wait_retries:
    description:
      - How many times to retry a statement that waited longer than O(lock_wait_timeout), with a pause of one second.
    type: int
    default: 3
  batch:
    description:
      - Combine consecutive C(INSERT) statements that only have literal values into one transaction, which is several
        times faster. A batch has at most 64 KiB, and its transaction is meant to take less than 0.2 seconds.
      - Each statement still takes effect exactly once. If the server refuses one, those before it remain, as with
        V(false). Only tables with a transactional engine and without triggers are written this way.
      - V(false) commits each statement separately.
    type: bool
    default: true
    version_added: 0.2.0
  commit:
    description: The Git commit of O(directory), to be recorded in the history.
    type: str
  portability:
    description:
      - What to do about files that golang-migrate cannot run, because they use C(DELIMITER), start with a byte order
        mark, are empty, have an empty statement in the middle, or are larger than 4 MiB.
      - V(warn) runs them and warns, with file and line. V(require) refuses them before anything is run. V(ignore) runs
        them without a warning.
    type: str
    default: warn
    choices: [warn, require, ignore]
  run_id:
    description:
      - An identifier of the run, 32 lowercase hexadecimal digits. The module then reports its progress in a file
        C(dbops-migrations-RUN_ID) in Ansible's temporary directory on the host, readable only by the account. The file
        appears a few seconds after the start and is removed at the end.
      - The collection's action plugin sets this option, reads the file and shows the progress.
    type: str
    version_added: 0.2.0
  plan_file:
    description:
      - A file on the controller to write the plans of all hosts to, as in RV(plan_text). Hosts with the same plan are
        grouped. The plans, rehearsals and guards are also written as JSON, to a file of the same name with the
        extension C(.json). Both files are written in check mode, too.
      - A relative path is relative to the directory in which Ansible was started. The collection's action plugin
        writes the files.
    type: str
    version_added: 0.2.0
  reconnect:
    description:
      - How long the collection's action plugin tries to reconnect if the connection to the host breaks while
        M(dbops.migrations.migration_apply) runs, in seconds. The run continues on the host in the meantime, and the
        task returns its result. V(0) does not reconnect.
      - It needs the connection plugin C(ssh), O(history_table) and O(lock). It has no effect for
        M(dbops.migrations.migration_apply_many).
    type: int
    default: 300
    version_added: 0.2.0
"""
