#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_baseline
short_description: Record the version of an existing MySQL or MariaDB schema
version_added: 0.2.0
description:
  - Records a baseline for a schema that has no recorded migrations, as if the migrations up to that version had been
    applied. No migration is run.
  - The version can be read from the migration table of Flyway, goose, Phinx, Prisma, dbmate or Rails, if the files are
    numbered like the versions in it. Liquibase, Alembic and Django do not number their migrations; their tables are
    recognized but not read.
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
  directory:
    description: The directory on the runner that holds the migration files.
    type: path
    required: true
  version:
    description: The version that the schema has, or V(auto) to read it from the migration table of another tool.
    type: str
    required: true
  commit:
    description: The Git commit of O(directory), to be recorded in the history.
    type: str
seealso:
  - module: dbops.migrations.migration_apply
    description: With O(dbops.migrations.migration_apply#module:baseline), it does the same and continues from there.
  - module: dbops.migrations.migration_force
    description: Sets the version regardless of what is recorded.
"""

EXAMPLES = r"""
- name: Record that the schema matches the first migration
  dbops.migrations.migration_baseline:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/shop/migrations
    version: 1

- name: Continue where Flyway stopped
  dbops.migrations.migration_baseline:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/shop/migrations
    version: auto
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
baseline:
  description: The version that is recorded as the baseline, or would be in check mode.
  returned: success
  type: int
  sample: 12
from_version:
  description: The version that was recorded before; null if there was none.
  returned: success
  type: int
  sample: null
to_version:
  description: The version that is recorded now, or would be in check mode.
  returned: success
  type: int
  sample: 12
dirty:
  description: Whether the state table is dirty. Always false.
  returned: success
  type: bool
  sample: false
msg:
  description: A summary in one line of what was done, or would be done in check mode.
  returned: always
  type: str
  sample: 'shop: recorded version 12 as its baseline'
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import format_state, format_version
from ansible_collections.dbops.migrations.plugins.module_utils._migration.run import adoption
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import (
    DatabaseStatus,
    load,
    running_attempt,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import Session

SPEC = LOGIN + ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "version": {"type": "str", "required": True},
        "commit": {"type": "str"},
        "run_by": {"type": "str"},
        "job": {"type": "str"},
    }
)


def baseline(module: AnsibleModule) -> dict[str, Any]:
    source = read_source(module.params["directory"])
    with Login(module).session() as session, locked(session, module.params, module.warn, running_attempt) as lock:
        status = load(session, {**module.params, "commit": None})
        version = wanted(module, session, source, status)
        changed = not adoption.is_recorded(status)
        if changed and not module.check_mode:
            adoption.record(session, lock, status, source, version, module.params)
    return {
        "changed": changed,
        "database": session.database,
        "baseline": version,
        "from_version": status.state.version,
        "to_version": version,
        "dirty": False,
        "msg": adoption.said(session.database, version, module.check_mode and changed),
        "diff": {"before": f"{format_version(status.state.version)}\n", "after": f"{format_version(version)}\n"},
    }


def wanted(module: AnsibleModule, session: Session, source: Source, status: DatabaseStatus) -> int:
    """Return the version to record, or the one that is already recorded.

    :raises Error: another version is recorded, or the state is dirty.
    """
    version = adoption.baseline_version(
        session, source, adoption.look(session, module.params), module.params["version"]
    )
    if adoption.is_recorded(status) and (status.state.version != version or status.state.dirty):
        raise Error(
            1709,
            f"{session.database} already has a state: {format_state(status.state)}. To set another version use "
            "migration_force (playbook dbops.migrations.force). Nothing was changed.",
        )
    return version


def main() -> None:
    run_module(SPEC, baseline)


if __name__ == "__main__":
    main()
