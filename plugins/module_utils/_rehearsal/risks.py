# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The real rows on which a migration would fail, and those that it would destroy. Private to the collection.

The questions follow from a table's definitions before and after the migration on the copies; each is one query that
only reads. The file's text shows what was renamed, what was dropped and recreated, what statements do to all rows of a
table, and on which line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any, NamedTuple, Optional

from .._migration.files.lexer import Dialect
from .._migration.statements.effect import Effect, StatementKind
from .._migration.statements.tokens import Tokens, unquote
from .._mysql.session import ServerError, Session
from .._mysql.statements import identifier
from .snapshot import Key, Snapshot
from .structure import Column, Structure, read

# Seconds that a question may take.
LONGEST = 10
_BITS = {"tinyint": 8, "smallint": 16, "mediumint": 24, "int": 32, "bigint": 64}
_BYTES = {
    "tinytext": 255,
    "tinyblob": 255,
    "text": 65535,
    "blob": 65535,
    "mediumtext": 2**24 - 1,
    "mediumblob": 2**24 - 1,
}
_DATES = ("date", "datetime", "timestamp")
_LETTERS = ("char", "varchar")
_LETTERS_OF_BYTES = ("binary", "varbinary")
# What a server refuses by its sql_mode, and accepts with a warning if that is not strict.
STRICT = frozenset({"null", "does_not_fit", "character_set", "zero_date"})
# By these a statement may go through although there are rows that stand against it.
_LENIENT = (
    (re.compile(rb"sql_mode", re.IGNORECASE), STRICT),
    (re.compile(rb"foreign_key_checks", re.IGNORECASE), {"orphan"}),
    (re.compile(rb"check_constraint_checks", re.IGNORECASE), {"check"}),
    (re.compile(rb"\balter\s(?:.*\s)?ignore\s", re.IGNORECASE | re.DOTALL), STRICT | {"duplicate", "orphan", "check"}),
)
_MEMBER = re.compile(r"'(?:[^']|'')*'")
# Questions of which the name is that of a column that is there.
_OF_COLUMNS = ("null", "does_not_fit", "character_set", "column")
# What DROP takes away of a table besides its columns.
_NO_COLUMN = (
    b"INDEX",
    b"KEY",
    b"PRIMARY",
    b"FOREIGN",
    b"CONSTRAINT",
    b"CHECK",
    b"PARTITION",
    b"SYSTEM",
    b"PERIOD",
    b"DEFAULT",
)


class Question(NamedTuple):
    """What is to be asked about a real table.

    :param kind: would_fail or destroy.
    :param what: in a word.
    :param table: its name before the plan, which is that of the real one.
    :param name: of the column, key, constraint or partition, likewise; empty for the table.
    :param counting: SQL that counts rows.
    :param said: what is counted, for a person.
    :param written: a statement before it may have written the table.
    :param line: where in its file the statement begins that does it; None if that is not certain.
    :param named: what it is about by the names before the migration, ``orders.note``, or ``orders`` for the table.
    """

    kind: str
    what: str
    table: str
    name: str
    counting: str
    said: str
    written: bool = False
    line: Optional[int] = None
    named: str = ""


class Names:
    """What tables and columns were called before the plan, by their names now; a column without a name is a new one.

    Tables have the names that ``Story.fold`` returns, and columns are in lower case, as servers ignore their case.
    """

    def __init__(self, tables: dict[str, str], columns: dict[tuple[str, str], str]) -> None:
        self.tables = tables
        self.columns = columns

    def copy(self) -> Names:
        return Names(dict(self.tables), dict(self.columns))

    def table(self, name: str) -> str:
        """Return what a table was called."""
        return self.tables.get(name, name)

    def column(self, table: str, name: str) -> str:
        """Return what a column was called."""
        return self.columns.get((table, name.lower()), name.lower())

    def rename(self, old: str, new: str) -> None:
        """Give a table another name; one that has the old name later is a new one."""
        if new == old:
            return
        self.tables[new] = self.tables.pop(old, old)
        self.tables[old] = ""
        for table, column in [key for key in self.columns if key[0] == old]:
            self.columns[new, column] = self.columns.pop((table, column))

    def rename_columns(self, table: str, changes: Collection[tuple[str, str]]) -> None:
        """Give columns other names, all at once; one that has an old name later is a new one."""
        origins = [self.column(table, old) for old, _new in changes]
        self.columns.update({(table, old): "" for old, _new in changes})
        self.columns.update({(table, new): origin for (_old, new), origin in zip(changes, origins)})

    def moves_columns(self, table: str) -> bool:
        """Tell whether a column is another one than its name says."""
        return any(of == table and origin != column for (of, column), origin in self.columns.items())


class Emptied(NamedTuple):
    """A statement about all rows of a table, or of some of its partitions.

    :param table: its name before the plan, folded by ``Story.fold``.
    :param written: a statement before it may have written the table.
    :param line: where in its file it begins; None if that is not certain.
    """

    verb: str
    table: str
    partitions: tuple[str, ...] = ()
    written: bool = False
    line: Optional[int] = None


class Story:
    """What a plan's statements have done to names and rows, as far as that matters here.

    :param folds: the server does not regard the case of tables' names.
    :ivar names: those after the last statement.
    :ivar earlier: those before the migration.
    :ivar emptied: the statements of the migration about all rows of a table.
    :ivar moved: tables of which rows may have gone from one partition to another.
    :ivar accepted: what the server may accept that it refuses otherwise, as in ``Question.what``.
    """

    def __init__(self, folds: bool = False) -> None:
        self.folds = folds
        self.accepted: set[str] = set()
        self.names = Names({}, {})
        self._written: set[str] = set()
        self._anything = False
        self.begin()

    def begin(self) -> None:
        """A migration begins."""
        self.earlier = self.names.copy()
        self.emptied: list[Emptied] = []
        self.moved: set[str] = set()
        self._line = 0
        self._definitions: list[tuple[int, bytes]] = []
        self._hidden = False

    def line(self, table: str, name: str = "") -> Optional[int]:
        """Return where the statement begins that defines something of a table; None if that is not certain.

        By the text: the only one that names both, or else the only one that names the table. It must have this name
        throughout the migration.
        """
        of_table = [(line, text) for line, text in self._definitions if _mentions(text, table)]
        of_both = [(line, text) for line, text in of_table if name and _mentions(text, name)]
        lines = {line for line, _text in of_both or of_table}
        return lines.pop() if len(lines) == 1 and not self._hidden else None

    def fold(self, table: str) -> str:
        """Return how a table is called here, however a statement or the server spells its name."""
        return table.lower() if self.folds else table

    def _table(self, name: bytes) -> str:
        return self.fold(_text(name))

    def writes(self, table: str) -> bool:
        """Tell whether a statement up to now may have written rows of a table."""
        return self._anything or table.lower() in self._written

    def notice(self, text: bytes, line: int, effect: Effect, dialect: Dialect) -> None:
        """Take note of a statement that is to be carried out.

        :param line: where in its file it begins, from 1.
        """
        words = Tokens(text, dialect)
        self.accepted.update(*(what for pattern, what in _LENIENT if pattern.search(text)))
        self._line = line
        if effect.kind in (StatementKind.DEFINITION, StatementKind.OPAQUE):
            self._definitions.append((line, text.lower()))
        if effect.kind in (StatementKind.DEFINITION, StatementKind.OPAQUE) and _is_alter(words):
            self._alter(words)
        elif effect.kind is StatementKind.OPAQUE:
            # What it does, it need not name.
            self._anything = self._hidden = True
        elif effect.kind is StatementKind.DATA and effect.writes:
            names = [self._table(item.name) for item in effect.writes]
            verb = _on_all_rows(text, dialect)
            if verb:
                self._empty(verb, names[0])
            self._written |= {self.names.table(name).lower() for name in names}
        elif effect.kind is StatementKind.DEFINITION:
            self._notice_definition(text, effect, words)

    def _empty(self, verb: str, table: str, partitions: tuple[str, ...] = ()) -> None:
        origin = self.names.table(table)
        self.emptied.append(Emptied(verb, origin, partitions, self.writes(origin), self._line))

    def _notice_definition(self, text: bytes, effect: Effect, words: Tokens) -> None:
        tables = [self._table(item.name) for item in effect.objects if item.sort == "TABLE"]
        if effect.verb in (b"DROP", b"TRUNCATE") or (effect.verb == b"CREATE" and effect.replaces):
            verb = effect.verb.decode() if effect.verb != b"CREATE" else "REPLACE"
            for table in tables:
                self._empty(verb, table)
                if verb != "TRUNCATE":
                    # One that is made again is another one.
                    self.names.tables[table] = ""
        elif effect.verb == b"CREATE" and b"exists" not in text.lower():
            self.names.tables.update(dict.fromkeys(tables, ""))
        elif effect.verb == b"RENAME":
            self._rename_tables(words)

    def _rename_tables(self, words: Tokens) -> None:
        # RENAME has been taken.
        words.take()
        while words.peek().kind != "nothing":
            if words.skip(b"IF"):
                words.skip(b"EXISTS")
            old = self._table(words.name())
            words.reach(b"TO")
            self.names.rename(old, self._table(words.name()))
            words.reach(b",")

    def _alter(self, words: Tokens) -> None:
        if words.skip(b"IF"):
            words.skip(b"EXISTS")
        table, changes = self._table(words.name()), []
        while words.peek().kind != "nothing":
            word, following = words.take(), words.peek().text
            if word.kind != "word":
                continue
            if word.text == b"RENAME" and following not in (b"COLUMN", b"INDEX", b"KEY"):
                words.skip(b"TO", b"AS", b"=")
                old, table = table, self._table(words.name())
                self.names.rename(old, table)
            elif word.text == b"CHANGE" or (word.text == b"RENAME" and following == b"COLUMN"):
                old = _column(words)
                words.skip(b"TO")
                changes.append((old, _text(words.name()).lower()))
            elif word.text == b"DROP" and following not in _NO_COLUMN:
                self.names.columns[table, _column(words)] = ""
            elif word.text == b"TRUNCATE":
                words.skip(b"PARTITION")
                parts = [_text(words.name())]
                while words.skip(b","):
                    parts.append(_text(words.name()))
                self._empty("TRUNCATE", table, () if parts == ["ALL"] else tuple(parts))
            elif word.text in (b"REORGANIZE", b"COALESCE", b"REMOVE", b"BY", b"EXCHANGE"):
                self.moved.add(table)
                self._anything = self._anything or word.text == b"EXCHANGE"
        self.names.rename_columns(table, changes)


def _mentions(text: bytes, name: str) -> bool:
    """Tell whether a name is in a text, which has small letters."""
    letters = rb"[0-9a-z_$\x80-\xff]"
    return re.search(rb"(?<!%b)%b(?!%b)" % (letters, re.escape(name.lower().encode()), letters), text) is not None


def _is_alter(words: Tokens) -> bool:
    """Take what a statement begins with, and tell whether it is ALTER TABLE."""
    first = words.take().text
    words.skip(*(b"IGNORE", b"ONLINE") if first == b"ALTER" else ())
    return first == b"ALTER" and words.skip(b"TABLE")


def _column(words: Tokens) -> str:
    words.skip(b"COLUMN")
    if words.skip(b"IF"):
        words.skip(b"EXISTS")
    return _text(words.name()).lower()


def _text(name: bytes) -> str:
    return unquote(name).decode("utf-8", "replace")


def _on_all_rows(text: bytes, dialect: Dialect) -> str:
    """Return DELETE or UPDATE if a statement has no condition; nothing for another one."""
    words = Tokens(text, dialect)
    first = words.take().text
    if first not in (b"DELETE", b"UPDATE"):
        return ""
    return "" if words.reach(b"WHERE", b"LIMIT", b"JOIN", b"USING") else first.decode()


def unseen(
    mariadb: bool, story: Story, own: Story, before: Snapshot, after: Snapshot, risks: Collection[Mapping[str, Any]]
) -> list[Question]:
    """Return what is to be asked again just before a migration: all but what has been answered for certain.

    By then the migrations before it are applied, and the real tables are what the copies were before it. What its own
    statements may change cannot be asked at any time; nor can it be told what the server accepts all the same.

    :param own: the story of this migration alone.
    :param risks: what ``find`` has found.
    """
    known = {
        (risk["kind"], risk["what"], story.fold(risk["table"]), risk["name"].lower())
        for risk in risks
        if risk["certain"]
    }
    found = []
    for question in questions(mariadb, own, before, before, after):
        now, name = story.fold(question.table), question.name.lower()
        table = story.earlier.table(now)
        if question.what in _OF_COLUMNS:
            name = story.earlier.column(now, name)
        made = not table or (bool(question.name) and not name)
        # What the plan has made itself it may destroy.
        skipped = question.written or (made if question.kind == "destroy" else question.what in story.accepted)
        if not skipped and (question.kind, question.what, table, name) not in known:
            found.append(question)
    return found


def find(session: Session, story: Story, original: Snapshot, before: Snapshot, after: Snapshot) -> list[dict[str, Any]]:
    """Ask the real tables what a migration would fail on, and what it would destroy.

    :param session: of the database itself.
    :param original: the copies before the plan.
    :param before: the copies before the migration.
    :param after: the copies after it.
    :raises ServerError: the connection was lost.
    """
    found = []
    for question in questions(session.mariadb, story, original, before, after):
        answer = count_rows(session, question.counting)
        if answer == 0:
            continue
        certain = answer is not None and not (question.written or question.what in story.accepted)
        number = "not known" if answer is None else f"{answer:,}"
        why = "another statement of the plan changes that" if question.written else "the server accepts them"
        doubt = "" if certain or answer is None else f", unless {why}"
        found.append(
            {
                "kind": question.kind,
                "what": question.what,
                "table": question.table,
                "name": question.name,
                "named": question.named,
                "line": question.line,
                "rows": answer,
                "certain": certain,
                "text": f"{question.table}: {question.said}: {number}{doubt}",
            }
        )
    return found


def count_rows(session: Session, counting: str) -> Optional[int]:
    """Return how many rows there are; None if that takes too long, or the account may not read them.

    :raises ServerError: the connection was lost.
    """
    if session.mariadb:
        question = f"SET STATEMENT max_statement_time = {LONGEST} FOR {counting}"
    else:
        question = counting.replace("SELECT ", f"SELECT /*+ MAX_EXECUTION_TIME({LONGEST * 1000}) */ ", 1)
    try:
        [(number,)] = session.query(question)
    except ServerError as error:
        if error.lost:
            raise
        return None
    return int(number)


def questions(mariadb: bool, story: Story, original: Snapshot, before: Snapshot, after: Snapshot) -> Iterator[Question]:
    """Yield what is to be asked about a migration."""
    real, was, now = _tables(story, original, before, after)
    known = {item.table for item in story.emptied if item.verb in ("DROP", "REPLACE")}
    gone = [
        Emptied("DROP", table, (), story.writes(table), story.line(key.name))
        for table, key in was.items()
        if table not in now and table not in known
    ]
    for verb, table, partitions, written, line in (*story.emptied, *gone):
        for name in (partitions or ("",)) if table in real else ():
            of = f" PARTITION ({identifier(name)})" if name else ""
            what = {"DROP": "table", "REPLACE": "table", "UPDATE": "values"}.get(verb, "rows")
            real_name = real[table].name
            named = _dotted(was[table].name if table in was else real_name, name)
            counting = f"{_rows(real_name)}{of}"
            yield Question("destroy", what, real_name, name, counting, _OF_ALL[verb], written, line, named)
    for table, key in now.items():
        if table in real and table in was:
            old, new = before.definitions[was[table]], after.definitions[key]
            # A column of the same name may be another one.
            if old.text != new.text or story.names.moves_columns(story.fold(key.name)):
                names = (key.name, real[table].name, was[table].name)
                first = read(original.definitions[real[table]].shown)
                changed = _Of(mariadb, story, names, first, read(old.shown), read(new.shown))
                written, earlier = story.writes(table), was[table].name
                for question in changed.ask():
                    name = changed.earlier_name(question)
                    line = story.line(earlier, name) if story.fold(earlier) == story.fold(key.name) else None
                    named = _dotted(earlier, name)
                    yield question._replace(written=written or question.written, line=line, named=named)


def renames(story: Story, original: Snapshot, before: Snapshot, after: Snapshot) -> Iterator[dict[str, Any]]:
    """Yield the real tables and columns that have another name after a migration than before it."""
    real, was, now = _tables(story, original, before, after)
    for origin in sorted(now.keys() & was.keys() & real.keys()):
        old, new = was[origin], now[origin]
        name, table = story.fold(old.name), story.fold(new.name)
        if name != table:
            yield {"table": old.name, "column": "", "to": new.name, "line": story.line(old.name, new.name)}
        if before.definitions[old].text != after.definitions[new].text:
            columns = read(before.definitions[old].shown).columns
            earlier = {story.earlier.column(name, column): column for column in columns}
            for to in read(after.definitions[new].shown).columns:
                column = earlier.get(story.names.column(table, to))
                if column is not None and column.lower() != to.lower():
                    line = story.line(old.name, column) if name == table else None
                    yield {"table": old.name, "column": column, "to": to, "line": line}


def _tables(
    story: Story, original: Snapshot, before: Snapshot, after: Snapshot
) -> tuple[dict[str, Key], dict[str, Key], dict[str, Key]]:
    """Return, by the names before the plan, the real tables, and what they are before and after a migration."""
    real = {story.fold(key.name): key for key in original.definitions if key.sort == "TABLE"}
    was = {story.earlier.table(story.fold(key.name)): key for key in before.definitions if key.sort == "TABLE"}
    now = {story.names.table(story.fold(key.name)): key for key in after.definitions if key.sort == "TABLE"}
    return real, was, now


_OF_ALL = {
    "DROP": "rows lost with the table",
    "REPLACE": "rows lost with the table, which is recreated",
    "TRUNCATE": "rows deleted by TRUNCATE",
    "DELETE": "rows deleted by a DELETE without a condition",
    "UPDATE": "rows changed by an UPDATE without a condition",
}


def _dotted(table: str, name: str) -> str:
    return f"{table}.{name}" if name else table


def _rows(table: str) -> str:
    return f"SELECT COUNT(*) FROM {identifier(table)}"


class _Of:
    """What is to be asked about a table that a migration changes.

    :param names: of the table after it, before the plan, which is that of the real one, and before the migration.
    :param first: what it is before the plan.
    """

    def __init__(
        self,
        mariadb: bool,
        story: Story,
        names: tuple[str, str, str],
        first: Structure,
        old: Structure,
        new: Structure,
    ) -> None:
        self._mariadb = mariadb
        self._story = story
        table, self._origin, earlier = names
        self._table = story.fold(table)
        self._first, self._old, self._new = first, old, new
        # The columns of the real table, by the names they have after and before the migration.
        self._sources = self._known({name: story.names.column(self._table, name) for name in new.columns})
        self._before = self._known({name: story.earlier.column(story.fold(earlier), name) for name in old.columns})

    def _known(self, names: dict[str, str]) -> dict[str, str]:
        real = {name.lower(): name for name in self._first.columns}
        return {name: real[source] for name, source in names.items() if source in real}

    def ask(self) -> Iterator[Question]:
        """Yield the questions."""
        yield from self._gone()
        for name, column in self._new.columns.items():
            source = self._sources.get(name)
            if source is None:
                yield from self._added(name, column)
            elif not column.generated:
                yield from self._changed(source, self._earlier(source), column)
        yield from self._keys()
        yield from self._constraints()

    def _earlier(self, source: str) -> Column:
        """Return what a column of the real table was before the migration."""
        name = next((name for name, real in self._before.items() if real == source), None)
        return self._old.columns[name] if name is not None else self._first.columns[source]

    def earlier_name(self, question: Question) -> str:
        """Return the name of what a question is about before the migration."""
        names = self._before.items() if question.what in _OF_COLUMNS else ()
        return next((name for name, source in names if source == question.name), question.name)

    def _ask(self, kind: str, what: str, name: str, where: str, said: str) -> Question:
        return Question(kind, what, self._origin, name, f"{_rows(self._origin)} WHERE {where}", said)

    def _gone(self) -> Iterator[Question]:
        for name, source in self._before.items():
            if source not in self._sources.values() and not self._old.columns[name].generated:
                said = f"values lost with the column {source}"
                yield self._ask("destroy", "column", source, f"{identifier(source)} IS NOT NULL", said)
        if self._table in self._story.moved:
            return
        for name in sorted(self._old.partitions & self._first.partitions - self._new.partitions):
            count = f"{_rows(self._origin)} PARTITION ({identifier(name)})"
            yield Question("destroy", "partition", self._origin, name, count, f"rows lost with the partition {name}")

    def _added(self, name: str, column: Column) -> Iterator[Question]:
        empty = not (column.nullable or column.has_default or column.generated)
        if empty and column.kind in _DATES and not self._mariadb:
            said = f"rows that would get a zero date in {name} (1292)"
            yield self._ask("would_fail", "zero_date", name, "TRUE", said)

    def _changed(self, source: str, old: Column, new: Column) -> Iterator[Question]:
        column = identifier(source)
        if old.nullable and not new.nullable:
            said = f"rows with NULL in {source}, which becomes NOT NULL (1138, 1265)"
            yield self._ask("would_fail", "null", source, f"{column} IS NULL", said)
        if old[:3] == new[:3] and old.character_set == new.character_set:
            return
        where = _too_much(column, old, new)
        if where:
            said = f"rows with a value in {source} that {new.kind}{_arguments(new)} does not hold (1264, 1265, 1406)"
            yield self._ask("would_fail", "does_not_fit", source, where, said)
        if new.character_set and old.character_set and new.character_set not in (old.character_set, "utf8mb4"):
            back = f"CONVERT(CONVERT({column} USING {new.character_set}) USING utf8mb4)"
            where = f"NOT (CONVERT({column} USING utf8mb4) COLLATE utf8mb4_bin <=> {back} COLLATE utf8mb4_bin)"
            said = f"rows with characters in {source} that {new.character_set} lacks (1366)"
            yield self._ask("would_fail", "character_set", source, where, said)

    def _keys(self) -> Iterator[Question]:
        for name, parts in self._new.uniques.items():
            columns = [self._part(*part) for part in parts or ()]
            known = [column for column in columns if column is not None]
            unchanged = self._old.uniques.get(name) == parts and not any(
                self._compares_otherwise(column) for column, _length in parts or ()
            )
            if unchanged or not known or len(known) < len(columns):
                continue
            filled = " AND ".join(f"{column} IS NOT NULL" for column in known)
            groups = (
                f"SELECT 1 FROM {identifier(self._origin)} WHERE {filled} GROUP BY {', '.join(known)} "
                "HAVING COUNT(*) > 1"
            )
            key = f"unique key {name}" if name else "primary key"
            said = f"values that occur more than once under the {key} (1062)"
            count = f"SELECT COUNT(*) FROM ({groups}) AS duplicates"
            yield Question("would_fail", "duplicate", self._origin, name or "PRIMARY", count, said)

    def _part(self, name: str, length: int) -> Optional[str]:
        source, new = self._sources.get(name), self._new.columns.get(name)
        if source is None or new is None:
            return None
        column = identifier(source)
        if self._compares_otherwise(name) and new.character_set:
            collation = f" COLLATE {new.collation}" if new.collation else ""
            column = f"CONVERT({column} USING {new.character_set}){collation}"
        return f"LEFT({column}, {length})" if length else column

    def _compares_otherwise(self, name: str) -> bool:
        source, new = self._sources.get(name), self._new.columns.get(name)
        return source is not None and new is not None and self._earlier(source)[-2:] != new[-2:]

    def _constraints(self) -> Iterator[Question]:
        for name, condition in self._new.checks.items():
            if self._old.checks.get(name) != condition and self._is_of_real_columns(condition):
                said = f"rows that violate the CHECK {name} (3819, 4025)"
                yield self._ask("would_fail", "check", name, f"NOT ({condition})", said)
        for name, foreign in self._new.foreign.items():
            sources = [self._source(column) for column in foreign.columns]
            parent = self._story.names.table(self._story.fold(foreign.parent))
            if name in self._old.foreign or None in sources:
                continue
            pairs = [
                (f"c.{identifier(str(one))}", f"p.{identifier(two)}") for one, two in zip(sources, foreign.parents)
            ]
            filled = " AND ".join(f"{one} IS NOT NULL" for one, _two in pairs)
            same = " AND ".join(f"{one} = {two}" for one, two in pairs)
            where = f"{filled} AND NOT EXISTS (SELECT 1 FROM {identifier(parent)} p WHERE {same})"
            count = f"SELECT COUNT(*) FROM {identifier(self._origin)} c WHERE {where}"
            said = f"rows without a parent under the foreign key {name} (1452)"
            written = self._story.writes(parent)
            yield Question("would_fail", "orphan", self._origin, name, count, said, written)

    def _source(self, column: str) -> Optional[str]:
        """Return the real table's column; a foreign key names it in the letters of whoever has made the key."""
        return next((real for name, real in self._sources.items() if name.lower() == column.lower()), None)

    def _is_of_real_columns(self, condition: str) -> bool:
        """Tell whether the real table has all that a condition names, under the same names."""
        names = [name for name in self._new.columns if identifier(name).lower() in condition.lower()]
        return all(self._sources.get(name) == name for name in names)


def _arguments(column: Column) -> str:
    return f"({column.arguments})" if column.arguments else ""


def _too_much(column: str, old: Column, new: Column) -> Optional[str]:
    """Return SQL for the values that a column's new type cannot hold; None if it holds all, or that is not known."""
    numeric = old.kind in _BITS or old.kind in ("decimal", "float", "double")
    if new.kind in _BITS and numeric:
        low, high = _range(new)
        if old.kind in _BITS and low <= _range(old)[0] and _range(old)[1] <= high:
            return None
        return f"ROUND({column}) NOT BETWEEN {low} AND {high}"
    if new.kind == "decimal" and numeric:
        digits, _comma, scale = new.arguments.partition(",")
        return f"ABS(ROUND({column}, {int(scale or 0)})) >= 1e{int(digits or 10) - int(scale or 0)}"
    if new.kind in (*_LETTERS, *_LETTERS_OF_BYTES):
        longer = old.kind in (*_LETTERS, *_LETTERS_OF_BYTES) and int(old.arguments or 1) <= int(new.arguments or 1)
        measure = "CHAR_LENGTH" if new.kind in _LETTERS else "LENGTH"
        return None if longer else f"{measure}({column}) > {int(new.arguments or 1)}"
    if new.kind in _BYTES:
        if _BYTES.get(old.kind, _BYTES[new.kind] + 1) <= _BYTES[new.kind] and old.character_set == new.character_set:
            return None
        text = f"CONVERT({column} USING {new.character_set})" if new.character_set else column
        return f"LENGTH({text}) > {_BYTES[new.kind]}"
    if new.kind == "enum":
        left = {*_MEMBER.findall(old.arguments)} - {*_MEMBER.findall(new.arguments)}
        return f"{column} NOT IN ({new.arguments})" if left or old.kind != "enum" else None
    return None


def _range(column: Column) -> tuple[int, int]:
    bits = _BITS[column.kind]
    return (0, 2**bits - 1) if column.unsigned else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
