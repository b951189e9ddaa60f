# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What in a plan should not reach production, and what to do about it. Private to the collection. Pure.

``judge`` returns this, as migration_apply's return value ``guards``: a list in the order of the plan, of

version, title, direction
    The migration.
guard
    The guard's name: destroy, block_writes, rebuild, would_fail, irreversible, not_rehearsed, rename, no_down_file.
verdict
    ``refuse``, ``warn``, or ``allowed``.
text
    What was found, where and how much, in one sentence without a full stop; nothing in it steers a terminal.
allowed_by
    ``migrate_allow``, or the comment: ``line 3 of 12_drop.up.sql``. None for the other verdicts.

What a guard finds that is set to ``allow`` is not in it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Optional

from .._core.errors import Message
from .._migration.check.finding import printable
from .._migration.model import Plan, Source, Step
from .._migration.report import few

if TYPE_CHECKING:
    # A run that does not rehearse need not load these.
    from .._migration.files.directives import Directive
    from .risks import Question

# Effects on all rows of a table: the guard, the key of the effect, and the texts for certain and uncertain ones.
_ON_ALL_ROWS = (
    ("block_writes", "blocks_writes", "writes wait", "writes may wait"),
    ("rebuild", "rebuilds", "all rows are rewritten", "all rows may be rewritten"),
)

_NUMBERS = {
    message.text: message.number
    for message in (
        Message(2102, "destroy"),
        Message(2103, "block_writes"),
        Message(2104, "rebuild"),
        Message(2105, "would_fail"),
        Message(2106, "irreversible"),
        Message(2107, "not_rehearsed"),
        Message(2108, "rename"),
        Message(2109, "no_down_file"),
    )
}


class Rules(NamedTuple):
    """The rules for the findings.

    :param guards: a level for each guard, ``allow``, ``warn`` or ``refuse``; for block_writes and rebuild also a size
        of tables in bytes above which they count, with ``_above`` after the name.
    :param allow: the versions that each guard lets pass; None for none.
    :param asserted: the server refuses an ALTER that would do more to its table than it did in the rehearsal.
    """

    guards: Mapping[str, Any]
    allow: Mapping[str, Optional[Collection[int]]]
    asserted: bool


class _Finding(NamedTuple):
    """What a guard has found.

    :param line: where the statement begins that does it; None if it is about the file, or that is not certain.
    :param names: what it is done to, as a comment that allows it names it; none if it is about the file.
    :param certain: it is so.
    """

    guard: str
    text: str
    line: Optional[int] = None
    names: tuple[str, ...] = ()
    certain: bool = True


def judge(
    plan: Plan,
    source: Source,
    rehearsal: Optional[Mapping[str, Any]],
    rules: Rules,
    directives: Callable[[Step], Sequence[Directive]],
) -> list[dict[str, Any]]:
    """Judge a plan; the file's docstring says what is returned.

    :param rehearsal: the result of it, see rehearse.py; None if none was asked for.
    :param directives: returns the comments in a step's file; it is asked only where something is found.
    """
    one_way = {migration.version for migration in source.migrations if migration.down is None}
    rehearsed: Sequence[Optional[Mapping[str, Any]]] = [None] * len(plan.steps)
    rehearsed = rehearsal["migrations"] if rehearsal is not None else rehearsed
    judged = []
    for step, migration in zip(plan.steps, rehearsed):
        all_found = _find(step, step.version not in one_way, migration, rules)
        found = [finding for finding in all_found if rules.guards[finding.guard] != "allow"]
        comments = directives(step) if found else ()
        for finding in found:
            allowed = _allowed_by(step, finding, rules, comments)
            judged.append(
                {
                    "version": step.version,
                    "title": step.title,
                    "direction": step.direction,
                    "guard": finding.guard,
                    "verdict": "allowed" if allowed else _verdict(finding, rules),
                    "text": printable(" ".join(finding.text.split())),
                    "allowed_by": allowed,
                }
            )
    return judged


def _allowed_by(step: Step, finding: _Finding, rules: Rules, comments: Iterable[Directive]) -> Optional[str]:
    if step.version in (rules.allow[finding.guard] or ()):
        return "migrate_allow"
    # Where it is not certain which statement does it, a comment about one of them is not enough.
    statement = 0 if finding.names and finding.line is None else finding.line
    for comment in comments:
        if comment.allows(finding.guard, statement, finding.names):
            return f"line {comment.line} of {step.file}"
    return None


def allows_rows(step: Step, question: Question, rules: Rules, directives: Callable[[], Sequence[Directive]]) -> bool:
    """Tell whether rows that a migration would fail on, or destroy, are allowed to be there.

    :param directives: returns the comments in the step's file.
    """
    finding = _Finding(question.kind, question.said, question.line, (question.named,))
    return _allowed_by(step, finding, rules, directives()) is not None


def _verdict(finding: _Finding, rules: Rules) -> str:
    # A migration may well fill the NULLs before it forbids them.
    doubtful = finding.guard == "would_fail" and not finding.certain
    return "warn" if doubtful else str(rules.guards[finding.guard])


def _find(step: Step, has_down: bool, migration: Optional[Mapping[str, Any]], rules: Rules) -> Iterator[_Finding]:
    """Yield what the guards find in a migration; what a rollback has not, they do not look for in one."""
    up = step.direction == "up"
    if migration is not None:
        yield from _in_rehearsal(migration, rules)
    if migration is not None and up:
        yield from map(_rename, migration["renames"])
        if has_down and migration["reversible"] is False:
            yield _Finding("irreversible", migration["irreversible"])
        elif migration["reversible"] is None and migration["irreversible"]:
            yield _Finding("not_rehearsed", migration["irreversible"])
    if up and not has_down:
        yield _Finding("no_down_file", "there is no down file")


def _in_rehearsal(migration: Mapping[str, Any], rules: Rules) -> Iterator[_Finding]:
    if not migration["rehearsed"]:
        yield _Finding("not_rehearsed", f"it was not rehearsed: {migration['why']}")
    if migration["error"]:
        yield _Finding("would_fail", f"it fails on copies of the tables: {migration['error']}")
    for risk in migration["risks"]:
        line = risk["line"]
        yield _Finding(risk["kind"], f"{risk['text']}{_at(line)}", line, (risk["named"],), risk["certain"])
    for impact in migration["impact"]:
        yield from _on_all_rows(impact, rules)


def _on_all_rows(impact: Mapping[str, Any], rules: Rules) -> Iterator[_Finding]:
    """Yield what an ALTER does to a table that is large; what is not known may be so."""
    table, size, line = impact["table"], impact["bytes"], impact["line"]
    much = "its size is not known" if size is None else f"about {impact['rows']:,} rows, {size / 1e6:,.1f} MB"
    for guard, key, said, doubted in _ON_ALL_ROWS:
        does = impact[key]
        if does is False and (impact["certain"] or rules.asserted):
            continue
        if size is None or size > rules.guards[f"{guard}_above"]:
            what = f"{said}, {much}" if does else f"{doubted}, {much}; {impact['uncertain']}"
            yield _Finding(guard, f"{table}: {what}{_at(line)}", line, (table,))


def _rename(rename: Mapping[str, Any]) -> _Finding:
    name = f"{rename['table']}.{rename['column']}" if rename["column"] else rename["table"]
    text = f"{name} is renamed to {rename['to']}; a running application still uses the old name"
    return _Finding("rename", f"{text}{_at(rename['line'])}", rename["line"], (name,))


def _at(line: Optional[int]) -> str:
    return "" if line is None else f" (line {line})"


def warnings(judged: Iterable[Mapping[str, Any]]) -> Iterator[Message]:
    """Yield a message for each finding; findings that several migrations have in common are merged."""
    alike: dict[tuple[str, str], list[str]] = {}
    for item in judged:
        alike.setdefault((item["guard"], item["text"]), []).append(f"{item['direction']} {item['version']}")
    for (guard, text), names in alike.items():
        yield Message(_NUMBERS[guard], f"{few(names)}, {guard}: {text}")


def refusal(judged: Iterable[Mapping[str, Any]]) -> Optional[Message]:
    """Return why a plan is refused, and what to do; None if it is not."""
    refused = [item for item in judged if item["verdict"] == "refuse"]
    if not refused:
        return None
    versions: dict[str, dict[int, None]] = {}
    for item in refused:
        versions.setdefault(item["guard"], {})[item["version"]] = None
    allow = ", ".join(f"{guard}: [{few(some)}]" for guard, some in versions.items())
    findings = (message.text for message in warnings(refused))
    return Message(
        2111,
        f"The guards refuse this plan: {few(findings, '; ')}. Correct the files. Or allow what is meant, with "
        f"{{{allow}}} in allow, or in the file, above the statement or at its head, with the comment "
        f"-- dbops: allow {refused[0]['guard']}. Or set such a guard to warn in guards. Nothing was run.",
    )
