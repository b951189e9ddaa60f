# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Formats the results of a step of the role migrate as lines of text.

Texts that came from a database or a repository stay on their line: what looks like a line of the report is one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from textwrap import wrap
from typing import Any

from ansible_collections.dbops.migrations.plugins.module_utils._core.alike import alike, without_names
from ansible_collections.dbops.migrations.plugins.module_utils._migration.plan_text import decisive
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import few

# Characters of a line. Ansible prints it indented and in quotes, which makes 120; and of one that is about a plan, 100.
_WIDTH, _OF_PLAN = 108, 88
# Lines about many schemas of one host.
_MOST = 20
# Lines of one kind about one group of them.
_EACH = 3


def done(host: str, result: Mapping[str, Any]) -> Iterator[str]:
    """Return the lines on a host whose steps have succeeded."""
    database, message = result.get("database", ""), str(result["msg"])
    if not message.startswith(database):
        database = ""
    where = "" if database in ("", host) else f" ({database})"
    yield _line(f"{host}{where}{message[len(database) :] if database else f': {message}'}")
    if "groups" in result:
        lines = _statuses(result)
    else:
        lines = _status(result) if "history_ahead" in result else iter([*_run(result), *_kept(result), *many(result)])
    yield from map(_line, lines)


def failed(reasons: Mapping[str, str], names: Mapping[str, list[str]]) -> Iterator[str]:
    """Say which hosts have failed, and each reason once.

    :param names: what belongs to each host alone, such as its database; reasons that differ in it are one.
    """
    same: dict[str, list[str]] = {}
    for host, reason in reasons.items():
        same.setdefault(reason, []).append(host)
    alike: dict[str, list[list[str]]] = {}
    for reason, hosts in same.items():
        alike.setdefault(without_names(reason, names[hosts[0]]), []).append(hosts)
    for first, *more in alike.values():
        yield f"{', '.join(first)}: failed"
        yield from (f"  {line}" for line in reasons[first[0]].splitlines())
        others = [host for hosts in more for host in hosts]
        if others:
            yield f"{', '.join(others)}: failed like {first[0]}"


def wrapped(lines: Iterable[str], width: int = _WIDTH) -> Iterator[str]:
    """Return lines none of which is longer than fits; the rest of one that was is indented."""
    for line in lines:
        indent = line[: len(line) - len(line.lstrip())]
        yield from wrap(line.strip(), width, initial_indent=indent, subsequent_indent="    ", break_on_hyphens=False)


def many(result: Mapping[str, Any]) -> Iterator[str]:
    """Return a line for each of many schemas that was migrated or has failed, and for each way that others would go."""
    lines = [
        f"  {entry['database']}: failed" if entry.get("failed") else f"  {entry['msg']}"
        for entry in result.get("databases", ())
    ]
    for plan in result.get("plans", ()):
        names, more = ", ".join(plan["first"]), plan["count"] - len(plan["first"])
        lines.append(f"  {names}{f' and {more} more' if more else ''}:")
        lines += [f"    pending: {step['direction']} {step['version']} {step['title']}" for step in plan["steps"]]
    yield from map(_line, _most(lines))


def _most(lines: Sequence[str]) -> Iterator[str]:
    """Return the lines about many schemas that are shown, and how many are not."""
    yield from lines[:_MOST]
    if len(lines) > _MOST:
        yield f"  and {len(lines) - _MOST} more lines"


def _line(text: str) -> str:
    return " ".join(text.splitlines())


def _run(result: Mapping[str, Any]) -> Iterator[str]:
    """Return what was applied, or would be."""
    if "rehearsal" in result and "plan" in result:
        lines = decisive(result["pending"], result["rehearsal"], result.get("guards", ()))
        yield from wrapped((f"  {line}" for line in lines), _OF_PLAN)
    resumed = result.get("resumed")
    if resumed:
        yield f"  resuming version {resumed['version']} at statement {resumed['statement']}"
    for step in result.get("applied", ()):
        yield f"  {step['direction']} {step['version']} {step['title']}: {step['seconds']:.3f} s"
    for step in result.get("pending", ()):
        yield f"  pending: {step['direction']} {step['version']} {step['title']}"


def _status(result: Mapping[str, Any]) -> Iterator[str]:
    """Return what migration_info says, as a table of two columns."""
    for step in result["pending"]:
        yield f"  pending       {step['version']} {step['title']}"
    yield from _unfinished(result)
    for kind, values in _troubles(result):
        yield from (f"  {kind:13} {value}" for value in values)
    yield from _kept(result)
    if result["lock_holder"] is not None:
        yield f"  locked by     {result['lock_holder']}"
    for number, row in enumerate(result["history"]):
        yield f"  {'' if number else 'attempts':13} {_attempt(row)}"


def _unfinished(result: Mapping[str, Any]) -> Iterator[str]:
    """Return what is known of a migration that is running or was interrupted."""
    row = result["attempt"]
    if row:
        running = row["outcome"] == "running" and result["lock_holder"] is not None
        what = f"{row['direction']} {row['version']} {row['title']}, at statement {row['done'] + 1}"
        yield f"  {'running' if running else 'interrupted':13} {what}"
        job = f", job {row['job']}" if row["job"] else ""
        yield f"  started       {row['started_at']} by {row['ran_by']} on {row['ran_on']}{job}"
        if row["error"]:
            yield f"  error         {' '.join(row['error'].split())}"


def _troubles(result: Mapping[str, Any]) -> Iterator[tuple[str, list[Any]]]:
    """Return what is not as it should be, of a schema or of a group of them."""
    yield "changed", result["changed_files"]
    yield "missing", result["missing"]
    yield "out of order", result["out_of_order"]
    yield "history ahead", result["history_ahead"]
    # Of a group it is not known.
    yield "drift", [f"{row['type']} {row['name']} {row['change']}" for row in result.get("drift") or ()]
    lacks = ", ".join(result["missing_privileges"])
    yield "lacks", [f"{lacks}: GRANT {lacks} ON the schema to the account"] if lacks else []
    yield "obstacle", [f"{row['name']} is {row['value']}: {row['effect']}" for row in result["obstacles"]]


def _kept(result: Mapping[str, Any]) -> Iterator[str]:
    """Return what is kept of what migrations have destroyed."""
    for row in result.get("kept") or ():
        parts = ", ".join([*row["columns"], *row["partitions"]])
        what = {"table": "table", "rows": "all rows of"}.get(row["what"], f"{parts} of")
        migration = f"{row['direction']} {row['version']}"
        size = f"{row['bytes'] / 1e6:,.1f} MB, {row['days']} d"
        yield f"  kept          {row['id']}: {what} {row['table']} ({migration}), {size}"


def _statuses(result: Mapping[str, Any]) -> Iterator[str]:
    """Return the result of migration_info_many: the groups, followed by the schemas that need attention."""
    groups = []
    for group in result["groups"]:
        groups.append(f"  {group['count']:>6}  {group['msg']}")
        pending = [f"{step['version']} {step['title']}" for step in group["pending"]]
        for kind, values in (("pending", pending), *_troubles(group)):
            groups += [f"          {kind:13} {value}" for value in values[:_EACH]]
            if len(values) > _EACH:
                groups.append(f"          {'':13} and {len(values) - _EACH} more")
    yield from _most(groups)
    yield from _most(list(_alone(result["databases"])))


def _alone(entries: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Return what the groups do not say: why a schema cannot be read, who holds its lock, and an attempt's progress."""
    said = {
        entry["database"]: entry
        for entry in entries
        if entry.get("failed") or entry["attempt"] or entry["lock_holder"] is not None
    }
    blocks = {name: list(_block(name, entry)) for name, entry in said.items()}
    for first, *others in alike({name: "\n".join(lines) for name, lines in blocks.items()}):
        yield from blocks[first]
        if others:
            yield f"    The same holds for {few(others)}."


def _block(name: str, entry: Mapping[str, Any]) -> Iterator[str]:
    yield f"  {name}: {str(entry['msg']).removeprefix(f'{name}: ')}"
    if not entry.get("failed"):
        yield from (f"  {line}" for line in _unfinished(entry))
        if entry["lock_holder"] is not None:
            yield f"    locked by     {entry['lock_holder']}"


def _attempt(row: Mapping[str, Any]) -> str:
    seconds = "" if row["seconds"] is None else f"{row['seconds']:.3f} s"
    version = "none" if row["version"] is None else row["version"]
    title = f" {row['title']}" if row["title"] else ""
    job = f", job {row['job']}" if row["job"] else ""
    commit = f", commit {row['commit'][:8]}" if row["commit"] else ""
    what = f"{row['direction']} {version}{title}, by {row['ran_by']}{job}{commit}"
    return f"{row['started_at']}  {row['outcome']:11}  {seconds:>10}  {what}"
