# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What must be true of a simulated server after a run, and at the end."""

from __future__ import annotations

from typing import Optional

from .connection import Connection
from .engine import OWN_TABLES, Outcome, applied, newest, state
from .storage import SCHEMA, Server, SqlError
from .truth import FULL, NOTHING, PART, Reference, truth
from .work import File


class Wrong(Exception):
    """The invariant does not hold.

    :param text: the statement that it is about.
    """

    def __init__(self, kind: str, detail: str = "", text: str = "") -> None:
        super().__init__(kind)
        self.kind, self.detail, self.text = kind, detail, text


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


def current_file(server: Server, files: list[File]) -> Optional[File]:
    """Return the file that the newest row of the history is about, if that attempt is not over."""
    attempt = newest(server)
    if attempt is None or not attempt.open:
        return None
    name = f"{attempt.version}_work.{attempt.direction}.sql"
    return next((file for file in files if file.name == name), None)


def check_history(server: Server, reference: Reference, files: list[File]) -> None:
    """Compare history and state with what took effect.

    :raises Wrong: they do not agree.
    """
    attempt, current = newest(server), current_file(server, files)
    if attempt is None or current is None:
        return
    for file in files[: files.index(current)]:
        if truth(server, reference, file).first_missing != len(file.items):
            raise Wrong("history: an earlier file is not done", file.name)
    known = truth(server, reference, current).statuses
    for place, status in enumerate(known):
        text = current.items[place].text
        # What XA has prepared is open, though it lasts.
        if place < attempt.done and status in (NOTHING, PART) and not server.prepared:
            raise Wrong("history: done, but it is not", text, text)
        if place >= max(attempt.begun, attempt.done) and status in (FULL, PART):
            raise Wrong("history: not started, but it took effect", text, text)
    if (FULL in known or PART in known) and not state(server)[1]:
        raise Wrong("state: clean, though a file is partially applied", current.name)


def check_message(server: Server, files: list[File], outcome: Outcome) -> None:
    """Compare what a message says is done with what the history says.

    :raises Wrong: they do not agree.
    """
    attempt, current = newest(server), current_file(server, files)
    if attempt is None or current is None:
        return
    if outcome.done is not None and outcome.done != attempt.done:
        raise Wrong("message and history disagree", f"{outcome.message} / {attempt}")
    if outcome.kind == "asked" and not outcome.lost and outcome.answers != (attempt.done + 1, attempt.begun + 1):
        raise Wrong("question and history disagree", f"{outcome.message} / {attempt}")


def difference(
    server: Server, end: Server, reference: Reference, files: list[File], version: Optional[int], others: bool
) -> str:
    """Return what differs from the end of an uninterrupted run; nothing if nothing does.

    :param end: the server on which that run was.
    :param others: whether something else has run one of the files.
    """
    wanted, found = end.content(OWN_TABLES), server.content(OWN_TABLES)
    for key in {**wanted, **found}:
        if wanted.get(key) != found.get(key):
            return f"content: {key}: {found.get(key)}, not {wanted.get(key)}"
    for text in {**reference.kept, **reference.lasting}:
        counts = [(counted.kept.get(text, 0), counted.lasting.get(text, 0)) for counted in (server, reference)]
        if counts[0] != counts[1]:
            return f"count: {text}: {counts[0]}, not {counts[1]}"
    for text in reference.strayed(server):
        return f"isolation: {text} wrote in {server.levels[text]}, not in {reference.levels.get(text)}"
    if state(server) != (version, False):
        return f"state: {state(server)}, not {version}"
    last = newest(server)
    if last is not None and last.open:
        return f"history: {last}"
    done = applied(server)
    for file in files:
        if not others and done.count((file.name, len(file.items))) != 1:
            return f"history: {file.name} is not applied once, with {len(file.items)} statements: {done}"
    return ""
