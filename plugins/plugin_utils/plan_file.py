# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plans of a run in one file on the controller, as Markdown and as data.

Each host's task leaves its plan among Ansible's temporary files, which this run alone uses and removes at its end, and
writes the file again with all that are there. So it is whole whatever fails, in batches and with any strategy.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible import constants as C
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.markdown import said, wrapped
from ansible_collections.dbops.migrations.plugins.module_utils._migration.report import few

# What of a module's result is data of the plan.
_DATA = (
    "database", "msg", "from_version", "to_version", "plan", "pending", "applied", "resumed", "rehearsal", "guards",
    "total", "databases", "plans",
)  # fmt: skip


class PlanFile:
    """The file.

    :raises Error: it cannot be written.
    """

    def __init__(self, name: str) -> None:
        self._markdown = Path(name).expanduser()
        self._data = self._markdown.with_suffix(".json")
        if self._data == self._markdown:
            raise Error(
                2119, f"plan_file {name} must not end in .json: the plan as data goes into a file of that name."
            )
        for path in (self._markdown, self._data):
            try:
                with path.open("a", encoding="utf-8"):
                    pass
            except OSError as error:
                raise Error(
                    2120, f"plan_file: {path} cannot be written on the controller: {error.strerror}. Nothing was run."
                ) from error

    def keep(self, task: str, host: str, result: Mapping[str, Any]) -> None:
        """Write a host's plan, and those that are there already.

        :param task: a name of the task, of which the result is the last one.
        :param result: a module's.
        :raises OSError: the file cannot be written any more.
        """
        folder = Path(C.DEFAULT_LOCAL_TMP)
        of_this_file = f"migrate_plan-{_digest(str(self._markdown.absolute()))}"
        data = {name: result[name] for name in _DATA if name in result}
        entry = {"text": result.get("plan_text"), "data": {"host": host, "failed": bool(result.get("failed")), **data}}
        with (folder / of_this_file).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            (folder / f"{of_this_file}-{_digest(task + host)}").write_text(json.dumps(entry))
            found = [json.loads(path.read_text()) for path in folder.glob(f"{of_this_file}-*")]
            found.sort(key=lambda entry: (entry["data"]["host"], entry["data"].get("database", "")))
            self._markdown.write_text(document(found), encoding="utf-8")
            self._data.write_text(json.dumps({"databases": [entry["data"] for entry in found]}, indent=2) + "\n")


def document(entries: Iterable[Mapping[str, Any]]) -> str:
    """Return the Markdown of several hosts, those with equal plans together."""
    groups: dict[str, list[str]] = {}
    for entry in entries:
        data = entry["data"]
        database = data.get("database") or ""
        name = data["host"] if database in ("", data["host"]) else f"{data['host']} ({database})"
        groups.setdefault(_after_the_name(data, entry["text"] or "", database), []).append(name)
    return "\n".join(_section(names, text) for text, names in groups.items())


def _section(names: Sequence[str], text: str) -> str:
    way, _end, rest = text.partition("\n")
    short = few(names)
    everyone = wrapped(f"The same for {', '.join(map(said, names))}.") if short != ", ".join(names) else []
    return "\n".join([f"## {said(short)}: {way}", *(["", *everyone] if everyone else []), rest])


def _after_the_name(data: Mapping[str, Any], text: str, database: str) -> str:
    """Return a host's plan without the name that it begins with."""
    message = str(data.get("msg", "")).removeprefix(f"{database}: ")
    if not data["failed"]:
        # When a database came to where it is, is its own.
        message = message.partition(" (last: ")[0]
    way, rest = said(message), f"\n{text}" if text else ""
    heading = f"## {said(database)}: "
    if text.startswith(heading):
        way, _end, rest = text.removeprefix(heading).partition("\n")
    elif data["failed"]:
        way = "failed"
    if data["failed"]:
        rest = "\n".join(["", *wrapped(f"**Failed**: {said(message)}"), rest])
    return f"{way}\n{rest}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
