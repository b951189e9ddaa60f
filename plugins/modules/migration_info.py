#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_info
short_description: Tell where a MySQL or MariaDB schema stands
version_added: 0.1.0
description:
  - Compares a schema's state table with a directory of migrations, and tells what is pending.
  - Changes nothing and takes no lock, so O(lock_timeout) has no effect; it is there to share module defaults.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._attributes.info_module
  - dbops.migrations._mysql
author: The dbops.migrations contributors (@dbops)
options:
  directory:
    description: The directory of migrations, on the runner.
    type: path
    required: true
seealso:
  - module: dbops.migrations.migration_apply
"""

EXAMPLES = r"""
- name: See where the schema stands
  dbops.migrations.migration_info:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
  register: shop

- name: Stop the deploy while a migration is pending
  ansible.builtin.assert:
    that: shop.pending | length == 0
"""

RETURN = r"""
version:
  description: The version the schema is at; null when nothing is applied.
  returned: success
  type: int
  sample: 3
dirty:
  description: Whether a migration failed part way.
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
      description: The file that undoes it; null if there is none.
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
msg:
  description: Where the schema stands, in one line.
  returned: always
  type: str
  sample: 'shop: version 3, 2 migration(s) pending'
"""

from dataclasses import asdict
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.ledger import Ledger
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import pending
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import listed, standing
from ansible_collections.dbops.migrations.plugins.module_utils._migration.source import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import lock_holder
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings

SPEC = MYSQL + ArgumentSpec(argument_spec={"directory": {"type": "path", "required": True}})


def info(module: AnsibleModule) -> dict[str, Any]:
    source = read_source(module.params["directory"])
    table = module.params["migrations_table"]
    with connect(read_settings(module.params)) as session:
        state = Ledger(session, table).read()
        holder = lock_holder(session, table)
    for warning in source.warnings:
        module.warn(warning)
    versions = [migration.version for migration in source.migrations]
    ahead = pending(source, state.version)
    return {
        "changed": False,
        "version": state.version,
        "dirty": state.dirty,
        "latest": versions[-1] if versions else None,
        "known": state.version is None or state.version in versions,
        "pending": listed(ahead),
        "migrations": [asdict(migration) for migration in source.migrations],
        "lock_holder": holder,
        "server": session.server,
        "msg": standing(session.database, state, versions, len(ahead)),
    }


def main() -> None:
    run_module(SPEC, info)


if __name__ == "__main__":
    main()
