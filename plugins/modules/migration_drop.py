#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_drop
short_description: Drop every table of a MySQL or MariaDB schema
version_added: 0.1.0
description:
  - Drops every table of a schema with all its rows, regardless of foreign keys, like golang-migrate's C(drop).
  - The state table is dropped, too, so that the schema has no version afterwards. Views, routines and events remain.
  - Each table is dropped by a separate statement. Dropped tables cannot be restored.
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._server
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Takes the lock briefly, counts the rows, and returns the tables that would be dropped.
  diff_mode:
    support: full
  idempotent:
    support: full
options:
  confirm_database:
    description: The name of the schema again, exactly as in O(login_db), to prevent mistakes.
    type: str
    required: true
notes:
  - All rows are counted first, which may take a while for large tables.
  - Tables whose names contain a backtick are dropped, too, whereas golang-migrate fails on them.
seealso:
  - module: dbops.migrations.migration_apply
  - module: dbops.migrations.migration_force
"""

EXAMPLES = r"""
- name: Empty the schema of a test environment
  dbops.migrations.migration_drop:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    confirm_database: shop
"""

RETURN = r"""
tables:
  description: The tables that were dropped, or would be dropped in check mode.
  returned: success, and when the server refused to drop a table
  type: list
  elements: dict
  contains:
    name:
      description: The table's name.
      type: str
    rows:
      description: The number of rows. Null if the rows could not be counted, which causes a warning.
      type: int
  sample:
    - {name: users, rows: 1204}
msg:
  description: A summary in one line of what was done, or would be done in check mode.
  returned: always
  type: str
  sample: 'shop: dropped 1 table with 1204 rows'
error_code:
  description: The error code from the server; 0 if the connection failed.
  returned: when the server returned an error
  type: int
  sample: 1142
"""

from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import count
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import running_attempt
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import locked
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import ServerError, Session
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.statements import identifier

SPEC = LOGIN + ArgumentSpec(argument_spec={"confirm_database": {"type": "str", "required": True}})


def drop(module: AnsibleModule) -> dict[str, Any]:
    login = Login(module)
    check_confirmation(login.database, module.params["confirm_database"])
    with login.session() as session, locked(session, module.params, module.warn, running_attempt):
        # Sequences and tables with system versioning are tables of their own kind on MariaDB, and go as well.
        names = [name for name, kind in session.query("SHOW FULL TABLES") if kind != "VIEW"]
        tables = [{"name": name, "rows": count_rows(module, session, name)} for name in names]
        if not module.check_mode:
            drop_tables(session, tables)
    return {
        "changed": bool(tables),
        "tables": tables,
        "msg": f"{session.database}: {summary(tables, module.check_mode)}",
        "diff": {
            "before_header": session.database,
            "after_header": session.database,
            "before": "".join(f"{found['name']}, rows: {found['rows']}\n" for found in tables),
            "after": "",
        },
    }


def check_confirmation(database: str, confirmed: str) -> None:
    if confirmed != database:
        raise Error(
            2307,
            f"confirm_database is {confirmed!r}, and login_db is {database!r}. Repeat the name of the schema exactly "
            "to have all its tables dropped. Nothing was changed.",
        )


def count_rows(module: AnsibleModule, session: Session, name: str) -> Optional[int]:
    try:
        [(rows,)] = session.query(f"SELECT COUNT(*) FROM {identifier(name)}")
    except ServerError as error:
        if error.lost:
            raise
        # A damaged table must not keep the others from being dropped.
        module.warn(coded(2308, f"The rows of {name} could not be counted: ({error.code}) {error.reason}"))
        return None
    return int(rows)


def drop_tables(session: Session, tables: list[dict[str, Any]]) -> None:
    session.query("SET foreign_key_checks = 0")
    for done, found in enumerate(tables):
        try:
            session.query(f"DROP TABLE IF EXISTS {identifier(found['name'])}")
        except ServerError as error:
            raise Error(
                2309,
                f"The table {found['name']} of {session.database} could not be dropped: ({error.code}) {error.reason}. "
                f"{count(done, 'table')} {'was' if done == 1 else 'were'} dropped before it; {len(tables) - done} "
                f"{'is' if len(tables) - done == 1 else 'are'} left. Fix the cause and run again.",
                error_code=error.code,
                tables=tables[:done],
            ) from error


def summary(tables: list[dict[str, Any]], check_mode: bool) -> str:
    if not tables:
        return "nothing to drop, it has no tables"
    counted = [found["rows"] for found in tables if found["rows"] is not None]
    least = "at least " if len(counted) < len(tables) else ""
    did = "check mode, nothing was changed; it would drop" if check_mode else "dropped"
    return f"{did} {count(len(tables), 'table')} with {least}{count(sum(counted), 'row')}"


def main() -> None:
    run_module(SPEC, drop)


if __name__ == "__main__":
    main()
