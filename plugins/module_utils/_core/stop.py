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
    """Have a handler take these signals, without those that whoever started the process ignores, as nohup does."""
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, handler)


def leave_session() -> None:
    """Have the end of the connection that started the process, or of its terminal, end nothing; SIGTERM still does."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # Who leads a group has one to itself.
    with suppress(PermissionError):
        os.setsid()


class Stop:
    """Takes note of the signals that would end the process, from its making on."""

    def __init__(self) -> None:
        self._reason: Optional[str] = None
        take(self._ask)

    def _ask(self, number: int, frame: Optional[FrameType]) -> None:
        self._reason = signal.Signals(number).name

    def __call__(self) -> Optional[str]:
        """Return the name of the signal that has come; None if none has."""
        return self._reason
