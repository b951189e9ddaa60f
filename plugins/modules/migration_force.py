#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_force
short_description: Set the version of a MySQL or MariaDB schema without running migrations
version_added: 0.1.0
description:
  - Writes a version to golang-migrate's state table and marks it as clean, like golang-migrate's C(force). It does not
    check whether the schema matches that version.
  - Use it after a failed migration, once you have fixed the schema manually. To take over an existing schema, use
    M(dbops.migrations.migration_baseline) instead, which checks more.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._history
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
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
    description: The version that the schema has, or V(none) if no migration is applied.
    type: str
    required: true
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.migration_baseline
"""

EXAMPLES = r"""
- name: Set version 3, after undoing the failed migration 4 manually
  dbops.migrations.migration_force:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    version: 3

- name: Set version 4, after completing the failed migration 4 manually
  dbops.migrations.migration_force:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    version: 4
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
from_version:
  description: The previous version; null if no migration was applied.
  returned: success
  type: int
  sample: 4
to_version:
  description: The version that was set, or would be set in check mode; null for V(none).
  returned: success
  type: int
  sample: 3
dirty:
  description: Whether the state table is dirty now. In check mode, it is still as before.
  returned: success
  type: bool
  sample: false
was_dirty:
  description: Whether the state table was dirty before.
  returned: success
  type: bool
  sample: true
msg:
  description: A summary in one line of what was done, or would be done in check mode.
  returned: always
  type: str
  sample: 'shop: set to version 3, clean; it was version 4, dirty'
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import MAX_STATE, State, as_version
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import format_state
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.attempt import AttemptRecorder
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import about, load, running_attempt
from ansible_collections.dbops.migrations.plugins.module_utils._migration.tables.history_table import FORCE
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked

SPEC = LOGIN + ArgumentSpec(
    argument_spec={"version": {"type": "str", "required": True}, "run_by": {"type": "str"}, "job": {"type": "str"}}
)


def force(module: AnsibleModule) -> dict[str, Any]:
    wanted = State(read_version(module.params["version"]), False)
    with Login(module).session() as session, locked(session, module.params, module.warn, running_attempt) as lock:
        status = load(session, module.params)
        present = status.state
        if present != wanted and not module.check_mode:
            recorder = AttemptRecorder(session, status.state_table, status.history, about(module.params), lock)
            recorder.prepare(present)
            recorder.record_move(wanted, forced(present, wanted))
    before, after = format_state(present), format_state(wanted)
    mood = "check mode, nothing was changed; it would be " if module.check_mode else ""
    return {
        "changed": present != wanted,
        "from_version": present.version,
        "to_version": wanted.version,
        "dirty": present.dirty and module.check_mode,
        "was_dirty": present.dirty,
        "database": session.database,
        "msg": f"{session.database}: {mood}set to {after}; it was {before}",
        "diff": {"before": f"{before}\n", "after": f"{after}\n"},
    }


def forced(present: State, wanted: State) -> dict[str, Any]:
    """Return the history's row."""
    return {
        "version": wanted.version,
        "from_version": present.version,
        "leads_to": wanted.version,
        "direction": FORCE,
    }


def read_version(text: str) -> Optional[int]:
    if text == "none":
        return None
    version = as_version(text)
    if version is None:
        raise Error(
            1634, f"version is {text!r}. Give the version that the schema has (a number up to {MAX_STATE}), or none."
        )
    return version


def main() -> None:
    run_module(SPEC, force)


if __name__ == "__main__":
    main()
