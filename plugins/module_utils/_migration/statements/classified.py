# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A statement with all that its text tells. Private to the collection."""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple, Optional

from ..._mysql.session import LARGE
from ..files.lexer import Dialect
from ..files.splitter import Statement
from .classify import classify, reads_diagnostics
from .effect import OPAQUE, Effect, StatementKind
from .session_state import SessionRecorder

_CALL = re.compile(rb"call\b[^@]+$", re.IGNORECASE)
# Statements of the kind DATA that have one result, whatever they are about.
_ONE_RESULT = re.compile(rb"(?:insert|update|delete|replace)\s", re.IGNORECASE)


class ClassifiedStatement(NamedTuple):
    """A statement, and what is known about it.

    :param digest: of its text.
    :param effect: of the statement, or of the one that it executes.
    :param resolved_text: the text that the effect is of.
    :param reads_diagnostics: it asks about the statement before it.
    :param batchable: it has one result, and what follows it in its packet does not become a part of it.
    """

    statement: Statement
    digest: str
    effect: Effect
    resolved_text: bytes
    reads_diagnostics: bool = False
    batchable: bool = False


def classified(statement: Statement, dialect: Dialect, recorder: Optional[SessionRecorder]) -> ClassifiedStatement:
    """Return what is known of a statement.

    :param recorder: what its session has been through; None for a statement whose turn has not come yet: what it
        executes is not known before.
    """
    text = statement.text
    if not statement.bounded:
        # It may be several statements.
        return ClassifiedStatement(statement, digest(text), OPAQUE, text)
    effect, resolved = classify(text, dialect), text
    reads = reads_diagnostics(text, dialect)
    if effect.verb == b"EXECUTE" and recorder is not None:
        known = recorder.prepared.get(effect.name.decode("utf-8", "surrogateescape"))
        if known is not None:
            # It is kept in UTF-8, whatever the session speaks.
            dialect = dialect._replace(character_set="utf8mb4")
            effect, resolved = _executed(effect, classify(known, dialect), known), known
            reads = reads or reads_diagnostics(known, dialect)
    return ClassifiedStatement(statement, digest(text), effect, resolved, reads, is_batchable(statement, effect))


def _executed(outer: Effect, inner: Effect, text: bytes) -> Effect:
    """Return the effect of EXECUTE; a name in its text that is not ASCII would be read as one of the session's."""
    variables = tuple(dict.fromkeys(inner.variables + outer.variables))
    return inner._replace(plain=inner.plain and text.isascii(), variables=variables)


def is_batchable(statement: Statement, effect: Effect) -> bool:
    """Tell whether statements may follow in the same packet: they neither become a part of it nor are swallowed by it.

    It has one result then, unless it is a call.
    """
    text = statement.text
    # The server limits a packet, and the user's statement may need all of it.
    if not statement.bounded or statement.suffix or text.endswith(b"\0") or len(text) > LARGE:
        return False
    if effect.kind is StatementKind.DEFINITION:
        return effect.objects[0].sort == "TABLE" and not _is_of_view(text)
    # The variables that it sets are to be asked for before it is recorded.
    if effect.kind is StatementKind.DATA:
        return _ONE_RESULT.match(text) is not None and not effect.assigns and (effect.plain or b":=" not in text)
    return _CALL.match(text) is not None


def _is_of_view(text: bytes) -> bool:
    # A view keeps its text up to the end of what it was sent in.
    return b"VIEW" in text.upper()


def digest(text: bytes) -> str:
    """Return a statement's digest."""
    return hashlib.sha256(text).hexdigest()
