# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a person reads it: in a terminal, in AWX, and as Markdown in a merge request. Private to the collection.

The text starts with two lines that summarize the decision. Then follow, for each migration, the findings, its SQL and
the differences in the schema. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._core.markdown import code, fence, said, wrapped
from .._core.secrets import clean
from .listing import ALL, Listed, first
from .model import Plan
from .report import count, few, format_version, steps_result

# How many things of one kind the two lines name, and how many a migration lists.
_NAMED, _LISTED = 3, 50
# The maximum length of a reason in the two lines.
_REASON = 160
_HARMLESS = "No ALTER blocks writes; nothing with rows is dropped or emptied"
_NOT_REHEARSED = "**Not rehearsed**: what the migrations do to tables and rows is unknown."


def plan_text(
    name: str,
    plan: Plan,
    files: Sequence[Listed],
    rehearsal: Optional[Mapping[str, Any]] = None,
    guards: Iterable[Mapping[str, Any]] = (),
) -> str:
    """Return a plan as Markdown.

    :param name: of the database, or of some.
    :param files: of each step.
    :param rehearsal: as rehearse.py describes it; None if there was none.
    :param guards: as the return value of migration_apply.
    """
    steps, said_by = steps_result(plan.steps), list(guards)
    way = f"from {format_version(plan.from_version)} to {format_version(plan.to_version)}"
    blocks = [[f"## {said(name)}: {way}"], *map(wrapped, decisive(steps, rehearsal, said_by))]
    # Why nothing was rehearsed is said above.
    known = rehearsal["migrations"] if rehearsal and _any_rehearsed(rehearsal) else [{} for _step in steps]
    left = ALL - sum(len(line) for file in files for line in file.lines)
    for step, file, found in zip(steps, files, known):
        blocks.append([f"### {step['direction'].capitalize()} {step['version']}: {said(step['title'])}"])
        bullets = _bullets(said_by, step, found)
        if bullets:
            more = [f"and {len(bullets) - _LISTED} more"] if len(bullets) > _LISTED else []
            blocks.append([line for text in [*bullets[:_LISTED], *more] for line in wrapped(f"- {text}", "  ")])
        blocks += _sql(file)
        for when, changes in (("", found.get("changes")), ("After its down file, ", found.get("not_restored"))):
            for change in changes or ():
                lines = clean(change["diff"]).rstrip("\n").split("\n")
                shown = first(lines, left)
                left -= sum(map(len, shown))
                blocks += _change(when, change, shown, len(lines) - len(shown))
    for text in rehearsal["cannot_tell"] if rehearsal else ():
        blocks.append(wrapped(f"Note: {said(text)}"))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def decisive(
    steps: Sequence[Mapping[str, Any]],
    rehearsal: Optional[Mapping[str, Any]],
    guards: Iterable[Mapping[str, Any]] = (),
) -> tuple[str, str]:
    """Return the two lines by which a person decides: what would run and what of it would fail; what effects it has.

    :param steps: as the return value pending of check mode.
    """
    refused: dict[str, dict[int, None]] = {}
    for guard in guards:
        if guard["verdict"] == "refuse":
            refused.setdefault(guard["guard"], {})[guard["version"]] = None
    refusals = "; ".join(f"{few(versions)} ({said(name)})" for name, versions in refused.items())
    parts = [f"**Refused**: {refusals}."] if refusals else []
    back = all(step["direction"] == "down" for step in steps)
    what = f"{count(len(steps), 'migration')} {_are(len(steps))} {'to be rolled back' if back else 'pending'}"
    parts.append(f"{what}: {few(step['version'] for step in steps)}.")
    if rehearsal is None:
        return " ".join(parts), _NOT_REHEARSED
    fates = list(filter(None, map(_fate, rehearsal["migrations"])))
    if fates:
        parts.append(f"{_some(fates)}.")
    elif rehearsal["complete"]:
        left_out = sum(len(found["skipped"]) for found in rehearsal["migrations"])
        but = f", except {count(left_out, 'statement')} that need{'s' * (left_out == 1)} rows" if left_out else ""
        parts.append(f"{'It' if len(steps) == 1 else 'Each'} ran without an error on copies of the tables{but}.")
    effects = list(_effects(rehearsal))
    if not effects:
        reversible = all(found["reversible"] for found in rehearsal["migrations"])
        each = "it" if len(steps) == 1 else "each"
        effects = [f"{_HARMLESS}; {each} is reversible" if reversible else _HARMLESS]
    return " ".join(parts), f"{effects[0][0].upper()}{'; '.join(effects)[1:]}."


def _any_rehearsed(rehearsal: Mapping[str, Any]) -> bool:
    return any(found["rehearsed"] for found in rehearsal["migrations"])


def _fate(found: Mapping[str, Any]) -> str:
    """Say why a migration will fail; nothing if it does not."""
    if found["error"]:
        error = found["error"]
        reason = said(error if len(error) <= _REASON else f"{error[:_REASON]}…")
        return f"**{found['version']} will fail**: {reason}"
    risks = [risk for risk in found["risks"] if risk["kind"] == "would_fail"]
    if not risks:
        return ""
    worst = max(risks, key=lambda risk: bool(risk["certain"]))
    more = f" and {count(len(risks) - 1, 'other reason')}" if len(risks) > 1 else ""
    return f"**{found['version']} {_may(worst)} fail**{_failing(worst)}{more}"


def _may(risk: Mapping[str, Any]) -> str:
    return "will" if risk["certain"] else "may"


# By what the risk is; the rows come before, and the place after.
_FAILING = {
    "null": "with NULL in",
    "does_not_fit": "with a value that does not fit in",
    "character_set": "with characters that are missing from the new character set in",
    "check": "that violate the CHECK",
    "orphan": "without a parent under the foreign key",
    "zero_date": "that would get a zero date in",
}


def _failing(risk: Mapping[str, Any]) -> str:
    place = code(f"{risk['table']}.{risk['name']}")
    if risk["what"] == "duplicate":
        occur = "occurs" if risk["rows"] == 1 else "occur"
        return f" on {_number(risk, 'value')} that {occur} more than once under the unique key {place}"
    if risk["what"] in _FAILING:
        return f" on {_number(risk, 'row')} {_FAILING[risk['what']]} {place}"
    return f": {said(risk['text'])}"


def _number(risk: Mapping[str, Any], noun: str) -> str:
    """Say how many rows or values; an uncertain number may be zero."""
    rows = risk["rows"]
    if rows is None:
        return f"an unknown number of {noun}s"
    return f"{'' if risk['certain'] else 'perhaps '}{rows:,} {noun}{'' if rows == 1 else 's'}"


def _are(number: Optional[int]) -> str:
    return "is" if number == 1 else "are"


def _effects(rehearsal: Mapping[str, Any]) -> Iterator[str]:
    """Yield the effects of a plan that somebody should know about first."""
    if rehearsal["why"] is not None and not _any_rehearsed(rehearsal):
        yield f"**Not rehearsed**: {said(rehearsal['why'])}"
        return
    migrations = [found for found in rehearsal["migrations"] if found["rehearsed"]]
    impacts = [impact for found in migrations for impact in found["impact"]]
    yield from _waits(impacts)
    lost = [risk for found in migrations for risk in found["risks"] if risk["kind"] == "destroy"]
    lost.sort(key=lambda risk: -1 if risk["rows"] is None else -risk["rows"])
    if lost:
        yield _some(map(_destroyed, lost))
    stuck = [found["version"] for found in migrations if found["reversible"] is False]
    if stuck:
        yield f"{few(stuck)} **cannot be rolled back**"
    unknown = [found["version"] for found in migrations if found["reversible"] is None and found["irreversible"]]
    if unknown:
        yield f"whether {few(unknown)} can be rolled back is unknown"
    failed = [found["version"] for found in migrations if found["error"]]
    if failed:
        yield f"what else {few(failed)} would do is unknown"
    left = [found["version"] for found in rehearsal["migrations"] if not found["rehearsed"]]
    if left:
        yield f"{few(left)} {_are(len(left))} **not rehearsed**"


def _waits(impacts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield for which tables writes are blocked, the largest first, and for which they may be."""
    waits: dict[str, list[Mapping[str, Any]]] = {}
    doubtful: dict[str, None] = {}
    for impact in impacts:
        if impact["blocks_writes"]:
            waits.setdefault(impact["table"], []).append(impact)
        elif impact["blocks_writes"] is None or not impact["certain"]:
            doubtful[impact["table"]] = None
    tables = sorted(waits.values(), key=lambda found: -(found[0]["bytes"] or 0))
    if tables:
        yield _some(map(_waiting, tables))
    rest = [code(table) for table in doubtful if table not in waits]
    if rest:
        yield f"writes to {few(rest)} may **wait**"


def _waiting(found: Sequence[Mapping[str, Any]]) -> str:
    """Say why writes to a table wait."""
    impact = found[0]
    how = "copied" if any(item["algorithm"] == "COPY" for item in found) else "read"
    size = "it is" if impact["bytes"] is None else f"{_size(impact['bytes'])} are"
    often = f" {len(found)} times" if len(found) > 1 else ""
    return f"writes to {code(impact['table'])} **wait** while {size} {how}{often}"


def _destroyed(risk: Mapping[str, Any]) -> str:
    table, name, what = code(risk["table"]), risk["name"], risk["what"]
    if what == "table":
        return f"the table {table} with {_number(risk, 'row')} is **destroyed**"
    if name and what == "partition":
        return f"{_number(risk, 'row')} of the partition {code(name)} of {table} {_are(risk['rows'])} **destroyed**"
    place = code(f"{risk['table']}.{name}") if name else table
    verb = "overwritten" if what == "values" else "destroyed"
    return f"{_number(risk, 'value' if name else 'row')} of {place} {_are(risk['rows'])} **{verb}**"


def _some(texts: Iterable[str]) -> str:
    """Return the first texts, and the number of the others."""
    found = list(texts)
    rest = [f"and {len(found) - _NAMED} more"] if len(found) > _NAMED else []
    return "; ".join([*found[:_NAMED], *rest])


def _size(number: int) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return count(number, "byte")


class _Finding(NamedTuple):
    """What is known of a migration, and how guards.py says it.

    :param guards: those that may say it.
    """

    text: str
    guards: Sequence[str] = ()
    begins: str = ""
    ends: str = ""

    def is_said_by(self, guard: Mapping[str, Any]) -> bool:
        """Tell whether it is what a guard has judged."""
        text = guard["text"]
        return guard["guard"] in self.guards and text.startswith(self.begins) and text.endswith(self.ends)


# From the most to the least important.
_VERDICTS = {"refuse": "**refused**", "warn": "**warning**", "allowed": "allowed"}


def _bullets(guards: Iterable[Mapping[str, Any]], step: Mapping[str, Any], found: Mapping[str, Any]) -> list[str]:
    """Return what is known of a migration, each with what the guards say about it; what they refuse comes first."""
    own = [guard for guard in guards if (guard["version"], guard["direction"]) == (step["version"], step["direction"])]
    findings = list(_findings(found))
    for guard in own:
        if not any(finding.is_said_by(guard) for finding in findings):
            findings.append(_same(said(guard["text"]), guard["text"], guard["guard"]))
    bullets: dict[str, list[str]] = {verdict: [] for verdict in (*_VERDICTS, "")}
    for finding in findings:
        judged = [guard for guard in own if finding.is_said_by(guard)]
        verdicts = {guard["verdict"] for guard in judged}
        first_of_all = next((verdict for verdict in _VERDICTS if verdict in verdicts), "")
        bullets[first_of_all].append(": ".join([*dict.fromkeys(map(_verdict, judged)), finding.text]))
    return [text for texts in bullets.values() for text in texts]


def _verdict(guard: Mapping[str, Any]) -> str:
    by = f" by {said(guard['allowed_by'])}" if guard["allowed_by"] else ""
    return f"{_VERDICTS[guard['verdict']]}{by} ({said(guard['guard'])})"


def _same(text: str, of_guard: str, *guards: str) -> _Finding:
    """Return a finding of which guards say just this."""
    return _Finding(text, guards, of_guard, of_guard)


def _findings(found: Mapping[str, Any]) -> Iterator[_Finding]:
    """Yield what a rehearsal has found out about a migration."""
    if not found:
        return
    why = found["why"]
    if not found["rehearsed"]:
        yield _same(f"**not rehearsed**: {said(why)}", f"it was not rehearsed: {why}", "not_rehearsed")
        return
    if found["error"]:
        error = found["error"]
        yield _same(f"**will fail**: {said(error)}", f"it fails on copies of the tables: {error}", "would_fail")
    for risk in sorted(found["risks"], key=lambda risk: risk["kind"] == "destroy"):
        text = _destroyed(risk) if risk["kind"] == "destroy" else f"**{_may(risk)} fail**{_failing(risk)}"
        yield _same(f"{text}{_at(risk['line'])}", f"{risk['text']}{_at(risk['line'])}", risk["kind"])
    for impact in found["impact"]:
        yield _Finding(_impact(impact), ("block_writes", "rebuild"), f"{impact['table']}: ", _at(impact["line"]))
    doubts: dict[str, list[int]] = {}
    for impact in found["impact"]:
        if not impact["certain"]:
            doubts.setdefault(impact["uncertain"], []).append(impact["line"])
    for why, lines in doubts.items():
        yield _Finding(f"not certain, line {few(lines)}: {said(why)}")
    yield from (_Finding(f"keeps {said(kept['text'])}") for kept in found.get("kept", ()))
    yield from (_Finding(f"**not kept**: {said(text)}") for text in found.get("not_kept", ()))
    for text in found["skipped"]:
        yield _Finding(f"left out, because the copies have no rows: {said(text)}")
    why = found["irreversible"]
    if found["reversible"]:
        lost = any(risk["kind"] == "destroy" for risk in found["risks"])
        yield _Finding(f"its down file restores the schema{', but not the destroyed data' if lost else ''}")
    elif found["reversible"] is False:
        yield _Finding(f"**cannot be rolled back**: {said(why)}", ("irreversible", "no_down_file"))
    elif why:
        yield _same(f"whether it can be rolled back is unknown: {said(why)}", why, "not_rehearsed")


def _at(line: Optional[int]) -> str:
    return "" if line is None else f" (line {line})"


def _impact(impact: Mapping[str, Any]) -> str:
    what = ["effect unknown"]
    if impact["algorithm"]:
        what = [impact["algorithm"], "**writes wait**" if impact["blocks_writes"] else "writes continue"]
    if impact["rebuilds"]:
        what.append("all rows are rewritten")
    if impact["rows"] is not None:
        what.append(f"about {impact['rows']:,} rows, {_size(impact['bytes'])}")
    return f"{code(impact['table'])}: {', '.join(what)}{_at(impact['line'])}"


def _sql(file: Listed) -> Iterator[list[str]]:
    if file.name is None:
        yield ["There is no file: only the version is set."]
        return
    yield [f"The file {said(file.name)}:"]
    if file.lines:
        yield fence("\n".join(file.lines), "sql")
    if file.size is not None:
        yield [f"Truncated: the file has {file.size:,} bytes."]


def _change(when: str, change: Mapping[str, str], lines: Sequence[str], left: int) -> Iterator[list[str]]:
    yield [f"{when}{change['type']} {said(change['name'])} is {change['change']}:"]
    if lines:
        yield fence("\n".join(lines), "diff")
    if left:
        yield [f"Truncated: the diff has {count(left, 'more line')}."]
