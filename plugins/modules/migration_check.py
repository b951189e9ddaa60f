#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_check
short_description: Check a directory of SQL migrations without a database
version_added: 0.2.0
description:
  - Reads the names and the texts of a directory's migrations and returns what is wrong with them, or may be. It is for
    a merge request; the playbook C(dbops.migrations.check) runs it.
  - It knows nothing of a server or of its tables. Where only they can tell, a finding says C(may).
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
  strict:
    description: Fail if there are warnings, too.
    type: bool
    default: false
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
      advice: "If that is meant, say so above it: -- dbops: allow destroy NAME."
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
msg:
  description: The summary; behind it the findings if the check has failed.
  returned: always
  type: str
  sample: "db/migrations: 0 errors and 1 warning in 8 files"
"""

from contextlib import suppress
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.paths import native
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.checker import RULES, check_directory
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.finding import ERROR, WARNING, printable
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.github import workflow_commands
from ansible_collections.dbops.migrations.plugins.module_utils._migration.check.junit import junit
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import count

SPEC = ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "ignore": {"type": "list", "elements": "str", "default": [], "choices": list(RULES)},
        "strict": {"type": "bool", "default": False},
        "junit_file": {"type": "path"},
        "annotations_file": {"type": "path"},
    }
)


def check(module: AnsibleModule) -> dict[str, Any]:
    params = module.params
    checked = check_directory(params["directory"], params["ignore"])
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
    }
    if not passed:
        raise Error("\n".join([summary, *lines]), **results)
    return {**results, "msg": summary}


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
