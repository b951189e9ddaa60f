#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_kept
short_description: List, restore or purge what migrations of a MySQL or MariaDB schema have destroyed and was kept
version_added: 0.2.0
description:
  - Lists what runs with O(dbops.migrations.migration_apply#module:keep_destroyed) have kept of a schema, gives it
    back, or drops it for good.
  - Takes the schema's lock, so that no migration runs meanwhile.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Takes the lock for a moment, and says what would be done.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details: A table that was restored is not kept any more, so that it cannot be restored twice.
options:
  keep_destroyed:
    description: The schema in which it is kept.
    type: str
    required: true
  restore:
    description:
      - The number of what is to be given back, as RV(kept) has it.
      - A table, and rows of one, become a table again, by a rename. They are not kept any more then. Foreign keys and
        triggers of a copy are not restored, RV(restored) has their definitions.
      - Values of columns are written into the columns of these names, by the primary key, in one transaction. What
        stands there is overwritten. The columns must be there. The values stay kept.
      - While a migration is running or partially applied, nothing is restored.
    type: int
  restore_as:
    description:
      - The name of the table that is restored, or whose columns are; it is what it was called before the migration, or
        for columns what it was called after it.
      - For rows of a table that is still there another name is needed.
    type: str
  purge:
    description: The numbers of what is to be dropped for good.
    type: list
    elements: int
  purge_older_than:
    description: All that is older than so many days is to be dropped for good; V(0) for all.
    type: int
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.migration_info
"""

EXAMPLES = r"""
- name: Restore a table that a migration has dropped
  dbops.migrations.migration_kept:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    keep_destroyed: dbops_kept
    restore: 7

- name: Drop for good what was kept for a month
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
  description: What is kept of the schema, the oldest first, as RV(dbops.migrations.migration_info#module:kept) has it.
  returned: success
  type: list
  elements: dict
  sample: []
restored:
  description: What was given back, or would be in check mode; null if nothing.
  returned: success
  type: dict
  contains:
    id:
      description: Its number.
      type: int
    table:
      description: The table that was restored, or whose columns were.
      type: str
    rows:
      description: How many rows have got their values back; null for a table.
      type: int
    missing:
      description: Of how many rows values are kept, and the rows are there no more; null for a table.
      type: int
    definition:
      description: What the table's definition was before the migration, with those of its triggers; empty for columns.
      type: str
  sample:
    id: 7
    table: orders
    rows: null
    missing: null
    definition: "CREATE TABLE `orders` (\n  `id` int NOT NULL,\n  PRIMARY KEY (`id`)\n) ENGINE=InnoDB"
purged:
  description: The numbers of what was dropped for good, or would be in check mode.
  returned: success
  type: list
  elements: int
  sample: [3, 4]
msg:
  description: What was done, or would be in check mode, in one line.
  returned: always
  type: str
  sample: 'shop: restored 7, the table orders'
error_code:
  description: The server's error code; 0 when the connection failed.
  returned: when the server refused something
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
