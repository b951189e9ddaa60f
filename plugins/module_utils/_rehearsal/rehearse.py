# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Rehearses a plan on copies of the objects that it names: forward, back and forward again. Private to the collection.

``rehearse`` returns this, as migration_apply's return value ``rehearsal``:

complete
    Whether each migration of the plan was rehearsed.
why
    Why no migration was, or why the rehearsal ended early; None otherwise.
objects
    How many objects were copied.
left_out
    A list of what could not be copied: ``object``, its type and its name; ``why``.
migrations
    One for each of the plan's, in order:

    version, title, direction
        Which one.
    rehearsed, why
        Whether it was rehearsed, and why not.
    error
        Why it failed on the copy, with the place and the server's code; None if it did not.
    changes
        What it changes: ``type`` (TABLE, VIEW, ...), ``name``, ``change`` (added, removed, changed) and ``diff``, a
        unified diff of SHOW CREATE.
    impact
        What each ALTER TABLE, CREATE INDEX and DROP INDEX does to its table: ``statement``, ``line``, ``table``,
        ``algorithm`` (INSTANT, NOCOPY, INPLACE, COPY), ``rebuilds``, ``blocks_writes``, ``rows``, ``bytes``,
        ``certain``, and why it is not, ``uncertain``. None stands for what is not known.
    risks
        The real rows on which it would fail, and those that it would destroy: ``kind`` (would_fail, destroy), ``what``,
        ``table``, ``name``, ``named`` (both, by the names before the migration), ``line`` (None if it is not certain
        which statement does it), ``rows``, ``certain`` and ``text``.
    renames
        The real tables and columns that it renames: ``table``, ``column`` (empty for the table), ``to``
        and ``line``, as above.
    skipped
        The statements that were skipped because they need rows, each with the server's error.
    lines
        The lines in the files: ``up``, where the migration fails or is not rehearsed; ``down``, the same for its
        down file; ``skipped``, a list. None stands for no line.
    reversible, irreversible, not_restored
        Whether its down file restores the schema, so that it can be applied again: True, False, or None if unknown; the
        reason if it is not True; what differs after the down file, in the form of ``changes``.
cannot_tell
    A list of sentences about what a rehearsal cannot check.
seconds
    How long it took.

Add further facts about a migration beside these.

The data flow: scratch (a lock, a schema) → copy.needed (what the files name, read by snapshot) → copy.write →
runner.carry_out, forward, back and forward again, with a snapshot after each → differences, impact, risks.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from typing import Any, NamedTuple, Optional

from .._core.errors import Error
from .._core.paths import native
from .._core.stop import Stop, Stopped
from .._migration.files.reader import open_file
from .._migration.model import Plan, Source, Step
from .._migration.report import few
from .._migration.status import own_tables
from .._mysql.limit import Connect
from .._mysql.session import ServerError, Session
from . import account, likeness, scratch
from .copy import Names, needed, row_formats, write
from .destroyed import Destruction, Losses
from .impact import Impact, identity, look
from .risks import STRICT, Question, Story, find, renames, unseen
from .runner import NotRehearsed, Ran, carry_out
from .snapshot import Change, Definition, Key, Snapshot, difference, take

# The maximum number of objects to copy.
MOST = 200
# Seconds; no other migration is started then. A migration may take as long itself, on tables without rows.
LONGEST = 60
# Bytes of all files together.
LARGEST = 16 * 10**6
_NO_SCHEMA = (1044, 1227)
_ROWS = "The copies have no rows, so what statements do to rows is not checked."


class Request(NamedTuple):
    """What is to be rehearsed, and how.

    :param plan: what would be carried out.
    :param resumes: its first step resumes a migration that is partially applied.
    :param own: opens a session to the database.
    :param there: opens a session of the account that rehearses, to a schema, or to none for an empty name.
    :param guarded: that account is another one, which has rights on the schemas of rehearsals only.
    :param params: the options of the state table, the history and the lock, and those about the run.
    :param elsewhere: that account is on another server.
    :param longest: seconds; see LONGEST.
    """

    source: Source
    plan: Plan
    resumes: bool
    own: Connect
    there: Callable[[str], AbstractContextManager[Session]]
    guarded: bool
    params: Mapping[str, Any]
    elsewhere: bool = False
    longest: int = LONGEST


def rehearse(request: Request) -> tuple[dict[str, Any], Rehearsal]:
    """Rehearse a plan, and return the result of it; the file's docstring says in which form.

    Also return the rehearsal, which knows what a run needs of it.

    :raises Error: the account that rehearses may do too much, a file cannot be read, or a signal came.
    """
    began = time.monotonic()
    rehearsal = Rehearsal(request, Stop())
    why = None
    try:
        rehearsal.run()
    except (NotRehearsed, ServerError, scratch.Busy) as reason:
        why = str(reason)
    rehearsal.stop()
    migrations = rehearsal.migrations
    for step in request.plan.steps[len(migrations) :]:
        migrations.append(_entry(step, why=why))
    result = {
        "complete": all(item["rehearsed"] for item in migrations),
        "why": why,
        "objects": rehearsal.copied,
        "left_out": [{"object": str(key), "why": text} for key, text in rehearsal.left_out.items()],
        "migrations": migrations,
        "cannot_tell": [_ROWS] if migrations and why is None else [],
        "seconds": round(time.monotonic() - began, 3),
    }
    return result, rehearsal


def _entry(step: Step, why: Optional[str] = None) -> dict[str, Any]:
    return {
        "version": step.version,
        "title": step.title,
        "direction": step.direction,
        "rehearsed": False,
        "why": why,
        "error": None,
        "changes": [],
        "impact": [],
        "risks": [],
        "renames": [],
        "skipped": [],
        "reversible": None,
        "irreversible": None,
        "not_restored": [],
        "lines": {"up": None, "down": None, "skipped": []},
    }


class Room:
    """The scratch schema, with copies of the chosen objects in it.

    :param schemas: see ``why_leaving``; None where the server makes sure.
    :param stop: raises what ends the work.
    :param stack: ends what has been opened here.
    :ivar left_out: what could not be copied, and why.
    """

    def __init__(
        self,
        request: Request,
        owner: Session,
        name: str,
        collation: str,
        schemas: Optional[frozenset[str]],
        stop: Callable[[], None],
        stack: ExitStack,
    ) -> None:
        self._request = request
        self._owner = owner
        self._collation = collation
        self._stop = stop
        self._open = stack.enter_context(ExitStack())
        self.name = name
        self.left_out: dict[Key, str] = {}
        self.schemas = schemas

    def make(self) -> None:
        """Create the schema; an existing one is dropped.

        :raises NotRehearsed: the account may not.
        """
        scratch.drop(self._owner, self.name)
        try:
            scratch.make(self._owner, self.name, self._collation)
        except ServerError as error:
            if error.code not in _NO_SCHEMA:
                raise
            raise NotRehearsed(
                f"the account may not make the schema for it; {account.needed()} lets it, or name another account in "
                "rehearsal_login_user"
            ) from error

    def fill(self, definitions: Mapping[Key, Definition], formats: Mapping[str, str]) -> None:
        """Copy what is needed."""
        with self.session() as session:
            self.left_out = write(session, definitions, formats, self.schemas, self._stop)
        # The one before has lost its schema.
        self._open.close()
        self._observer = self._open.enter_context(self.session())
        self._observer.query("SET SESSION lock_wait_timeout = 2")

    def session(self) -> AbstractContextManager[Session]:
        """Open a session in the schema."""
        return self._request.there(self.name)

    def snapshot(self) -> Snapshot:
        """Read all definitions but those of the state table and the history."""
        params = self._request.params
        return take(self._observer, own_tables(params))

    def carry_out(
        self,
        session: Session,
        step: Step,
        stopped: Stopped,
        impact: Optional[Impact] = None,
        stories: Collection[Story] = (),
    ) -> Ran:
        """Carry out a migration."""
        request = self._request
        session.query("SET SESSION lock_wait_timeout = 2")
        ran = carry_out(
            session,
            self.session,
            request.source.directory,
            step,
            request.params,
            self.schemas,
            stopped,
            request.longest,
            impact,
            stories,
        )
        self._stop()
        return ran


class Rehearsal:
    """One rehearsal.

    :ivar migrations: the result of each migration that had its turn.
    :ivar copied: how many objects were copied.
    :ivar left_out: those that could not be, and why.
    :ivar spelled: statements with the clause by which they were carried out, by the digest of their text.
    :ivar unseen: what is to be asked about the real tables just before each migration.
    :ivar lost: what goes by each migration, by its version and direction, if that is to be kept.
    """

    def __init__(self, request: Request, stopped: Stop) -> None:
        self._request = request
        self._stopped = stopped
        self.migrations: list[dict[str, Any]] = []
        self.copied = 0
        self.left_out: dict[Key, str] = {}
        self.spelled: dict[str, bytes] = {}
        self.unseen: dict[Step, list[Question]] = {}
        self.lost: dict[tuple[int, str], Losses] = {}

    def run(self) -> None:
        """Rehearse all migrations.

        :raises NotRehearsed: nothing can be rehearsed.
        :raises ServerError: a connection was lost.
        """
        request = self._request
        if request.resumes:
            raise NotRehearsed("it resumes a migration that is partially applied")
        with request.own() as production, request.there("") as owner:
            schema = production.schema
            if request.guarded:
                account.check(owner, schema)
            if request.elsewhere:
                _check_alike(production, owner)
                schema = likeness.full_name(production)
            [(collation,)] = production.query("SELECT @@collation_database")
            with scratch.scratch(owner, schema, request.params["lock_timeout"]) as name, ExitStack() as stack:
                schemas = None if request.guarded else account.visible(owner)
                room = Room(request, owner, name, str(collation), schemas, self.stop, stack)
                room.make()
                self._fill(room, production, owner if request.elsewhere else production)

    def _fill(self, room: Room, production: Session, copies: Session) -> None:
        """Copy what the plan's files name, and carry the plan out there.

        :param copies: a session of which the server has the copies.
        """
        params = self._request.params
        snapshot = needed(production, own_tables(params), self._scripts())
        count = len(snapshot.definitions) + len(snapshot.unreadable)
        if count > MOST:
            raise NotRehearsed(f"{count} objects would have to be copied; the limit is {MOST}")
        chosen = snapshot.definitions
        formats = row_formats(production, [key.name for key in chosen if key.sort == "TABLE"])
        room.fill(chosen, formats)
        self.left_out = {**snapshot.unreadable, **room.left_out}
        self.copied = len(chosen) - len(room.left_out)

        def refill() -> None:
            room.make()
            room.fill(chosen, formats)

        found = look(production, [key.name for key in chosen if key.sort == "TABLE"], copies, room.name)
        impact = Impact(found, lambda table: identity(copies, room.name, table))
        self.walk(room, refill, impact, production)
        self.spelled = impact.spelled

    def walk(
        self,
        room: Room,
        refill: Callable[[], None],
        impact: Optional[Impact] = None,
        production: Optional[Session] = None,
    ) -> None:
        """Execute the plan in a room, each migration forward, back and forward again.

        :param refill: restores the room to its present state.
        :param impact: asks what each ALTER does to its table; None if nobody wants to know.
        :param production: what is asked about its rows; None likewise.
        :raises ServerError: a connection was lost.
        """
        steps, blocked = self._request.plan.steps, None
        original = before = room.snapshot()
        story, began = Story(), time.monotonic()
        if production is not None:
            [(modes, folds)] = production.query("SELECT @@GLOBAL.sql_mode, @@lower_case_table_names")
            story = Story(folds=folds != 0)
            story.accepted |= set() if "STRICT_" in str(modes) else STRICT
        with ExitStack() as stack:
            session = stack.enter_context(room.session())
            for place, step in enumerate(steps):
                if time.monotonic() - began > self._request.longest:
                    blocked = blocked or f"the rehearsal has taken longer than {self._request.longest} s"
                entry = _entry(step, blocked)
                self.migrations.append(entry)
                if blocked:
                    continue
                try:
                    self._check_copied(step)
                    story.begin()
                    own = Destruction(story.folds)
                    ran = room.carry_out(session, step, self._stopped, impact, (story, own))
                except NotRehearsed as reason:
                    entry["why"], entry["lines"]["up"] = str(reason), reason.line
                    blocked = f"version {step.version}, which comes before it, is not rehearsed"
                    continue
                after = room.snapshot()
                if impact is not None:
                    entry["impact"], impact.found = impact.found, []
                entry.update(rehearsed=True, error=ran.error, skipped=[said for _line, said in ran.skipped])
                entry["lines"].update(up=ran.line, skipped=[line for line, _said in ran.skipped])
                entry["changes"] = _changes(difference(before, after))
                if ran.error:
                    blocked = f"version {step.version}, which comes before it, fails"
                    continue
                if production is not None:
                    entry["risks"] = find(production, story, original, before, after)
                    self.unseen[step] = unseen(production.mariadb, story, own, before, after, entry["risks"])
                entry["renames"] = list(renames(story, original, before, after))
                if self._request.params.get("keep_destroyed"):
                    self.lost[step.version, step.direction] = own.losses(before, after)
                intact = step.direction == "down" or self._turn(room, step, entry, before, after)
                if not intact and step is not steps[-1]:
                    # The copies are not what they should be: begin again, for what is left.
                    stack.close()
                    refill()
                    session = stack.enter_context(room.session())
                    for earlier in steps[: place + 1]:
                        room.carry_out(session, earlier, self._stopped)
                    after = room.snapshot()
                before = after

    def _turn(self, room: Room, step: Step, entry: dict[str, Any], before: Snapshot, after: Snapshot) -> bool:
        """Carry out the down file of a migration and the migration again; return whether all is as after it."""
        down = next(item.down for item in self._request.source.migrations if item.version == step.version)
        if down is None:
            entry.update(reversible=False, irreversible="it has no down file")
            return True
        back = Step(step.version, step.title, "down", down, None)
        touched = False
        try:
            self._check_copied(back)
            touched = True
            with room.session() as session:
                ran = room.carry_out(session, back, self._stopped)
            if ran.error:
                entry["lines"]["down"] = ran.line
                raise _Irreversible(f"its down file fails: {ran.error}")
            left = difference(before, room.snapshot())
            if left:
                entry["not_restored"] = _changes(left)
                names = few(f"{change.key} ({_LEFT[change.change]})" for change in left)
                raise _Irreversible(f"its down file does not restore {names}")
            with room.session() as session:
                error = room.carry_out(session, step, self._stopped).error
            if error:
                raise _Irreversible(f"it cannot be applied again after its down file: {error}")
            left = difference(after, room.snapshot())
            if left:
                names = few(str(change.key) for change in left)
                raise _Irreversible(f"applied again after its down file, it gives a different {names}")
        except NotRehearsed as reason:
            entry["irreversible"] = f"its down file is not rehearsed: {reason}"
            entry["lines"]["down"] = reason.line
            return not touched
        except _Irreversible as reason:
            entry.update(reversible=False, irreversible=str(reason))
            return False
        entry["reversible"] = True
        return True

    def _check_copied(self, step: Step) -> None:
        """Make sure that everything that a file names was copied.

        :raises NotRehearsed: something could not be copied.
        """
        if step.file is None or not self.left_out:
            return
        missing = Names(self.left_out).within(_text(self._request.source.directory, step))
        if missing:
            key = min(missing)
            raise NotRehearsed(f"it names {key}, which could not be copied: {self.left_out[key]}")

    def _scripts(self) -> Iterator[bytes]:
        """Yield the texts of the plan's files, and of their down files.

        :raises NotRehearsed: they are too large.
        """
        directory, size = self._request.source.directory, 0
        for step in self._request.plan.steps:
            found = [item for item in self._request.source.migrations if item.version == step.version]
            for file in sorted(filter(None, {step.file, *(item.down for item in found)})):
                own = os.path.getsize(native(f"{directory}/{file}"))
                size += own
                if size > LARGEST:
                    raise NotRehearsed(
                        f"{file} has {own / 1e6:.1f} MB; the limit for all files together is {LARGEST // 10**6} MB"
                    )
                yield _text(directory, step._replace(file=file))

    def stop(self) -> None:
        """End the work if a signal has come.

        :raises Error: one has.
        """
        reason = self._stopped()
        if reason is not None:
            raise Error(2113, f"{reason}: stopped during the rehearsal. Nothing was run.")


def _check_alike(own: Session, other: Session) -> None:
    """Make sure that another server behaves like the database's own.

    :raises NotRehearsed: it may not.
    """
    found = likeness.differences(own, other)
    if found:
        raise NotRehearsed(f"the server of rehearsal_login_host is not like this one: {few(found, '; ')}")


class _Irreversible(Exception):
    """Why a down file does not restore the schema."""


# What is left of a change by what the snapshots' difference is.
_LEFT = {"added": "left over", "removed": "missing", "changed": "different"}


def _text(directory: str, step: Step) -> bytes:
    with open_file(directory, step) as file:
        return file.read()


def _changes(changes: Sequence[Change]) -> list[dict[str, str]]:
    return [
        {"type": change.key.sort, "name": change.key.name, "change": change.change, "diff": change.diff}
        for change in changes
    ]
