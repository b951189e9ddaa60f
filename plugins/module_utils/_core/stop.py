# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Signals that ask a run to end. Private to the collection."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Optional

_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


# Returns why to stop; None to continue.
Stopped = Callable[[], Optional[str]]


def take(handler: Callable[[int, Optional[FrameType]], None]) -> None:
    """Install a handler for these signals, except for those that are ignored since the start, as with nohup."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def leave_session() -> None:
    """Let the process survive the end of the connection or terminal that started it; SIGTERM still ends it."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # A group leader already has a group of its own.
    with suppress(PermissionError):
        os.setsid()


class Stop:
    """Records the signals that would end the process, from its creation on."""

    def __init__(self) -> None:
        self._reason: Optional[str] = None
        take(self._ask)

    def _ask(self, number: int, frame: Optional[FrameType]) -> None:
        self._reason = signal.Signals(number).name

    def __call__(self) -> Optional[str]:
        """Return the name of the signal that has come; None if none has."""
        return self._reason
