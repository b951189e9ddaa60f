# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One trial: files, faults, and what happens between the runs; made from a seed, and shrunk when it shows something."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import NamedTuple

from .connection import Connection
from .faults import REFUSALS, Fault
from .storage import SCHEMA, Server
from .work import SETUP, File, Work

# How many points a run passes for each statement, and besides.
_EACH, _BESIDES = 9, 70
# Server versions and whether their DDL is atomic.
_SERVERS = (
    (True, 101119, True),
    (True, 110806, True),
    (False, 90700, True),
    (False, 80033, True),
    (True, 100527, False),
)


class Case(NamedTuple):
    """A trial.

    :param files: in the order in which they are run: ups, then downs.
    :param faults: of the runs, one after the other; then there are no more.
    :param thief: what somebody does to the lock when it is released: nothing, ``holds``, ``writes``.
    :param event: what happens between two runs: nothing, ``migrate``, ``state lost``, ``state old``.
    :param corrects: a statement that was refused is another text in the next run, with the same effect.
    :param waits: a statement that has waited too long for a lock is tried again.
    """

    seed: int
    mariadb: bool
    version: int
    atomic: bool
    tracks: bool
    files: tuple[File, ...]
    faults: tuple[Fault, ...]
    thief: str = ""
    event: str = ""
    corrects: bool = False
    waits: bool = False

    @property
    def ups(self) -> list[File]:
        """The files that are applied."""
        return [file for file in self.files if ".up." in file.name]

    @property
    def downs(self) -> list[File]:
        """The files that are then rolled back, if any."""
        return [file for file in self.files if ".down." in file.name]

    def server(self) -> Server:
        """Return the server at the beginning."""
        server = template(self.mariadb).copy()
        server.version, server.atomic, server.tracks = self.version, self.atomic, self.tracks
        return server

    def __str__(self) -> str:
        texts = [f"-- {file.name}\n{file.text}" for file in self.files]
        flavour = f"{'MariaDB' if self.mariadb else 'MySQL'} {self.version}, tracks: {self.tracks}"
        return "\n".join(
            [
                f"seed {self.seed}, {flavour}, thief: {self.thief or 'none'}, event: {self.event or 'none'}, "
                f"corrects: {self.corrects}, waits: {self.waits}"
            ]
            + [f"fault of run {number}: {fault}" for number, fault in enumerate(self.faults, 1)]
            + texts
        )


@lru_cache(maxsize=2)
def template(mariadb: bool) -> Server:
    """Return a server with what is there before the first file."""
    server = Server(mariadb, 0)
    connection = Connection(server, SCHEMA)
    for text in SETUP:
        connection.run(text)
    connection.end()
    return server


def make(seed: int) -> Case:
    """Make the trial of a seed."""
    dice = random.Random(seed)
    mariadb, version, atomic = dice.choice(_SERVERS[:4] if dice.random() < 0.9 else _SERVERS)
    work = Work(dice, mariadb, dice.choice([1, 2, 2, 4]))
    files = tuple(work.files(dice.choice([1, 1, 2, 3]), downs=dice.random() < 0.2))
    most = _BESIDES + _EACH * sum(len(file.items) for file in files)
    faults = tuple(_fault(dice, most) for _number in range(dice.choice([0, 1, 1, 1, 2, 2, 3])))
    thief = dice.choice(["holds", "writes"]) if dice.random() < 0.15 else ""
    event = dice.choice(["migrate", "state lost", "state old"]) if dice.random() < 0.15 else ""
    tracks, corrects, waits = dice.random() < 0.8, dice.random() < 0.3, dice.random() < 0.2
    return Case(seed, mariadb, version, atomic, tracks, files, faults, thief, event, corrects, waits)


def _fault(dice: random.Random, most: int) -> Fault:
    kind = dice.choice(
        ["crash", "kill", "cut", "cut", "cut packet", "cut packet", "refuse", "refuse", "refuse", "signal"]
    )
    code = dice.choice(REFUSALS) if kind == "refuse" else 0
    return Fault(kind, dice.randint(1, most), code, kind in ("crash", "cut", "cut packet") and dice.random() < 0.3)


def shrink(case: Case, shows: Callable[[Case], bool], limit: int = 300) -> Case:
    """Return the smallest case found that still shows what the given one does, after so many tries."""
    tries = 0
    again = True
    while again and tries < limit:
        again = False
        for smaller in _smaller(case):
            tries += 1
            if tries > limit:
                break
            if _is_fair(smaller) and shows(smaller):
                case, again = smaller, True
                break
    return case


def _is_fair(case: Case) -> bool:
    """Tell whether each statement that asks about an earlier one has one to ask about."""
    for file in case.files:
        texts = [item.text for item in file.items]
        if "ROW_COUNT" in texts[0]:
            return False
        for place, text in enumerate(texts):
            if "LAST_INSERT_ID() " in text and not any("LAST_INSERT_ID(" in before for before in texts[:place]):
                return False
    return True


def _smaller(case: Case) -> Iterator[Case]:
    for place in range(len(case.faults)):
        yield case._replace(faults=case.faults[:place] + case.faults[place + 1 :])
    if case.thief:
        yield case._replace(thief="")
    if case.corrects:
        yield case._replace(corrects=False)
    if case.waits:
        yield case._replace(waits=False)
    if case.event:
        yield case._replace(event="")
    if case.downs:
        yield case._replace(files=tuple(case.ups))
    ups = case.ups
    if len(ups) > 1:
        yield case._replace(files=tuple(ups[:-1]))
    for file in case.files:
        for place in range(len(file.items)):
            items = file.items[:place] + file.items[place + 1 :]
            if items:
                changed = file._replace(items=items)
                fewer = tuple(changed if other is file else other for other in case.files)
                yield case._replace(files=fewer)
                for sooner in (4, 9):
                    yield case._replace(files=fewer, faults=_sooner(case.faults, sooner))
    for sooner in (30, 5, 1):
        if all(fault.at > sooner for fault in case.faults) and case.faults:
            yield case._replace(faults=_sooner(case.faults, sooner))


def _sooner(faults: tuple[Fault, ...], points: int) -> tuple[Fault, ...]:
    return tuple(fault._replace(at=max(fault.at - points, 1)) for fault in faults)
