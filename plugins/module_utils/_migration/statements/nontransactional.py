# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether the rows that a statement writes are undone with its transaction. Private to the collection.

This is looked up in the server's dictionary. Anything that it does not show as a table of a transactional engine
without triggers is not proven.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Optional

from ..._mysql.session import Answer, ServerError, Session
from ..._mysql.statements import identifier
from ..files.reader import dialect_of
from .effect import Effect, Object, StatementKind
from .rows import parts_of

_SHOW = b"SHOW CREATE TABLE "
_ENGINES = "'InnoDB', 'ROCKSDB'"
# A migration may have set sql_select_limit, which holds for questions without a limit of their own.
_NO_LIMIT = " LIMIT 9223372036854775807"
# Views of the server's own, which call nothing of a user's.
_OWN = ("information_schema", "performance_schema")
# Python's names of the servers' character sets in which a name may be written with more than ASCII.
_CODECS = {
    "utf8mb4": "utf-8",
    "utf8mb3": "utf-8",
    "utf8": "utf-8",
    "latin1": "cp1252",
    "latin2": "iso8859-2",
    "cp1250": "cp1250",
    "cp1251": "cp1251",
    "koi8r": "koi8-r",
    "cp932": "cp932",
    "sjis": "shift_jis",
    "gbk": "gbk",
    "big5": "big5",
    "gb18030": "gb18030",
}
_QUOTED = rb"`(?:[^`]|``)*`|\"(?:[^\"]|\"\")*\"|[^`\"\s.]+"
_GRANT = re.compile(rb"(GRANT|REVOKE) (.+?) ON (" + _QUOTED + rb")\.(" + _QUOTED + rb") (?:TO|FROM) ", re.DOTALL)


# Where SHOW CREATE TABLE has a table's engine.
_ENGINE = re.compile(rb"CREATE TABLE .*\n\) ENGINE=(?:InnoDB|ROCKSDB)\b", re.DOTALL)


class _Name(NamedTuple):
    """A table's name, and whether the statement writes to it."""

    schema: str
    table: str
    written: bool


class _Fact(NamedTuple):
    """What the dictionary has under a name: something, nothing but tables, nothing but tables that roll back."""

    there: bool
    base: bool
    transactional: bool


class TransactionalTables:
    """Knows which tables' rows are undone with their transaction; asks the server once for each."""

    def __init__(self, session: Session) -> None:
        self._session = session
        # By the table's name alone, in small letters.
        self._facts: dict[str, dict[_Name, _Fact]] = {}
        self._grants: Optional[_Grants] = None
        self._temporary: set[tuple[str, str]] = set()
        # Tables without triggers: they were not there before this run created them, or the dictionary has said so.
        self._bare: set[tuple[str, str]] = set()
        self._asked: tuple[Optional[Effect], list[_Name], bool] = (None, [], False)

    def proven(self, effect: Effect) -> bool:
        """Tell whether it is proven that a statement's effect on rows is undone with its transaction.

        :raises ServerError: the connection was lost.
        """
        if effect.kind not in (StatementKind.DATA, StatementKind.SESSION) or not effect.plain:
            return False
        names = self._names(effect)
        if names is None:
            return False
        while True:
            question = self.question(effect)
            if not question:
                break
            answer = self._session.rows(question)
            self.learn(effect, answer)
            if isinstance(answer, ServerError) and not question.startswith(_SHOW):
                break
        found = [(name, self._fact(name)) for name in names]
        if not all(fact is not None and self._is_good(name, fact) for name, fact in found):
            return False
        # A name among those written may be an alias, but one is a table's: one that goes with its session, or one that
        # is there. Where both are, a temporary table that has been dropped unseen leaves the other one.
        written = [(name, fact) for name, fact in found if name.written]
        return not effect.writes or any(
            (fact is not None and fact.there) or self._is_temporary(name) for name, fact in written
        )

    def reads(self, effect: Effect) -> bool:
        """Tell whether a statement may use a table of a user's."""
        names = [self._resolve(text) for text in effect.names]
        return bool(effect.writes) or any(name is None or name[0].lower() not in _OWN for name in names)

    def absent(self, objects: Sequence[Object]) -> list[Object]:
        """Return the first of some tables, as long as they are not there, if a new one is of a transactional engine.

        :raises ServerError: the connection was lost.
        """
        names = [self._resolve(thing.name) for thing in objects]
        parts = [f"SELECT -1, @@SESSION.default_storage_engine IN ({_ENGINES}), 0"]
        for number, name in enumerate(names):
            if name is None or len(name) > 2:
                return []
            parts += _parts(number, _Name(name[0], name[1], written=False))
        answer = self._session.rows((" UNION ALL ".join(parts) + _NO_LIMIT).encode())
        if isinstance(answer, ServerError):
            return []
        rows = [tuple((value or b"").replace(b"\0", b"") for value in row) for row in answer]
        if (b"-1", b"1", b"0") not in rows:
            return []
        there = {int(row[0]) for row in rows} - {-1}
        return list(objects[: min(there, default=len(objects))])

    def question(self, effect: Effect) -> bytes:
        """Return what is to be asked about a statement, nothing if all is known. What it answers is for ``learn``."""
        names = self._names(effect) if effect.plain else None
        unknown = [name for name in names or () if self._fact(name) is None]
        shows = len(unknown) == 1 and self._is_bare(unknown[0])
        self._asked = (effect, unknown, shows)
        if not unknown:
            return b""
        if shows:
            # Much faster than the dictionary.
            schema, table, _written = unknown[0]
            return _SHOW + f"{identifier(schema)}.{identifier(table)}".encode()
        parts = [part for number, name in enumerate(unknown) for part in _parts(number, name)]
        return (" UNION ALL ".join(parts) + _NO_LIMIT).encode()

    def learn(self, effect: Effect, answer: Answer) -> None:
        """Take in the answer to the question that was last made, which was about this statement."""
        asked, names, shows = self._asked
        if asked is not effect:
            return
        if shows:
            # The statement that it was asked behind may have been CREATE TRIGGER.
            if self._is_bare(names[0]) and _shows_transactional(answer):
                self._keep(names[0], _Fact(there=True, base=True, transactional=True))
            else:
                # The dictionary knows more.
                self._bare -= {_key(*names[0][:2])}
            return
        if isinstance(answer, ServerError):
            return
        # In UTF-16 there would be zeros between.
        rows = [tuple((value or b"").replace(b"\0", b"") for value in row) for row in answer]
        for number, name in enumerate(names):
            found = [row[1:] for row in rows if row[0] == b"%d" % number]
            fact = _Fact(
                there=bool(found),
                base=all(row[0] == b"1" for row in found),
                transactional=all(row == (b"1", b"1") for row in found),
            )
            self._keep(name, fact)

    def _fact(self, name: _Name) -> Optional[_Fact]:
        return self._facts.get(name.table.casefold(), {}).get(name)

    def _keep(self, name: _Name, fact: _Fact) -> None:
        self._facts.setdefault(name.table.casefold(), {})[name] = fact

    def _is_good(self, name: _Name, fact: _Fact) -> bool:
        # What is nowhere cannot be a view.
        if not name.written or not fact.there:
            return fact.base
        return fact.transactional and self._shows_triggers(name)

    def _names(self, effect: Effect) -> Optional[list[_Name]]:
        """Return whatever the names in a statement may stand for; None if that cannot be known."""
        found: list[_Name] = []
        for thing in effect.writes:
            name = self._resolve(thing.name)
            if name is None or len(name) > 2:
                return None
            found.append(_Name(name[0], name[1], True))
        for text in effect.names:
            name = self._resolve(text)
            if name is None:
                return None
            found.append(_Name(name[0], name[1], False))
            schema = self._session.current_schema
            # It may be a column with its table.
            if b"." in text and schema is not None:
                found.append(_Name(schema, name[0], False))
        return [name for name in dict.fromkeys(found) if name.written or name.schema.lower() not in _OWN]

    def _is_temporary(self, name: _Name) -> bool:
        return _key(name.schema, name.table) in self._temporary

    def _is_bare(self, name: _Name) -> bool:
        # What a sql_mode leaves out, and how a session writes a name, are not worth the trouble.
        plain = name.table.isascii() and name.schema.isascii() and "NO_TABLE_OPTIONS" not in self._session.sql_modes
        return plain and name.written and _key(name.schema, name.table) in self._bare

    def _resolve(self, text: bytes) -> Optional[list[str]]:
        """Return a name's parts, the schema first; None if they cannot be read, or there is no schema."""
        parts = parts_of(text, dialect_of(self._session))
        if parts is None:
            return None
        codec = "ascii" if text.isascii() else _CODECS.get(self._session.character_set_client)
        schema = self._session.current_schema
        if codec is None or (len(parts) == 1 and schema is None):
            return None
        try:
            names = [part.decode(codec) for part in parts]
        except UnicodeDecodeError:
            return None
        return names if len(names) > 1 else [str(schema), *names]

    def _shows_triggers(self, name: _Name) -> bool:
        """Tell whether the account may see a table's triggers; without, the dictionary is silent about them."""
        if self._grants is None:
            answer = self._session.rows(b"SHOW GRANTS")
            self._grants = _Grants([] if isinstance(answer, ServerError) else (row[0] for row in answer))
        return self._grants.show_triggers(name.schema, name.table)

    def passed(self, effect: Effect, new: bool = False) -> None:
        """Take note of a statement that has been run; what it may have changed is asked for again.

        :param new: it has created a table that was not there before.
        """
        if effect.verb == b"CREATE TEMPORARY":
            self._temporary |= self._keys(effect.objects)
        elif effect.kind is StatementKind.DEFINITION and all(thing.sort == "TABLE" for thing in effect.objects):
            self._forget(effect)
            if new:
                self._bare |= self._keys(effect.objects)
        elif effect.kind is StatementKind.DATA and effect.verb == b"DROP":
            self._temporary -= self._keys(effect.objects)
        elif effect.kind in (StatementKind.DEFINITION, StatementKind.DATA):
            if not effect.plain or effect.kind is StatementKind.DEFINITION:
                self._forget_all()
        elif effect.kind in (StatementKind.OPAQUE, StatementKind.REPEATABLE) or b"role" in effect.sets:
            self._forget_all()
            self._grants = None

    def _forget_all(self) -> None:
        self._facts.clear()
        self._bare.clear()

    def _forget(self, effect: Effect) -> None:
        keys = self._keys(effect.objects)
        if effect.verb == b"DROP":
            self._temporary -= keys
        elif keys & self._temporary:
            self._temporary |= keys
        if len(keys) != len(effect.objects):
            self._forget_all()
            return
        if effect.verb != b"ALTER" or len(keys) > 1:
            self._bare -= keys
        for schema, table in keys:
            known = self._facts.pop(table, {})
            if effect.verb == b"ALTER" and len(keys) == 1:
                # It may be of another engine now, but has no more triggers than before.
                good = (name for name, fact in known.items() if name.written and fact.there and fact.transactional)
                self._bare |= {_key(*name[:2]) for name in good if _key(*name[:2]) == (schema, table)}

    def _keys(self, objects: Iterable[Object]) -> set[tuple[str, str]]:
        names = [self._resolve(thing.name) for thing in objects]
        return {_key(name[0], name[1]) for name in names if name is not None}


def _key(schema: str, table: str) -> tuple[str, str]:
    return schema.casefold(), table.casefold()


def _shows_transactional(answer: Answer) -> bool:
    """Tell whether SHOW CREATE TABLE shows a table, that is not temporary, of a transactional engine."""
    if isinstance(answer, ServerError) or len(answer) != 1 or len(answer[0]) != 2:
        return False
    text = (answer[0][1] or b"").replace(b"\0", b"")
    # A comment may say the same, and what looks like a table may be a sequence.
    return text.count(b"ENGINE=") == 1 and b"SEQUENCE=" not in text and _ENGINE.match(text) is not None


def _parts(number: int, name: _Name) -> list[str]:
    schema, table = (f"_utf8mb4 X'{text.encode().hex()}'" for text in (name.schema, name.table))
    found = [
        f"SELECT {number}, table_type IN ('BASE TABLE', 'SYSTEM VERSIONED'), engine IN ({_ENGINES}) "
        # MariaDB from 11.2 on shows temporary tables, too.
        f"FROM information_schema.tables WHERE table_schema = {schema} AND table_name = {table} "
        "AND table_type <> 'TEMPORARY'"
    ]
    if name.written:
        found.append(
            f"SELECT {number}, 1, 0 FROM information_schema.triggers "
            f"WHERE event_object_schema = {schema} AND event_object_table = {table}"
        )
    return found


class _Grants:
    """For which tables an account has the privilege TRIGGER, by what SHOW GRANTS says."""

    def __init__(self, rows: Iterable[bytes]) -> None:
        self._granted: list[tuple[str, str]] = []
        self._revoked: set[str] = set()
        for row in rows:
            found = _GRANT.match(row)
            if found is None:
                continue
            schema, table = _plain(found[3]), _plain(found[4])
            if found[1] == b"REVOKE":
                self._revoked.add(_literal(schema))
            elif {b"ALL PRIVILEGES", b"TRIGGER"} & set(found[2].split(b", ")):
                self._granted.append((schema, table))

    def show_triggers(self, schema: str, table: str) -> bool:
        """Tell whether the triggers of a table are shown."""
        if schema in self._revoked:
            return False
        return any(self._covers(of, schema) and what in ("*", table) for of, what in self._granted)

    def _covers(self, granted: str, schema: str) -> bool:
        if granted == "*" or _literal(granted) == schema:
            return True
        # Wildcards mean themselves where privileges are partly revoked.
        return not self._revoked and re.fullmatch(_pattern(granted), schema, re.DOTALL) is not None


def _plain(name: bytes) -> str:
    quote = name[:1] if name[:1] in (b"`", b'"') else b""
    text = name[1:-1].replace(quote * 2, quote) if quote else name
    return text.decode("utf-8", "surrogateescape")


def _literal(name: str) -> str:
    return name.replace("\\_", "_").replace("\\%", "%")


def _pattern(name: str) -> str:
    pieces = re.findall(r"\\.|.", name, re.DOTALL)
    known = {"%": ".*", "_": ".", "\\_": "_", "\\%": "%"}
    return "".join(known.get(piece, re.escape(piece)) for piece in pieces)
