# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Repeats the rehearsal's questions under the lock, just before a migration. Private to the collection.

In the meantime, the application or earlier migrations may have added rows.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence

from .._core.errors import Error
from .._migration.model import Step
from .._migration.report import few
from .._mysql.limit import Connect
from .._mysql.session import Session
from .risks import Question, count_rows


class Recheck:
    """Refuses a migration before its first statement.

    :param questions: what is to be asked before each.
    :param connect: opens a session to the database; the migrations' own may have locked tables, or be in a transaction.
    :param refuses: the kinds of what it refuses.
    :param allowed: tells whether rows that it has found are allowed to be there.
    """

    def __init__(
        self,
        questions: Mapping[Step, Sequence[Question]],
        connect: Connect,
        refuses: Collection[str],
        allowed: Callable[[Session, Step, Question], bool],
    ) -> None:
        self._questions = questions
        self._connect = connect
        self._refuses = refuses
        self._allowed = allowed

    def __call__(self, step: Step) -> None:
        """Ask about a migration that is the next one.

        What cannot be counted, for lack of time or of a right, is left to the server.

        :raises Error: rows have come that it would fail on, or destroy.
        """
        questions = [item for item in self._questions.get(step, ()) if item.kind in self._refuses]
        found = list(self._ask(step, questions)) if questions else []
        if found:
            raise Error(
                2112,
                f"{step.direction} {step.version} was not started, because of rows that the rehearsal did not find: "
                f"{few(found, '; ')}. The migrations before it are applied. Correct these rows, "
                "or the file, or have the guards allow it, and run again.",
            )

    def _ask(self, step: Step, questions: Sequence[Question]) -> Iterator[str]:
        with self._connect() as session:
            session.query("SET SESSION lock_wait_timeout = 2")
            for question in questions:
                number = count_rows(session, question.counting)
                if number and not self._allowed(session, step, question):
                    yield f"{question.table}: {question.said}: {number:,}"
