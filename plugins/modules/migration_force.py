#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_force
short_description: Set a MySQL or MariaDB schema's version without running anything
version_added: 0.1.0
description:
  - Writes a version, clean, into golang-migrate's state table, and looks at nothing else; golang-migrate's C(force).
  - For after a failed migration, once the schema has been put right by hand, and for an existing schema that is to be
    taken as the result of the migrations up to a version.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._mysql
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  version:
    description: The version that the schema has, or V(none) if nothing is applied.
    type: str
    required: true
seealso:
  - module: dbops.migrations.migration_apply
"""

EXAMPLES = r"""
- name: The failed migration 4 was undone by hand
  dbops.migrations.migration_force:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    version: 3
"""

RETURN = r"""
from_version:
  description: The version before; null when nothing was applied.
  returned: success
  type: int
  sample: 4
to_version:
  description: The version now; null when nothing is applied.
  returned: success
  type: int
  sample: 3
dirty:
  description: Whether the state was dirty before.
  returned: success
  type: bool
  sample: true
msg:
  description: What was done, in one line.
  returned: always
  type: str
  sample: 'shop: set to version 3, clean; it was 4, dirty'
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.ledger import Ledger
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import MAX_STATE, State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import stated
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings

SPEC = MYSQL + ArgumentSpec(argument_spec={"version": {"type": "str", "required": True}})


def force(module: AnsibleModule) -> dict[str, Any]:
    wanted = State(read_version(module.params["version"]), False)
    table = module.params["migrations_table"]
    with connect(read_settings(module.params)) as session, locked(session, table, module.params["lock_timeout"]):
        ledger = Ledger(session, table)
        present = ledger.read()
        if present != wanted and not module.check_mode:
            ledger.ensure()
            ledger.write(wanted.version, dirty=False)
    before, after = stated(present), stated(wanted)
    return {
        "changed": present != wanted,
        "from_version": present.version,
        "to_version": wanted.version,
        "dirty": present.dirty,
        "msg": f"{session.database}: set to {after}; it was {before}",
        "diff": {"before": f"{before}\n", "after": f"{after}\n"},
    }


def read_version(text: str) -> Optional[int]:
    if text == "none":
        return None
    if not (text.isascii() and text.isdigit()) or int(text) > MAX_STATE:
        raise Error(f"version is {text!r}. Give the version that the schema has (a number up to {MAX_STATE}), or none.")
    return int(text)


def main() -> None:
    run_module(SPEC, force)


if __name__ == "__main__":
    main()
