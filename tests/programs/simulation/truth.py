# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What really took effect of a file, and which answers to a question about it are true."""

from __future__ import annotations

from typing import NamedTuple, Optional

from .sections import Item
from .storage import Server, Table
from .transactions import undo
from .work import File

FULL, NOTHING, PART, NEUTRAL = "full", "nothing", "part", "neutral"


class Reference(NamedTuple):
    """What an uninterrupted run does.

    :param kept, lasting: how often each statement writes, as Server has them.
    :param levels: in which isolation level.
    """

    kept: dict[str, int]
    lasting: dict[str, int]
    levels: dict[str, str]

    def status(self, server: Server, item: Item) -> str:
        """Tell how much of a statement has taken effect."""
        wanted = self.kept.get(item.text, 0), self.lasting.get(item.text, 0)
        found = server.kept.get(item.text, 0), server.lasting.get(item.text, 0)
        if wanted == (0, 0):
            return NEUTRAL if found == wanted else PART
        if found == (0, 0):
            return NOTHING
        return FULL if found == wanted else PART

    def doubled(self, server: Server) -> list[str]:
        """Return the statements that have taken effect more often than an uninterrupted run has them."""
        return [
            text
            for wanted, found in ((self.kept, server.kept), (self.lasting, server.lasting))
            for text, count in found.items()
            if count > wanted.get(text, 0) and wanted.get(text, 0) + found.get(text, 0) > 0 and _counts(wanted, text)
        ]

    def strayed(self, server: Server) -> list[str]:
        """Return the statements that wrote in another isolation level than an uninterrupted run has them write."""
        return [text for text, level in server.levels.items() if server.kept.get(text) and self._is_other(text, level)]

    def _is_other(self, text: str, level: str) -> bool:
        return bool(self.kept.get(text)) and self.levels.get(text) != level


def _counts(wanted: dict[str, int], text: str) -> bool:
    # What an uninterrupted run undoes by a ROLLBACK of the file's is open for a while.
    return wanted.get(text, 0) > 0


class Truth(NamedTuple):
    """The truth about one file.

    :param statuses: of its statements.
    """

    statuses: tuple[str, ...]

    @property
    def first_missing(self) -> int:
        """The first statement, from 0, that has not taken effect entirely; their number if all have."""
        for place, status in enumerate(self.statuses):
            if status in (NOTHING, PART):
                return place
        return len(self.statuses)

    @property
    def last_full(self) -> int:
        """The last statement, from 0, that has; -1 if none has."""
        return max((place for place, status in enumerate(self.statuses) if status == FULL), default=-1)

    @property
    def clean(self) -> bool:
        """Whether the file has taken effect up to a place and not at all after it."""
        return PART not in self.statuses and self.last_full < self.first_missing

    @property
    def answers(self) -> range:
        """Each number that is a true answer: only statements that do nothing lasting lie between them."""
        return range(self.last_full + 2, self.first_missing + 2)


def truth(server: Server, reference: Reference, file: File) -> Truth:
    """Look at a server."""
    return Truth(tuple(reference.status(server, item) for item in file.items))


def repair(server: Server, reference: Reference, file: File, start: Optional[int] = None) -> Optional[Truth]:
    """Do what a person does who has to bring a file to a place: undo manually what lies after it.

    :param start: the place, from 0; by default the first statement that is missing.
    :returns: the truth then; None if that cannot be done.
    """
    # XA RECOVER, XA ROLLBACK.
    for entries in server.prepared.values():
        for entry in reversed(entries):
            undo(entry)
    server.prepared.clear()
    known = truth(server, reference, file)
    for place in range(known.first_missing if start is None else start, len(file.items)):
        text = file.items[place].text
        if known.statuses[place] not in (FULL, PART):
            continue
        for entry in reversed(server.came.get(text, ())):
            if isinstance(entry[0], Table):
                undo(entry)
        rows = len(server.came.get(text, ()))
        if rows != server.kept.get(text, 0) + server.lasting.get(text, 0):
            # A definition.
            return None
        for counted in (server.kept, server.lasting, server.came):
            counted.pop(text, None)
    return truth(server, reference, file)
