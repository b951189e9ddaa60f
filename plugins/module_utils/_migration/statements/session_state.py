# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What statements have done to their session, so that another session can be brought there. Private to the collection.

Settings that are constants are set again. Values that came from somewhere else are stored as values: the rows that
they were read from may have changed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from ..._mysql.session import Answer, ServerError, Session
from ..._mysql.statements import text_literal
from ..files.reader import dialect_of
from .effect import Effect, StatementKind
from .rows import parts_of

_PREPARED = b"@dbops_migrations_text"
_PREPARE = "PREPARE "
_LOCK = "LOCK "
# What may run a procedure; in ORACLE mode a name alone does.
_CALLS = re.compile(rb"\b(?:call|execute|prepare)\b", re.IGNORECASE)
_DIAGNOSTICS = "the diagnostics"
_GONE = "DROP"
_USE = "USE"
# The history's column holds 16 MiB; it is written as a whole, twice as long where it is in hexadecimal digits.
_COLUMN = 1 << 24
# A value that comes of a text of less than so many bytes is not asked for its length.
_SHORT = 1 << 12


Mentioned = Callable[[], Optional[Iterable[bytes]]]


class Entry(NamedTuple):
    """One thing that a session needs.

    :param number: the statement that did it, in its file; 0 for one of an earlier file.
    :param sql: what does it again; None for something that is lost with its session.
    :param what: the name of what is lost, or of the statement that is prepared.
    :param key: what it sets, if it does so with a constant.
    :param prepares: ``sql`` is the text of a prepared statement; None if it is unknown.
    """

    number: int
    sql: Optional[str]
    what: str = ""
    key: str = ""
    prepares: bool = False


class SessionRecorder:
    """What a session has been through.

    :ivar prepared: the texts of the prepared statements, in UTF-8, by name; only those that are known for certain.
    """

    def __init__(self, entries: Iterable[Entry] = ()) -> None:
        self.entries = list(entries)
        self.prepared: dict[str, bytes] = {}
        # What has been changed: the statement's number, the name, and whether its value is known to be short.
        self._changed: list[tuple[int, bytes, bool]] = []
        self._any_changed: Optional[int] = None
        self._calls = False
        self._room: Optional[int] = None

    def record(
        self,
        number: int,
        text: bytes,
        effect: Effect,
        session: Session,
        proven: bool = True,
        prepared: Optional[Answer] = None,
    ) -> None:
        """Take in a statement that has been run.

        :param effect: of the statement, or of the one that it executes; ``text`` goes with it.
        :param proven: what it does is known from its text: it has called nothing that may set a variable.
        :param prepared: what was answered to ``prepared_text``; without it that is asked now.
        :raises ServerError: the connection was lost.
        """
        self._record_definitions(number, text, effect, session)
        if effect.verb == b"PREPARE":
            self._record_prepare(number, effect, session, prepared)
        elif effect.verb == b"DEALLOCATE":
            name = _text(effect.name)
            self._forget_prepared(name)
            self.entries.append(Entry(number, _text(text), name, _PREPARE + name))
        if effect.verb == b"SET":
            self._record_set(number, text, effect)
        else:
            self._changed += [(number, name, False) for name in effect.assigns]
        if (
            effect.kind is StatementKind.OPAQUE
            or not proven
            or (effect.kind is StatementKind.DATA and not effect.plain)
        ):
            self._any_changed, self._calls = number, True
            calls = _CALLS.search(text) is not None or dialect_of(session).oracle
            if calls and effect.kind is StatementKind.OPAQUE and effect.verb != b"PREPARE":
                self._doubt_prepared()
            self._changed += [(number, name, False) for name in effect.variables]

    def _record_definitions(self, number: int, text: bytes, effect: Effect, session: Session) -> None:
        if effect.verb == b"USE":
            self.entries.append(Entry(number, _text(text), key=_USE))
        elif effect.verb == b"CREATE TEMPORARY":
            self.entries.append(Entry(number, None, _temporary(effect.objects[0].name, session)))
        elif effect.verb == b"DROP":
            tables = [thing.name for thing in effect.objects if thing.sort == "TABLE"]
            gone = {_temporary(name, session) for name in tables}
            # They stay known: a run may go back behind this.
            held = {entry.what for entry in self.entries if entry.sql is None}
            self.entries += [Entry(number, None, name, key=_GONE) for name in sorted(gone & held)]
        elif effect.kind is StatementKind.LOCK:
            self.entries.append(Entry(number, _text(text), "the locks", _LOCK + _text(effect.verb)))
        elif effect.kind is StatementKind.UNLOCK:
            self._unlock(number, effect.verb)
        elif effect.kind is StatementKind.BEGIN:
            self._unlock(number, b"TABLES")

    def _unlock(self, number: int, verb: bytes) -> None:
        key = _LOCK + _text(verb)
        if any(entry.key == key for entry in self.entries):
            # What comes after a place in between may still be under the lock.
            self.entries.append(
                Entry(number, "UNLOCK TABLES" if verb == b"TABLES" else f"UNLOCK {_text(verb)}", key=key)
            )

    def record_settings(self, number: int, before: Mapping[str, str], now: Mapping[str, str]) -> None:
        """Take in what a statement has done to its session that its text does not show.

        :param before: the values of settings before it.
        """
        for name, value in now.items():
            if before.get(name) != value:
                known = value if value.isdigit() else text_literal(value) if value else "NULL"
                self.entries.append(Entry(number, f"SET {name} = {known}", key=name))

    def record_diagnostics(self, number: int) -> None:
        """Take in that the next statement reads the diagnostics of one, which go with their session."""
        self.entries.append(Entry(number, None, "the diagnostics", key=_DIAGNOSTICS))

    def _record_set(self, number: int, text: bytes, effect: Effect) -> None:
        settings = [name for name in effect.sets if not name.startswith(b"@") and name != b"GLOBAL"]
        constant = b"@" not in text and b"(" not in text
        if settings and effect.kind is StatementKind.SESSION and b"GLOBAL" not in effect.sets:
            self._add(Entry(number, _text(text), key=_text(text) if constant else ""), "a setting")
        else:
            self._changed += [(number, b"@@SESSION." + name, True) for name in settings]
        copies = len(effect.variables) > len(effect.assigns)
        short = effect.kind is StatementKind.SESSION and len(text) < _SHORT and not copies
        self._changed += [(number, name, short) for name in effect.assigns]

    def _record_prepare(self, number: int, effect: Effect, session: Session, answer: Optional[Answer]) -> None:
        known = None
        if effect.source:
            answer = answer or session.rows(prepared_text(effect.source))
            known = None if isinstance(answer, ServerError) else answer[0][0]
        name = _text(effect.name)
        self._forget_prepared(name)
        what = f"the prepared statement {name}".rstrip()
        if known is None or not name:
            self.entries.append(Entry(number, None, what, _PREPARE + name if name else "", prepares=True))
            return
        text = bytes.fromhex(_text(known))
        self.prepared[name] = text
        self._add(Entry(number, _text(text), name, _PREPARE + name, prepares=True), what, session)

    def _forget_prepared(self, name: str) -> None:
        """Forget a name's text; all of them if the name is not known."""
        if name:
            self.prepared.pop(name, None)
        else:
            self.prepared.clear()

    def _doubt_prepared(self) -> None:
        """A procedure may have prepared any name again, or let it go."""
        self.prepared.clear()
        for place, entry in enumerate(self.entries):
            if entry.prepares and entry.sql is not None:
                self.entries[place] = entry._replace(sql=None, what=f"the prepared statement {entry.what}")

    def _add(self, entry: Entry, what: str, session: Optional[Session] = None) -> None:
        """Add an entry; one that there is no room for in the history is lost with its session."""
        if (
            len(entry.sql or "") >= _SHORT
            and session is not None
            and sum(_size(known) for known in _compact([*self.entries, entry])) > self._limit(session)
        ):
            entry = entry._replace(sql=None, what=what)
        self.entries.append(entry)

    def _limit(self, session: Session) -> int:
        """Return how many bytes of the history are for sessions."""
        if self._room is None:
            answer = session.rows(b"SELECT @@max_allowed_packet LIMIT 1")
            packet = 0 if isinstance(answer, ServerError) else int(answer[0][0])
            self._room = min(_COLUMN, packet) // 2
        return self._room

    def read_values(self, session: Session, mentioned: Optional[Mentioned] = None) -> None:
        """Ask for the values of what has been changed.

        :param mentioned: returns the user variables that the file mentions, None if that is not known: each of them may
            have been changed by a statement of which nothing better is known. Without it they are asked for next time.
        :raises ServerError: the connection was lost.
        """
        certain = {name for _number, name, _short in self._changed}
        if self._any_changed is not None and mentioned is not None:
            names = mentioned()
            if names is None:
                self.entries.append(Entry(self._any_changed, None, "the user variables"))
            self._changed += [(self._any_changed, name, False) for name in names or ()]
            self._any_changed = None
        if not self._changed:
            return
        changed = list({name: (number, name, short) for number, name, short in self._changed}.values())
        self._changed.clear()
        try:
            values = session.short_constants([name for _number, name, _short in changed], _SHORT)
        except ServerError as error:
            if error.lost:
                raise
            values = []
        if values:
            for (number, name, _short), value in zip(changed, values):
                self._keep_value(session, number, name, value, name in certain)
            return
        # One is long, or is none at all.
        lengths = self._lengths(session, [name for _number, name, short in changed if not short])
        for number, name, _short in changed:
            self._read_value(session, number, name, lengths.get(name, 0), name in certain)

    def _lengths(self, session: Session, names: list[bytes]) -> dict[bytes, Optional[int]]:
        """Ask how long values are: HEX() of one that is too long is nothing at all."""
        if not names:
            return {}
        answer = session.rows(b"SELECT " + b", ".join(b"LENGTH(%b)" % name for name in names) + b" LIMIT 1")
        if isinstance(answer, ServerError):
            return dict.fromkeys(names)
        return {name: int(length or 0) for name, length in zip(names, answer[0])}

    def _read_value(self, session: Session, number: int, name: bytes, length: Optional[int], certain: bool) -> None:
        if length is None or (length >= _SHORT and 2 * length > self._limit(session)):
            self.entries.append(Entry(number, None, f"the variable {_text(name)}", _text(name).lower()))
            return
        try:
            value = session.constant(name)
        except ServerError as error:
            if error.lost:
                raise
            # Not a setting of the session after all.
            return
        self._keep_value(session, number, name, value, certain)

    def _keep_value(self, session: Session, number: int, name: bytes, value: bytes, certain: bool) -> None:
        key, what = _text(name).lower(), f"the variable {_text(name)}"
        unset = value == b"NULL" and not certain
        if unset and not any(_bare(entry.key) == _bare(key) for entry in self.entries):
            # It may only have looked like a variable, and cannot be set then. A NULL that was set has a type.
            return
        self._add(Entry(number, _text(b"SET %b = %b" % (name, value)), key=key), what, session)

    def compact(self, done: int) -> None:
        """Nobody will go back behind so many statements: leave out what has been overtaken by them."""
        if not self.entries:
            return
        self.entries = _compact(_needed(self.entries, done)) + [entry for entry in self.entries if entry.number > done]

    def carry_over(self) -> None:
        """Take everything along to the next file."""
        self.entries = _compact(entry._replace(number=0) for entry in self.entries if entry.key != _DIAGNOSTICS)
        self._changed = [(0, name, short) for _number, name, short in self._changed]
        # The next file may mention others.
        self._any_changed = 0 if self._calls else None

    def forget_from(self, number: int) -> None:
        """Forget what the statements from that number on have done."""
        self.entries = [entry for entry in self.entries if entry.number < number]

    def restore(self, session: Session, number: int) -> None:
        """Do again what the statement of that number did to its session; 0 for all of earlier files.

        :raises ServerError: the server refused it, or the connection was lost.
        """
        for entry in self.entries:
            if entry.number != number or entry.key.startswith(_LOCK):
                continue
            try:
                if entry.prepares:
                    self._prepare_again(entry, session)
                elif entry.sql is not None:
                    session.execute(_bytes(entry.sql))
            except ServerError as error:
                # What a prepared statement is about may be gone; then it cannot be executed either.
                if error.lost or not entry.key.startswith(_PREPARE):
                    raise

    def locks(self) -> list[bytes]:
        """Return the statements that take the locks again which are held; nothing can be recorded after them."""
        held = {entry.key: entry.sql or "" for entry in self.entries if entry.key.startswith(_LOCK)}
        return [_bytes(text) for text in held.values() if not text.startswith("UNLOCK")]

    def prepared_at(self, name: bytes) -> Optional[int]:
        """Return the number of the statement that has prepared a name's text; None if it is of an earlier file."""
        key = _PREPARE + _text(name)
        numbers = [
            entry.number for entry in self.entries if entry.key == key and entry.prepares and entry.sql is not None
        ]
        return numbers[-1] or None if numbers else None

    def _prepare_again(self, entry: Entry, session: Session) -> None:
        name = entry.key[len(_PREPARE) :]
        self._forget_prepared(name)
        if entry.sql is None:
            return
        text = _bytes(entry.sql)
        self.prepared[name] = text
        session.execute(b"SET %b = _utf8mb4 X'%b'" % (_PREPARED, text.hex().encode()))
        session.execute(b"PREPARE %b FROM %b" % (b"`" + _bytes(name).replace(b"`", b"``") + b"`", _PREPARED))

    def lost(self) -> list[Entry]:
        """Return what cannot be restored."""
        return [entry for entry in _compact(self.entries) if entry.sql is None]

    def as_json(self, done: int) -> list[dict[str, Any]]:
        """Return what the first ``done`` statements need, as plain values."""
        return [entry._asdict() for entry in _compact(_needed(self.entries, done))]


def prepared_text(source: bytes) -> bytes:
    """Return the question for the text that PREPARE has from a source, in UTF-8."""
    return b"SELECT HEX(CONVERT(%b USING utf8mb4))" % source


def _needed(entries: Iterable[Entry], done: int) -> Iterator[Entry]:
    """Yield what a session needs that is to continue behind so many statements: of diagnostics the last one's."""
    for entry in entries:
        if entry.number <= done and (entry.key != _DIAGNOSTICS or entry.number == done):
            yield entry


def _compact(entries: Iterable[Entry]) -> list[Entry]:
    """Leave out what is gone again, and what is set again to a constant, with nothing but constants between."""
    found: dict[int, Entry] = {}
    places: dict[str, int] = {}
    for place, entry in enumerate(entries):
        if entry.key == _GONE:
            found = {at: other for at, other in found.items() if other.sql is not None or other.what != entry.what}
            continue
        if not entry.key:
            places.clear()
        elif entry.key in places:
            del found[places[entry.key]]
        found[place] = entry
        if entry.key:
            places[entry.key] = place
    return list(found.values())


def _size(entry: Entry) -> int:
    """Return how long an entry is in JSON, or a little less."""
    text = entry.sql or ""
    return len(text) if text.isascii() else 6 * len(text)


def _temporary(name: bytes, session: Session) -> str:
    """Return what to call a temporary table: with its schema, as DROP may be about one of another schema."""
    parts = [_text(part) for part in parts_of(name, dialect_of(session)) or [name]]
    if len(parts) == 1 and session.current_schema is not None:
        parts.insert(0, session.current_schema)
    return f"the temporary table {'.'.join(parts)}"


def _bare(key: str) -> str:
    """Return a variable's name without its quotes."""
    return re.sub("[`'\"]", "", key)


def _text(text: bytes) -> str:
    # Any byte may be in a statement.
    return text.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
