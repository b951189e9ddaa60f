# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The progress of an attempt at a file, as a JSON text of limited size. Private to the collection."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..statements.effect import Object
from ..statements.session_state import Entry, SessionRecorder
from .history_table import broken, read_progress

# For so many statements it is known which of them has changed; for more, only that one has.
_EACH = 250
_SHORT = 8
_JSON = json.JSONEncoder(separators=(",", ":"))


class Position(NamedTuple):
    """A place between two statements.

    :param chain: a digest of all statements up to there.
    """

    done: int = 0
    chain: str = ""
    digests: tuple[str, ...] = ()

    def after(self, own: str) -> Position:
        """Return the place after one more statement, of that digest."""
        chain = hashlib.sha256((self.chain + own).encode()).hexdigest()
        digests = self.digests if self.done >= _EACH else (*self.digests, own[:_SHORT])
        return Position(self.done + 1, chain, digests)


class InFlightStatement(NamedTuple):
    """What is being carried out: a statement, or a section of several.

    :param digest: of the statement, or of the section's first.
    :param before: its objects' definitions before, each as a fingerprint; then, for a statement that replaces rows,
        further fingerprints.
    :param last: the number of the last statement of a section; None for one statement.
    :param behind: the definitions after it, in order, that begin without a record of their own.
    """

    digest: str
    objects: tuple[Object, ...] = ()
    before: tuple[Optional[str], ...] = ()
    last: Optional[int] = None
    behind: tuple[InFlightStatement, ...] = ()

    @property
    def rest(self) -> Optional[InFlightStatement]:
        """What is in flight when the first statement is done."""
        return self.behind[0]._replace(behind=self.behind[1:]) if self.behind else None

    def until(self, done: int) -> int:
        """Return the number of the last statement that may have started, behind so many that are done."""
        return self.last or done + 1 + len(self.behind)


@dataclass
class Checkpoint:
    """What another run needs in order to resume.

    :param written_at: when the state table was last written, see StateTable.written_at.
    :param run: the number of the run, if it has one.
    """

    reached: Position = field(default_factory=Position)
    in_flight: Optional[InFlightStatement] = None
    log: SessionRecorder = field(default_factory=SessionRecorder)
    written_at: Optional[int] = None
    run: Optional[str] = None

    def dump(self, reached: Position, in_flight: Optional[InFlightStatement]) -> str:
        """Return the JSON text for a place of the attempt, and what is under way there."""
        values: dict[str, Any] = {"chain": reached.chain, "digests": "".join(reached.digests)}
        if self.run is not None:
            values["run"] = self.run
        if self.written_at is not None:
            values["written_at"] = self.written_at
        if in_flight is not None:
            values.update(_as_json(in_flight))
            if in_flight.behind:
                values["behind"] = [_as_json(flight) for flight in in_flight.behind]
        session = self.log.as_json(reached.done)
        if session:
            values["session"] = session
        return _JSON.encode(values)


def load(done: int, begun: int, text: Optional[str]) -> Checkpoint:
    """Read what ``dump`` wrote for an attempt.

    :param done: how many statements are done.
    :param begun: the number of the last one that may have started.
    :raises Error: something else has written it.
    """
    values = read_progress(text)
    if not 0 <= done <= begun:
        raise broken()
    try:
        return _checkpoint(done, begun, values)
    except (AttributeError, KeyError, TypeError, ValueError):
        raise broken() from None


def _checkpoint(done: int, begun: int, values: dict[str, Any]) -> Checkpoint:
    digests = values.get("digests", "")
    each = tuple(digests[place : place + _SHORT] for place in range(0, len(digests), _SHORT))
    flight = None
    if "flight" in values:
        behind = tuple(_flight(each) for each in values.get("behind", ()))
        last = begun if begun > done + 1 + len(behind) else None
        flight = _flight(values)._replace(last=last, behind=behind)
    log = SessionRecorder(Entry(**entry) for entry in values.get("session", ()))
    return Checkpoint(Position(done, values.get("chain", ""), each), flight, log, values.get("written_at"))


def _as_json(flight: InFlightStatement) -> dict[str, Any]:
    objects = [(thing.sort, _text(thing.name)) for thing in flight.objects]
    return {"flight": flight.digest, "objects": objects, "before": flight.before}


def _flight(values: dict[str, Any]) -> InFlightStatement:
    objects = tuple(Object(sort, name.encode("utf-8", "surrogateescape")) for sort, name in values["objects"])
    return InFlightStatement(values["flight"], objects, tuple(values["before"]))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
