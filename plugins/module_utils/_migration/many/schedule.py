# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which schema is started next, and when none is started any more. Pure; private to the collection."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Optional


class Schedule:
    """Hands out schemas one by one.

    :param canary: so many come first, alone; if one fails, no other is started.
    :param percentage: no other is started once more than this share of all has failed.
    :ivar over: whether no other is started.
    """

    def __init__(self, names: Sequence[str], canary: int, percentage: int) -> None:
        self._waiting = deque(names)
        self._canary = min(canary, len(names))
        self._most = percentage * len(names) / 100
        self._begun = self._ended = self._failed = 0
        self.over = False

    @property
    def not_begun(self) -> int:
        """The number of schemas that were not handed out."""
        return len(self._waiting)

    def next(self) -> Optional[str]:
        """Return the next one; None if there is none, or none now."""
        waits = self._ended < self._canary <= self._begun
        if self.over or waits or not self._waiting:
            return None
        self._begun += 1
        return self._waiting.popleft()

    def end(self, failed: bool) -> None:
        """Record how one has ended."""
        if failed:
            self._failed += 1
            self.over |= self._ended < self._canary or self._failed > self._most
        self._ended += 1
