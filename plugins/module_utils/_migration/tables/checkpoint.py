# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How far an attempt at a file got, as one JSON text of bounded size. Private to the collection."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from ..statements.effect import Object
from ..statements.session_state import Entry, SessionRecorder

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
        """Return the place behind one more statement, of that digest."""
        chain = hashlib.sha256((self.chain + own).encode()).hexdigest()
        digests = self.digests if self.done >= _EACH else (*self.digests, own[:_SHORT])
        return Position(self.done + 1, chain, digests)


class InFlightStatement(NamedTuple):
    """A statement that is being carried out: its digest, and its objects' definitions before.

    :param definitions: sort, name and fingerprint; then, for a statement that replaces rows, further fingerprints.
    """

    digest: str
    objects: tuple[Object, ...] = ()
    before: tuple[Optional[str], ...] = ()


@dataclass
class Checkpoint:
    """What another run needs to go on.

    :param written_at: when the state table was last written, see Ledger.written_at.
    """

    reached: Position = field(default_factory=Position)
    flight: Optional[InFlightStatement] = None
    log: SessionRecorder = field(default_factory=SessionRecorder)
    written_at: Optional[int] = None

    def dump(self) -> str:
        """Return the JSON text."""
        values: dict[str, Any] = {"chain": self.reached.chain, "digests": "".join(self.reached.digests)}
        if self.written_at is not None:
            values["written_at"] = self.written_at
        if self.flight is not None:
            values["flight"] = self.flight.digest
            values["objects"] = [(thing.sort, _text(thing.name)) for thing in self.flight.objects]
            values["before"] = self.flight.before
        session = self.log.as_json(self.reached.done)
        if session:
            values["session"] = session
        return _JSON.encode(values)


def load(done: int, text: Optional[str]) -> Checkpoint:
    """Read what ``dump`` wrote for an attempt with so many statements done."""
    values = json.loads(text or "{}")
    digests = values.get("digests", "")
    each = tuple(digests[place : place + _SHORT] for place in range(0, len(digests), _SHORT))
    flight = None
    if "flight" in values:
        objects = tuple(Object(sort, name.encode("utf-8", "surrogateescape")) for sort, name in values["objects"])
        flight = InFlightStatement(values["flight"], objects, tuple(values["before"]))
    log = SessionRecorder(Entry(**entry) for entry in values.get("session", ()))
    return Checkpoint(Position(done, values.get("chain", ""), each), flight, log, values.get("written_at"))


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")
