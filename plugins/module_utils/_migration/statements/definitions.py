# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a definition's statement works on: CREATE, ALTER, DROP, RENAME, TRUNCATE. Private to the collection.

Sources: MySQL reference manual, "Statements That Cause an Implicit Commit" and "Atomic Data Definition Statement
Support"; MariaDB knowledge base, "SQL Statements That Cause an Implicit Commit" and "Atomic DDL".
"""

from __future__ import annotations

import re

from .effect import OPAQUE, Effect, Object, StatementKind
from .rows import read_rows
from .tokens import LONGEST, Tokens, unquote

# Words that tell what CREATE, ALTER and DROP work on, and what SHOW CREATE calls it.
_SORTS = {
    b"TABLE": "TABLE",
    b"TABLES": "TABLE",
    b"VIEW": "TABLE",
    b"SEQUENCE": "TABLE",
    b"INDEX": "INDEX",
    b"PROCEDURE": "PROCEDURE",
    b"FUNCTION": "FUNCTION",
    b"TRIGGER": "TRIGGER",
    b"EVENT": "EVENT",
    b"PACKAGE": "PACKAGE",
    b"DATABASE": "DATABASE",
    b"SCHEMA": "DATABASE",
    b"USER": "USER",
}
# Sorts for which nothing shows whether such a statement has been carried out.
_HIDDEN = frozenset(b"ROLE SERVER TABLESPACE UNDO LOGFILE RESOURCE INSTANCE PREPARE LIBRARY".split())
# Parts of ALTER TABLE that move rows and leave the definition as it was.
_MOVES_ROWS = frozenset(b"EXCHANGE DISCARD IMPORT TRUNCATE CONVERT".split())
_RENAMES_PART = frozenset(b"COLUMN INDEX KEY CONSTRAINT".split())
_PARTITIONS = frozenset(b"PARTITION PARTITIONS PARTITIONING".split())
# What ADD and DROP are about if it is not a column; no column's definition begins so.
NO_COLUMN = frozenset(
    b"INDEX KEY PRIMARY UNIQUE FULLTEXT SPATIAL FOREIGN CONSTRAINT CHECK PARTITION SYSTEM PERIOD VECTOR".split()
)
_MAY_SELECT = re.compile(rb"\b(?:select|values|table)\b", re.IGNORECASE)
_CREATES, _ALTERS, _DROPS = b"CREATE", b"ALTER", b"DROP"


def read_definition(tokens: Tokens, first: bytes) -> Effect:
    """Read a statement whose first word, one of the five, has been taken."""
    reader = _Reader(tokens)
    return {
        b"CREATE": reader.create,
        b"ALTER": reader.alter,
        b"DROP": reader.drop,
        b"RENAME": reader.rename,
        b"TRUNCATE": reader.truncate,
    }[first]()


class _Reader:
    def __init__(self, tokens: Tokens) -> None:
        self._tokens = tokens

    def _sort(self) -> tuple[bytes, bool]:
        """Take the words up to the sort of object; return it, and whether it is to be replaced."""
        tokens, replaces, previous = self._tokens, False, b""
        while tokens.peek().kind != "nothing":
            token = tokens.take()
            if token.kind == "word" and previous not in (b"=", b"@", b"."):
                if token.text in _SORTS or token.text == b"TEMPORARY":
                    return token.text, replaces
                if token.text in _HIDDEN:
                    break
                replaces = replaces or token.text == b"REPLACE"
            previous = token.text
        return b"", False

    def _if_exists(self) -> None:
        tokens = self._tokens
        if tokens.skip(b"IF"):
            tokens.skip(b"NOT")
            tokens.skip(b"EXISTS")

    def _objects(self, sort: str) -> tuple[Object, ...]:
        found = [Object(sort, self._tokens.name())]
        while self._tokens.skip(b","):
            found.append(Object(sort, self._tokens.name()))
        return tuple(found)

    def create(self) -> Effect:
        word, replaces = self._sort()
        if word == b"TEMPORARY":
            self._tokens.take()
            self._if_exists()
            objects = (Object("TABLE", self._tokens.name()),)
            # A rollback leaves it, but it goes with its session.
            return self._reads(Effect(StatementKind.DATA, objects, verb=b"CREATE TEMPORARY", plain=True))
        if not word:
            return OPAQUE
        effect = self._defines(word, _CREATES)
        if effect.kind is not StatementKind.DEFINITION:
            return effect
        if word == b"TABLE":
            effect = self._reads(effect)
        if word == b"EVENT":
            effect = effect._replace(plain=not self._may_go_by_itself())
        if word == b"FUNCTION" and self._tokens.peek().text == b"RETURNS":
            # A loadable function, which SHOW CREATE does not know.
            return OPAQUE
        return effect._replace(replaces=replaces and word in (b"TABLE", b"SEQUENCE"))

    def _reads(self, effect: Effect) -> Effect:
        """Add what a table is filled with, if it is."""
        tokens = self._tokens
        if not _MAY_SELECT.search(tokens.text, tokens.peek().start):
            return effect
        if len(tokens.text) > LONGEST:
            return effect._replace(plain=False, whole=False)
        while tokens.peek().kind != "nothing":
            word = tokens.take().text
            if word in (b"SELECT", b"TABLE") or (word == b"VALUES" and tokens.peek().text not in (b"LESS", b"IN")):
                rows = read_rows(tokens, word)
                return effect._replace(plain=rows.plain, whole=False, names=rows.names)
        return effect

    def _may_go_by_itself(self) -> bool:
        """Tell whether an event may be dropped by the server once it has run."""
        return self._tokens.reach(b"AT", b"ENDS", b"DO") != b"DO"

    def _defines(self, word: bytes, verb: bytes) -> Effect:
        tokens = self._tokens
        if word == b"INDEX":
            if not tokens.reach(b"ON"):
                return OPAQUE
            return Effect(StatementKind.DEFINITION, (Object("TABLE", tokens.name()),), verb=_ALTERS, plain=True)
        if word == b"USER":
            return self._user(verb)
        sort = _SORTS[word]
        if word == b"PACKAGE" and tokens.skip(b"BODY"):
            sort = "PACKAGE BODY"
        self._if_exists()
        return Effect(StatementKind.DEFINITION, (Object(sort, tokens.name()),), verb=verb, plain=True)

    def _user(self, verb: bytes) -> Effect:
        tokens = self._tokens
        self._if_exists()
        first = last = tokens.take()
        if tokens.skip(b"@"):
            last = tokens.take()
        account = Object("USER", tokens.text[first.start : last.end])
        if tokens.reach(b","):
            return OPAQUE
        return Effect(StatementKind.DEFINITION, (account,), verb=verb, plain=True)

    def alter(self) -> Effect:
        tokens = self._tokens
        word, _replaces = self._sort()
        if word in (b"DATABASE", b"SCHEMA"):
            return self._alter_schema()
        if word in (b"", b"USER", b"TEMPORARY", b"SEQUENCE"):
            # A sequence's RESTART does not show.
            return OPAQUE
        effect = self._defines(word, _ALTERS)
        objects = list(effect.objects)
        added: set[bytes] = set()
        dropped: set[bytes] = set()
        whole = True
        while True:
            part = tokens.reach(b"RENAME", b"ADD", b"DROP", *_MOVES_ROWS, *_PARTITIONS)
            if not part:
                break
            following = tokens.peek().text
            if part in _MOVES_ROWS and following in (b"PARTITION", b"TABLESPACE", b"TABLE"):
                return OPAQUE
            if part == b"RENAME" and following not in _RENAMES_PART:
                tokens.skip(b"TO", b"AS", b"=")
                objects.append(Object(objects[0].sort, tokens.name()))
            elif part in (b"ADD", b"DROP"):
                (added if part == b"ADD" else dropped).add(self._column())
            whole = whole and part not in _PARTITIONS and following not in _PARTITIONS
        # A column that is dropped and added again may look as it did. "(" stands for a list of columns.
        again = bool(dropped - {b""}) and bool(added & (dropped | {b"("}) - {b""})
        return effect._replace(objects=tuple(objects), whole=whole, plain=not again)

    def _alter_schema(self) -> Effect:
        """The name of the schema may be left out; only its character set is a matter of constants."""
        words = set()
        while self._tokens.peek().kind != "nothing":
            words.add(self._tokens.take().text)
        known = words & {b"CHARACTER", b"CHARSET", b"COLLATE"} and not words & {b"UPGRADE", b"READ", b"ENCRYPTION"}
        return Effect(StatementKind.REPEATABLE) if known else OPAQUE

    def _column(self) -> bytes:
        """Take the column that ADD or DROP is about; nothing if it is something else."""
        tokens = self._tokens
        if tokens.peek().text in NO_COLUMN:
            return b""
        tokens.skip(b"COLUMN")
        self._if_exists()
        if tokens.peek().text == b"(":
            return b"("
        return unquote(tokens.name()).lower()

    def drop(self) -> Effect:
        tokens = self._tokens
        word, _replaces = self._sort()
        if word == b"TEMPORARY":
            tokens.take()
            self._if_exists()
            return Effect(StatementKind.DATA, self._objects("TABLE"), verb=_DROPS, plain=True)
        if word in (b"INDEX", b"USER"):
            return self._defines(word, _DROPS)
        if word in (b"", b"DATABASE", b"SCHEMA"):
            # A schema goes table by table.
            return OPAQUE
        sort = "PACKAGE BODY" if word == b"PACKAGE" and tokens.skip(b"BODY") else _SORTS[word]
        self._if_exists()
        return Effect(StatementKind.DEFINITION, self._objects(sort), verb=_DROPS, plain=True)

    def rename(self) -> Effect:
        tokens = self._tokens
        if not tokens.skip(b"TABLE", b"TABLES"):
            return OPAQUE
        self._if_exists()
        objects = [Object("TABLE", tokens.name())]
        while True:
            if tokens.skip(b"WAIT"):
                tokens.take()
            tokens.skip(b"NOWAIT")
            if not tokens.skip(b"TO", b","):
                break
            objects.append(Object("TABLE", tokens.name()))
        different = tuple(dict.fromkeys(objects))
        # Tables that change places may have the same definition.
        replaces = len(different) < len(objects)
        return Effect(StatementKind.DEFINITION, different, replaces, b"RENAME", plain=True)

    def truncate(self) -> Effect:
        self._tokens.skip(b"TABLE")
        thing = Object("TABLE", self._tokens.name())
        return Effect(StatementKind.DEFINITION, (thing,), True, b"TRUNCATE", plain=True)
