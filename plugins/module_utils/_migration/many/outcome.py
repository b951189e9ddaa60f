# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is returned and said about many schemas. Pure except for the files of a diff; private to the collection."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple, Optional

from ..._core.alike import alike
from ..._core.errors import Error
from ..model import Plan, Source, Step
from ..report import count, difference, few
from ..run.apply import Order

Results = Mapping[str, Mapping[str, Any]]

# Of so many kinds of failures the message tells the reason.
_KINDS = 5
_TAKEN = ("from_version", "to_version", "applied", "resumed", "baseline", "msg")


class Work(NamedTuple):
    """What was done with the schemas that were to be opened.

    :param results: those of each that was, in order.
    :param not_begun: how many were not.
    :param signal: the name of the one that has asked to stop.
    """

    results: Results
    not_begun: int = 0
    signal: Optional[str] = None


class Outcome(NamedTuple):
    """How it ended.

    :param total: how many schemas are meant.
    """

    order: Order
    source: Source
    work: Work
    total: int

    @property
    def results(self) -> Results:
        """Those of the schemas that were opened."""
        return self.work.results

    def returned(self) -> dict[str, Any]:
        """Return the return values.

        :raises Error: one has failed, or was not started.
        """
        failed = {name: result for name, result in self.results.items() if result.get("failed")}
        changed = {name: result for name, result in self.results.items() if result.get("changed")}
        migrated = {name: result for name, result in changed.items() if name not in failed}
        up_to_date = self.total - self.work.not_begun - len(migrated) - len(failed)
        check = self.order.check_mode
        entries = failed if check else {**failed, **migrated}
        found: dict[str, Any] = {
            "changed": bool(changed),
            "total": self.total,
            "up_to_date": up_to_date,
            "migrated": 0 if check else len(migrated),
            "failed_databases": len(failed),
            "not_started": self.work.not_begun,
            "databases": [_entry(name, result) for name, result in self.results.items() if name in entries],
        }
        groups = list(_alike(migrated, check))
        if check:
            found["plans"] = [self._plan(group) for group in groups]
        if self.order.diff:
            found["diff"] = [self._difference(group) for group in groups]
        if self.order.document and groups:
            found["plan_text"] = "\n".join(map(self._text, groups))
        mood = "check mode, nothing was changed; " if check else ""
        counts = [
            f"{len(migrated)} {'would be ' if check else ''}migrated",
            f"{up_to_date} up to date",
            *([f"{len(failed)} failed"] if failed else []),
            *([f"{self.work.not_begun} not started"] if self.work.not_begun else []),
        ]
        message = f"{count(self.total, 'database')}: {mood}{', '.join(counts)}"
        if failed or self.work.not_begun:
            signal = self.work.signal
            stopped = f" {signal}: stopped, and no other was started. Run again to continue." if signal else ""
            raise Error(2004, f"{message}.{stopped}{''.join(_reasons(failed))}", **found)
        return {**found, "msg": message}

    def warnings(self, told: Iterable[str]) -> Iterator[str]:
        """Return the warnings, each once.

        :param told: those that have been given already.
        """
        texts: dict[str, list[str]] = {}
        known = set(told)
        for name, result in self.results.items():
            for text in result.get("warnings", ()):
                if text not in known:
                    texts.setdefault(name, []).append(text)
        # A schema may have several.
        for place in range(max(map(len, texts.values()), default=0)):
            for first, *others in alike({name: found[place] for name, found in texts.items() if place < len(found)}):
                also = f" The same holds for {few(others)}." if others else ""
                yield f"{first}: {texts[first][place]}{also}"

    def _plan(self, names: Sequence[str]) -> dict[str, Any]:
        result = self.results[names[0]]
        values = {name: result[name] for name in ("resumed", "baseline") if result.get(name) is not None}
        return {
            "from_version": result["from_version"],
            "to_version": result["to_version"],
            "steps": result["pending"],
            "count": len(names),
            "first": list(names[:_KINDS]),
            **values,
        }

    def _difference(self, names: Sequence[str]) -> dict[str, str]:
        """Return what diff mode shows of schemas that go one way."""
        return {"prepared": self._text(names)} if self.order.check_mode else difference(few(names), self._way(names))

    def _text(self, names: Sequence[str]) -> str:
        from ..listing import listing  # noqa: PLC0415
        from ..plan_text import plan_text  # noqa: PLC0415

        plan = self._way(names)
        return plan_text(few(names), plan, listing(self.source.directory, plan.steps))

    def _way(self, names: Sequence[str]) -> Plan:
        result = self.results[names[0]]
        steps = tuple(map(self._step, result["pending" if self.order.check_mode else "applied"]))
        return Plan(result["from_version"], result["to_version"], steps)

    def _step(self, values: Mapping[str, Any]) -> Step:
        version, direction = values["version"], values["direction"]
        [item] = [item for item in self.source.migrations if item.version == version]
        return Step(version, values["title"], direction, item.up if direction == "up" else item.down, None)


def _entry(name: str, result: Mapping[str, Any]) -> dict[str, Any]:
    if result.get("failed"):
        return {"database": name, **{key: value for key, value in result.items() if key != "warnings"}}
    return {
        "database": name,
        **{key: result[key] for key in _TAKEN if key in result},
    }


def _alike(results: Results, check: bool) -> Iterator[list[str]]:
    """Group schemas that go one way."""
    groups: dict[tuple[Any, ...], list[str]] = {}
    for name, result in results.items():
        steps = tuple((step["version"], step["direction"]) for step in result["pending" if check else "applied"])
        resumed, baseline = str(result.get("resumed")), result.get("baseline")
        groups.setdefault((result["from_version"], result["to_version"], steps, resumed, baseline), []).append(name)
    yield from groups.values()


def _reasons(failed: Results) -> Iterator[str]:
    """Say each reason once: in full for the first schema that has it, and which others have it."""
    kinds = alike({name: str(result["msg"]) for name, result in failed.items()})
    for first, *others in kinds[:_KINDS]:
        yield f" {first} failed: {failed[first]['msg']}"
        if others:
            yield f" {few(others)} failed like {first}."
    if len(kinds) > _KINDS:
        yield f" {few(group[0] for group in kinds[_KINDS:])} failed for other reasons."
