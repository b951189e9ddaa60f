# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What statements have done to their session, so that another session can be brought there. Private to the collection.

Settings made of constants are repeated as they stand. Values that came from somewhere are kept as values: the rows
they were read from may be others by now.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional

from ..._mysql.session import ServerError, Session
from .classify import Effect, StatementKind

_VARIABLE = rb"@(?:[0-9A-Za-z_.$\x80-\xff]+|`[^`]+`|'[^']+'|\"[^\"]+\")"
_ANY_VARIABLE = re.compile(rb"(?<![0-9A-Za-z@'\"`])" + _VARIABLE)
# := and INTO give a variable a value; so does = in SET.
_ASSIGNED = re.compile(
    rb"(" + _VARIABLE + rb")\s*:=|\binto\s+(" + _VARIABLE + rb"(?:\s*,\s*" + _VARIABLE + rb")*)", re.IGNORECASE
)
_PREPARE = re.compile(rb"\bprepare\s+(`[^`]+`|\w+)\s+from\s+(.+)", re.IGNORECASE | re.DOTALL)
_PREPARED = b"@dbops_migrations_text"
_LOCKS = "the locks"
_USE = "USE"


class Entry(NamedTuple):
    """One thing that a session needs.

    :param number: the statement that did it, in its file; 0 for one of an earlier file.
    :param sql: what does it again; None for something that is lost with its session.
    :param what: the name of what is lost, or of the statement that is prepared.
    :param key: what it sets, if it does so with a constant.
    :param prepares: ``sql`` is the text of a prepared statement.
    """

    number: int
    sql: Optional[str]
    what: str = ""
    key: str = ""
    prepares: bool = False


class SessionRecorder:
    """What a session has been through.

    :ivar prepared: the texts of the prepared statements, by name.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)
        self.prepared: dict[str, bytes] = {}
        self._changed: list[tuple[int, bytes]] = []

    def note(self, number: int, text: bytes, effect: Effect, session: Session) -> None:
        """Take in a statement that has been run.

        :raises ServerError: the connection was lost.
        """
        if effect.verb == b"SET":
            self._note_set(number, text, effect)
        elif effect.verb == b"USE":
            self.entries.append(Entry(number, _text(text), key=_USE))
        elif effect.verb == b"DEALLOCATE":
            name = _text(text.split()[-1])
            self.entries.append(Entry(number, _text(text), name, _prepared(name)))
        elif effect.verb == b"PREPARE":
            self._note_prepare(number, text, session)
        elif effect.verb == b"CREATE TEMPORARY":
            self.entries.append(Entry(number, None, _temporary(effect.objects[0].name)))
        elif effect.verb == b"DROP":
            self._forget(_temporary(thing.name) for thing in effect.objects)
        elif effect.kind is StatementKind.LOCK:
            self.entries.append(Entry(number, None, _LOCKS))
        elif effect.kind in (StatementKind.UNLOCK, StatementKind.BEGIN):
            self._forget([_LOCKS])
        elif b"@" in text and (effect.kind in (StatementKind.DATA, StatementKind.OPAQUE) or effect.verb == b"GET"):
            everything = effect.kind is not StatementKind.DATA
            names = _ANY_VARIABLE.findall(text) if everything else _assigned(text)
            self._changed += [(number, name) for name in names]

    def _note_set(self, number: int, text: bytes, effect: Effect) -> None:
        variables = [name for name in effect.sets if name.startswith(b"@")]
        settings = [name for name in effect.sets if not name.startswith(b"@")]
        if effect.kind is StatementKind.DATA or b"GLOBAL" in settings:
            self._changed += [(number, b"@@SESSION." + name) for name in settings if name != b"GLOBAL"]
        elif settings:
            self._add_text(number, text)
        self._changed += [(number, name) for name in variables]

    def _note_prepare(self, number: int, text: bytes, session: Session) -> None:
        found = _PREPARE.search(text)
        if found is None:
            return
        answer = session.rows(b"SELECT HEX(CONVERT(%b USING utf8mb4))" % found[2])
        if isinstance(answer, ServerError) or answer[0][0] is None:
            return
        name, digits = _text(found[1]), _text(answer[0][0])
        known = self.prepared[_plain(name)] = bytes.fromhex(digits)
        self.entries.append(Entry(number, _text(known), name, _prepared(name), prepares=True))

    def capture(self, session: Session) -> None:
        """Ask for the values of what has been changed.

        :raises ServerError: the connection was lost.
        """
        for number, name in dict.fromkeys(self._changed):
            try:
                value = session.constant(name)
            except ServerError as error:
                if error.lost:
                    raise
                # Not a setting of the session after all.
                continue
            self.entries.append(Entry(number, _text(b"SET %b = %b" % (name, value)), key=_text(name).lower()))
        self._changed.clear()

    def _add_text(self, number: int, text: bytes) -> None:
        constant = b"@" not in text and b"(" not in text
        self.entries.append(Entry(number, _text(text), key=_text(text) if constant else ""))

    def _forget(self, names: Iterable[str]) -> None:
        gone = set(names)
        self.entries = [entry for entry in self.entries if entry.sql is not None or entry.what not in gone]

    def settle(self, done: int) -> None:
        """Nobody will go back behind so many statements: leave out what has been overtaken by them."""
        if not self.entries:
            return
        self.entries = _compact(entry for entry in self.entries if entry.number <= done) + [
            entry for entry in self.entries if entry.number > done
        ]

    def carry_over(self) -> None:
        """Take everything along to the next file."""
        self.entries = _compact(entry._replace(number=0) for entry in self.entries)
        self._changed = [(0, changed[1]) for changed in self._changed]

    def restore(self, session: Session, number: int) -> None:
        """Do again what the statement of that number did to its session; 0 for all of earlier files.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        for entry in self.entries:
            if entry.number == number and entry.sql is not None:
                try:
                    if entry.prepares:
                        self._prepare_again(entry.what, _bytes(entry.sql), session)
                    else:
                        session.execute(_bytes(entry.sql))
                except ServerError as error:
                    # What a prepared statement is about may be gone; then it cannot be executed either.
                    if error.lost or not entry.what:
                        raise

    def _prepare_again(self, name: str, text: bytes, session: Session) -> None:
        self.prepared[_plain(name)] = text
        session.execute(b"SET %b = _utf8mb4 X'%b'" % (_PREPARED, text.hex().encode()))
        session.execute(b"PREPARE %b FROM %b" % (_bytes(name), _PREPARED))

    def has_used(self) -> bool:
        """Tell whether the session may have gone to another schema."""
        return any(entry.key == _USE for entry in self.entries)

    def lost(self) -> list[Entry]:
        """Return what cannot be restored."""
        return [entry for entry in self.entries if entry.sql is None]

    def as_json(self, done: int) -> list[dict[str, Any]]:
        """Return what the first ``done`` statements need, as plain values."""
        return [entry._asdict() for entry in _compact(entry for entry in self.entries if entry.number <= done)]


def _compact(entries: Iterable[Entry]) -> list[Entry]:
    """Leave out what is set again to a constant, with nothing but constants between."""
    found: dict[int, Entry] = {}
    places: dict[str, int] = {}
    for place, entry in enumerate(entries):
        if not entry.key:
            places.clear()
        elif entry.key in places:
            del found[places[entry.key]]
        found[place] = entry
        if entry.key:
            places[entry.key] = place
    return list(found.values())


def _plain(name: str) -> str:
    return name.strip("`").lower()


def _prepared(name: str) -> str:
    return f"PREPARE {_plain(name)}"


def _temporary(name: bytes) -> str:
    return f"the temporary table {_text(name).rpartition('.')[2].strip('`').lower()}"


def _assigned(text: bytes) -> list[bytes]:
    found = []
    for one, several in _ASSIGNED.findall(text):
        found += [one] if one else _ANY_VARIABLE.findall(several)
    return found


def _text(text: bytes) -> str:
    # Any byte may stand in a statement.
    return text.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
