# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What goes wrong in a run: one fault, at one of the points that a simulated server passes."""

from __future__ import annotations

from typing import Any, NamedTuple, Optional

from .connection import Connection
from .storage import SqlError

# Errors of the server that leave the connection open, and what they undo: the statement, or the whole transaction.
REFUSALS = (1062, 1205, 1213, 1317)
_ROW_POINTS = ("row", "raw row", "define")


class Killed(BaseException):
    """The process of the run is killed: nothing of it may continue."""


class Broken(Exception):
    """The connection ends.

    :param crash: because the server does.
    :param client_too: the client's process has ended.
    """

    def __init__(self, crash: bool = False, client_too: bool = False) -> None:
        super().__init__("the connection ends")
        self.crash, self.client_too = crash, client_too


class Fault(NamedTuple):
    """What happens, and when.

    :param kind: ``crash``: the server dies and starts again. ``kill``: the server ends the connection at once.
        ``cut``: the client's end is gone; the server completes the statement that is running. ``cut packet``: it
        completes the packet. ``refuse``: it refuses a statement. ``signal``: SIGTERM arrives. ``none``.
    :param at: which of the points, from 1.
    :param code: the error of a refusal.
    :param client_too: it is the client's process that ends.
    :param where, text: only points of that sort count, and only those in a statement that holds that text.
    """

    kind: str = "none"
    at: int = 0
    code: int = 0
    client_too: bool = False
    where: str = ""
    text: str = ""


class Faults:
    """The fault of one run.

    :ivar struck: where it happened, and in which statement; None as long as it has not.
    :ivar place: which statement of a packet was running.
    :ivar packet: the statement of a file that is in the packet; struck_packet: that was in it when it happened.
    :ivar count: how many points have been passed.
    :ivar handlers: what the run has registered for signals.
    :ivar refusal: the statement of a file that was refused last.
    :ivar trace: the points that have been passed, if they are wanted.
    """

    def __init__(self, fault: Fault, trace: Optional[list[str]] = None) -> None:
        self.fault, self.trace = fault, trace
        self.struck: Optional[tuple[str, str]] = None
        self.place = self.count = 0
        self.packet = self.struck_packet = ""
        self.handlers: dict[int, Any] = {}
        self.sessions: list[Any] = []
        self.refusal: Optional[str] = None
        self._left = fault.at
        self._gone: Optional[str] = None
        self._dead = False

    def point(self, where: str, connection: Connection) -> None:
        """Something may go wrong here."""
        self.count += 1
        if self._left > 0:
            fault = self.fault
            if (fault.where and fault.where != where) or (fault.text and fault.text not in connection.running):
                return
            self._left -= 1
            if self._left == 0:
                self._strike(where, connection)

    def _strike(self, where: str, connection: Connection) -> None:
        kind = self.fault.kind
        if kind == "refuse" and not self._can_refuse(where):
            self._left = 1
            return
        self.struck, self.struck_packet = (where, connection.text), self.packet
        if kind == "crash":
            self._dead = self.fault.client_too
            raise Broken(crash=True, client_too=self.fault.client_too)
        if kind == "kill" or (kind.startswith("cut") and where == "arrival"):
            self._dead = self.fault.client_too
            raise Broken(client_too=self.fault.client_too)
        if kind.startswith("cut"):
            self._gone = "packet" if kind == "cut packet" else "statement"
        elif kind == "refuse":
            raise SqlError(self.fault.code, "refused by the simulation")
        elif kind == "signal":
            for number, handler in self.handlers.items():
                if number == 15:
                    handler(15, None)

    def _can_refuse(self, where: str) -> bool:
        # Only rows of a transactional table are waited for, or deadlocked on; metadata can be waited for, too.
        allowed = {1213: ("row",), 1205: ("row", "define")}.get(self.fault.code, _ROW_POINTS)
        return where in allowed

    def finish(self, unit: str, connection: Connection) -> None:
        """A statement, or a packet, is done; a client that is gone is noticed."""
        if self._gone == unit or (self._gone and not connection.alive):
            self._gone = None
            self._dead = self.fault.client_too
            raise Broken(client_too=self.fault.client_too)

    def refused(self, connection: Connection, text: str, error: SqlError) -> None:
        """A statement was refused."""
        if connection.text:
            self.refusal = connection.text

    def check_alive(self) -> None:
        """Nothing comes from a process that is gone."""
        if self._dead:
            raise Killed
