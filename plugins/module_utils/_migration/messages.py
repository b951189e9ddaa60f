# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a person reads when a run fails or refuses, and what is returned with it. Private to the collection.

Nothing here decides anything. Messages quote the file's own text, masked, and never our own SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Optional

from .._core.errors import Error, Message
from .._core.secrets import clean
from .model import State, Step
from .report import count, done_text, doubt_text, few, format_state, format_version
from .tables.history_table import FAILED, AttemptRecord

if TYPE_CHECKING:
    from .._mysql.session import ServerError
    from .files.splitter import Statement

# How much of a statement a message quotes, in characters.
_QUOTED = 200
# What an account logs in with.
_PASSWORD = re.compile(
    r"(\bidentified\b[^'\"]*(?:\bby|\bas|\bpassword)\s*\(?\s*|\bpassword\b\s*(?:=|\(|for\b[^=]*=)\s*(?:password\s*\()?\s*)"
    r"(?:'(?:[^'\\]|\\.|'')*'?|\"(?:[^\"\\]|\\.|\"\")*\"?)",
    re.IGNORECASE | re.DOTALL,
)
# Of a server's own words.
_REASON = 400
_FORCE = "set the version that it has then (module migration_force, playbook dbops.migrations.force)"
# What a person can do about a refusal whose cause is not the statement, by the server's code.
_CAUSES = {
    1044: "The account lacks a privilege on that schema: SHOW GRANTS shows which it has. Grant it, and run again.",
    1142: "The account lacks a privilege: grant it {privilege} on the table's schema, and run again.",
    1143: "The account lacks a privilege: grant it {privilege} on the table's schema, and run again.",
    1227: "The account lacks a privilege: grant what the server names, and run again.",
    1290: "The server is read-only, perhaps a replica: run on the one that takes writes.",
    1370: "The account lacks a privilege: grant it {privilege} on the schema, and run again.",
    1419: "The server writes a binary log and lets only privileged accounts create programs: have its administrator "
    "set log_bin_trust_function_creators, or grant the account SUPER (MySQL: SET_ANY_DEFINER), and run again.",
    1836: "The server is read-only, perhaps a replica: run on the one that takes writes.",
}
_DENIED = re.compile(r"([A-Za-z ,]+?) command denied")


def _cause(error: ServerError) -> str:
    """Return what has to change outside the file before the statement can run; an empty text if nothing has."""
    denied = _DENIED.match(error.reason)
    return _CAUSES.get(error.code, "").format(privilege=denied[1].upper() if denied else "what it lacks")


_TRANSACTION_OPEN = 1568


def quoted(text: bytes) -> str:
    """Return a statement's beginning."""
    # A character has four bytes at most.
    beginning = _PASSWORD.sub(r"\1…", clean(text[: _QUOTED * 4].decode("utf-8", "replace")))
    more = len(beginning) > _QUOTED or len(text) > _QUOTED * 4
    return beginning[:_QUOTED] + ("…" if more else "")


def reason_text(error: ServerError) -> str:
    """Return what the server answered, of bounded length."""
    reason = " ".join(str(error.reason).split())
    return f"({error.code}) {reason[:_REASON]}{'…' if len(reason) > _REASON else ''}"


def place_of(step: Step, statement: Statement) -> dict[str, Any]:
    """Return where a statement stands, as return values."""
    return {"file": step.file, "line": statement.line, "column": statement.column, "statement": statement.number}


def _at(step: Step, statement: Statement) -> str:
    return f"{step.file}:{statement.line}:{statement.column}"


def _question(first: int, last: int) -> str:
    """Say what to check, and which answers are possible."""
    if first == last:
        return (
            f"Check what it changes, then run again with resume_from: {first} if it took no effect, or resume_from: "
            f"{first + 1} if it did."
        )
    return (
        f"Check what statements {first} to {last} change, then run again with resume_from and the number of the first "
        f"of them that took no effect, and undo what took effect after it: resume_from: {first} if none did, "
        f"resume_from: {last + 1} if all did."
    )


def _doubt(first: int, last: int) -> dict[str, Any]:
    return {"in_doubt": {"first": first, "last": last}}


# Failures of a run.


def statement_failed(
    step: Step,
    statement: Statement,
    error: ServerError,
    applied: int,
    done: Optional[int],
    state: State,
    in_doubt: Optional[tuple[int, int]],
    advice: str = "",
) -> Error:
    """A statement that the server refused, or during which the connection was lost.

    :param applied: how many migrations were applied before.
    :param done: how many statements of the file are done; None if nothing can be resumed.
    :param in_doubt: the first and the last statement that may have taken effect.
    :param advice: what is known about such a statement.
    """
    what = "did not finish" if error.lost else "failed"
    results = {**place_of(step, statement), **(_doubt(*in_doubt) if in_doubt else {})}
    way = f"{advice} " if advice and not error.lost else ""
    if in_doubt:
        way += f"{doubt_text(*in_doubt).capitalize()} before it failed. {_question(*in_doubt)}"
    elif error.lost and done is not None:
        way += "Run again: it finds out how far the server got, and resumes from there."
    elif not state.dirty:
        way += _cause(error) or "Correct the file and run again."
    elif done is None:
        way += f"Fix the schema manually, {_FORCE}, and run again."
    elif error.code in _CAUSES:
        way += f"{_cause(error)} It resumes from there."
    else:
        way += (
            "Correct the statement in the file and run again, which resumes from there; "
            f"or fix the schema manually and {_FORCE}."
        )
    return Error(
        1801,
        f"{_at(step, statement)}: statement {statement.number} {what}: {reason_text(error)}. "
        f"{_before(applied, done)}The database is now at {format_state(state)}. {way} "
        f"The statement: {quoted(statement.text)}",
        **results,
        error_code=error.code,
        dirty=state.dirty,
        to_version=state.version,
    )


def _before(applied: int, done: Optional[int]) -> str:
    text = "what was done of it is not recorded. " if done is None else f"{done_text(done)}. "
    if not applied:
        return text[0].upper() + text[1:]
    return f"{count(applied, 'migration')} {'was' if applied == 1 else 'were'} applied before this file; {text}"


def stopped_inside(reason: str, step: Step, statement: Statement, applied: int, done: Optional[int]) -> Error:
    """A signal has come, and the rest of the file is left for the next run."""
    way = (
        "Run again: it resumes from there."
        if done is not None
        else f"Fix the schema manually, {_FORCE}, and run again."
    )
    return Error(
        1802,
        f"{reason}: stopped before {_at(step, statement)} (statement {statement.number}). {_before(applied, done)}"
        f"The database is now at {format_state(State(step.leads_to, True))}. {way}",
        **place_of(step, statement),
        dirty=True,
        to_version=step.leads_to,
    )


def stopped_between(reason: str, step: Step, applied: int, left: int) -> Error:
    """A signal has come, and the rest of the plan is left for the next run."""
    return Error(
        1803,
        f"{reason}: stopped after {step.file or step.version}; {count(applied, 'migration')} applied, {left} not "
        f"started. The database is at {format_version(step.leads_to)}. Run again to continue.",
    )


def recording_failed(
    where: str, whole: bool, step: Step, error: ServerError, reading: bool, state: Optional[State], resumable: bool
) -> Error:
    """The state or the history could not be read or written.

    :param where: at which statement, or behind which file.
    :param whole: whether all of the file was run.
    """
    what = "read" if reading else "written"
    run = f"All of {step.file or step.version} was run" if whole else "Nothing after that was run"
    says = f"The database says: {format_state(state)}" if state else "The database can no longer be queried"
    if error.code == _TRANSACTION_OPEN:
        way = "The file leaves a transaction open, which the server has rolled back: end it with COMMIT in the file, "
        way += "and run again."
    elif error.code in _CAUSES:
        way = _cause(error)
    elif resumable:
        way = "Run again: it finds out how far the server got, and resumes from there."
    else:
        way = f"Fix the schema manually, {_FORCE}, and run again."
    return Error(
        1804,
        f"The state and the history could not be {what} {where}: {reason_text(error)}. {run}. {says}. {way}",
        error_code=error.code,
        file=step.file,
        dirty=state.dirty if state else True,
        to_version=state.version if state else step.leads_to,
    )


def lock_lost(database: str, step: Step) -> Error:
    """A file has released the database's lock, and it could not be taken again."""
    return Error(
        1805,
        f"{step.file or f'Version {step.version}'}: the lock on {database} was released, and another migration run "
        "has taken it or has run since. Stopped: nothing more was run or recorded. Check the migration status, then "
        "run again.",
        file=step.file,
        dirty=True,
        to_version=step.leads_to,
    )


def strayed(step: Step, schema: str) -> Error:
    """A file has left the session in another schema, into which golang-migrate would write its state."""
    state = State(step.leads_to, True)
    return Error(
        1806,
        f"{step.file}: all of it was run, but it leaves the session in a schema other than {schema}, and "
        f"golang-migrate would write its state there. The database is now at {format_state(state)}. End the file with "
        f"USE {schema}, and run again.",
        file=step.file,
        dirty=True,
        to_version=step.leads_to,
    )


def not_atomic(step: Step, statement: Statement) -> Error:
    """A file that asks to be all-or-nothing has a statement that is not proven to be undone with its transaction."""
    return Error(
        1807,
        f"{_at(step, statement)}: the file asks to be all-or-nothing, but statement {statement.number} cannot be "
        "rolled back for certain: only statements that change rows of transactional tables can. Nothing of the file "
        f"took effect. The statement: {quoted(statement.text)}",
        **place_of(step, statement),
    )


# Refusals to resume.

_RESTORE = (
    "Restore its original content, and make the change in what comes after it, or in a new migration; then run again. "
    f"Or fix the schema manually and {_FORCE}. Nothing was changed."
)


def changed_statement(step: Step, statement: Statement) -> Error:
    """A statement that was done has changed since."""
    return Error(
        1905,
        f"{_at(step, statement)}: statement {statement.number} was done by an earlier run and has been changed since. "
        f"{_RESTORE} To run it and what follows it again, set resume_from: {statement.number}. It is now: "
        f"{quoted(statement.text)}",
        **place_of(step, statement),
        dirty=True,
    )


def changed_somewhere(step: Step, first: int, last: int) -> Error:
    """One of several statements that were done has changed since."""
    return Error(
        1906,
        f"{step.file}: one of its statements {first} to {last}, which were done by an earlier run, has been changed "
        f"since. {_RESTORE}",
        file=step.file,
        dirty=True,
    )


def fewer_statements(step: Step, have: int, done: int) -> Error:
    """The file has fewer statements than were done."""
    return Error(
        1907,
        f"{step.file} has {count(have, 'statement')}, but an earlier run completed {done}. {_RESTORE}",
        file=step.file,
        dirty=True,
    )


def no_such_statement(step: Step, have: int, at: int) -> Error:
    """The user wants to resume after the file's end."""
    return Error(
        1908,
        f"resume_from is {at}, but {step.file} has {count(have, 'statement')}. Give {have + 1} if all of them are "
        "done. Nothing was changed.",
        file=step.file,
        dirty=True,
    )


def session_not_restored(step: Step, error: ServerError) -> Error:
    """A new session cannot be restored to the state of the old one."""
    way = "Run again." if error.lost else f"Fix the cause and run again; or fix the schema manually and {_FORCE}."
    return Error(
        1909,
        f"The session state in which {step.file} was started could not be restored: {reason_text(error)}. Nothing was "
        f"changed. {way}",
        error_code=error.code,
        file=step.file,
        dirty=True,
    )


def session_lost(step: Step, done: int, begun: int, what: str, number: int) -> Error:
    """The next statement may rely on something that was lost with its session.

    :param begun: the last statement that may have taken effect.
    """
    where = f"statement {number} of {step.file}" if number else "an earlier file"
    doubt = f", and {doubt_text(done + 1, begun)}" if begun > done else ""
    return Error(
        1910,
        f"{step.file}: an earlier run completed {count(done, 'statement')}{doubt}; what follows may rely on {what} of "
        f"{where}, which was lost with its connection. Check what is done, undo what would be repeated, and run again "
        "with resume_from and the number of the statement to resume from. Nothing was changed.",
        **(_doubt(done + 1, begun) if doubt else {}),
        file=step.file,
        statement=done + 1,
        dirty=True,
    )


def outcome_unknown(step: Step, statement: Statement, outcome: str, last: int) -> Error:
    """It is unknown which of several statements were done.

    :param outcome: how the earlier run ended, as in the history.
    """
    first = statement.number
    ended = "failed" if outcome == FAILED else "was interrupted"
    if first == last:
        what = (
            f"statement {first} was running when an earlier run {ended}, and the server does not show whether it took"
        )
        what += " effect"
    else:
        what = (
            f"statements {first} to {last} may have run when an earlier run {ended}, and the server does not show which"
        )
        what += " of them took effect"
    return Error(
        1911,
        f"{_at(step, statement)}: {what}. {_question(first, last)} Nothing was changed. "
        f"Statement {first}: {quoted(statement.text)}",
        **place_of(step, statement),
        **_doubt(first, last),
        dirty=True,
    )


def doubt_is_gone(step: Step, first: int, last: int) -> Error:
    """It is unknown what was done of statements that are no longer in the file."""
    return Error(
        1912,
        f"{step.file}: {doubt_text(first, last)} in an earlier run, but the file now ends before that. Check what "
        f"{'it' if first == last else 'they'} changed, and run again with resume_from: {first} if nothing of that is "
        "left to do. Nothing was changed.",
        **_doubt(first, last),
        file=step.file,
        dirty=True,
    )


def values_unknown(step: Step, names: Iterable[str]) -> Message:
    """Statements are done only because the user says so, and the values that they gave to variables are lost."""
    return Message(
        1913,
        f"{step.file}: the values that statements before resume_from gave to {few(dict.fromkeys(names))} were lost "
        "with their connection; what follows finds them unset.",
    )


def written_elsewhere(record: AttemptRecord, state: State) -> Error:
    """Something else has written to the state table since an attempt was interrupted."""
    return Error(
        1914,
        f"The {record.direction} migration of {format_version(record.version)} was interrupted, and something else "
        "has written the state table since, perhaps golang-migrate, which may have run it again. Check how far it "
        "got, then run again with resume_from and the number of the statement to resume from; or fix the schema "
        f"manually and {_FORCE}. Nothing was changed.",
        dirty=True,
        from_version=state.version,
    )


def history_ahead(database: str, state: State, versions: Sequence[int]) -> Error:
    """The history lists versions as applied that the state does not.

    :param versions: those that the history has as applied and the state has not.
    """
    return Error(
        1623,
        f"{database}: the state table says {format_state(state)}, but the history has {few(versions)} as applied or "
        "started. The state row was deleted, an older backup of it was restored, or golang-migrate rolled back or "
        f"was forced. If the history is right, {_FORCE}. If the state table is right, run again with history_ahead: "
        "ignore. Nothing was changed.",
        from_version=state.version,
        dirty=state.dirty,
        history_ahead=list(versions),
    )
