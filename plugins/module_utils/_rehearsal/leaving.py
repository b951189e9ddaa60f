# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether a statement could reach out of the schema that it runs in. Private to the collection.

This is judged by the text, to be on the safe side: what is not known to stay inside counts as leaving. It decides only
where the account has rights on other schemas; an account that has none is held back by the server.

What functions may do is MySQL's reference manual, "Restrictions on Stored Programs": they and triggers neither commit
nor execute texts. What a loadable function does (CREATE FUNCTION ... SONAME) nobody can read; it is not looked for.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Optional

from .._migration.files.lexer import Dialect, Token
from .._migration.statements.rows import read_values
from .._migration.statements.tokens import read, unquote

_ROWS = frozenset(b"INSERT REPLACE UPDATE DELETE SELECT WITH VALUES TABLE DO (".split())
_FIRST = _ROWS | frozenset(
    b"CREATE ALTER DROP RENAME TRUNCATE SHOW DESCRIBE DESC EXPLAIN CHECKSUM ANALYZE CHECK OPTIMIZE REPAIR SET BEGIN "
    b"START COMMIT ROLLBACK SAVEPOINT RELEASE LOCK UNLOCK SIGNAL".split()
)
# They need no USE, no other schema's name and no text that is put together to reach it.
_ANYWHERE = frozenset(
    b"GLOBAL PERSIST PERSIST_ONLY KILL SHUTDOWN PREPARE EXECUTE CALL SONAME OUTFILE DUMPFILE GRANT REVOKE FLUSH "
    b"GET_LOCK STORAGE_ENGINE DEFAULT_STORAGE_ENGINE DEFAULT_TMP_STORAGE_ENGINE ENFORCE_STORAGE_ENGINE".split()
)
_INSIDE = frozenset(b"TABLE TABLES VIEW INDEX TRIGGER PROCEDURE FUNCTION EVENT SEQUENCE PACKAGE".split())
_OF_SERVER = frozenset(
    b"DATABASE SCHEMA USER ROLE SERVER TABLESPACE LOGFILE INSTANCE RESOURCE LIBRARY REFERENCE CATALOG".split()
)
_PROGRAMS = frozenset(b"TRIGGER PROCEDURE FUNCTION EVENT PACKAGE".split())
_SET_OF_SERVER = frozenset(b"PASSWORD ROLE DEFAULT RESOURCE".split())
# Engines whose tables are nowhere else.
_ENGINES = frozenset(b"INNODB MYISAM ARIA MEMORY HEAP ARCHIVE CSV BLACKHOLE ROCKSDB".split())
# What may follow a column of the name.
_NO_ENGINES = frozenset(
    b"TO TINYINT SMALLINT MEDIUMINT INT INTEGER BIGINT DECIMAL NUMERIC FLOAT DOUBLE REAL BIT BOOL BOOLEAN DATE "
    b"DATETIME TIMESTAMP TIME YEAR CHAR VARCHAR BINARY VARBINARY TINYBLOB BLOB MEDIUMBLOB LONGBLOB TINYTEXT TEXT "
    b"MEDIUMTEXT LONGTEXT ENUM SET JSON UUID".split()
)


def why_leaving(text: bytes, dialect: Dialect, schemas: Collection[str]) -> Optional[str]:
    """Return what of a statement could reach out of its schema; None if it plainly stays inside.

    :param dialect: how the server reads it.
    :param schemas: the names of all schemas that the account may see, in small letters; one that it may not see it may
        not touch either.
    """
    if dialect.oracle:
        return "is read in sql_mode ORACLE"
    table, place = read_values(text, dialect)
    if table and place == len(text):
        # Nothing but literals, and there may be very many.
        text = table
        return _other_schema(text, list(read(text, dialect)), dialect, schemas)
    tokens = list(read(text, dialect))
    return _other_schema(text, tokens, dialect, schemas) or _word(text, tokens) or _statement(text, tokens)


def _other_schema(text: bytes, tokens: Sequence[Token], dialect: Dialect, schemas: Collection[str]) -> Optional[str]:
    foreign = any(not name.isascii() for name in schemas)
    for place, token in enumerate(tokens[1:], 1):
        if token.text != b"." or (place > 1 and tokens[place - 2].text == b"."):
            continue
        name = unquote(text[tokens[place - 1].start : tokens[place - 1].end])
        quote = text[tokens[place - 1].start : tokens[place - 1].start + 1]
        if quote == b"'" or (quote == b'"' and not dialect.ansi_quotes):
            continue
        # Which letters are the same to the server is not known here.
        if name.decode("utf-8", "replace").lower() in schemas or (foreign and not name.isascii()):
            return f"names another schema ({name.decode('utf-8', 'replace')})"
    return None


def _word(text: bytes, tokens: Sequence[Token]) -> Optional[str]:
    words = [token.text if token.kind == "word" else b"" for token in tokens]
    defines = words[:1] and words[0] in (b"CREATE", b"ALTER")
    for place, word in enumerate(words):
        following = tokens[place + 1].text if place + 1 < len(tokens) else b""
        before = words[place - 1] if place else b""
        if (
            word in _ANYWHERE
            # MySQL runs other languages, which can put a statement together; MATCH has NATURAL LANGUAGE MODE.
            or (word == b"LANGUAGE" and following not in (b"SQL", b"MODE"))
            or (word == b"USE" and following not in (b"INDEX", b"KEY"))
            or (word in (b"DATABASE", b"SCHEMA") and following != b"(")
            or (word == b"DIRECTORY" and before in (b"DATA", b"INDEX"))
        ):
            return f"has {word.decode()}"
        if word == b"ENGINE" and defines:
            engine = tokens[place + 1 + (following == b"=") : place + 2 + (following == b"=")]
            name = text[engine[0].start : engine[0].end].strip(b"`'\"").upper() if engine else b""
            # It may be a column.
            option = following == b"=" or (engine and engine[0].kind in ("word", "quoted") and name not in _NO_ENGINES)
            if option and name not in _ENGINES:
                return f"has the engine {name.decode('utf-8', 'replace')}"
    return None


def _statement(text: bytes, tokens: Sequence[Token]) -> Optional[str]:
    first = tokens[0].text if tokens else b"DO"
    second = tokens[1].text if len(tokens) > 1 else b""
    if first not in _FIRST:
        return f"begins with {_shown(text, tokens[0])}"
    if first == b"SET" and second == b"STATEMENT":
        place = next((index for index, token in enumerate(tokens) if token.text == b"FOR"), len(tokens) - 1)
        return _statement(text, tokens[place + 1 :])
    if first == b"SET" and second in _SET_OF_SERVER:
        return f"has SET {second.decode()}"
    if (
        (first == b"BEGIN" and second not in (b"", b";", b"WORK"))
        or (first == b"START" and second != b"TRANSACTION")
        or (first in (b"LOCK", b"UNLOCK") and second not in (b"TABLE", b"TABLES"))
    ):
        return f"has {first.decode()} {_shown(text, tokens[1]) if second else ''}".rstrip()
    thing = b""
    if first in (b"CREATE", b"ALTER", b"DROP", b"RENAME"):
        thing = next((token.text for token in tokens[1:] if token.text in _INSIDE | _OF_SERVER), b"")
        if thing not in _INSIDE:
            return f"has {first.decode()} {thing.decode() or _shown(text, tokens[1]) if second else ''}".rstrip()
    if thing == b"EVENT":
        # Its body may be any statement, and run while the schema is there.
        body = [tokens[place + 1].text for place, token in enumerate(tokens[:-1]) if token.text == b"DO"]
        if body and body[0] not in _ROWS:
            return "is an event that does more than one statement on rows"
    if thing not in _PROGRAMS and any(token.kind == "end" for token in tokens[:-1]):
        return "may be several statements"
    return None


def _shown(text: bytes, token: Token) -> str:
    return text[token.start : token.end][:40].decode("utf-8", "replace")
