#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_baseline
short_description: Record the version of a MySQL or MariaDB schema that was made in another way
version_added: 0.2.0
description:
  - Records that a schema for which no migration is recorded has the version of one of the files, as if the migrations
    up to it had been applied. Nothing is run.
  - The version can be taken over from the table of Flyway, goose, Phinx, Prisma, dbmate or Rails, if the files are
    numbered as its versions are. Liquibase, Alembic and Django do not number theirs; their tables are recognised and
    left alone.
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
    description: The directory of migrations, on the runner.
    type: path
    required: true
  version:
    description: The version that the schema has, or V(auto) for the one in the table of another tool.
    type: str
    required: true
  commit:
    description: The Git commit of O(directory), for the history.
    type: str
seealso:
  - module: dbops.migrations.migration_apply
    description: Its option O(dbops.migrations.migration_apply#module:baseline) does the same, and goes on from there.
  - module: dbops.migrations.migration_force
    description: Sets the version whatever is recorded.
"""

EXAMPLES = r"""
- name: The schema is what the first migration makes
  dbops.migrations.migration_baseline:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/shop/migrations
    version: 1
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
baseline:
  description: The version that the schema is taken to have.
  returned: success
  type: int
  sample: 12
from_version:
  description: The version that was recorded before; null for none.
  returned: success
  type: int
  sample: null
to_version:
  description: The version now.
  returned: success
  type: int
  sample: 12
dirty:
  description: Whether the state table says that a migration failed part way, which it does not.
  returned: success
  type: bool
  sample: false
msg:
  description: What was done, or would be in check mode, in one line.
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
    """Return the version that is to be recorded, or is.

    :raises Error: something else is recorded.
    """
    version = adoption.baseline_version(
        session, source, adoption.look(session, module.params), module.params["version"]
    )
    if adoption.is_recorded(status) and (status.state.version != version or status.state.dirty):
        raise Error(
            f"{session.database} has a state already: {format_state(status.state)}. To set another version use "
            "migration_force (playbook dbops.migrations.force). Nothing was changed."
        )
    return version


def main() -> None:
    run_module(SPEC, baseline)


if __name__ == "__main__":
    main()
