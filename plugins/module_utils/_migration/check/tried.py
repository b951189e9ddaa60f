# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server has shown: each migration was carried out on it from nothing, there, back, and there again.

Private to the collection. Pure: it is told the result of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional

from ..model import Source
from ..report import count
from .finding import ERROR, WARNING, Found, Rule, printable

DOES_NOT_APPLY = Rule(
    "does_not_apply", ERROR, "Correct the file; if it names a schema itself, set login_db to that schema."
)
NO_WAY_BACK = Rule("no_way_back", ERROR, "Make the down file restore exactly what was there before.")
NEEDS_ROWS = Rule("needs_rows", WARNING, "Rehearse it on a server that has rows, or make it work without them.")
NOT_TRIED = Rule(
    "not_tried", WARNING, "On a server without other schemas, every statement that the account may run is tried."
)
RULES = (DOES_NOT_APPLY, NO_WAY_BACK, NEEDS_ROWS, NOT_TRIED)


def judge(source: Source, migrations: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, Rule, Found]]:
    """Yield what is wrong with which file.

    :param migrations: the result of each, in order, in the form that ``_rehearsal/rehearse.py`` describes.
    """
    files = {item.version: item for item in source.migrations}
    for place, tried in enumerate(migrations):
        up, down, lines = files[tried["version"]].up, files[tried["version"]].down, tried["lines"]
        if tried["why"] or tried["error"]:
            # The same is to be said about all that comes after it.
            if up is not None:
                rule = DOES_NOT_APPLY if tried["error"] else NOT_TRIED
                what = "On an empty database it fails" if tried["error"] else "It was not tried"
                said = f"{what}: {tried['error'] or tried['why']}.{_behind(len(migrations) - place - 1)}"
                yield up, rule, _found(said, lines["up"])
            return
        if up is None:
            continue
        for line, said in zip(lines["skipped"], tried["skipped"]):
            yield up, NEEDS_ROWS, _found(f"It was tried without a statement that needs rows: {said}.", line)
        if down is not None and tried["irreversible"]:
            rule = NO_WAY_BACK if tried["reversible"] is False else NOT_TRIED
            why = str(tried["irreversible"])
            yield down, rule, _found(f"{why[0].upper()}{why[1:]}.", lines["down"])


def _behind(number: int) -> str:
    return f" What follows it was not tried either: {count(number, 'migration')}." if number else ""


def _found(what: str, line: Optional[int]) -> Found:
    return Found(printable(what), line or 1, line)
