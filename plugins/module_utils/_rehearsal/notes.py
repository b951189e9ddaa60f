# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person is warned of after a rehearsal. Private to the collection. Nothing here decides anything.

What a person reads of a plan is in _migration/plan_text.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

_RISKS = {"would_fail": "would fail", "destroy": "destroys"}


def warnings(rehearsal: Mapping[str, Any]) -> Iterator[str]:
    """Yield what a person should know before a run."""
    for migration in rehearsal["migrations"]:
        name = f"{migration['direction']} {migration['version']}"
        if migration["error"]:
            yield f"The rehearsal of {name} failed: {migration['error']}"
        for risk in migration["risks"]:
            yield f"{name} {_RISKS[risk['kind']]}: {risk['text']}"
        if migration["reversible"] is False:
            yield f"The rehearsal found no way back from {name}: {migration['irreversible']}"
