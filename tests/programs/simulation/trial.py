# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays a trial: runs the engine again and again, answers what it asks truthfully, and checks after each run.

The invariant: each statement took effect exactly once, or not at all where it is to be repeated, or the run asked; the
question names the true answer; history, message and effect agree; and the end is that of an uninterrupted run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, Optional

from .case import Case
from .checks import Wrong, check_history, check_message, current_file, difference, uninterrupted
from .engine import Attempt, Engine, Outcome, newest, state
from .faults import Fault, Faults
from .own_sql import STATE
from .storage import SCHEMA, STRANGER, Server
from .truth import FULL, PART, Reference, repair, truth
from .work import File

# Runs until a trial has to be at its end.
_ENOUGH = 9
_LOST = ("crash", "kill", "cut", "cut packet")


class Violation(NamedTuple):
    """Something that must not be.

    :param about: the kind of statement that it is about, as the generator calls it.
    """

    kind: str
    detail: str
    about: str = ""


@dataclass
class Play:
    """What came out of a trial.

    :ivar runs: how often the engine was run.
    :ivar apart: how a trial ended that could not be brought to the end by an answer, for a reason that is allowed.
    """

    runs: int = 0
    asked: int = 0
    apart: str = ""
    violations: list[Violation] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    struck: list[str] = field(default_factory=list)


class _Stop(Exception):
    """The trial is over."""


class Trial:
    """One trial."""

    def __init__(self, engine: Engine, case: Case, trace: Optional[list[str]] = None) -> None:
        self.engine, self.case, self.play = engine, case, Play()
        self._trace = trace
        self._faults = list(case.faults)
        self._server = case.server()
        self._end = case.server()
        self._doubt = False
        self._event = case.event
        self._stolen = self._corrected = False
        # What the history said when something was undone manually, which it cannot know.
        self._undone: Optional[Attempt] = None
        self._others = False
        # What was there when this direction began, and behind how many of its files runs have ended.
        self._start = self._end
        self._pauses: set[int] = set()

    def run(self) -> Play:
        """Play it."""
        if self._trace is not None:
            self._trace.append(str(self.case))
        try:
            options = {"lock_wait_timeout": 1} if self.case.waits else {}
            self._phase(self.case.ups, options, len(self.case.ups))
            if self.case.downs:
                self._phase(self.case.downs, {**options, "target": "none", "allow_down": True}, None)
        except Wrong as wrong:
            items = (item for file in self.case.files for item in file.items)
            about = next((item.kind for item in items if item.text == wrong.text), "")
            self.play.violations.append(Violation(wrong.kind, wrong.detail, about))
        except _Stop:
            pass
        return self.play

    def _say(self, text: str) -> None:
        if self._trace is not None:
            self._trace.append(text)

    def _phase(self, files: list[File], goal: dict[str, Any], version: Optional[int]) -> None:
        self._start, self._pauses = self._end.copy(), set()
        failure = uninterrupted(self._end, files)
        if failure is not None:
            # An input that no tool runs to completion shows nothing.
            self.play.apart = "refused without a fault"
            raise _Stop
        reference = Reference(self._end.kept, self._end.lasting, self._end.levels)
        self.engine.put(self.case.files)
        answer: dict[str, Any] = {}
        for _number in range(_ENOUGH):
            if self.play.runs:
                self._happens(files, goal, version)
            outcome, faults = self._run(goal, answer)
            self._check(outcome, faults, reference, files)
            if outcome.kind == "applied":
                self._check_end(reference, files, version)
                self._happens(files, goal, version)
                return
            reference = self._ended(reference, files, version)
            if self.case.corrects and faults.struck is not None and faults.fault.kind == "refuse":
                self._correct(faults.struck[1])
            answer = self._answer(outcome, reference, files, goal, version) if outcome.kind == "asked" else {}
        raise Wrong("does not come to an end", outcome.message)

    def _ended(self, reference: Reference, files: list[File], version: Optional[int]) -> Reference:
        """Have the end be that of runs which ended where this one has, if it ended between two files.

        What a file has left in its session is not there for the next run's, as it is not for golang-migrate's.
        """
        at, dirty = state(self._server)
        done = (at or 0) if version is not None else len(files) - (at or 0)
        if dirty or self._others or done in (0, len(files), *self._pauses):
            return reference
        self._pauses.add(done)
        self._end, begin = self._start.copy(), 0
        for end in (*sorted(self._pauses), len(files)):
            if uninterrupted(self._end, files[begin:end]) is not None:
                self.play.apart = "what a session held between two files is lost"
                raise _Stop
            begin = end
        return Reference(self._end.kept, self._end.lasting, self._end.levels)

    def _run(self, goal: dict[str, Any], answer: dict[str, Any]) -> tuple[Outcome, Faults]:
        faults = Faults(self._faults.pop(0) if self._faults else Fault(), self._trace)
        server = self._server
        server.thief = self._steal if self.case.thief else None
        server.trespass, server.taken_over = [], False
        outcome = self.engine.apply(server, faults, **goal, **answer)
        server.thief = None
        server.locks.clear()
        server.now += 3
        self.play.runs += 1
        if faults.struck is not None:
            self.play.struck.append(f"{faults.fault.kind} {faults.fault.code or ''}".strip())
            if faults.fault.kind in _LOST or (faults.fault.kind == "refuse" and self._is_unproven(faults)):
                self._doubt = True
        self._say(f"run {self.play.runs} {answer}: {faults.fault} struck {faults.struck}")
        self._say(f"  {outcome.kind}: {outcome.message}")
        self._say(f"  state {state(server)}, history {newest(server)}")
        return outcome, faults

    def _correct(self, text: str) -> None:
        """Write a statement in another way, as somebody does who corrects it, once."""
        if self._corrected or not any(item.text == text for file in self.case.files for item in file.items):
            return
        self._corrected = True
        corrected = []
        for file in self.case.files:
            items = [
                item._replace(text=f"{text} /* corrected */") if item.text == text else item for item in file.items
            ]
            corrected.append(file._replace(items=tuple(items)))
        self.engine.put(corrected)

    def _is_unproven(self, faults: Faults) -> bool:
        """Tell whether something of ours was refused: then it could not be recorded what is known."""
        texts = {item.text for file in self.case.files for item in file.items}
        return faults.struck is not None and faults.struck[1] not in texts

    def _steal(self, name: str) -> None:
        """Somebody takes the lock as soon as it is released, once; and perhaps sets the version by force meanwhile."""
        server = self._server
        if self._stolen:
            return
        self._stolen = self._doubt = True
        server.thief = None
        if self.case.thief == "holds":
            server.locks[name] = STRANGER, 1
            return
        table = server.find(SCHEMA, "TABLE", STATE)
        if table is not None and table.rows:
            table.rows = [{**table.rows[0], "version": 99}]
            server.taken_over = True

    # -- what happens between the runs --------------------------------------------------------------------------------

    def _happens(self, files: list[File], goal: dict[str, Any], version: Optional[int]) -> None:
        """Let something else do what it does, once, between two runs."""
        event = self._event
        if not event or version is None or self._server.find(SCHEMA, "TABLE", STATE) is None:
            return
        version_now, dirty = state(self._server)
        if event != "migrate":
            self._lose_state(goal, (version_now or 0) - dirty)
        elif not dirty and (version_now or 0) < version:
            place = version_now or 0
            if uninterrupted(self._server, [files[place]]) is None:
                self._set_state(place + 1)
                self._event = ""
                self._others = True
                self._say(f"golang-migrate ran {files[place].name}")

    def _lose_state(self, goal: dict[str, Any], applied: int) -> None:
        """Somebody deletes the state row, or restores an older one; the history knows better, and the run refuses.

        An attempt that was interrupted may be started again then: so says who sets the version before it by force.

        :param applied: the last version that is applied entirely.
        """
        server = self._server
        table, effects = server.find(SCHEMA, "TABLE", STATE), (dict(server.kept), dict(server.lasting))
        if not applied:
            return
        self._event = ""
        before = table.rows, table.updated
        older = [{"version": applied - 1, "dirty": 0}] if self.case.event == "state old" and applied > 1 else []
        table.rows = older
        self._say(f"the state row is {older or 'gone'}")
        outcome = self.engine.apply(server, Faults(Fault(), self._trace), **goal)
        self._say(f"  {outcome.kind}: {outcome.message}")
        if effects != (server.kept, server.lasting):
            raise Wrong(f"{self.case.event}: run again all the same", outcome.message)
        if outcome.kind != "failed":
            raise Wrong(f"{self.case.event}: not refused", outcome.message)
        table.rows, table.updated = before

    def _set_state(self, version: Optional[int]) -> None:
        table = self._server.find(SCHEMA, "TABLE", STATE)
        table.rows = [] if version is None else [{"version": version, "dirty": 0}]
        self._server.now += 2
        table.updated = int(self._server.now)
        self._server.now += 2

    # -- checks -------------------------------------------------------------------------------------------------------

    def _check(self, outcome: Outcome, faults: Faults, reference: Reference, files: list[File]) -> None:
        server = self._server
        if outcome.kind == "bug":
            raise Wrong("bug", outcome.message)
        beside = {item.text for file in files for item in file.items if not item.section}.intersection(server.trespass)
        if beside:
            raise Wrong("ran beside another", min(beside), min(beside))
        if server.taken_over:
            self.play.apart = "another run took the database over"
            raise _Stop
        doubled = reference.doubled(server)
        if doubled:
            raise Wrong("doubled", doubled[0], doubled[0])
        if outcome.kind == "failed" and faults.struck is None and "resume_from" in outcome.message:
            raise Wrong("names no answer", outcome.message)
        if outcome.kind == "failed" and faults.struck is None and not self._stolen:
            raise Wrong("fails without a fault", outcome.message)
        if not self._others and (self._undone is None or newest(server) != self._undone):
            check_history(server, reference, files)
        if outcome.kind != "killed" and not (faults.struck is not None and faults.fault.kind in _LOST):
            check_message(server, files, outcome)
        if faults.struck is not None and faults.fault.kind == "refuse":
            self._check_refusal(outcome, faults, reference, files)

    def _check_refusal(self, outcome: Outcome, faults: Faults, reference: Reference, files: list[File]) -> None:
        """After a refusal on a live connection the statement is named, and everything before it is known."""
        text = faults.refusal
        for file in files:
            for number, item in enumerate(file.items, 1):
                if item.text == text and faults.struck is not None and faults.struck[1] == text:
                    if outcome.results.get("statement") not in (number, None) and self._is_unique(file, text):
                        raise Wrong("names another statement", f"{number}: {outcome.message}")
                    beside = [other for other in file.items if item.section and other.section == item.section]
                    untold = item.section and not self.case.tracks
                    if not item.proven or untold or any(reference.lasting.get(other.text) for other in beside):
                        self._doubt = True

    def _is_unique(self, file: File, text: str) -> bool:
        return sum(item.text == text for item in file.items) == 1

    def _check_end(self, reference: Reference, files: list[File], version: Optional[int]) -> None:
        found = self._difference(self._server, reference, files, version)
        if found:
            self._end_apart_if_allowed(*self.case.files)
            raise Wrong(f"ends otherwise: {found.split(':')[0]}", found)
        self._doubt = False

    def _difference(self, server: Server, reference: Reference, files: list[File], version: Optional[int]) -> str:
        return difference(server, self._end, reference, files, version, self._others)

    # -- answers ------------------------------------------------------------------------------------------------------

    def _answer(
        self, outcome: Outcome, reference: Reference, files: list[File], goal: dict[str, Any], version: Optional[int]
    ) -> dict[str, Any]:
        """Look what is true, and answer."""
        self.play.asked += 1
        server = self._server
        current = current_file(server, files)
        if current is None:
            raise Wrong("asks about nothing", outcome.message)
        if not outcome.lost:
            self._check_need(outcome, current)
        known = truth(server, reference, current)
        beyond = [] if outcome.lost else known.statuses[outcome.answers[-1] - 1 :]
        if FULL in beyond or PART in beyond:
            raise Wrong("does not ask about all that may have run", outcome.message, self._named(outcome, current))
        if not known.clean or server.prepared:
            mended = repair(server, reference, current)
            self._undone = newest(server)
            if mended is None or not mended.clean:
                self.play.apart = "only to be put right manually"
                raise _Stop
            known = mended
        true = list(known.answers)
        if not outcome.lost:
            true = [number for number in true if outcome.answers[0] <= number <= outcome.answers[-1]]
        if not true:
            raise Wrong(
                "the true answer is not offered",
                f"{list(known.answers)}: {outcome.message}",
                self._named(outcome, current),
            )
        for number in true:
            if self._leads_to_the_end(number, reference, files, goal, version):
                return {"resume_from": number}
        start = self._start_of_section(current, known.first_missing)
        if start is None:
            # Whatever is missing of the section leaves nothing, as before a ROLLBACK.
            start = self._start_of_section(current, true[0] - 1)
        if start is not None and repair(server, reference, current, start) is not None:
            # The whole of it again, when what is left of it has been undone manually.
            self._undone = newest(server)
            offered = outcome.lost or outcome.answers[0] <= start + 1 <= outcome.answers[-1]
            if offered and self._leads_to_the_end(start + 1, reference, files, goal, version):
                return {"resume_from": start + 1}
        if start is not None:
            # Part of a transaction was undone and part of it was not: there is no place to resume from.
            self.play.apart = "only to be put right manually"
            raise _Stop
        if outcome.lost or any("TEMPORARY" in item.text for item in current.items[: known.first_missing + 1]):
            self.play.apart = "what a session held is lost"
            raise _Stop
        self._end_apart_if_allowed(current)
        raise Wrong("no true answer leads to the end", f"{true}: {outcome.message}", self._named(outcome, current))

    def _start_of_section(self, current: File, place: int) -> Optional[int]:
        """Return where the section begins in which a statement stands; None if it is in none."""
        section = current.items[place].section if place < len(current.items) else 0
        return next((at for at, item in enumerate(current.items) if section and item.section == section), None)

    def _named(self, outcome: Outcome, current: File) -> str:
        """Return the statement that a message is about."""
        number = outcome.results.get("statement") or 0
        return current.items[number - 1].text if 0 < number <= len(current.items) else ""

    def _end_apart_if_allowed(self, *files: File) -> None:
        """End a trial in which a procedure has set a variable, which no server tells and no text shows.

        Or one of whose files golang-migrate has run: what it had set in its session is not there for the next.
        """
        if self._others:
            self.play.apart = "what golang-migrate's session held is lost"
            raise _Stop
        if self._doubt and any("@p " in item.text for file in files for item in file.items):
            self.play.apart = "a variable that a procedure had set is lost"
            raise _Stop

    def _check_need(self, outcome: Outcome, current: File) -> None:
        first, last = min(outcome.answers) - 1, max(outcome.answers) - 1
        # Nobody can see from outside whether a call has committed in the transaction in which it stands.
        called = any("CALL" in item.text for item in current.items[first : last + 1])
        if not self._doubt and not called:
            raise Wrong("asks though everything is known", outcome.message, self._named(outcome, current))
        asked = current.items[first:last]
        known = all(item.proven and not item.section for item in asked) and self.case.atomic
        if asked and known and not any("ROW_COUNT" in item.text for item in current.items[first : last + 1]):
            raise Wrong("asks about what is proven", outcome.message, self._named(outcome, current))

    def _leads_to_the_end(
        self, number: int, reference: Reference, files: list[File], goal: dict[str, Any], version: Optional[int]
    ) -> bool:
        copy = self._server.copy()
        outcome = self.engine.apply(copy, Faults(Fault()), **goal, resume_from=number)
        found = outcome.message
        if outcome.kind == "applied":
            found = self._difference(copy, reference, files, version)
        self._say(f"  answer {number} would lead to: {outcome.kind} {found[:300]}")
        return not found
