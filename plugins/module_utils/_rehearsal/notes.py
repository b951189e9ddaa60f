# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads of a rehearsal. Private to the collection. Nothing here decides anything."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_RISKS = {"would_fail": "would fail", "destroy": "destroys"}
# Lines of a migration's differences that are shown.
_LINES = 200


def notes(rehearsal: Mapping[str, Any]) -> list[list[str]]:
    """Return lines on each of the plan's migrations."""
    found = [list(_lines(migration)) for migration in rehearsal["migrations"]]
    if rehearsal["why"] is not None:
        # The same of each that was not rehearsed.
        first = next(place for place, item in enumerate(rehearsal["migrations"]) if not item["rehearsed"])
        found[first + 1 :] = [[] for _later in found[first + 1 :]]
    return found


def _lines(migration: Mapping[str, Any]) -> Iterator[str]:
    if not migration["rehearsed"]:
        yield f"not rehearsed: {migration['why']}"
        return
    if migration["error"]:
        yield f"rehearsed: it fails: {migration['error']}"
    elif migration["reversible"]:
        yield "rehearsed: its down file restores the schema"
    elif migration["irreversible"]:
        yield f"rehearsed: no way back: {migration['irreversible']}"
    else:
        yield "rehearsed"
    yield from map(_impact, migration["impact"])
    for risk in migration["risks"]:
        yield f"{_RISKS[risk['kind']]}: {risk['text']}"
    for text in migration["skipped"]:
        yield f"left out, as the copies hold no rows: {text}"
    lines = [line for change in migration["changes"] for line in _change(change)]
    yield from lines[:_LINES]
    if len(lines) > _LINES:
        yield f"... and {len(lines) - _LINES} more lines"


def _impact(impact: Mapping[str, Any]) -> str:
    what = [impact["algorithm"] or "how is not known"]
    if impact["algorithm"]:
        what.append("writes wait" if impact["blocks_writes"] else "writes go on")
    if impact["rebuilds"]:
        what.append("all rows are written anew")
    if impact["rows"] is not None:
        what.append(f"about {impact['rows']:,} rows, {impact['bytes'] / 1e6:,.1f} MB")
    doubt = "" if impact["certain"] else f"; not certain: {impact['uncertain']}"
    return f"line {impact['line']}, {impact['table']}: {', '.join(what)}{doubt}"


def _change(change: Mapping[str, str]) -> Iterator[str]:
    yield f"{change['sort']} {change['name']} {change['change']}:"
    yield from (f"  {line}" for line in change["diff"].splitlines())
