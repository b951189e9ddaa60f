# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""One trial: a run that is interrupted, what is done until all is applied, and every word compared with the truth."""

from __future__ import annotations

import random
import re
from dataclasses import dataclass, field
from typing import Any

from .bench import CUTS, Bench
from .script import SCHEMA, File, Work
from .truth import Place, View, look, matching, part_of, prepare

FAULTS = (*CUTS, "refused")
_DOWN = {"target": "none", "allow_down": True}
# So often a run is started again at most, and so many of these are interrupted again.
_ROUNDS = 12
_AGAIN = 0.2
_REFUSED = (
    b"INSERT INTO nowhere (n) VALUES (1)",
    b"UPDATE nowhere SET n = 1",
    b"SELEC 1",
    b"SELECT nope",
    b"SELECT (SELECT 1 UNION SELECT 2)",
    b"CREATE TABLE bad (n NOSUCH)",
    b"CALL nowhere()",
)


class Wrong(Exception):
    """Something is not as it must be; the text says what."""


@dataclass
class Trial:
    """A trial under way.

    :ivar known: the truth, see truth.py.
    :ivar told: what happened, for people.
    :ivar asked: how often it was asked where to resume.
    :ivar warned: a run has said that values are lost.
    :ivar notes: what a person has to know that nobody can put right from outside: ``lost`` (a temporary table, or the
        value that a call had given to a variable, went with its session), ``part`` (a statement took effect in part
        and was undone manually), ``manually`` (nobody can know where its statements end).
    """

    bench: Bench
    work: Work
    known: list[Place]
    dice: random.Random
    passing: dict[str, int]
    told: list[str] = field(default_factory=list)
    asked: int = 0
    notes: list[str] = field(default_factory=list)
    answer: dict[str, Any] = field(default_factory=dict)
    warned: bool = False

    @property
    def files(self) -> list[File]:
        """The files in the order in which they are run."""
        return [*self.work.ups, *self.work.downs]

    @property
    def options(self) -> dict[str, Any]:
        """The module's options."""
        return _DOWN if self.work.downs else {}

    def run(self, fault: str) -> str:
        """Carry it out, and return how it ended: ``resumed``, ``asked``, or ``missed`` if the fault struck nothing.

        :raises Wrong: something is not as it must be.
        """
        prepare(self.bench.server, self.work)
        self.bench.write(self.work)
        if self.work.downs:
            before = self.bench.apply({})
            if before is None or before["failed"]:
                raise Wrong(f"Up: {before}")
        struck = self._refused() if fault == "refused" else self._cut(fault)
        if struck == "missed":
            return struck
        for _round in range(_ROUNDS):
            if struck == "done":
                return "asked" if self.asked else "resumed"
            if "manually" in self.notes or "lost" in self.notes:
                return "asked"
            again = self.dice.random() < _AGAIN
            struck = self._cut(self._cut_for(self.dice.choice(CUTS))) if again else self._undisturbed()
        raise Wrong("It never came to an end.")

    def _cut_for(self, fault: str) -> str:
        return "process" if fault == "server" and self.work.not_killed else fault

    def _refused(self) -> str:
        """Have the server refuse one of the file's statements, and correct it."""
        first = len(self.work.ups) if self.work.downs else 0
        number = self.dice.randrange(first, len(self.files))
        place = self.dice.randrange(len(self.files[number].statements))
        text = self.dice.choice(_REFUSED)
        if self.files[number].head:
            # In a file that is all-or-nothing we refuse what is not proven to change rows.
            table = re.search(rb"(?:INTO|UPDATE|FROM) (\w+)", self.files[number].statements[place].sql)
            text = b"UPDATE %b SET nope = 1" % (table[1] if table else b"t1")
        self.bench.write(self.work, (number, place, text))
        result = self.bench.apply(self.options)
        self.told.append(f"{text.decode()} as statement {place + 1} of {self.files[number].name}: {short(result)}")
        self.bench.write(self.work)
        if result is None or not result["failed"] or result.get("error_code", 0) == 0:
            raise Wrong("The refused statement was not refused.")
        by_hand = any(piece.by_hand for piece in self.files[number].pieces)
        if not by_hand and (result.get("file"), result.get("statement")) != (self.files[number].name, place + 1):
            raise Wrong(f"It names {result.get('file')}, statement {result.get('statement')}.")
        return self._judge(result)

    def _cut(self, fault: str) -> str:
        fault = self._cut_for(fault)
        answer, self.answer = self.answer, {}
        result, what = self.bench.cut(fault, {**self.options, **answer}, self.dice, self.passing)
        self.told.append(f"{what or 'nothing'} {answer or ''}: {short(result)}")
        if not what:
            if result is not None and not result["failed"] and len(self.told) == 1:
                return "missed"
            return self._judge(result, disturbed=False)
        return self._judge(result)

    def _undisturbed(self) -> str:
        answer, self.answer = self.answer, {}
        result = self.bench.apply({**self.options, **answer})
        self.told.append(f"again {answer or ''}: {short(result)}")
        return self._judge(result, disturbed=False)

    def _judge(self, result: dict[str, Any] | None, disturbed: bool = True) -> str:
        """Compare what is said with what is there; return whether all is done, and keep the answer to a question."""
        self.bench.settle()
        if result is not None and "bug" in result:
            raise Wrong(f"A bug: {result['bug'][-2000:]}")
        view = look(self.bench.server, self.work)
        # In a warning, or in a question: whoever answers it resumes without these values.
        said = "" if result is None else f"{result.get('warnings')} {result.get('msg')}"
        self.warned |= re.search(r"lost with (?:its|their) connection", said) is not None
        if result is not None and not result["failed"]:
            return self._finished(view)
        places = matching(self.known, view)
        part = part_of(self.work, self.known, view) if not any(place.whole for place in places) else None
        if not places and part is None and self.warned:
            # The run before has said so.
            self.notes.append("lost")
            return "cut"
        if not places and part is None:
            raise Wrong(f"What is there is there after no statement: {self._nearest(view)}")
        self._compare_record(places, part)
        if self.dice.random() < 0.3:
            self._compare_info()
        if result is None:
            return "cut"
        self._compare_message(result)
        if "resume_from" in result["msg"]:
            self._answer(result, places, part)
        elif not disturbed:
            raise Wrong("A failure without a question.")
        return "cut"

    def _finished(self, view: View) -> str:
        if view != self.known[-1].view and self.warned:
            # The run has said so: what comes later got NULL.
            self.notes.append("lost")
        elif view != self.known[-1].view:
            raise Wrong(f"Success, but: {differences(self.known[-1].view, view)}")
        expected = [] if self.work.downs else [(self.work.ups[-1].version, 0)]
        if self.bench.state() != expected:
            raise Wrong(f"Success, but the state is {self.bench.state()}.")
        return "done"

    def _compare_record(self, places: list[Place], part: tuple[Place, tuple[str, ...]] | None) -> None:
        """The history must claim no less than may have been done, and no more; the state must go with it."""
        record = self.bench.record()
        file, done, begun = self._recorded(record)
        low = min((place.file, place.done) for place in places) if places else (file, done)
        high = max((place.file, place.done) for place in places) if places else (file, done)
        if part is not None:
            before = (part[0].file, part[0].done)
            low, high = (low, max(high, before)) if places else ((before[0], before[1] + 1), before)
        by_hand = any(piece.by_hand for piece in self.files[file].pieces)
        if not by_hand and ((file, done) > high or (file, max(done, begun)) < low):
            raise Wrong(f"The history says {done} done, {begun} begun of file {file}; done are {low} to {high}.")
        dirty = any(flag for _version, flag in self.bench.state())
        is_open = record is not None and record[2] != "applied"
        # One that is all-or-nothing leaves the state as it was.
        if dirty != is_open and not self.files[file].head:
            raise Wrong(f"The newest attempt is {record}, and the state says {self.bench.state()}.")

    def _recorded(self, record: tuple[int, str, str, int, int] | None) -> tuple[int, int, int]:
        """Return a file's place, how many of its statements the history has as done, and as begun."""
        if record is None:
            return 0, 0, 0
        version, direction, outcome, done, begun = record
        [number] = [
            place for place, file in enumerate(self.files) if (file.version, file.direction) == (version, direction)
        ]
        if outcome == "applied":
            done = begun = len(self.files[number].statements)
        return number, done, begun

    def _compare_info(self) -> None:
        """The module migration_info must say what the history says."""
        record = self.bench.record()
        self.bench.begin("info", {}, proxied=False)
        info = self.bench.ended()
        if info is None or info["failed"]:
            raise Wrong(f"migration_info: {info}")
        attempt = info.get("attempt")
        if record is not None and record[2] != "applied" and info["dirty"]:
            said = (attempt or {}).get("done"), (attempt or {}).get("begun")
            if said != record[3:]:
                raise Wrong(f"migration_info says {said}, the history {record[3:]}.")

    def _compare_message(self, result: dict[str, Any]) -> None:
        """What the message says must be what the history says."""
        record = self.bench.record()
        said = re.search(
            r"(?i)(?:statements 1 to (\d+) are|statement 1 is) done|(none of its statements is done)", result["msg"]
        )
        if record is None or record[2] == "applied" or said is None or not result.get("dirty"):
            return
        if int(said[1] or not said[2]) != record[3] and result.get("error_code", 1) not in (0, 2006, 2013):
            raise Wrong(f"The message says {said[0]}, the history {record[3]}.")
        doubt = result.get("in_doubt")
        if doubt is not None and (doubt["first"], doubt["last"]) != (record[3] + 1, record[4]):
            raise Wrong(f"The question is about {doubt}, the history says {record[3:]}.")

    def _answer(self, result: dict[str, Any], places: list[Place], part: tuple[Place, tuple[str, ...]] | None) -> None:
        """Find the true answer to a question, and check that it is one of those that are offered."""
        self.asked += 1
        [number] = [place for place, file in enumerate(self.files) if file.name == result["file"]]
        true = [
            answer
            for place in places
            if place.file == number and place.whole and (answer := _answer_at(self.files[number], place.done))
        ]
        if part is not None and part[0].file == number and not true:
            for text in part[1]:
                self.bench.server.query(text, SCHEMA)
            if look(self.bench.server, self.work) != part[0].view:
                raise Wrong("A part could not be taken back.")
            self.notes.append("part")
            true = [place.done + 1 for place in matching(self.known, part[0].view) if place.file == number]
        doubt = result.get("in_doubt")
        offered = (
            range(doubt["first"], doubt["last"] + 2) if doubt else range(1, len(self.files[number].statements) + 2)
        )
        good = [one for one in true if one in offered]
        if good:
            self.answer = {"resume_from": good[0]}
        elif any(piece.by_hand for piece in self.files[number].pieces):
            self.notes.append("manually")
        elif not true and any(statement.holds for statement in self.files[number].statements):
            self.notes.append("lost")
        else:
            raise Wrong(f"The true answer is {true}, offered are {offered}: {result['msg'][:600]}")

    def _nearest(self, view: View) -> str:
        found = [differences(place.view, view) for place in self.known]
        return min(found, key=len)


def _answer_at(file: File, done: int) -> int | None:
    """Return the statement from which to resume behind so many; None if it lies inside a text that was sent as one."""
    apart = 0
    for piece in file.pieces:
        if piece.by_hand:
            # The server reads all that follows the piece's first statement as one.
            return done + 1 if done <= apart + 1 else apart + 3 if done == len(file.statements) else None
        apart += len(piece.statements)
    return done + 1


def short(result: dict[str, Any] | None) -> str:
    if result is None:
        return "killed"
    return f"{'failed' if result['failed'] else 'done'}: {result.get('msg')}"


def differences(expected: View, found: View) -> str:
    lines = []
    for name in sorted({*expected, *found}):
        if expected.get(name) != found.get(name):
            lines.append(f"{name}: expected {str(expected.get(name))[:600]}, found {str(found.get(name))[:600]}")
    return "\n    ".join(lines)
