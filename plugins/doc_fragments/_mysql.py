# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_db:
    description:
      - The schema to work on. It must exist. Required unless O(login_secret) contains it; this option overrides the
        secret.
      - Write it exactly as in golang-migrate's connection string, including case. The lock that both tools use is named
        after it.
    type: str
  migrations_table:
    description: The name of golang-migrate's state table, as in its option C(x-migrations-table).
    type: str
    default: schema_migrations
  history_table:
    description:
      - The name of the table that records each attempt to run a migration. golang-migrate's state table stays
        unchanged beside it.
      - The history makes it possible to resume a failed migration at the statement that failed, and to detect files
        that were changed or skipped. An existing table of this name with other columns is refused.
      - The default is the name of O(migrations_table) followed by C(_history), that is C(schema_migrations_history).
      - An empty name switches the history off.
    type: str
  lock:
    description:
      - Take the lock that prevents golang-migrate and other runs from migrating the database at the same time.
      - V(false) is for Galera clusters, whose nodes do not share such locks. You must then make sure that nothing else
        migrates the database at the same time; a warning reminds you.
    type: bool
    default: true
  lock_timeout:
    description:
      - How long to wait, in seconds, if another run or golang-migrate holds the lock on the database.
    type: int
    default: 10
requirements:
  - PyMySQL[rsa] >= 1.2.4
"""
