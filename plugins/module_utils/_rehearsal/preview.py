# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Examines a plan before any of it is run, and passes the results on to the run. Private to the collection."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Optional

from .._core.errors import Error, coded
from .._core.stop import Stopped
from .._migration.check.script import read_script
from .._migration.files.directives import Directive
from .._migration.files.reader import dialect_of, open_file
from .._migration.model import Plan, Source, Step
from .._migration.run.apply import Rehearsed
from .._mysql.limit import Connect
from .._mysql.session import Session
from .guards import Rules, allows_rows, judge, refusal, warnings
from .risks import Question

# Bytes of a file that are looked through for comments to this collection.
_LARGEST = 16 << 20


class Preview:
    """Examines a plan as a module's options ask for.

    :param params: those of migration_apply.
    :param warn: shows a person a warning.
    :param database: its name.
    :param connect: opens a session to it.
    :param there: opens a session of the account that rehearses, to a schema; empty for none.
    :raises Error: what is destroyed cannot be kept where it is to be.
    """

    def __init__(
        self,
        params: Mapping[str, Any],
        check_mode: bool,
        warn: Callable[[str], None],
        source: Source,
        database: str,
        connect: Connect,
        there: Callable[[str], AbstractContextManager[Session]],
    ) -> None:
        self._params = params
        self._check_mode = check_mode
        self._warn = warn
        self._source = source
        self._connect = connect
        self._there = there
        self._rules = Rules(params["guards"], params["allow"], params["assert_impact"])
        self._keeper = None
        if params["keep_destroyed"]:
            from .keep import Keeper  # noqa: PLC0415

            self._keeper = Keeper(params["keep_destroyed"], database, connect, source, params)

    def rehearse(self, plan: Plan, resumes: bool) -> Rehearsed:
        """Rehearse a plan.

        :param resumes: its first step resumes a migration.
        :raises Error: see rehearse.py; or it is not known what has to be kept.
        """
        # A plan that is not rehearsed has guards, too.
        from .recheck import Recheck  # noqa: PLC0415
        from .rehearse import Request, rehearse  # noqa: PLC0415

        user, host, port = (self._params[f"rehearsal_login_{name}"] for name in ("user", "host", "port"))
        elsewhere = bool(host or port)
        request = Request(self._source, plan, resumes, self._connect, self._there, bool(user), self._params, elsewhere)
        result, rehearsal = rehearse(request)
        keeper = self._keeper
        if keeper is not None:
            for warning in keeper.learn(plan, result, rehearsal.lost, resumes, self._check_mode):
                self._warn(warning)
            for migration in result["migrations"]:
                for text in migration["not_kept"]:
                    what = f"Of {migration['direction']} {migration['version']} is not kept: {text}"
                    self._warn(coded(2215, what))
        spelled = rehearsal.spelled if self._params["assert_impact"] else {}
        refuses = {name for name, level in self._params["guards"].items() if level == "refuse"}
        again = Recheck(rehearsal.unseen, self._connect, refuses, self._allows)

        def before_step(step: Step, resumes: bool, stopped: Stopped) -> Mapping[str, bytes]:
            if not resumes:
                again(step)
            return spelled if keeper is None else {**spelled, **keeper.before_step(step, resumes, stopped)}

        return Rehearsed(result, before_step)

    def guard(self, plan: Plan, rehearsed: Optional[Rehearsed], session: Session) -> dict[str, Any]:
        """Judge a plan, and return that as return values.

        :param rehearsed: the result of its rehearsal; None without one.
        :raises Error: it is refused, and this is a run.
        """
        rehearsal = rehearsed.result if rehearsed is not None else None
        found = judge(plan, self._source, rehearsal, self._rules, lambda step: self._directives(session, step))
        refused = refusal(found)
        if refused is not None and not self._check_mode:
            raise Error(
                refused.number, refused.text, guards=found, **({} if rehearsal is None else {"rehearsal": rehearsal})
            )
        for message in warnings(item for item in found if item["verdict"] != "allowed"):
            self._warn(coded(*message))
        return {"guards": found, "refusal": None if refused is None else coded(*refused)}

    def _allows(self, session: Session, step: Step, question: Question) -> bool:
        return allows_rows(step, question, self._rules, lambda: self._directives(session, step))

    def _directives(self, session: Session, step: Step) -> Sequence[Directive]:
        """Return the comments to this collection in a step's file."""
        with open_file(self._source.directory, step) as file:
            text = file.read(_LARGEST)
        return read_script(text, step.direction, dialect_of(session)).directives if b"dbops:" in text else ()
