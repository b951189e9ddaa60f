# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a ref to files: ask, fetch what is not here, make it current. Private to the collection."""

from __future__ import annotations

import os
from dataclasses import dataclass

from .._core.errors import Error
from .reference import Resolved, shown
from .remote import DirectoryMissing, Remote
from .signature import Policy
from .tree import ReleaseStore, commit_of, release_name


@dataclass(frozen=True)
class FetchRequest:
    """What to fetch from a repository.

    :param may_be_missing: treat a directory that the commit lacks as empty.
    :param expected: the commit that the ref must point to; None for any.
    :param policy: what must be signed, and by whom; None when nothing must.
    :param forward_only: a branch must descend from the current commit.
    """

    ref: str
    directory: str
    may_be_missing: bool
    expected: str | None
    policy: Policy | None
    forward_only: bool


@dataclass(frozen=True)
class Outcome:
    """The result of a fetch.

    :param before: the release that was current.
    :param name: the release that is now, or would be.
    :param changed: whether something in the destination changed, or would.
    """

    found: Resolved
    before: str | None
    name: str
    changed: bool


def fetch(remote: Remote, request: FetchRequest, dest: ReleaseStore, timeout: float) -> Outcome:
    """Fetch a release and make it the destination's current one."""
    while True:
        outcome = ask(remote, request, dest)
        if not outcome.changed:
            return outcome
        _verify(remote, request, dest, outcome)
        with dest.locked(timeout):
            now = dest.current()
            if now not in (outcome.before, outcome.name):
                # Another run has moved it since the server was asked: its answer may be newer than ours. Ask again.
                continue
            changed = now != outcome.name or not _has(dest, request, outcome.name)
            place(remote, request, dest, outcome)
            return Outcome(outcome.found, now, outcome.name, changed)


def ask(remote: Remote, request: FetchRequest, dest: ReleaseStore) -> Outcome:
    """Find out what would be current, without fetching the files.

    :raises Error: the ref does not stand for the commit that is expected, or for one that leads back, or not for a tag
        where one must be signed.
    """
    before = dest.current()
    found = remote.resolve(request.ref)
    if request.expected not in (None, found.commit):
        raise Error(
            1223,
            f"ref {shown(request.ref)} is at commit {found.commit}, but expected_commit is {request.expected}. Nothing "
            "was changed. Review the new commit and set expected_commit to it, or set ref to the expected one.",
        )
    old = commit_of(before)
    if request.forward_only and old is not None and not remote.is_fast_forward(old, found):
        raise Error(
            1224,
            f"{found.name} is at commit {found.commit}, which does not descend from the current one, {old}: its "
            "history was rewritten, or the current commit came from elsewhere. Nothing was changed. Find out why; to "
            "go there anyway, set ref to the new commit.",
        )
    verified = "" if request.policy is None else request.policy.mark(found)
    name = release_name(found.commit, request.directory, verified)
    return Outcome(found, before, name, before != name or not _has(dest, request, name))


def preview(
    remote: Remote, request: FetchRequest, dest: ReleaseStore, elsewhere: ReleaseStore, timeout: float
) -> tuple[Outcome, ReleaseStore]:
    """Return what would happen, and the store that has the files: ``elsewhere`` when the destination lacks them."""
    outcome = ask(remote, request, dest)
    if _has(dest, request, outcome.name):
        return outcome, dest
    _verify(remote, request, elsewhere, outcome)
    with elsewhere.locked(timeout):
        place(remote, request, elsewhere, outcome)
    return outcome, elsewhere


def place(remote: Remote, request: FetchRequest, store: ReleaseStore, outcome: Outcome) -> None:
    """Have the release in a store, whose lock is held, and make it current there."""
    if not _has(store, request, outcome.name):
        try:
            store.add(outcome.name, remote.contents(outcome.found, request.directory, _known(store)))
        except DirectoryMissing:
            if not request.may_be_missing:
                raise
            store.add(outcome.name, ())
    if store.current() != outcome.name:
        store.switch(outcome.name)


def _verify(remote: Remote, request: FetchRequest, store: ReleaseStore, outcome: Outcome) -> None:
    """Verify what is about to be placed, while nothing in the store has been touched yet."""
    if not _has(store, request, outcome.name):
        remote.verify(outcome.found)


def _known(store: ReleaseStore) -> list[str]:
    """Return the paths of the current release's files."""
    name = store.current()
    return [] if name is None else [os.path.join(store.path(name), file) for file in store.files(name) or ()]


def _has(store: ReleaseStore, request: FetchRequest, name: str) -> bool:
    files = store.files(name)
    # A release without files may stand for a directory that the commit lacks: only the server can tell.
    return bool(files) or (files is not None and request.may_be_missing)
