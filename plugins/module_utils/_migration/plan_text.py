# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A plan as a person reads it: in a terminal, in AWX, and as Markdown in a merge request. Private to the collection.

It is one text. First the two lines that decide, then each migration: what was found out about it, its SQL, and the
difference of the schema. Nothing here decides anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional

from .._core.markdown import code, fence, said, wrapped
from .._core.secrets import clean
from .listing import ALL, Listed, first
from .model import Plan
from .report import count, few, format_version, steps_result

# So many things of one kind are named in the two lines, and so many are listed of a migration.
_NAMED, _LISTED = 3, 50
# Characters of a reason in the two lines.
_REASON = 160
_HARMLESS = "No ALTER blocks writes, nothing with rows is dropped or emptied"
_NOT_REHEARSED = "**Not rehearsed**: what the migrations do to tables and rows is not known."


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
        bullets = [*_guards(said_by, step), *_findings(found)]
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
        blocks.append(wrapped(f"Not seen: {said(text)}"))
    return "\n\n".join("\n".join(block) for block in blocks) + "\n"


def decisive(
    steps: Sequence[Mapping[str, Any]],
    rehearsal: Optional[Mapping[str, Any]],
    guards: Iterable[Mapping[str, Any]] = (),
) -> tuple[str, str]:
    """Return the two lines by which a person decides: what is to be run and what of it fails; what it does.

    :param steps: as the return value pending of check mode.
    """
    refused: dict[str, list[int]] = {}
    for guard in guards:
        if guard["verdict"] == "refuse":
            refused.setdefault(guard["guard"], []).append(guard["version"])
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
        parts.append("It ran on a copy." if len(steps) == 1 else "Each ran on a copy.")
    effects = list(_effects(rehearsal))
    if not effects:
        effects = [_HARMLESS if back else f"{_HARMLESS}, each migration has a way back"]
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
    sure = [risk for risk in risks if risk["certain"]]
    more = f" and {count(len(risks) - 1, 'other reason')}" if len(risks) > 1 else ""
    return f"**{found['version']} {'will' if sure else 'may'} fail**: {_failing((sure or risks)[0])}{more}"


# By what the risk is; the rows come before, and the place after.
_FAILING = {
    "null": "with NULL in",
    "does_not_fit": "with a value that no longer fits in",
    "character_set": "with letters that the new character set lacks in",
    "check": "that violate the CHECK",
    "orphan": "without a parent under the foreign key",
    "zero_date": "that would get a zero date in",
}


def _failing(risk: Mapping[str, Any]) -> str:
    place = code(f"{risk['table']}.{risk['name']}")
    if risk["what"] == "duplicate":
        return f"{_number(risk, 'value')} more than once under the unique key {place}"
    if risk["what"] in _FAILING:
        return f"{_number(risk, 'row')} {_FAILING[risk['what']]} {place}"
    return said(risk["text"])


def _number(risk: Mapping[str, Any], noun: str) -> str:
    """Say how many rows or values; that one in doubt may be none."""
    rows = risk["rows"]
    if rows is None:
        return f"an unknown number of {noun}s"
    return f"{'' if risk['certain'] else 'perhaps '}{rows:,} {noun}{'' if rows == 1 else 's'}"


def _are(number: Optional[int]) -> str:
    return "is" if number == 1 else "are"


def _effects(rehearsal: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a plan does that somebody should know before."""
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
        yield f"{few(stuck)} {'has' if len(stuck) == 1 else 'have'} **no way back**"
    unknown = [found["version"] for found in migrations if found["reversible"] is None and found["irreversible"]]
    if unknown:
        yield f"whether {few(unknown)} {'has' if len(unknown) == 1 else 'have'} a way back is not known"
    left = [found["version"] for found in rehearsal["migrations"] if not found["rehearsed"]]
    if left:
        yield f"{few(left)} {_are(len(left))} **not rehearsed**"


def _waits(impacts: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Yield for which tables writes wait, the largest first, and for which that is not known."""
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
        yield f"that writes to {few(rest)} go on is not certain"


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
    """Return the first texts, and how many there are more."""
    found = list(texts)
    rest = [f"and {len(found) - _NAMED} more like these"] if len(found) > _NAMED else []
    return "; ".join([*found[:_NAMED], *rest])


def _size(number: int) -> str:
    for unit, factor in (("TB", 1e12), ("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if number >= factor:
            return f"{number / factor:,.1f} {unit}"
    return count(number, "byte")


def _guards(guards: Iterable[Mapping[str, Any]], step: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the guards say of a migration."""
    for guard in guards:
        if (guard["version"], guard["direction"]) != (step["version"], step["direction"]):
            continue
        how = {"refuse": "**refused**", "warn": "**warning**"}.get(guard["verdict"], "allowed")
        by = f" by {said(guard['allowed_by'])}" if guard["allowed_by"] else ""
        yield f"{how}{by}, {said(guard['guard'])}: {said(guard['text'])}"


def _findings(found: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a rehearsal has found out about a migration."""
    if not found:
        return
    if not found["rehearsed"]:
        yield f"**not rehearsed**: {said(found['why'])}"
        return
    if found["error"]:
        yield f"**will fail**: {said(found['error'])}"
    for kind, what in (("would_fail", "**would fail**"), ("destroy", "**destroys**")):
        yield from (f"{what}: {said(risk['text'])}" for risk in found["risks"] if risk["kind"] == kind)
    yield from map(_impact, found["impact"])
    doubts: dict[str, list[int]] = {}
    for impact in found["impact"]:
        if not impact["certain"]:
            doubts.setdefault(impact["uncertain"], []).append(impact["line"])
    for why, lines in doubts.items():
        yield f"not certain, line {few(lines)}: {said(why)}"
    yield from (f"keeps {said(kept['text'])}" for kept in found.get("kept", ()))
    yield from (f"**not kept**: {said(text)}" for text in found.get("not_kept", ()))
    for text in found["skipped"]:
        yield f"left out, as the copies hold no rows: {said(text)}"
    if found["reversible"]:
        yield "its down file restores the schema"
    elif found["irreversible"]:
        known = "**no way back**" if found["reversible"] is False else "whether there is a way back is not known"
        yield f"{known}: {said(found['irreversible'])}"


def _impact(impact: Mapping[str, Any]) -> str:
    what = ["how is not known"]
    if impact["algorithm"]:
        what = [impact["algorithm"], "**writes wait**" if impact["blocks_writes"] else "writes go on"]
    if impact["rebuilds"]:
        what.append("all rows are written anew")
    if impact["rows"] is not None:
        what.append(f"about {impact['rows']:,} rows, {_size(impact['bytes'])}")
    return f"line {impact['line']}, {code(impact['table'])}: {', '.join(what)}"


def _sql(file: Listed) -> Iterator[list[str]]:
    if file.name is None:
        yield ["There is no file: nothing is run but the version is set."]
        return
    yield [f"The file {said(file.name)}:"]
    if file.lines:
        yield fence("\n".join(file.lines), "sql")
    if file.size is not None:
        yield [f"Not all is shown: the file has {file.size:,} bytes."]


def _change(when: str, change: Mapping[str, str], lines: Sequence[str], left: int) -> Iterator[list[str]]:
    yield [f"{when}{change['sort']} {said(change['name'])} is {change['change']}:"]
    if lines:
        yield fence("\n".join(lines), "diff")
    if left:
        yield [f"Not all is shown: the difference has {count(left, 'more line')}."]
