# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Fingerprints of definitions, and what they tell about a statement that was interrupted. Private to the collection.

A server carries such a statement out as a whole or not at all: MySQL 8.0 and later for InnoDB's tables and for other
objects ("Atomic Data Definition Statement Support"), MariaDB 10.6 and later ("Atomic DDL"; there DROP of several
objects goes one by one, CREATE OR REPLACE TABLE may leave the table dropped, and schemas and accounts are not covered).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from enum import Enum
from typing import Optional

from ..._mysql.session import Answer, ServerError, Session
from .effect import Effect, Object, StatementKind

ABSENT = "absent"
# In place of a table's number, where that may not be seen: there is nothing that could be taken away.
EMPTY = "empty"
# Why SHOW CREATE finds nothing: no such schema, table, routine, user, trigger, event.
_NOT_THERE = (1049, 1133, 1146, 1305, 1141, 1269, 1360, 1396, 1539, 3162)
# Rows that the application writes meanwhile move the counter.
_COUNTER = re.compile(rb" AUTO_INCREMENT=\d+")
_ENGINE = re.compile(rb"\n\)[^\n]* ENGINE=(\w+)")
_TABLE = re.compile(rb"CREATE (?:TEMPORARY )?TABLE ")
_QUOTE = re.compile(rb"[`\"]")
_CREATED = 6
_CHARACTERS = 32
# Behind a fingerprint: the table's engine need not carry a definition out as a whole; names were not in backticks.
_OTHER_ENGINE, _OTHER_QUOTES = "!", "~"
_MARKS = _OTHER_ENGINE + _OTHER_QUOTES


class InFlightOutcome(Enum):
    """What became of the statement that was interrupted."""

    DONE = "it took effect"
    NOT_DONE = "it did not take effect"
    UNKNOWN = "what became of it cannot be known"


def question(thing: Object) -> bytes:
    """Return the statement that asks for an object's definition."""
    return b"SHOW CREATE %b %b" % (thing.sort.encode(), thing.name)


def fingerprint(thing: Object, answer: Answer) -> Optional[str]:
    """Return a text that differs when the definition does; None if the server would not tell."""
    if isinstance(answer, ServerError):
        return ABSENT if answer.code in _NOT_THERE else None
    # A trigger has the time of its creation beside it, which is not part of what it is.
    shown = [value for row in answer for column, value in enumerate(row) if column != _CREATED]
    text = _COUNTER.sub(b"", b"\0".join(value or b"" for value in shown))
    quote = _QUOTE.search(text)
    return "".join(
        (
            hashlib.sha256(text).hexdigest()[:_CHARACTERS],
            _OTHER_ENGINE if thing.sort == "TABLE" and _has_other_engine(shown) else "",
            "" if quote is not None and quote[0] == b"`" else _OTHER_QUOTES,
        )
    )


def _has_other_engine(shown: Sequence[Optional[bytes]]) -> bool:
    """Tell whether SHOW CREATE shows a table of an engine other than InnoDB, or no engine, as in some sql_modes."""
    text = b"".join(value or b"" for value in shown[1:2])
    engine = _ENGINE.search(text)
    return _TABLE.match(text) is not None and (engine is None or engine[1].lower() != b"innodb")


def fingerprints(session: Session, objects: Sequence[Object], identities: bool) -> list[Optional[str]]:
    """Ask the server for the definitions of objects.

    :param identities: ask for each table's number, too, and add them.
    :raises ServerError: the connection was lost.
    """
    found = [fingerprint(thing, session.rows(question(thing))) for thing in objects]
    if identities:
        found += [_identity(session, thing) for thing in objects]
    return found


def _identity(session: Session, thing: Object) -> Optional[str]:
    """Return InnoDB's number of a table, a new one of which comes with TRUNCATE; None where it may not be seen."""
    table = "innodb_sys_tables" if session.mariadb else "innodb_tables"
    parts = [part.strip("`") for part in thing.name.decode("utf-8", "replace").split(".")]
    schema = "DATABASE()" if len(parts) == 1 else "X'" + parts[0].encode().hex() + "'"
    name = f"CONCAT({schema}, '/', X'{parts[-1].encode().hex()}')"
    answer = session.rows(f"SELECT table_id FROM information_schema.{table} WHERE name = {name}".encode())
    if not isinstance(answer, ServerError) and len(answer) == 1:
        return str(answer[0][0].decode())
    answer = session.rows(b"SELECT 1 FROM %b LIMIT 1" % thing.name)
    return None if isinstance(answer, ServerError) or answer else EMPTY


def outcome(
    effect: Effect, before: Sequence[Optional[str]], now: Sequence[Optional[str]], atomic: bool
) -> InFlightOutcome:
    """Tell by fingerprints what became of a statement that was interrupted.

    :param effect: of that statement, as it was sent.
    :param before: the fingerprints of its objects before it was sent; with their identities if it ``replaces``.
    :param now: the same now.
    :param atomic: whether the server carries definitions out as a whole.

    DONE needs each object to be what such a statement leaves behind: an object that is missing has been taken away by
    DROP or RENAME, not by ALTER (a server that was killed inside an ALTER can lose the table). NOT_DONE needs each
    object to be untouched, and nothing that could have happened unseen.
    """
    if effect.kind is StatementKind.REPEATABLE:
        return InFlightOutcome.NOT_DONE
    count = len(effect.objects)
    known = (
        len(before) == len(now) and len(before) in (count, 2 * count) and None not in [*before[:count], *now[:count]]
    )
    if not atomic or effect.kind is not StatementKind.DEFINITION or not count or not known:
        return InFlightOutcome.UNKNOWN
    changed = _Change(effect, before, now)
    if not changed.is_comparable():
        return InFlightOutcome.UNKNOWN
    if changed.nowhere():
        return InFlightOutcome.NOT_DONE if effect.plain else InFlightOutcome.UNKNOWN
    done = effect.whole and changed.is_certain() and changed.everywhere()
    return InFlightOutcome.DONE if done else InFlightOutcome.UNKNOWN


def shows(effect: Effect, before: Sequence[Optional[str]], atomic: bool) -> bool:
    """Tell whether ``outcome`` will know that a statement which has succeeded is done, or may be repeated.

    What it makes is another engine's, if its text says so or says nothing.
    """
    thing = effect.objects[0] if len(effect.objects) == 1 else None
    if not atomic or thing is None or thing.sort in ("DATABASE", "USER") or None in before:
        return False
    known = effect.kind is StatementKind.DEFINITION and effect.plain and effect.whole and not effect.replaces
    return known and len(before) == 1 and _OTHER_ENGINE not in str(before[0])


class _Change:
    """The definitions of a statement's objects before it and now."""

    def __init__(self, effect: Effect, before: Sequence[Optional[str]], now: Sequence[Optional[str]]) -> None:
        count = len(effect.objects)
        self._effect = effect
        self._pairs = list(zip(before[:count], now[:count]))
        self._identities = list(zip(before[count:], now[count:]))

    def is_comparable(self) -> bool:
        """Tell whether definitions were shown in the same way before and now: sql_mode has a part in that."""
        return all(ABSENT in pair or len({_OTHER_QUOTES in str(text) for text in pair}) == 1 for pair in self._pairs)

    def nowhere(self) -> bool:
        """Tell whether everything is what it was, down to the tables' numbers."""
        return all(_same(*pair) for pair in self._pairs) and all(
            new == EMPTY or (None not in (old, new) and old == new)
            for (old, new), pair in zip(self._identities, self._pairs)
            if pair[1] != ABSENT
        )

    def is_certain(self) -> bool:
        """Tell whether the server covers this sort of object, and its engine."""
        sorts = {thing.sort for thing in self._effect.objects}
        covered = "DATABASE" not in sorts and not ("USER" in sorts and self._effect.verb == b"DROP")
        engines = self._effect.verb != b"DROP" and any(
            _OTHER_ENGINE in str(text) for pair in self._pairs for text in pair
        )
        return covered and not engines

    def everywhere(self) -> bool:
        """Tell whether each object is what the statement leaves behind."""
        verb, pairs = self._effect.verb, self._pairs
        if verb == b"DROP":
            return all(new == ABSENT for _old, new in pairs)
        if verb == b"RENAME" and self._identities:
            return self._have_changed_places()
        if verb == b"RENAME" or (verb == b"ALTER" and len(pairs) > 1):
            return len(pairs) % 2 == 0 and all(
                ABSENT not in (left[0], arrived[1]) and (left[1], arrived[0]) == (ABSENT, ABSENT)
                for left, arrived in zip(pairs[::2], pairs[1::2])
            )
        if verb == b"TRUNCATE":
            return all(_same(*pair) for pair in pairs) and all(_is_other(*pair) for pair in self._identities)
        others = [_is_other(*identity) for identity in self._identities] or [False] * len(pairs)
        return all(new != ABSENT and (other or not _same(old, new)) for (old, new), other in zip(pairs, others))

    def _have_changed_places(self) -> bool:
        return all((old == ABSENT) == (new == ABSENT) for old, new in self._pairs) and all(
            _is_other(*identity) for identity, pair in zip(self._identities, self._pairs) if pair[1] != ABSENT
        )


def _same(old: Optional[str], new: Optional[str]) -> bool:
    # An earlier version did not mark anything.
    return str(old).rstrip(_MARKS) == str(new).rstrip(_MARKS)


def _is_other(old: Optional[str], new: Optional[str]) -> bool:
    return None not in (old, new) and EMPTY not in (old, new) and old != new
