# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a statement leaves behind, and how that can be found out afterwards. Private to the collection.

Sources: MySQL reference manual, "Statements That Cause an Implicit Commit" and "Atomic Data Definition Statement
Support"; MariaDB knowledge base, "SQL Statements That Cause an Implicit Commit" and "Atomic DDL".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import Enum
from functools import lru_cache
from typing import NamedTuple, Optional

from ..files.lexer import Dialect, Lexer, Token


class StatementKind(Enum):
    """What a statement does to the transaction it runs in, and to the database."""

    SESSION = "changes nothing but the session, or reads"
    DATA = "changes rows: undone with its transaction"
    DEFINITION = "commits, and changes the definitions of objects"
    REPEATABLE = "commits, and may be repeated without harm"
    OPAQUE = "may commit, and what it does cannot be seen from outside"
    BEGIN = "opens a transaction of the user's"
    COMMIT = "ends a transaction of the user's"
    LOCK = "keeps every other table from being written"
    UNLOCK = "ends that"
    ONCE = "holds for the next transaction only"


class Object(NamedTuple):
    """Something that SHOW CREATE knows: ``sort`` is its word there, ``name`` stands as in the statement."""

    sort: str
    name: bytes


class Effect(NamedTuple):
    """A statement's effect.

    :param objects: those whose definitions tell whether a DEFINITION has been carried out.
    :param replaces: rows go, or tables change places, although the definitions may stay the same.
    :param verb: what kind of SESSION or DATA statement it is, where that matters.
    :param name: of the prepared statement.
    :param sets: what SET gives a value to: ``@name`` for a variable, the name of a setting, or GLOBAL.
    """

    kind: StatementKind
    objects: tuple[Object, ...] = ()
    replaces: bool = False
    verb: bytes = b""
    name: bytes = b""
    sets: tuple[bytes, ...] = ()


_NOTHING = Token("nothing", b"", 0, 0)
_ROWS = frozenset(
    b"INSERT REPLACE UPDATE DELETE SELECT WITH VALUES TABLE DO LOAD ( SHOW DESCRIBE DESC EXPLAIN HELP CHECKSUM".split()
)
_SESSION = frozenset(b"USE PREPARE DEALLOCATE SAVEPOINT RELEASE SIGNAL".split())
_SCOPES = frozenset(b"GLOBAL PERSIST PERSIST_ONLY".split())
_REPEATABLE = frozenset(b"GRANT ANALYZE OPTIMIZE REPAIR CHECK".split())
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
_MOVES_ROWS = frozenset(b"EXCHANGE DISCARD IMPORT TRUNCATE".split())
_RENAMES_PART = frozenset(b"COLUMN INDEX KEY CONSTRAINT".split())
_PLAIN_ROWS = re.compile(rb"(?:insert|update|delete|replace)\s", re.IGNORECASE)
_WRITES_FILE = re.compile(rb"\binto\s+(?:outfile|dumpfile)\b", re.IGNORECASE)
# With these a statement asks about the one before it.
_ASKS_BACK = frozenset(b"ROW_COUNT FOUND_ROWS DIAGNOSTICS WARNINGS WARNING_COUNT ERRORS ERROR_COUNT".split())


def is_plain_rows(text: bytes) -> bool:
    """Tell whether a statement plainly writes rows."""
    return _PLAIN_ROWS.match(text) is not None


def classify(text: bytes, dialect: Dialect) -> Effect:
    """Return what a statement leaves behind.

    Whatever is not known here is OPAQUE.
    """
    if dialect.oracle:
        # It may be several statements.
        return Effect(StatementKind.OPAQUE)
    if is_plain_rows(text):
        return Effect(StatementKind.DATA)
    return _Reader(text, _tokens(text, dialect)).effect()


def depends(text: bytes, dialect: Dialect) -> bool:
    """Tell whether a statement asks about the one before it, so that nothing may come between the two."""
    upper = text.upper()
    # Rows can be long, and hardly ever hold one of these words.
    if not any(word in upper for word in _ASKS_BACK):
        return False
    return any(token.kind == "word" and token.text in _ASKS_BACK for token in _tokens(text, dialect))


def _tokens(text: bytes, dialect: Dialect) -> Iterator[Token]:
    lexer = _lexer(dialect)
    lexer.text = text
    # It may have been left inside an executable comment.
    return lexer.tokens(lexer.begin(0))


@lru_cache(maxsize=8)
def _lexer(dialect: Dialect) -> Lexer:
    """Return a lexer for whole texts; making one takes longer than reading a statement."""
    lexer = Lexer(dialect)
    lexer.final = True
    return lexer


class _Reader:
    """Takes a statement's tokens one by one."""

    def __init__(self, text: bytes, tokens: Iterator[Token]) -> None:
        self._text = text
        self._tokens = tokens
        self._next: Optional[Token] = None

    def _peek(self) -> Token:
        if self._next is None:
            self._next = next(self._tokens, _NOTHING)
        return self._next

    def _take(self) -> Token:
        token = self._peek()
        self._next = None
        return token

    def _skip(self, *words: bytes) -> bool:
        """Take the next token if it is one of these words."""
        found = self._peek().text in words
        if found:
            self._take()
        return found

    def _reach(self, *words: bytes) -> bytes:
        """Take tokens outside parentheses up to one of these words; return it, or nothing."""
        depth = 0
        while self._peek().kind != "nothing":
            token = self._take()
            depth += {b"(": 1, b")": -1}.get(token.text, 0)
            if depth == 0 and token.text in words:
                return token.text
        return b""

    def _name(self) -> bytes:
        """Take a name, with its schema if it has one, as it stands."""
        first = last = self._take()
        while self._peek().text == b".":
            self._take()
            last = self._take()
        return self._text[first.start : last.end]

    def _names(self, sort: str) -> tuple[Object, ...]:
        found = [Object(sort, self._name())]
        while self._skip(b","):
            found.append(Object(sort, self._name()))
        return tuple(found)

    def effect(self) -> Effect:
        first = self._take().text
        if first == b"LOAD" and self._peek().text == b"INDEX":
            return Effect(StatementKind.REPEATABLE)
        if first in _ROWS:
            return Effect(StatementKind.OPAQUE if _WRITES_FILE.search(self._text) else StatementKind.DATA)
        handler = {
            b"SET": self._set,
            b"CREATE": self._create,
            b"ALTER": self._alter,
            b"DROP": self._drop,
            b"RENAME": self._rename,
            b"TRUNCATE": self._truncate,
            b"EXECUTE": self._execute,
        }.get(first)
        return handler() if handler else self._other(first)

    def _other(self, first: bytes) -> Effect:
        second = self._peek().text
        if first == b"ANALYZE" and second not in (b"TABLE", b"TABLES", b"LOCAL", b"NO_WRITE_TO_BINLOG"):
            # MariaDB carries out the statement that follows.
            return Effect(StatementKind.OPAQUE)
        if (first == b"BEGIN" and second != b"NOT") or (first == b"START" and second == b"TRANSACTION"):
            return Effect(StatementKind.BEGIN)
        if first in (b"COMMIT", b"ROLLBACK"):
            to_savepoint = first == b"ROLLBACK" and self._reach(b"TO")
            return Effect(StatementKind.SESSION if to_savepoint else StatementKind.COMMIT, verb=first)
        if first == b"GET":
            # Diagnostics, into variables.
            return Effect(StatementKind.SESSION, verb=first)
        if first in _SESSION:
            return Effect(StatementKind.SESSION, verb=first)
        if first in (b"UNLOCK", b"XA"):
            return Effect(
                StatementKind.LOCK
                if first == b"XA" and second not in (b"COMMIT", b"ROLLBACK")
                else StatementKind.UNLOCK
            )
        if first == b"LOCK" and second in (b"TABLE", b"TABLES"):
            return Effect(StatementKind.LOCK)
        if first == b"FLUSH":
            return Effect(StatementKind.LOCK if self._reach(b"WITH", b"FOR") else StatementKind.REPEATABLE)
        return Effect(StatementKind.REPEATABLE if first in _REPEATABLE else StatementKind.OPAQUE)

    def _set(self) -> Effect:
        if self._skip(b"STATEMENT"):
            # MariaDB: settings for the statement that follows.
            return self.effect() if self._reach(b"FOR") else Effect(StatementKind.OPAQUE)
        if self._peek().text == b"PASSWORD":
            return Effect(StatementKind.REPEATABLE)
        if self._skip(b"DEFAULT") and self._peek().text == b"ROLE":
            return Effect(StatementKind.REPEATABLE)
        if self._peek().text == b"TRANSACTION":
            return Effect(StatementKind.ONCE)
        sets, depth, computed = [self._assigned()], 0, False
        while self._peek().kind != "nothing":
            text = self._take().text
            depth += {b"(": 1, b")": -1}.get(text, 0)
            computed = computed or depth > 0
            if text == b"," and depth == 0:
                sets.append(self._assigned())
        return Effect(StatementKind.DATA if computed else StatementKind.SESSION, verb=b"SET", sets=tuple(sets))

    def _assigned(self) -> bytes:
        """Take the name of what SET gives a value to."""
        if self._skip(b"@"):
            if not self._skip(b"@"):
                token = self._take()
                name = self._text[token.start : token.end]
                while self._peek().text == b"." and self._next is not None:
                    self._take()
                    name = self._text[token.start : self._take().end]
                return b"@" + name
            scope = self._peek().text
            if scope in _SCOPES:
                return b"GLOBAL"
            if self._skip(b"SESSION", b"LOCAL"):
                self._skip(b".")
            return self._take().text.lower()
        if self._peek().text in _SCOPES:
            return b"GLOBAL"
        self._skip(b"SESSION", b"LOCAL")
        return self._take().text.lower()

    def _execute(self) -> Effect:
        if self._skip(b"IMMEDIATE"):
            return Effect(StatementKind.OPAQUE)
        return Effect(StatementKind.OPAQUE, verb=b"EXECUTE", name=self._name().strip(b"`").lower())

    def _sort(self) -> tuple[bytes, bool]:
        """Take the words up to the sort of object; return it, and whether it is to be replaced."""
        replaces, previous = False, b""
        while self._peek().kind != "nothing":
            token = self._take()
            if token.kind == "word" and previous not in (b"=", b"@", b"."):
                if token.text in _SORTS:
                    return token.text, replaces
                if token.text in _HIDDEN:
                    break
                replaces = replaces or token.text == b"REPLACE"
                if token.text == b"TEMPORARY":
                    return token.text, replaces
            previous = token.text
        return b"", False

    def _if_exists(self) -> None:
        if self._skip(b"IF"):
            self._skip(b"NOT")
            self._skip(b"EXISTS")

    def _create(self) -> Effect:
        word, replaces = self._sort()
        if word == b"TEMPORARY":
            self._take()
            self._if_exists()
            return Effect(StatementKind.DATA, (Object("TABLE", self._name()),), verb=b"CREATE TEMPORARY")
        if not word:
            return Effect(StatementKind.OPAQUE)
        return self._defines(word, replaces and word in (b"TABLE", b"SEQUENCE"))

    def _defines(self, word: bytes, replaces: bool) -> Effect:
        if word == b"INDEX":
            return self._index()
        if word == b"USER":
            return self._user()
        sort = _SORTS[word]
        if word == b"PACKAGE" and self._skip(b"BODY"):
            sort = "PACKAGE BODY"
        self._if_exists()
        return Effect(StatementKind.DEFINITION, (Object(sort, self._name()),), replaces)

    def _index(self) -> Effect:
        if not self._reach(b"ON"):
            return Effect(StatementKind.OPAQUE)
        return Effect(StatementKind.DEFINITION, (Object("TABLE", self._name()),))

    def _user(self) -> Effect:
        self._if_exists()
        first = last = self._take()
        if self._skip(b"@"):
            last = self._take()
        account = Object("USER", self._text[first.start : last.end])
        return Effect(StatementKind.OPAQUE) if self._reach(b",") else Effect(StatementKind.DEFINITION, (account,))

    def _alter(self) -> Effect:
        word, _replaces = self._sort()
        if word in (b"", b"USER", b"TEMPORARY"):
            return Effect(StatementKind.REPEATABLE if word == b"USER" else StatementKind.OPAQUE)
        if word in (b"DATABASE", b"SCHEMA", b"SEQUENCE"):
            # The name may be left out; a sequence's RESTART does not show.
            return Effect(StatementKind.REPEATABLE if word != b"SEQUENCE" else StatementKind.OPAQUE)
        effect = self._defines(word, False)
        objects = list(effect.objects)
        while True:
            part = self._reach(b"RENAME", *_MOVES_ROWS)
            if not part:
                return Effect(effect.kind, tuple(objects))
            if part in _MOVES_ROWS and self._peek().text in (b"PARTITION", b"TABLESPACE"):
                return Effect(StatementKind.OPAQUE)
            if part == b"RENAME" and self._peek().text not in _RENAMES_PART:
                self._skip(b"TO", b"AS", b"=")
                objects.append(Object(objects[0].sort, self._name()))

    def _drop(self) -> Effect:
        if self._peek().text == b"PREPARE":
            return Effect(StatementKind.SESSION, verb=b"DEALLOCATE")
        word, _replaces = self._sort()
        if word == b"TEMPORARY":
            self._take()
            self._if_exists()
            return Effect(StatementKind.DATA, self._names("TABLE"), verb=b"DROP")
        if word in (b"INDEX", b"USER"):
            return self._defines(word, False)
        if word in (b"", b"DATABASE", b"SCHEMA"):
            # A schema goes table by table.
            return Effect(StatementKind.OPAQUE)
        sort = "PACKAGE BODY" if word == b"PACKAGE" and self._skip(b"BODY") else _SORTS[word]
        self._if_exists()
        return Effect(StatementKind.DEFINITION, self._names(sort), verb=b"DROP")

    def _rename(self) -> Effect:
        if not self._skip(b"TABLE", b"TABLES"):
            return Effect(StatementKind.OPAQUE)
        self._if_exists()
        objects = [Object("TABLE", self._name())]
        while True:
            if self._skip(b"WAIT"):
                self._take()
            self._skip(b"NOWAIT")
            if not self._skip(b"TO", b","):
                break
            objects.append(Object("TABLE", self._name()))
        different = tuple(dict.fromkeys(objects))
        # Tables that change places may have the same definition.
        return Effect(StatementKind.DEFINITION, different, replaces=len(different) < len(objects))

    def _truncate(self) -> Effect:
        self._skip(b"TABLE")
        return Effect(StatementKind.DEFINITION, (Object("TABLE", self._name()),), replaces=True)
