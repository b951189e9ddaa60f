#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_check
short_description: Check a directory of SQL migrations before anybody runs them
version_added: 0.2.0
description:
  - Reads the names and the texts of a directory's migrations and returns what is wrong with them, or may be. It is for
    a merge request; the playbook C(dbops.migrations.check) runs it.
  - By the texts alone it knows nothing of a server or of its tables. Where only they can tell, a finding says C(may).
  - With O(login_user) a server is asked, too, on which nothing is to be lost, such as a service of a pipeline. All
    migrations are carried out there from nothing by the engine that M(dbops.migrations.migration_apply) has. Each of
    them is applied, rolled back by its down file, and applied again; and the definitions of all objects are compared.
  - Fails if there are errors, once everything has been looked at.
  - >-
    In a file, a comment allows what a rule would find. golang-migrate and the server ignore it.
    C(-- dbops: allow RULE) above a statement is about this statement; above the first statement, with an empty line
    between the two, it is about the whole file. C(-- dbops: allow destroy orders.note) allows no more than it names.
extends_documentation_fragment:
  - dbops.migrations._attributes
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  idempotent:
    support: full
options:
  directory:
    description: The directory of migrations.
    type: path
    required: true
  ignore:
    description:
      - Rules that do not apply.
      - Errors are V(not_a_migration) (a name that is almost a migration's), V(version_too_large), V(duplicate_version)
        and V(incomplete) (a quote, a comment or a block that is not closed, or a file that was cut off).
      - Warnings about files are V(not_sql) (a name that counts as a migration's and does not end in C(.sql)),
        V(titles_differ) (of an up and a down file), V(gap) (a number that is left out, where most versions follow each
        other), V(no_up_file), V(no_down_file), V(empty_file), V(portability) (what golang-migrate cannot run) and
        V(directive) (a comment C(-- dbops:) that asks for nothing).
      - Warnings about statements are V(several_clauses) (an C(ALTER TABLE) of which a part alone would be instant),
        V(inline_references) (C(REFERENCES) in a column's definition, which MySQL before 9.0 ignores),
        V(foreign_key_index) (a foreign key for which the file has no index), V(implicit_commit) (a statement that
        commits the file's own transaction), V(destroy) (C(DROP) of tables, columns, partitions or schemas, C(TRUNCATE),
        C(DELETE) and C(UPDATE) without C(WHERE), in up files), V(charset) (a change of character set or collation) and
        V(other_schema) (C(USE), and names with a schema before them).
      - Errors that a server has shown are V(does_not_apply) (an up file that fails on an empty database) and
        V(no_way_back) (a down file that fails or does not restore the schema, or behind which the migration cannot be
        applied again).
      - Warnings about what was tried on a server are V(needs_rows) (a statement that was left out) and V(not_tried) (a
        file that was).
    type: list
    elements: str
    default: []
    choices:
      - not_a_migration
      - not_sql
      - version_too_large
      - duplicate_version
      - titles_differ
      - gap
      - no_up_file
      - no_down_file
      - empty_file
      - incomplete
      - portability
      - directive
      - several_clauses
      - inline_references
      - foreign_key_index
      - implicit_commit
      - destroy
      - charset
      - other_schema
      - does_not_apply
      - no_way_back
      - needs_rows
      - not_tried
  strict:
    description: Fail if there are warnings, too.
    type: bool
    default: false
  login_user:
    description:
      - The account on the server on which the migrations are carried out. Without it no server is asked.
      - If the server has no schemas but those that it was made with, and O(login_db), or the account can reach no
        others, any statement is tried, also those about accounts and settings. What they do outside of the schema
        stays. So give it a server that nobody else uses.
      - On another server a file is not tried that could reach out of the schema it runs in, nor what comes behind it.
    type: str
  login_password:
    description: The password of O(login_user).
    type: str
  login_host:
    description: The server's name or address; V(localhost) by default.
    type: str
  login_port:
    description: The server's port; 3306 by default.
    type: int
  login_unix_socket:
    description: The path of the server's socket; then O(login_host) and O(login_port) do not matter.
    type: path
  login_db:
    description:
      - The schema to carry the migrations out in. It must be empty, or not there, and is so again afterwards; one that
        has anything in it is refused. The files may name it.
      - Without it, one is made, whose name begins with C(dbops_rehearsal_).
    type: str
  junit_file:
    description:
      - A file to write the findings to, as JUnit XML.
      - A finding that fails the check is a test that failed, another one a test that was skipped.
    type: path
  annotations_file:
    description:
      - A file to write the findings to, as commands that have GitHub show them beside the lines.
      - A step of the workflow prints it with C(cat).
    type: path
seealso:
  - module: dbops.migrations.migration_create
  - module: dbops.migrations.migration_apply
requirements:
  - PyMySQL[rsa] >= 1.2.4, for O(login_user)
"""

EXAMPLES = r"""
- name: Check the migrations
  dbops.migrations.migration_check:
    directory: /opt/shop/migrations

- name: Check the migrations, with nothing but numbers that may be left out, and reports for the pipeline
  dbops.migrations.migration_check:
    directory: /opt/shop/migrations
    strict: true
    ignore:
      - gap
    junit_file: /tmp/migrations.xml
    annotations_file: /tmp/migrations.txt

- name: Check the migrations, and carry all of them out on a server that a pipeline has started for it
  dbops.migrations.migration_check:
    directory: /opt/shop/migrations
    login_host: 127.0.0.1
    login_user: root
    login_db: shop
"""

RETURN = r"""
passed:
  description: Whether nothing was found that fails the check.
  returned: when the files could be read
  type: bool
  sample: true
findings:
  description: What was found, by file and line.
  returned: when the files could be read
  type: list
  elements: dict
  contains:
    file:
      description: The file's path in its Git repository. If it is in none, the path begins as O(directory) does.
      type: str
    line:
      description: The line, from 1.
      type: int
    rule:
      description: The rule, as O(ignore) names it.
      type: str
    severity:
      description: V(error) or V(warning).
      type: str
    what:
      description: What was found.
      type: str
    advice:
      description: What to do.
      type: str
  sample:
    - file: db/migrations/0004_email.up.sql
      line: 3
      rule: destroy
      severity: warning
      what: DROP COLUMN may destroy the values of orders.note.
      advice: "If this is intended, allow it in a comment above: -- dbops: allow destroy NAME."
report:
  description: The findings as lines for people, and at the end the summary.
  returned: when the files could be read
  type: list
  elements: str
  sample:
    - >-
      db/migrations/0004_email.up.sql:3: warning: DROP COLUMN may destroy the values of orders.note. If that is meant,
      say so above it: -- dbops: allow destroy NAME. [destroy]
    - "db/migrations: 0 errors and 1 warning in 8 files"
tried_on:
  description: The server on which the migrations were carried out; null if they were not.
  returned: when the files could be read
  type: str
  sample: MySQL 9.7.4
msg:
  description: The summary; behind it the findings if the check has failed.
  returned: always
  type: str
  sample: "db/migrations: 0 errors and 1 warning in 8 files"
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, suppress
from typing import TYPE_CHECKING, Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.paths import native
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import RULES, check_directory
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.finding import (
    ERROR,
    WARNING,
    Found,
    Rule,
    printable,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.github import workflow_commands
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.junit import junit
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import count

if TYPE_CHECKING:
    from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import Session

# The usual ones, but of a server that is there for this only: nothing of them is in the group mysql, so that the module
# defaults of a play that has a database to migrate do not bring the check there.
SERVER: dict[str, dict[str, Any]] = {
    "login_host": {"type": "str"},
    "login_port": {"type": "int"},
    "login_user": {"type": "str"},
    "login_password": {"type": "str", "no_log": True},
    "login_unix_socket": {"type": "path"},
    "login_db": {"type": "str"},
}
SPEC = ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "ignore": {"type": "list", "elements": "str", "default": [], "choices": list(RULES)},
        "strict": {"type": "bool", "default": False},
        "junit_file": {"type": "path"},
        "annotations_file": {"type": "path"},
        **SERVER,
    },
    required_by={name: ["login_user"] for name in SERVER if name != "login_user"},
)


def check(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    known, server = carry_out(params) if params["login_user"] else ([], None)
    checked = check_directory(params["directory"], params["ignore"], known)
    failing = (ERROR, WARNING) if params["strict"] else (ERROR,)
    changed = False
    if params["junit_file"]:
        changed = write(params["junit_file"], junit(checked, failing), module.check_mode)
    if params["annotations_file"]:
        text = workflow_commands(checked.findings).encode()
        changed = write(params["annotations_file"], text, module.check_mode) or changed
    errors = sum(finding.severity == ERROR for finding in checked.findings)
    numbers = f"{count(errors, 'error')} and {count(len(checked.findings) - errors, 'warning')}"
    summary = f"{checked.directory}: {numbers} in {count(len(checked.files), 'file')}"
    if params["login_user"]:
        summary += f", tried on {server}" if server else ", and nothing was tried on the server"
    if not checked.files:
        summary = f"{checked.directory}: no migrations yet"
    lines = [
        f"{finding.file}:{finding.line}: {finding.severity}: {finding.text} [{finding.rule}]"
        for finding in checked.findings
    ]
    passed = not any(finding.severity in failing for finding in checked.findings)
    results = {
        "changed": changed,
        "passed": passed,
        "findings": [finding._asdict() for finding in checked.findings],
        "report": [*lines, summary],
        "tried_on": server,
    }
    if not passed:
        raise Error("\n".join([summary, *lines]), **results)
    return {**results, "msg": summary}


def carry_out(params: Mapping[str, Any]) -> tuple[list[tuple[str, Rule, Found]], Optional[str]]:
    """Carry all migrations out on the server; return what is found, and on which server; None if nothing was run.

    :raises Error: the server cannot be used.
    """
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.check import tried  # noqa: PLC0415
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import (  # noqa: PLC0415
        read_directory,
    )
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Goal, State  # noqa: PLC0415
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import make_plan  # noqa: PLC0415
    from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import connect  # noqa: PLC0415
    from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import (  # noqa: PLC0415
        MYSQL,
        read_settings,
    )
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal import from_nothing  # noqa: PLC0415
    from ansible_collections.dbops.migrations.plugins.module_utils._rehearsal.rehearse import Request  # noqa: PLC0415

    usual = {name: option.get("default") for name, option in MYSQL.argument_spec.items()}
    options = {**usual, **{name: params[name] for name in SERVER}}

    def there(schema: str = "") -> AbstractContextManager[Session]:
        return connect(read_settings({**options, "login_db": schema}, schema=bool(schema)))

    try:
        source = read_directory(params["directory"])
        plan = make_plan(source, State(None, False), Goal())
    except Error:
        # What is wrong with the names, a rule says.
        return [], None
    if not plan.steps:
        return [], None
    request = Request(source, plan, False, there, there, False, options, longest=from_nothing.LONGEST)
    done = from_nothing.try_all(request, params["login_db"] or "")
    return list(tried.judge(source, done.migrations)), done.server


def write(path: str, content: bytes, check_mode: bool) -> bool:
    """Write a file unless it is so already, or in check mode; return whether it is another one then."""
    try:
        with suppress(FileNotFoundError), open(native(path), "rb") as file:
            if file.read() == content:
                return False
        if not check_mode:
            with open(native(path), "wb") as file:
                file.write(content)
    except OSError as error:
        raise Error(f"The report {printable(path)} cannot be written: {error.strerror}.") from error
    return True


def main() -> None:
    run_module(SPEC, check)


if __name__ == "__main__":
    main()
