#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_apply
short_description: Bring a MySQL or MariaDB schema to a version
version_added: 0.1.0
description:
  - Applies the SQL migrations of a directory to a schema, in order, or rolls them back.
  - Files, state table and lock are those of golang-migrate, which can take over at any time, or be taken over from.
  - A failure names the file, line and statement, and leaves the state table as golang-migrate would, at the version
    that the failed migration leads to, dirty.
  - The next run resumes from the statement that failed, or at which the run was interrupted, whatever it was that ended
    it. A statement is never run twice. Where nobody can know whether one took effect, the run stops and says what to
    look at, and which answers O(resume_from) can have.
  - C(SIGTERM), C(SIGINT) and C(SIGHUP) end a run after the statement that is running. One that is ignored where
    Ansible was started stays so, as C(SIGHUP) does under C(nohup).
extends_documentation_fragment:
  - dbops.migrations._attributes
  - dbops.migrations._mysql
  - dbops.migrations._aws
author: The dbops.migrations contributors (@dbops)
attributes:
  check_mode:
    support: full
    details: Takes the lock for a moment, reads, and returns the plan.
  diff_mode:
    support: full
  idempotent:
    support: partial
    details: Each run with O(steps) takes that many steps.
options:
  directory:
    description:
      - The directory of migrations, on the runner.
      - A migration is called C(VERSION_TITLE.up.sql) or C(VERSION_TITLE.down.sql). Sub-directories are left out.
    type: path
    required: true
  target:
    description:
      - The version to bring the schema to, V(latest), or V(none) to roll everything back.
      - V(latest) unless O(steps) is given.
    type: str
  steps:
    description:
      - How many migrations to apply, or, if negative, to roll back, instead of a O(target).
      - If there are fewer, those are taken, with a warning.
    type: int
  allow_down:
    description: Whether migrations may be rolled back. Down migrations destroy data.
    type: bool
    default: false
  resume:
    description:
      - Whether to resume a migration that was interrupted in an earlier run, if the history knows how far it got.
      - What was done must not have been changed since; what comes after it may be. The settings, variables and prepared
        statements of the session are brought back first.
      - V(false) refuses a dirty database, as golang-migrate does.
    type: bool
    default: true
  resume_from:
    description:
      - The number of the statement to resume from, for a migration that was interrupted; the answer when a run has
        stopped because nobody can know which statements took effect.
      - The statements before it are treated as done. Where nothing was interrupted it is refused.
    type: int
  history_ahead:
    description:
      - What to do if the history has versions as applied that the state table does not, because its row was deleted, an
        older backup of it was restored, or golang-migrate rolled back or was forced. Where the state table has no row,
        a migration that was begun and has not succeeded counts, too.
      - V(fail) shows both and runs nothing. V(ignore) believes the state table.
    type: str
    default: fail
    choices: [fail, ignore]
    version_added: 0.2.0
  adopt:
    description:
      - Whether a schema that holds tables, and for which no migration is recorded, is migrated from the first version.
      - V(false) refuses it and says what was found; the table of another tool is named. The role
        P(dbops.migrations.migrate#role) does so by default.
    type: bool
    default: true
    version_added: 0.2.0
  baseline:
    description:
      - The version that the schema has if no migration is recorded for it. It is recorded, and what comes after it is
        applied. Where a migration is recorded it counts for nothing.
      - V(auto) takes the version from the table of another tool, if the files here are numbered as its versions are.
    type: str
    version_added: 0.2.0
  out_of_order:
    description:
      - What to do about files below the current version that were never applied, which golang-migrate silently skips.
      - V(fail) names them and runs nothing. V(ignore) skips them. V(apply) runs them first; the state table cannot tell
        the difference, so golang-migrate then treats them as applied in the order of their versions.
      - Versions that golang-migrate or M(dbops.migrations.migration_force) reached are treated as applied together with
        those below them.
    type: str
    default: fail
    choices: [fail, ignore, apply]
  checksums:
    description: What to do about files that were changed since they were applied, as far as the history knows.
    type: str
    default: warn
    choices: [fail, warn, ignore]
  statement_timeout:
    description:
      - How many seconds a statement may take. A second connection then ends it, and the run fails.
    type: int
  lock_wait_timeout:
    description:
      - How many seconds a statement may wait for the application's transactions to let go of a table; the server's
        C(lock_wait_timeout). While it waits, all that comes after it on that table waits, too.
      - The server's own setting holds by default, which is a day.
    type: int
  lock_wait_retries:
    description: How often a statement that waited longer than O(lock_wait_timeout) is tried again, a second apart.
    type: int
    default: 3
  batch:
    description:
      - Run C(INSERT) statements of nothing but literals, one behind the other, in one transaction, which is several
        times as fast. Together they have 64 KiB at most, and their transaction is meant to take less than 0.2 s.
      - Each takes effect exactly once all the same. If one is refused, those before it stay, as with V(false). Only
        tables whose engine has transactions and that have no triggers are written so.
      - Without it each is committed by itself.
    type: bool
    default: true
  expected_plan:
    description:
      - The plan that was approved, as RV(plan) of check mode has it. Another one is refused, and nothing is run.
      - It says from which version the database goes and which files are run. That these are the same is for
        O(dbops.migrations.git_fetch#module:expected_commit) to see to.
    type: str
  commit:
    description: The Git commit of O(directory), for the history.
    type: str
  run_by:
    description: Who runs this, for the history; the account that runs the module by default.
    type: str
  job:
    description: The job that runs this, for instance AWX's number of it, for the history.
    type: str
  portability:
    description:
      - What to do about files that run here and that golang-migrate could not run, because they use C(DELIMITER), start
        with a byte order mark, are empty, have an empty statement in the middle, or are larger than 4 MiB.
      - V(warn) runs them and warns, with file and line. V(require) refuses before anything is run. V(ignore) runs them.
    type: str
    default: warn
    choices: [warn, require, ignore]
notes:
  - In check mode with C(--diff) the diff has each file's SQL, 200 lines and 20,000 characters of a file and 200,000
    characters in all. What is left out is said.
  - >-
    A file with the comment C(-- dbops: all-or-nothing) before its first statement, within its first 4 KiB, is one
    transaction. After a failure the schema is as before, at the version before, clean. It may only hold statements that
    change rows of transactional tables.
  - Warns of a file that looks like a migration but is none.
seealso:
  - module: dbops.migrations.git_fetch
  - module: dbops.migrations.migration_info
  - module: dbops.migrations.migration_force
"""

EXAMPLES = r"""
- name: Apply all that is pending
  dbops.migrations.migration_apply:
    login_host: db.example.com
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current

- name: Apply with the credentials that AWS Secrets Manager holds, and that the runner may read
  dbops.migrations.migration_apply:
    login_secret:
      id: prod/shop
    region: eu-central-1
    directory: /opt/dbops-migrations/source/shop/current

- name: Roll back the last migration
  dbops.migrations.migration_apply:
    login_unix_socket: /run/mysqld/mysqld.sock
    login_user: shop
    login_password: "{{ shop_password }}"
    login_db: shop
    directory: /opt/dbops-migrations/source/shop/current
    steps: -1
    allow_down: true
"""

RETURN = r"""
database:
  description: The schema's name.
  returned: success
  type: str
  sample: shop
from_version:
  description: The version before; null when nothing was applied.
  returned: once the state table has been read
  type: int
  sample: 3
to_version:
  description: The version now; null when nothing is applied. In check mode the version that would be reached.
  returned: once the state table has been read
  type: int
  sample: 5
applied:
  description: The migrations that were carried out, in order. Empty in check mode.
  returned: success, and when a migration failed
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
      description: V(up) or V(down).
      type: str
    statements:
      description: How many statements were run.
      type: int
    seconds:
      description: How long it took, in seconds.
      type: float
  sample:
    - {version: 4, title: add_email, direction: up, statements: 2, seconds: 0.041}
pending:
  description:
    - In check mode the plan, which is what would be carried out, in order.
    - Otherwise the migrations above the version that was reached.
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
      description: V(up) or V(down).
      type: str
  sample:
    - {version: 6, title: add_index, direction: up}
plan:
  description: A digest of the plan, for O(expected_plan) of the run that is to carry it out.
  returned: in check mode
  type: str
  sample: 5f0c1b1e3a0d4d0f8a3c2b1a09f8e7d6c5b4a39287f6e5d4c3b2a19080f7e6d5
resumed:
  description: The migration that was interrupted, and where it was resumed; null if none was.
  returned: success
  type: dict
  contains:
    version:
      description: The migration's version.
      type: int
    statement:
      description: The number of the first statement that an earlier run had not recorded as done.
      type: int
  sample: {version: 4, statement: 3}
out_of_order:
  description: The versions below the current one that were never applied.
  returned: when they are the reason for a failure
  type: list
  elements: int
  sample: [3]
changed_files:
  description: The files that were changed since they were applied.
  returned: when they are the reason for a failure
  type: list
  elements: str
  sample: [0002_orders.up.sql]
dirty:
  description: Whether the state table says that a migration failed part way.
  returned: once the state table has been read
  type: bool
  sample: false
msg:
  description: What was done, or would be in check mode, in one line.
  returned: always
  type: str
  sample: 'shop: from version 3 to version 5, 2 migrations'
baseline:
  description: The version that the schema is taken to have from now on, or would be in check mode.
  returned: when O(baseline) was recorded
  type: int
  sample: 12
tables:
  description: The tables that the schema holds.
  returned: when they are the reason for a failure
  type: list
  elements: str
  sample: [accounts]
file:
  description: The file that failed.
  returned: when a migration failed
  type: str
  sample: 0004_add_email.up.sql
line:
  description: The line in that file at which the failed statement starts, from 1.
  returned: when a statement failed
  type: int
  sample: 12
column:
  description: The column in that line, in characters, from 1.
  returned: when a statement failed
  type: int
  sample: 1
in_doubt:
  description: The statements of the file that may have taken effect without being recorded; O(resume_from) answers it.
  returned: when nobody can know which statements took effect
  type: dict
  contains:
    first:
      description: The number of the first of them.
      type: int
    last:
      description: The number of the last of them.
      type: int
  sample: {first: 2, last: 2}
history_ahead:
  description: The versions that the history has as applied or begun, and the state table does not.
  returned: when they are the reason for a failure
  type: list
  elements: int
  sample: [4, 5]
statement:
  description: The number of the failed statement in that file, from 1.
  returned: when a statement failed
  type: int
  sample: 2
error_code:
  description: The server's error code; 0 when the connection failed.
  returned: when the server refused something
  type: int
  sample: 1060
"""

from typing import TYPE_CHECKING, Any, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._login import LOGIN, Login
from ansible_collections.dbops.migrations.plugins.module_utils._migration.files.directory import read_source
from ansible_collections.dbops.migrations.plugins.module_utils._migration.model import Goal, Plan, Source, State
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan import make_plan, pending
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import (
    difference,
    digest,
    few,
    format_version,
    steps_result,
    summary,
)
from ansible_collections.dbops.migrations.plugins.module_utils._migration.status import (
    DatabaseStatus,
    load,
    running_attempt,
)
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.lock import Lock, locked
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import Session

if TYPE_CHECKING:
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.recovery import Resumption

SPEC = LOGIN + ArgumentSpec(
    argument_spec={
        "directory": {"type": "path", "required": True},
        "target": {"type": "str"},
        "steps": {"type": "int"},
        "allow_down": {"type": "bool", "default": False},
        "resume": {"type": "bool", "default": True},
        "resume_from": {"type": "int"},
        "out_of_order": {"type": "str", "default": "fail", "choices": ["fail", "ignore", "apply"]},
        "checksums": {"type": "str", "default": "warn", "choices": ["fail", "warn", "ignore"]},
        "history_ahead": {"type": "str", "default": "fail", "choices": ["fail", "ignore"]},
        "adopt": {"type": "bool", "default": True},
        "baseline": {"type": "str"},
        "portability": {"type": "str", "default": "warn", "choices": ["warn", "require", "ignore"]},
        "statement_timeout": {"type": "int"},
        "lock_wait_timeout": {"type": "int"},
        "lock_wait_retries": {"type": "int", "default": 3},
        "batch": {"type": "bool", "default": True},
        "expected_plan": {"type": "str"},
        "commit": {"type": "str"},
        "run_by": {"type": "str"},
        "job": {"type": "str"},
    },
    mutually_exclusive=[["target", "steps"]],
)


def apply(module: AnsibleModule) -> dict[str, Any]:
    goal = Goal(module.params["target"] or "latest", module.params["steps"], module.params["allow_down"])
    source = read_source(module.params["directory"])
    login = Login(module)
    with login.session() as session, locked(session, module.params, module.warn, running_attempt) as lock:
        if session.complaint:
            module.warn(session.complaint)
        status = load(session, module.params)
        check_history(session.database, module, status)
        resumption = what_is_left(module, status)
        unfinished = resumption.unfinished if resumption else None
        plan = make_plan(source, status.state, goal, unfinished)
        baseline = find_baseline(module, session, source, status) if plan.steps else None
        if baseline is not None:
            # What cannot be planned is refused before anything is recorded.
            plan = make_plan(source, State(baseline, False), goal)
            check_plan(module, session.database, plan, None)
            status = take_baseline(module, session, lock, status, source, baseline)
        if plan.steps and status.compared:
            status = load(session, {**module.params, "commit": None})
        if not any(step.direction == "down" for step in plan.steps):
            below = check_source(module, source, status, resumption)
            plan = make_plan(source, status.state, goal, unfinished, below) if below else plan
        for warning in (*source.warnings, *plan.warnings):
            module.warn(warning)
        planned = check_plan(module, session.database, plan, resumption)
        moved = status.moved(source) if plan.steps or status.present else None
        results: dict[str, Any] = {"from_version": plan.from_version, "applied": []}
        if plan.steps or (moved and not module.check_mode):
            # Most runs have nothing to do, and need not load what does it.
            from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.start import (  # noqa: PLC0415
                Work,
                carry_out,
            )

            work = Work(session, lock, login.session, status, source.directory, plan, resumption, moved)
            results = carry_out(module, work)
    ahead = plan.steps if module.check_mode else pending(source, plan.to_version)
    found = {**report(session.database, plan, resumption, module.check_mode), **results, "pending": steps_result(ahead)}
    if module.check_mode:
        found["plan"] = planned
    if module.check_mode and module._diff and plan.steps:
        from ansible_collections.dbops.migrations.plugins.module_utils._migration.listing import (  # noqa: PLC0415
            listing,
        )

        found["diff"] = difference(session.database, plan, listing(source.directory, plan.steps))
    if baseline is not None:
        found.update(changed=True, baseline=baseline, msg=f"{found['msg']}; its baseline is version {baseline}")
    return found


def check_plan(module: AnsibleModule, database: str, plan: Plan, resumption: Optional[Resumption]) -> str:
    """Return a plan's digest; refuse a plan that nobody has approved."""
    planned = digest(plan, resumption.done if resumption else None)
    if module.params["expected_plan"] in (None, planned):
        return planned
    names = few(f"{step.direction} {step.file or step.version}" for step in plan.steps) or "nothing"
    raise Error(
        f"The plan for {database} is not the one that was approved (expected_plan): something has moved the database "
        f"since, or the files are others. It is at {format_version(plan.from_version)}, and this would run {names}. "
        "Plan again, and have that approved. Nothing was changed.",
        from_version=plan.from_version,
    )


def find_baseline(module: AnsibleModule, session: Session, source: Source, status: DatabaseStatus) -> Optional[int]:
    """Return the version that a schema has for which no migration is recorded; None to run all of them."""
    text = module.params["baseline"]
    if text is None and module.params["adopt"]:
        return None
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.run import adoption  # noqa: PLC0415

    if adoption.is_recorded(status):
        return None
    found = adoption.look(session, module.params)
    if text is not None:
        return adoption.baseline_version(session, source, found, text)
    if found.tables:
        raise adoption.refusal(session, found)
    return None


def take_baseline(
    module: AnsibleModule,
    session: Session,
    lock: Optional[Lock],
    status: DatabaseStatus,
    source: Source,
    baseline: int,
) -> DatabaseStatus:
    from ansible_collections.dbops.migrations.plugins.module_utils._migration.run import adoption  # noqa: PLC0415

    if module.check_mode:
        return status._replace(state=State(baseline, False), history=None)
    adoption.record(session, lock, status, source, baseline, module.params)
    return load(session, module.params)


def check_history(database: str, module: AnsibleModule, status: DatabaseStatus) -> None:
    ahead = status.known.ahead_of(status.state)
    if ahead and module.params["history_ahead"] == "fail":
        from ansible_collections.dbops.migrations.plugins.module_utils._migration.messages import (  # noqa: PLC0415
            history_ahead,
        )

        raise history_ahead(database, status.state, ahead)


def what_is_left(module: AnsibleModule, status: DatabaseStatus) -> Optional[Resumption]:
    at = module.params["resume_from"]
    if status.state.dirty and status.history is not None and status.present and module.params["resume"]:
        from ansible_collections.dbops.migrations.plugins.module_utils._migration.run.recovery import (  # noqa: PLC0415
            find,
        )

        return find(status.history, status.state_table, status.state, at)
    if at is not None and not status.state.dirty:
        raise Error("resume_from is for a migration that was interrupted, and there is none. Leave it out.")
    return None


def check_source(
    module: AnsibleModule, source: Source, status: DatabaseStatus, resumption: Optional[Resumption]
) -> list[int]:
    """Compare the directory with the history; return the versions below the current one that are to be applied."""
    if status.compared:
        return []
    changed = status.changed(source)
    if changed and module.params["checksums"] != "ignore":
        text = f"Changed since applied: {few(changed)}. What was applied is not what the directory has now."
        if module.params["checksums"] == "fail":
            raise Error(
                f"{text} Restore its original content and put the change into a new migration, or set checksums to "
                "warn. Nothing was run.",
                changed_files=changed,
            )
        module.warn(text)
    missing = status.known.missing(source)
    if missing:
        module.warn(f"No file has version {few(missing)}, which the history says was applied.")
    below = status.known.below(source, status.state)
    if resumption is not None and resumption.record.version in below:
        below.remove(resumption.record.version)
    if not below or module.params["out_of_order"] == "ignore":
        return []
    if module.params["out_of_order"] == "fail":
        raise Error(
            f"Never applied, and below the current version {status.state.version}: version {few(below)}. "
            "golang-migrate would silently skip that. Give what is new a version above the current one; or set "
            "out_of_order to apply, which runs it now, or to ignore. Nothing was run.",
            out_of_order=below,
        )
    module.warn(
        f"Applied although below the current version {status.state.version}: version {few(below)}. "
        "golang-migrate treats that as applied, too, and will roll it back in the order of the versions."
    )
    return below


def report(database: str, plan: Plan, resumption: Optional[Resumption], check_mode: bool) -> dict[str, Any]:
    resumed = {"version": resumption.record.version, "statement": resumption.done + 1} if resumption else None
    return {
        "changed": bool(plan.steps),
        "from_version": plan.from_version,
        "to_version": plan.to_version,
        "resumed": resumed,
        "dirty": False,
        "database": database,
        "msg": summary(database, plan, check_mode),
        "diff": difference(database, plan),
    }


def main() -> None:
    run_module(SPEC, apply)


if __name__ == "__main__":
    main()
