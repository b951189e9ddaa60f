# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Text of the host's, made harmless. Private to the collection."""

from __future__ import annotations


def read_text(path: str) -> str:
    """Return a file's text, in which bytes that are not UTF-8 are replaced.

    :raises OSError: it cannot be read.
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        return file.read()


def read_or_empty(path: str) -> str:
    """Return a file's text; empty if it cannot be read."""
    try:
        return read_text(path)
    except OSError:
        return ""


def shown(text: str) -> str:
    """Return a text in which each control character is a question mark."""
    return "".join(character if character.isprintable() else "?" for character in text)
