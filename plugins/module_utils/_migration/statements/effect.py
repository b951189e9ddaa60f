# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a statement leaves behind, as far as its text shows. Private to the collection. Imports nothing of ours."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple


class StatementKind(Enum):
    """What a statement does to the transaction it runs in, and to the database."""

    SESSION = "changes nothing but the session"
    DATA = "reads or changes rows: undone with its transaction, if that is proven"
    DEFINITION = "commits, and changes the definitions of objects"
    REPEATABLE = "may be repeated without harm; most of them commit"
    OPAQUE = "may commit, and what it does cannot be seen from outside"
    BEGIN = "opens a transaction of the user's"
    COMMIT = "ends a transaction of the user's"
    LOCK = "keeps other tables, or all, from being written"
    UNLOCK = "ends that"
    XA = "moves a transaction of the user's that outlives its session"
    NEXT_TRANSACTION = "holds for the next transaction only"


class Object(NamedTuple):
    """Something that SHOW CREATE knows: ``sort`` is its word there, ``name`` stands as in the statement."""

    sort: str
    name: bytes


class Effect(NamedTuple):
    """A statement's effect.

    :param objects: those whose definitions tell whether a DEFINITION has been carried out.
    :param replaces: rows go, or tables change places, although the definitions may stay the same.
    :param verb: CREATE, ALTER, DROP, RENAME or TRUNCATE for a DEFINITION; COMMIT or ROLLBACK; the second word of XA;
        what is locked or unlocked (TABLES, INSTANCE, BACKUP); otherwise the first word, where that matters.
    :param name: of the prepared statement, in lower case and without quotes; empty if it cannot be known.
    :param source: where PREPARE has its text from, as it stands; empty if that may be another text each time.
    :param sets: what SET gives a value to: ``@name`` for a variable, the name of a setting, or GLOBAL.
    :param writes: what may be a table that the statement writes. Names stand as in the text, with their quotes.
    :param names: what else may be a table or a view that it uses.
    :param plain: all of it is understood. For rows: no function in it has an effect of its own. For a DEFINITION: if
        the definitions are what they were, it has done nothing.
    :param whole: if the definitions of a DEFINITION's objects have changed, all of it has been done.
    :param assigns: the user variables that get a value, as they stand.
    :param variables: all user variables in it, as they stand, where that matters.
    :param literal: it inserts nothing but literals: it does no more than its text is long.
    """

    kind: StatementKind
    objects: tuple[Object, ...] = ()
    replaces: bool = False
    verb: bytes = b""
    name: bytes = b""
    source: bytes = b""
    sets: tuple[bytes, ...] = ()
    writes: tuple[Object, ...] = ()
    names: tuple[bytes, ...] = ()
    plain: bool = False
    whole: bool = True
    assigns: tuple[bytes, ...] = ()
    variables: tuple[bytes, ...] = ()
    literal: bool = False


OPAQUE = Effect(StatementKind.OPAQUE)
