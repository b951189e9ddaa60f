# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The error every wing raises. Private to the collection."""

from __future__ import annotations

from typing import Any


class Error(Exception):
    """An error that a user can act on: what happened, where, and what to do next.

    :param message: a short text for the user; it never contains a secret.
    :param results: return values that accompany the failure (file, line, error_code, ...).
    """

    def __init__(self, message: str, **results: Any) -> None:
        super().__init__(message)
        self.results = results
