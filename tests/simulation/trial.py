# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Plays a trial: runs the engine again and again, answers what it asks truthfully, and checks after each run.

The invariant: each statement took effect exactly once, or not at all where it is to be repeated, or the run asked; the
question names the true answer; history, message and effect agree; and the end is that of an uninterrupted run.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, NamedTuple, NoReturn, Optional

from .case import Case
from .connection import Connection
from .engine import OWN_TABLES, Attempt, Engine, Outcome, newest, state
from .faults import Fault, Faults
from .own_sql import STATE
from .storage import SCHEMA, STRANGER, Server, SqlError
from .truth import FULL, NOTHING, PART, Reference, repair, truth
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


def uninterrupted(server: Server, files: list[File]) -> Optional[str]:
    """Run files as golang-migrate does; return why that fails, None if it does not."""
    connection = Connection(server, SCHEMA)
    for file in files:
        if file.atomic:
            connection.begin()
        for item in file.items:
            connection.text = item.text
            try:
                connection.run(item.text)
            except SqlError as error:
                connection.end()
                return f"{file.name}: {item.text}: {error}"
        connection.text = ""
        if file.atomic:
            connection.commit()
        if connection.in_transaction:
            connection.end()
            return f"{file.name} leaves a transaction open"
    connection.end()
    return None


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
        self._stolen = False
        self._migrated = 0

    def run(self) -> Play:
        """Play it."""
        if self._trace is not None:
            self._trace.append(str(self.case))
        try:
            self._phase(self.case.ups, {}, len(self.case.ups))
            if self.case.downs:
                self._phase(self.case.downs, {"target": "none", "allow_down": True}, None)
        except _Stop:
            pass
        return self.play

    def _wrong(self, kind: str, detail: str = "", text: str = "") -> NoReturn:
        about = next((item.kind for file in self.case.files for item in file.items if item.text == text), "")
        self.play.violations.append(Violation(kind, detail, about))
        raise _Stop

    def _say(self, text: str) -> None:
        if self._trace is not None:
            self._trace.append(text)

    def _phase(self, files: list[File], goal: dict[str, Any], version: Optional[int]) -> None:
        failure = uninterrupted(self._end, files)
        if failure is not None:
            # An input that no tool runs to its end shows nothing.
            self.play.apart = "refused without a fault"
            raise _Stop
        reference = Reference(self._end.kept, self._end.lasting, self._end.levels)
        self.engine.put(self.case.files)
        answer: dict[str, Any] = {}
        for _ in range(_ENOUGH):
            if self.play.runs:
                self._happens(files, goal, version)
            outcome, faults = self._run(goal, answer)
            self._check(outcome, faults, reference, files)
            if outcome.kind == "applied":
                self._check_end(self._server, reference, version)
                self._happens(files, goal, version)
                return
            answer = self._answer(outcome, reference, files, goal, version) if outcome.kind == "asked" else {}
        self._wrong("does not come to an end", outcome.message)

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

    def _is_unproven(self, faults: Faults) -> bool:
        """Tell whether something of ours was refused: then it could not be recorded what is known."""
        texts = {item.text for file in self.case.files for item in file.items}
        return faults.struck is not None and faults.struck[1] not in texts

    def _steal(self, name: str) -> None:
        """Somebody takes the lock as soon as it is let go, once; and perhaps sets the version by force meanwhile."""
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
                self._say(f"golang-migrate ran {files[place].name}")

    def _lose_state(self, goal: dict[str, Any], applied: int) -> None:
        """Somebody deletes the state row, or restores an older one; the history knows better, and the run refuses.

        An attempt that was interrupted may be begun anew then: so says who sets the version before it by force.

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
            self._wrong(f"{self.case.event}: run again all the same", outcome.message)
        if outcome.kind != "failed":
            self._wrong(f"{self.case.event}: not refused", outcome.message)
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
            self._wrong("bug", outcome.message)
        beside = {item.text for file in files for item in file.items if not item.section}.intersection(server.trespass)
        if beside:
            self._wrong("ran beside another", min(beside), min(beside))
        if server.taken_over:
            self.play.apart = "another run took the database over"
            raise _Stop
        doubled = reference.doubled(server)
        if doubled:
            self._wrong("doubled", doubled[0], doubled[0])
        if outcome.kind == "failed" and faults.struck is None and "resume_from" in outcome.message:
            self._wrong("names no answer", outcome.message)
        if outcome.kind == "failed" and faults.struck is None and not self._stolen:
            self._wrong("fails without a fault", outcome.message)
        attempt = newest(server)
        self._check_history(attempt, outcome, faults, reference, files)
        if faults.struck is not None and faults.fault.kind == "refuse":
            self._check_refusal(outcome, faults, reference, files)

    def _file_of(self, attempt: Optional[Attempt], files: list[File]) -> Optional[File]:
        if attempt is None or not attempt.open:
            return None
        names = {f"{attempt.version}_work.{attempt.direction}.sql": None}
        return next((file for file in files if file.name in names), None)

    def _check_history(
        self, attempt: Optional[Attempt], outcome: Outcome, faults: Faults, reference: Reference, files: list[File]
    ) -> None:
        server, current = self._server, self._file_of(attempt, files)
        before = files[: files.index(current)] if current is not None else []
        version, dirty = state(server)
        for file in before:
            if truth(server, reference, file).first_missing != len(file.items):
                self._wrong("history: an earlier file is not done", file.name)
        if attempt is None or current is None:
            return
        known = truth(server, reference, current).statuses
        for place, status in enumerate(known):
            if place < attempt.done and status in (NOTHING, PART) and not self._is_prepared():
                self._wrong("history: done, but it is not", current.items[place].text, current.items[place].text)
            if place >= max(attempt.begun, attempt.done) and status in (FULL, PART):
                self._wrong(
                    "history: not begun, but it took effect", current.items[place].text, current.items[place].text
                )
        if (FULL in known or PART in known) and not dirty:
            self._wrong("state: clean, though a file is partially applied", f"{version}")
        lost = faults.struck is not None and faults.fault.kind in _LOST
        if outcome.done is not None and not lost and outcome.kind == "failed" and outcome.done != attempt.done:
            self._wrong("message and history disagree", f"{outcome.message} / {attempt}")

    def _is_prepared(self) -> bool:
        return bool(self._server.prepared)

    def _check_refusal(self, outcome: Outcome, faults: Faults, reference: Reference, files: list[File]) -> None:
        """After a refusal on a live connection the statement is named, and everything before it is known."""
        text = faults.refusal
        for file in files:
            for number, item in enumerate(file.items, 1):
                if item.text == text and faults.struck is not None and faults.struck[1] == text:
                    if outcome.results.get("statement") not in (number, None) and self._is_unique(file, text):
                        self._wrong("names another statement", f"{number}: {outcome.message}")
                    beside = [other for other in file.items if item.section and other.section == item.section]
                    untold = item.section and not self.case.tracks
                    if not item.proven or untold or any(reference.lasting.get(other.text) for other in beside):
                        self._doubt = True

    def _is_unique(self, file: File, text: str) -> bool:
        return sum(item.text == text for item in file.items) == 1

    def _check_end(self, server: Server, reference: Reference, version: Optional[int]) -> None:
        difference = self._difference(server, reference, version)
        if difference:
            self._end_apart_if_allowed(*self.case.files)
            self._wrong(f"ends otherwise: {difference.split(':')[0]}", difference)
        self._doubt = False

    def _difference(self, server: Server, reference: Reference, version: Optional[int]) -> str:
        wanted, found = self._end.content(OWN_TABLES), server.content(OWN_TABLES)
        differing = [f"content: {key}: {found.get(key)}, not {wanted.get(key)}" for key in {**wanted, **found}
                     if wanted.get(key) != found.get(key)]  # fmt: skip
        if differing:
            return differing[0]
        for text, count in {**reference.kept, **reference.lasting}.items():
            if (server.kept.get(text, 0), server.lasting.get(text, 0)) != (
                reference.kept.get(text, 0), reference.lasting.get(text, 0)):  # fmt: skip
                return f"count: {text}: {server.kept.get(text, 0)}, {server.lasting.get(text, 0)} not {count}"
        strayed = reference.strayed(server)
        if strayed:
            level = server.levels[strayed[0]]
            return f"isolation: {strayed[0]} wrote in {level}, not in {reference.levels.get(strayed[0])}"
        if state(server) != (version, False):
            return f"state: {state(server)}, not {version}"
        last = newest(server)
        return f"history: {last}" if last is not None and last.open else ""

    # -- answers ------------------------------------------------------------------------------------------------------

    def _answer(
        self, outcome: Outcome, reference: Reference, files: list[File], goal: dict[str, Any], version: Optional[int]
    ) -> dict[str, Any]:
        """Look what is true, and answer."""
        self.play.asked += 1
        server = self._server
        current = self._file_of(newest(server), files)
        if current is None:
            self._wrong("asks about nothing", outcome.message)
        if not outcome.lost:
            self._check_need(outcome, current)
        known = truth(server, reference, current)
        if not known.clean or server.prepared:
            mended = repair(server, reference, current)
            if mended is None or not mended.clean:
                self.play.apart = "only to be put right by hand"
                raise _Stop
            known = mended
        true = list(known.answers)
        if not outcome.lost:
            true = [number for number in true if outcome.answers[0] <= number <= outcome.answers[-1]]
        if not true:
            self._wrong(
                "the true answer is not offered",
                f"{list(known.answers)}: {outcome.message}",
                self._named(outcome, current),
            )
        for number in true:
            if self._leads_to_the_end(number, reference, goal, version):
                return {"resume_from": number}
        start = self._start_of_section(current, known.first_missing)
        if start is not None and repair(server, reference, current, start) is not None:
            # The whole of it again, when what is left of it has been undone by hand.
            offered = outcome.lost or outcome.answers[0] <= start + 1 <= outcome.answers[-1]
            if offered and self._leads_to_the_end(start + 1, reference, goal, version):
                return {"resume_from": start + 1}
        if outcome.lost:
            self.play.apart = "what a session held is lost"
            raise _Stop
        self._end_apart_if_allowed(current)
        self._wrong("no true answer leads to the end", f"{true}: {outcome.message}", self._named(outcome, current))

    def _start_of_section(self, current: File, place: int) -> Optional[int]:
        """Return where the section begins in which a statement stands; None if it stands in none."""
        section = current.items[place].section if place < len(current.items) else 0
        return next((at for at, item in enumerate(current.items) if section and item.section == section), None)

    def _named(self, outcome: Outcome, current: File) -> str:
        """Return the statement that a message is about."""
        number = outcome.results.get("statement") or 0
        return current.items[number - 1].text if 0 < number <= len(current.items) else ""

    def _end_apart_if_allowed(self, *files: File) -> None:
        """End a trial in which a procedure has set a variable, which no server tells and no text shows."""
        if self._doubt and any("@p " in item.text for file in files for item in file.items):
            self.play.apart = "a variable that a procedure had set is lost"
            raise _Stop

    def _check_need(self, outcome: Outcome, current: File) -> None:
        if not self._doubt:
            self._wrong("asks though everything is known", outcome.message, self._named(outcome, current))
        first, last = min(outcome.answers) - 1, max(outcome.answers) - 1
        asked = current.items[first:last]
        known = all(item.proven and not item.section for item in asked) and self.case.atomic
        if asked and known and not any("ROW_COUNT" in item.text for item in current.items[first : last + 1]):
            self._wrong("asks about what is proven", outcome.message, self._named(outcome, current))

    def _leads_to_the_end(
        self, number: int, reference: Reference, goal: dict[str, Any], version: Optional[int]
    ) -> bool:
        copy, answer = self._server.copy(), {"resume_from": number}
        copy.now = self._server.now
        outcome = self.engine.apply(copy, Faults(Fault()), **goal, **answer)
        difference = self._difference(copy, reference, version) if outcome.kind == "applied" else outcome.message
        self._say(f"  answer {number} would lead to: {outcome.kind} {difference[:300]}")
        return not difference
