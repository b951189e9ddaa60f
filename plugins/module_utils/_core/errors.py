# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error every wing raises, and the number of a message. Private to the collection."""

from __future__ import annotations

from typing import Any, NamedTuple


class Message(NamedTuple):
    """A text for a person, and its number: docs/messages.yml explains it under that."""

    number: int
    text: str


def coded(number: int, text: str) -> str:
    """Return a message as a person reads it: at its end is the code that a search finds."""
    return f"{text} (DBM-{number})"


class Error(Exception):
    """An error that a user can act on: what happened, where, and what to do next.

    :param number: the message's, see ``Message``.
    :param text: a short text for the user; it never contains a secret.
    :param results: return values that accompany the failure (file, line, error_code, ...).
    """

    def __init__(self, number: int, text: str, **results: Any) -> None:
        super().__init__(text)
        self.number = number
        self.results = results
