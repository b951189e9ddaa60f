# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The commands of the mysql client: DELIMITER, and those that no server understands. Private to the collection.

Source: MySQL reference manual, "mysql Client Commands".
"""

from __future__ import annotations

import re
from typing import Optional

# The whole line is the client's; the first word after the command is the delimiter.
DELIMITER = re.compile(rb"delimiter(?:[ \t]+(\S+)?[^\n]*)?(?:\n|\Z)", re.IGNORECASE)
_WORDS = (
    rb"source|system|tee|notee|pager|nopager|print|prompt|rehash|resetconnection|status|warnings|nowarning|charset"
    rb"|clear|connect|edit|ego|exit|go|quit|query_attributes|ssl_session_data_print|delimiter|sandbox"
)
_COMMAND = re.compile(rb"\s*(?:(" + _WORDS + rb")(?=\s|\Z)|(\\[!.?#A-MO-Za-z]))", re.IGNORECASE)
_ENDING = re.compile(rb"(\\[gG])[ \t\r]*$", re.MULTILINE)
# The server knows it, too, but not without a semicolon.
_USE = re.compile(rb"\s*use[ \t]+(?:\w+|`[^`]+`)[ \t\r]*\n\s*\S", re.IGNORECASE)


def client_command(text: bytes) -> Optional[str]:
    r"""Return which command of the mysql client a statement is, or has at a line's end: ``SOURCE``, ``\G``.

    None for other statements. It is for messages about a statement that the server refused; its result for any other
    statement means nothing.
    """
    if _USE.match(text):
        return "USE without a semicolon"
    found = _COMMAND.match(text) or _ENDING.search(text)
    if found is None:
        return None
    return next(part for part in found.groups() if part is not None).decode()
