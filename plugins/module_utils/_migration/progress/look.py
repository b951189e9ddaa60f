# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a server reports about a running statement, and the line that a person reads. Pure; private to the collection.

Nothing is estimated: the line has the stage, the work that is done, and how long it has taken.
"""

from __future__ import annotations

import re
from typing import NamedTuple, Optional

from ..report import count, few
from ..statements.classified import ClassifiedStatement
from ..statements.effect import StatementKind

_WORDS = re.compile(r"(?:\s|(?:--|#)[^\n]*\n|/\*(?!!|M!).*?\*/)*(\w+)(?:\s+(\w+))?", re.DOTALL)
_JOINTS = {"INSERT": " INTO", "REPLACE": " INTO", "DELETE": " FROM"}


class Subject(NamedTuple):
    """A statement that is running, as a line names it.

    :param title: its first words and what it is about.
    :param table: the table that it is about, if it is plain which.
    :param of_rows: whether it may change rows, so that the server counts them.
    """

    database: str
    file: str
    line: int
    title: str
    table: str = ""
    of_rows: bool = False


class Holder(NamedTuple):
    """A connection that holds what the statement waits for.

    :param who: the account and its host.
    :param does: what it does, in words.
    :param seconds: how long it has done so.
    """

    connection: int
    who: str
    does: str
    seconds: int

    def __str__(self) -> str:
        return f"connection {self.connection} ({self.who}, {self.does} for {duration(self.seconds)})"


class Look(NamedTuple):
    """What a server says about a statement at one moment.

    :param stage: in the server's words.
    :param percent: how much of the stage is done.
    :param done: the work that is done, and how much there is, as the server estimates it.
    :param unit: of the work, in the plural; empty where the server does not say what it counts.
    :param changed: how many changes of rows the transaction has made; None where that is not known.
    :param rolling_back: the transaction is being undone, and ``changed`` is what is left of it.
    :param waits_for: the lock that it waits for.
    :param holders: who holds that.
    :param certain: whether the server says so; otherwise they are those who could.
    :param behind: how many connections wait behind the statement.
    :param lacks: privileges without which the server says less.
    """

    stage: str = ""
    percent: Optional[int] = None
    done: Optional[tuple[int, int]] = None
    unit: str = ""
    changed: Optional[int] = None
    rolling_back: bool = False
    waits_for: str = ""
    holders: tuple[Holder, ...] = ()
    certain: bool = True
    behind: int = 0
    lacks: tuple[str, ...] = ()


def subject(database: str, file: str, item: ClassifiedStatement) -> Subject:
    """Return how a line names a statement: no more than its first words, as what follows may be data, or a password."""
    effect, text = item.effect, item.resolved_text.decode("utf-8", "replace")
    things = [*effect.objects, *effect.writes]
    title, table = first_words(text), ""
    if things:
        name = things[0].name.decode("utf-8", "replace")
        table = name.rpartition(".")[2].strip('`" ')
        verb = title.partition(" ")[0].upper()
        title = f"{verb}{_JOINTS.get(verb, '')} {name}"
        if effect.kind is StatementKind.DEFINITION:
            title = f"{effect.verb.decode()} {things[0].sort} {name}"
    of_rows = bool(effect.writes) or effect.kind in (StatementKind.OPAQUE, StatementKind.COMMIT)
    return Subject(database, file, item.statement.line, title, table, of_rows)


def first_words(text: str) -> str:
    """Return the first two words of a statement."""
    found = _WORDS.match(text)
    return " ".join(filter(None, found.groups())) if found else ""


def progress_line(about: Subject, seconds: float, look: Look) -> str:
    """Return the line about a statement that has been running for so long."""
    place = f"{about.database} {about.file}:{about.line} {about.title}".rstrip()
    return f"{place}: {state_text(seconds, look)}"


def state_text(seconds: float, look: Look) -> str:
    """Say what a statement does that has been running for so long."""
    behind = f", {count(look.behind, 'connection')} waiting behind it" if look.behind else ""
    return f"{_state(look)}, {duration(seconds)}{behind}"


def _state(look: Look) -> str:
    if look.waits_for:
        names = few(look.holders)
        held = f"{' held' if look.certain else ', perhaps held'} by {names}" if names else ""
        return f"waiting for {look.waits_for}{held}"
    if look.rolling_back:
        left = f", {count_of(look.changed, 'row change')} left" if look.changed is not None else ""
        return f"rolling back{left}"
    parts = [look.stage or "running"]
    if look.percent is not None:
        parts.append(f"{look.percent} %")
    if look.done is not None:
        done, total = look.done
        unit = f" {look.unit}" if look.unit else ""
        # Of rows the server has an estimate only, which what is done may pass.
        parts.append(f"({done:,} of about {total:,}{unit})" if done <= total else f"({done:,}{unit})")
    # A row whose primary key changes counts twice.
    rows = f", {count_of(look.changed, 'row change')} in its transaction" if look.changed else ""
    return " ".join(parts) + rows


def between_line(database: str, file: str, number: int, total: Optional[int], seconds: float) -> str:
    """Return the line about a file whose statements are short.

    :param number: of the statement that was started last.
    :param total: how many the file has; None if that is not known.
    :param seconds: how long the run has taken.
    """
    of = f" of {total:,}" if total is not None and total >= number else ""
    return f"{database} {file}: statement {number:,}{of}, {duration(seconds)}"


def hint(lacks: tuple[str, ...]) -> str:
    """Return what would have the server say more; nothing if it says all it can."""
    if not lacks:
        return ""
    return f"To see more about running statements: GRANT {' and GRANT '.join(lacks)} TO the account."


def count_of(number: int, noun: str) -> str:
    """Return a number that may be large with its noun."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def duration(seconds: float) -> str:
    """Return a time as a person reads it."""
    whole = int(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"
