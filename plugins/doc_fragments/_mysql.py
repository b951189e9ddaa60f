# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_db:
    description:
      - The schema to work on. It must exist. Required unless O(login_secret) says it. It counts before the
        secret's.
      - Write it as golang-migrate's connection string does, upper and lower case included, as the lock that both share
        is named after it.
    type: str
  migrations_table:
    description: golang-migrate's state table; its option C(x-migrations-table).
    type: str
    default: schema_migrations
  history_table:
    description:
      - Where each attempt at a migration is recorded, beside golang-migrate's state table, which stays as it is.
      - It is what lets a failed migration be resumed from the statement that failed, and files that were changed or
        skipped be seen. A table of that name with other columns is refused.
      - The name of O(migrations_table) followed by C(_history) by default, which is C(schema_migrations_history).
      - Empty switches the history off.
    type: str
  lock:
    description:
      - Whether to take the lock that keeps golang-migrate and other runs off the database.
      - V(false) is for Galera clusters, whose nodes do not share such locks. You must then see to it yourself that
        nothing else migrates the database at the same time; a warning says so.
    type: bool
    default: true
  lock_timeout:
    description: How many seconds to wait while another run, ours or golang-migrate's, holds the database's lock.
    type: int
    default: 10
requirements:
  - PyMySQL[rsa] >= 1.2.4
"""
