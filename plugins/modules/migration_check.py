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
  - Checks the file names and the SQL of the migrations in a directory and returns problems and possible problems. It
    is meant for merge requests; the playbook C(dbops.migrations.check) runs it.
  - Without a server, the check only sees the SQL, not the tables. A finding that depends on them contains the word
    C(may).
  - With O(login_user), the migrations are also tried on a server that contains no valuable data, such as a service of
    a pipeline. They are executed on an empty schema, in the same way as M(dbops.migrations.migration_apply) does. Each
    migration is applied, rolled back with its down file, and applied again. The definitions of all objects are
    compared.
  - The module fails if there are errors, after it has checked everything.
  - >-
    A comment in a file can allow what a rule would find. golang-migrate and the server ignore the comment.
    C(-- dbops: allow RULE) above a statement applies to this statement. Above the first statement and separated from it
    by an empty line, it applies to the whole file. C(-- dbops: allow destroy orders.note) allows only what it names.
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
    description: The directory that holds the migration files.
    type: path
    required: true
  ignore:
    description:
      - The rules to ignore.
      - Errors are V(not_a_migration) (a file name that resembles a migration's), V(version_too_large),
        V(duplicate_version) and V(incomplete) (an unclosed quote, comment or block, or a truncated file).
      - Warnings about files are V(not_sql) (a migration whose file name does not end in C(.sql)), V(titles_differ) (an
        up and a down file with different titles), V(gap) (a missing number, if most versions are consecutive),
        V(no_up_file), V(no_down_file), V(empty_file), V(portability) (something that golang-migrate cannot run) and
        V(directive) (a comment C(-- dbops:) without effect).
      - Warnings about statements are V(several_clauses) (an C(ALTER TABLE) with clauses that would be instant on their
        own), V(inline_references) (C(REFERENCES) in a column definition, which MySQL before 9.0 ignores),
        V(foreign_key_index) (a foreign key without an index in the file), V(implicit_commit) (a statement that commits
        the file's own transaction), V(destroy) (in up files, C(DROP) of tables, columns, partitions or schemas,
        C(TRUNCATE), and C(DELETE) and C(UPDATE) without C(WHERE)), V(charset) (a change of the character set or
        collation) and V(other_schema) (C(USE), and names that are qualified with a schema).
      - Errors found on a server are V(does_not_apply) (an up file that fails on an empty schema) and V(no_way_back) (a
        down file that fails, does not restore the schema, or after which the migration cannot be applied again).
      - Warnings about the trial on a server are V(needs_rows) (a statement that was skipped) and V(not_tried) (a file
        that was skipped).
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
    description: Also fail if there are warnings.
    type: bool
    default: false
  login_user:
    description:
      - The account on the server on which to try the migrations. Without it, no server is used.
      - If the server only has its system schemas and O(login_db), or the account cannot access any other schema, all
        statements are tried, including those about accounts and settings. Their effects outside of the schema remain.
        So use a server that nobody else uses.
      - On other servers, a file that could affect anything outside of its schema is not tried, and neither are the
        migrations after it.
    type: str
  login_password:
    description: The password of O(login_user).
    type: str
  login_host:
    description: The name or address of the server. The default is C(localhost).
    type: str
  login_port:
    description: The port of the server. The default is 3306.
    type: int
  login_unix_socket:
    description: The path of the server's Unix socket. O(login_host) and O(login_port) are ignored if it is set.
    type: path
  login_db:
    description:
      - The schema in which to try the migrations. It must be empty or must not exist, and is left like that. A schema
        that is not empty is refused. The files may contain its name.
      - By default, a temporary schema is created, whose name starts with C(dbops_rehearsal_).
    type: str
  junit_file:
    description:
      - A file to write the findings to, in JUnit XML format.
      - A finding that fails the check is reported as a failed test, other findings as skipped tests.
    type: path
  annotations_file:
    description:
      - A file to write the findings to, as GitHub workflow commands, which show them as annotations of the lines.
      - Print the file in a step of the workflow, for example with C(cat).
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

- name: Check the migrations strictly, but allow gaps between versions, and write reports for the pipeline
  dbops.migrations.migration_check:
    directory: /opt/shop/migrations
    strict: true
    ignore:
      - gap
    junit_file: /tmp/migrations.xml
    annotations_file: /tmp/migrations.txt

- name: Check the migrations, and try all of them on a server that the pipeline started
  dbops.migrations.migration_check:
    directory: /opt/shop/migrations
    login_host: 127.0.0.1
    login_user: root
    login_db: shop
"""

RETURN = r"""
passed:
  description: Whether the check passed.
  returned: when the files could be read
  type: bool
  sample: true
findings:
  description: The findings, sorted by file and line.
  returned: when the files could be read
  type: list
  elements: dict
  contains:
    file:
      description: The path of the file in its Git repository. Without a repository, it starts with O(directory).
      type: str
    line:
      description: The line number, from 1.
      type: int
    rule:
      description: The name of the rule, as in O(ignore).
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
      advice: "If this is intended, allow it in a comment above: -- dbops: allow destroy orders.note"
report:
  description: The findings as lines of text, followed by the summary.
  returned: when the files could be read
  type: list
  elements: str
  sample:
    - >-
      db/migrations/0004_email.up.sql:3: warning: DROP COLUMN may destroy the values of orders.note. If this is
      intended, allow it in a comment above: -- dbops: allow destroy orders.note [destroy]
    - "db/migrations: 0 errors and 1 warning in 8 files"
tried_on:
  description: The server on which the migrations were tried; null if no server was used.
  returned: when the files could be read
  type: str
  sample: MySQL 9.7.4
msg:
  description: The summary, followed by the findings if the check failed.
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

# The usual ones, but of a server that is only for this: they are not in the group mysql, so that the module
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
        raise Error(2401, "\n".join([summary, *lines]), **results)
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
        raise Error(2402, f"The report {printable(path)} cannot be written: {error.strerror}.") from error
    return True


def main() -> None:
    run_module(SPEC, check)


if __name__ == "__main__":
    main()
