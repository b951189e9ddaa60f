#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_kept
short_description: List, restore or purge data that migrations of a MySQL or MariaDB schema destroyed
version_added: 0.2.0
description:
  - Lists, restores or permanently drops the data of a schema that runs with
    O(dbops.migrations.migration_apply#module:keep_destroyed) have kept.
  - Takes the schema's lock, so that no migration can run at the same time.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Takes the lock briefly, and returns what would be done.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: A restored table is no longer kept, so it cannot be restored twice.
options:
  keep_destroyed:
    description: The schema in which the data is kept.
    type: str
    required: true
  restore:
    description:
      - The number of the item to restore, as in RV(kept).
      - A table, or the rows of a table, become a table again, which is moved back and is no longer kept. The foreign
        keys and triggers of a copied table are not restored; RV(restored) contains their definitions.
      - Column values are written to the columns with the same names, matched by the primary key, in one transaction.
        The present values are overwritten. The columns must exist. The values remain kept.
      - Nothing is restored while a migration is running or partially applied.
    type: int
  restore_as:
    description:
      - The name of the table to restore, or of the table whose columns to restore. The default is the table's name
        before the migration, or for columns its name after the migration.
      - Set another name to restore rows of a table that still exists.
    type: str
  purge:
    description: The numbers of the items to drop permanently.
    type: list
    elements: int
  purge_older_than:
    description: Drop all items permanently that are at least this number of days old. V(0) drops all items.
    type: int
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.migration_info
"""

EXAMPLES = r"""
- name: List the kept data
  dbops.migrations.migration_kept:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    keep_destroyed: dbops_kept
  register: found

- name: Restore a table that a migration dropped
  dbops.migrations.migration_kept:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    keep_destroyed: dbops_kept
    restore: 7

- name: Drop everything that was kept for 30 days or more
  dbops.migrations.migration_kept:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    keep_destroyed: dbops_kept
    purge_older_than: 30
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
kept:
  description: The kept items of the schema, the oldest first, as in RV(dbops.migrations.migration_info#module:kept).
  returned: success
  type: list
  elements: dict
  sample: []
restored:
  description: The item that was restored, or would be in check mode; null if nothing is restored.
  returned: success
  type: dict
  contains:
    id:
      description: The number of the item.
      type: int
    table:
      description: The table that was restored, or whose columns were.
      type: str
    rows:
      description: The number of rows whose values were restored; null for a table.
      type: int
    missing:
      description: The number of rows that no longer exist, so that their values were not restored; null for a table.
      type: int
    definition:
      description: The definitions of the table and its triggers before the migration; empty for columns.
      type: str
  sample:
    id: 7
    table: orders
    rows: null
    missing: null
    definition: "CREATE TABLE `orders` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
purged:
  description: The numbers of the items that were dropped permanently, or would be in check mode.
  returned: success
  type: list
  elements: int
  sample: [3, 4]
msg:
  description: A summary in one line of what was done, or would be done in check mode.
  returned: always
  type: str
  sample: 'shop: restored 7, the table orders'
error_code:
  description: The error code from the server; 0 if the connection failed.
  returned: when the server returned an error
  type: int
  sample: 1142
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import running_attempt
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.keep import check_schema
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.kept import Catalogue, summary
from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.restore import purge, restore, said

SPEC = LOGIN + ArgumentSpec(
    argument_spec={
        "keep_destroyed": {"type": "str", "required": True},
        "restore": {"type": "int"},
        "restore_as": {"type": "str"},
        "purge": {"type": "list", "elements": "int"},
        "purge_older_than": {"type": "int"},
    },
    mutually_exclusive=[["restore", "purge", "purge_older_than"]],
    required_by={"restore_as": ["restore"]},
)


def kept(module: AnsibleModule) -> dict[str, Any]:
    login, params = Login(module), module.params
    check_schema(params["keep_destroyed"], login.database)
    restored: Optional[dict[str, Any]] = None
    purged: list[int] = []
    with login.session() as session, locked(session, params, module.warn, running_attempt):
        catalogue = Catalogue(session, params["keep_destroyed"])
        if params["restore"] is not None:
            restored = restore(session, catalogue, params, module.check_mode)
        elif params["purge"] is not None or params["purge_older_than"] is not None:
            purged = purge(catalogue, params["purge"], params["purge_older_than"], module.check_mode)
        left = catalogue.kept()
    return {
        "changed": bool(restored and restored["changed"]) or bool(purged),
        "database": login.database,
        "kept": [item.result() for item in left],
        "restored": restored and {name: value for name, value in restored.items() if name != "changed"},
        "purged": purged,
        "msg": f"{login.database}: {said(restored, purged, summary(left), module.check_mode)}",
    }


def main() -> None:
    run_module(SPEC, kept)


if __name__ == "__main__":
    main()
