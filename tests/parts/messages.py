# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The table of messages, docs/messages.yml, and the page that is made of it: make messages."""

from __future__ import annotations

from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGE = DOCS / "messages.md"
_HEAD = """\
# Messages

Every error and warning ends with a code such as `(DBM-1534)`. Search for it here. A message says what happened, where,
and what to do; this page has a little more about why. Words in capitals stand for what differs.

Where the role runs a module, the message names the role's variable instead of the module's option:
`migrate_login_host` for `login_host`. The collection's playbooks show reasons in the report at their end, each once;
with `-v` also in the step that failed. What Ansible itself says about a module's options has no code.
"""


def table() -> list[dict[str, Any]]:
    """Return the groups of messages."""
    groups: list[dict[str, Any]] = yaml.safe_load((DOCS / "messages.yml").read_text("utf-8"))
    return groups


def page() -> str:
    """Return the page, in which each code is a heading, so that a link leads to it."""
    parts = [_HEAD]
    for group in table():
        parts.append(f"## {group['group']}\n")
        if "about" in group:
            parts.append(f"{group['about'].strip()}\n")
        for entry in group["messages"]:
            kind = "Warning: " if entry.get("warning") else ""
            why = fill(entry["why"], 120, break_long_words=False, break_on_hyphens=False)
            parts.append(f"### DBM-{entry['code']}\n\n{kind}`{entry['message']}`\n\n{why}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    PAGE.write_text(page(), "utf-8")
