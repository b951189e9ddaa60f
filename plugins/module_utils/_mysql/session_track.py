# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server reports about a session in its answers. Pure. Private to the collection.

An OK packet ends with the session state information if the client has set CLIENT_SESSION_TRACK. The encoding is that of
MySQL's source documentation ("OK_Packet" and "Session State Information"); MariaDB's is the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Optional

# Flags of an answer's status.
IN_TRANSACTION = 0x0001
AUTOCOMMIT = 0x0002
MORE_RESULTS = 0x0008
STATE_CHANGED = 0x4000

_VARIABLE = 0
_SCHEMA = 1
_TRANSACTION = 5
# Of a length-encoded integer: how many bytes follow its first.
_FOLLOWING = {0xFC: 2, 0xFD: 3, 0xFE: 8}


class TransactionReport(NamedTuple):
    """What the open transaction has done so far.

    The eight places of the server's ``trx_state`` (MySQL's reference manual, session_track_transaction_info).

    :ivar explicit: it was started by a statement.
    :ivar implicit: it was started by the first statement after another one, because autocommit is off.
    :ivar nontransactional_reads: tables without transactions were read.
    :ivar reads: tables with transactions were read.
    :ivar nontransactional_writes: tables without transactions were written: a rollback does not undo that.
    :ivar writes: tables with transactions were written.
    :ivar unsafe: a statement was not safe for a binary log of statements; the lock's guard is one of them.
    :ivar result_sent: rows were sent.
    :ivar table_locks: LOCK TABLES is in effect; also outside of a transaction.
    """

    explicit: bool = False
    implicit: bool = False
    nontransactional_reads: bool = False
    reads: bool = False
    nontransactional_writes: bool = False
    writes: bool = False
    unsafe: bool = False
    result_sent: bool = False
    table_locks: bool = False


_NONE = TransactionReport()
_LOCKED = TransactionReport(table_locks=True)


@lru_cache(maxsize=256)
def read_transaction(text: str) -> TransactionReport:
    """Read a ``trx_state`` such as ``T__wW___``; places that are missing count as not set."""
    first = text[:1]
    return TransactionReport(first == "T", first == "I", *(mark != "_" for mark in text[1:8]))


class Changes(NamedTuple):
    """What an answer reports.

    :ivar variables: the new values of system variables.
    :ivar schema: the current one's name, empty if there is none; None if nothing is said about it.
    :ivar transaction: its ``trx_state``.
    """

    variables: Mapping[str, str]
    schema: Optional[str] = None
    transaction: Optional[str] = None


class Ending(NamedTuple):
    """The packet that ends an answer.

    :ivar rest: what ``read_changes`` reads.
    """

    status: int
    rest: bytes


# The same few come again and again with our own statements.
@lru_cache(maxsize=64)
def read_ok(packet: bytes) -> Ending:
    """Read an OK packet: an answer without rows, or what follows the last row with CLIENT_DEPRECATE_EOF.

    :raises ValueError: it is truncated.
    """
    reader = _Reader(packet)
    reader.take(1)
    reader.integer()
    reader.integer()
    status = reader.fixed(2)
    reader.fixed(2)
    return Ending(status, reader.rest())


def read_eof(packet: bytes) -> Ending:
    """Read an EOF packet, which follows the last row without CLIENT_DEPRECATE_EOF.

    :raises ValueError: it is truncated.
    """
    reader = _Reader(packet)
    reader.take(3)
    return Ending(reader.fixed(2), b"")


@lru_cache(maxsize=64)
def read_changes(rest: bytes) -> Changes:
    """Read what follows the count of warnings in an OK packet whose status has STATE_CHANGED.

    A packet that is truncated says nothing.
    """
    try:
        reader = _Reader(rest)
        reader.text()
        return _read_changes(_Reader(reader.text()))
    except ValueError:
        return Changes({})


def _read_changes(reader: _Reader) -> Changes:
    variables: dict[str, str] = {}
    changes = Changes(variables)
    while reader.left:
        kind = reader.fixed(1)
        entry = _Reader(reader.text())
        if kind == _VARIABLE:
            name = _decoded(entry.text())
            variables[name] = _decoded(entry.text())
        elif kind == _SCHEMA:
            changes = changes._replace(schema=_decoded(entry.text()))
        elif kind == _TRANSACTION:
            changes = changes._replace(transaction=_decoded(entry.text()))
    return changes


def _decoded(text: bytes) -> str:
    # Names and values come as they are stored, whatever the character set of the results.
    return text.decode("utf-8", "replace")


class _Reader:
    """Reads the protocol's basic types one after the other; each method raises ValueError at the packet's end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left(self) -> bool:
        return self._at < len(self._data)

    def take(self, length: int) -> bytes:
        end = self._at + length
        if end > len(self._data):
            raise ValueError("The packet is truncated.")
        taken = self._data[self._at : end]
        self._at = end
        return taken

    def fixed(self, length: int) -> int:
        return int.from_bytes(self.take(length), "little")

    def integer(self) -> int:
        first = self.fixed(1)
        if first < 0xFB:
            return first
        if first not in _FOLLOWING:
            raise ValueError("This is not a length.")
        return self.fixed(_FOLLOWING[first])

    def text(self) -> bytes:
        return self.take(self.integer())

    def rest(self) -> bytes:
        return self._data[self._at :]


class SessionState:
    """What is known of a session now.

    :ivar status: the flags of the last answer.
    :ivar variables: the tracked system variables.
    :ivar schema: the current one; None if there is none.
    :ivar changed: whether a variable or the schema got another value since this was last set to False.
    """

    def __init__(self) -> None:
        self.status = 0
        self.variables: dict[str, str] = {}
        self.schema: Optional[str] = None
        self.changed = False
        self._transaction = _NONE

    def end(self, ending: Ending) -> None:
        """Take in what the packet at an answer's end says."""
        self.status = ending.status
        if ending.status & STATE_CHANGED:
            self.take(read_changes(ending.rest))

    def take(self, changes: Changes) -> None:
        """Take in what an answer reports."""
        for name, value in changes.variables.items():
            self.changed |= self.variables.get(name) != value
            self.variables[name] = value
        if changes.schema is not None:
            self.changed |= self.schema != (changes.schema or None)
            self.schema = changes.schema or None
        if changes.transaction is not None:
            self._transaction = read_transaction(changes.transaction)

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open."""
        return bool(self.status & IN_TRANSACTION)

    @property
    def transaction(self) -> TransactionReport:
        """What is known of the open transaction; of none, whether tables are locked."""
        if self.in_transaction:
            return self._transaction
        # MariaDB does not report a transaction's end that was brought about by a statement which then failed.
        return _LOCKED if self._transaction.table_locks else _NONE

    @property
    def wrote_nontransactional(self) -> bool:
        """Whether a table without transactions was written in the open transaction."""
        # It is asked about each answer.
        return bool(self.status & IN_TRANSACTION) and self._transaction.nontransactional_writes
