# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Groups texts that only differ in a name. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

# Letters of the shortest name that is looked for in a text.
_NAME = 3


def without_names(text: str, names: Iterable[str]) -> str:
    """Return a text with a mark in place of each of these names."""
    for name in sorted((name for name in names if len(name) >= _NAME), key=len, reverse=True):
        text = re.sub(rf"(?<!\w){re.escape(name)}(?!\w)", "\0", text)
    return text


def alike(texts: Mapping[str, str]) -> list[list[str]]:
    """Group names whose texts are equal except for the name."""
    groups: dict[str, list[str]] = {}
    for name, text in texts.items():
        groups.setdefault(without_names(text, [name]), []).append(name)
    return list(groups.values())
