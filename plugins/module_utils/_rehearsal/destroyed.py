# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a migration destroys of the tables that existed before it. Private to the collection.

The snapshots of the copies before and after it show which tables, columns and partitions are dropped. The text of the
migration shows what was renamed, and which statements affect all rows of a table. If the text is ambiguous, more is
reported than is destroyed. What neither shows is reported as unseen.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple, Optional

from .._migration.files.lexer import Dialect
from .._migration.statements.classified import digest
from .._migration.statements.effect import Effect, StatementKind
from .._migration.statements.tokens import Tokens, read, unquote
from .risks import Emptied, Story
from .snapshot import Key, Snapshot
from .structure import Structure
from .structure import read as read_structure


class Loss(NamedTuple):
    """What is destroyed of a table; all names are those before the migration.

    :param what: ``table``; ``rows``, all of them, or values of a table without a key that lasts; ``partition``;
        ``columns``, values of them.
    :param columns: those that go, or whose values do.
    :param key: the primary key's columns, by which values can be given back.
    :param now: what the table is called afterwards; empty if it goes.
    :param dropped_by: the digest of the one statement that drops the table and plainly nothing else; empty if none.
    :param together: the tables that this statement names.
    :param deletes: all rows go by a DELETE, so that those of other tables may go with them.
    :param definition: SHOW CREATE of the table and of its triggers.
    """

    what: str
    table: str
    columns: tuple[str, ...] = ()
    partitions: tuple[str, ...] = ()
    key: tuple[str, ...] = ()
    now: str = ""
    dropped_by: str = ""
    together: tuple[str, ...] = ()
    deletes: bool = False
    definition: str = ""


class Losses(NamedTuple):
    """What a migration destroys.

    :param unseen: what may take away something that is not seen, for a person.
    """

    losses: list[Loss]
    unseen: list[str]


class _Drop(NamedTuple):
    """A DROP TABLE.

    :param names: as they are in it, without quotes.
    :param plain: it has its tables' names, IF EXISTS, and nothing else.
    :param renamed: one of the tables had another name before the migration.
    """

    digest: str
    names: tuple[str, ...]
    plain: bool
    renamed: bool


class _Assignment(NamedTuple):
    """An UPDATE.

    :param table: its name before the migration, in small letters.
    :param columns: those that get other values, likewise; None if that is not understood.
    :param everywhere: it has no condition.
    """

    table: str
    columns: Optional[tuple[str, ...]]
    everywhere: bool


class Destruction(Story):
    """What the statements of one migration do."""

    def __init__(self, folds: bool) -> None:
        super().__init__(folds)
        self._drops: list[_Drop] = []
        self._unseen: list[str] = []
        self._assignments: list[_Assignment] = []
        # What loses rows besides what the story tells about.
        self._also: list[Emptied] = []
        self._parted: set[str] = set()
        # Columns that were dropped or got another name, so that one which has theirs may be another one.
        self._renamed: set[tuple[str, str]] = set()

    def notice(self, text: bytes, line: int, effect: Effect, dialect: Dialect) -> None:
        """Take note of a statement that is to be carried out."""
        words = [token.text for token in read(text, dialect)] if effect.kind is not StatementKind.DATA else []
        pairs = set(zip(words, words[1:]))
        if effect.kind is StatementKind.DEFINITION and effect.verb == b"DROP" and words[1:2] == [b"TABLE"]:
            names = tuple(_text(item.name) for item in effect.objects)
            renamed = any(self.names.table(name) != name for name in map(self.fold, names))
            self._drops.append(_Drop(digest(text), names, _is_plain(text, dialect), renamed))
        elif words[:1] == [b"ALTER"]:
            if b"DISCARD" in words or (b"DROP", b"SYSTEM") in pairs:
                self._unseen.append(f"what {_shown(text)} takes away is not kept")
            if (b"DROP", b"PARTITION") in pairs:
                self._parted |= {self._origin(item.name).lower() for item in effect.objects} or {"*"}
        elif effect.kind is StatementKind.OPAQUE:
            self._unseen.append(f"what {_shown(text)} may do to rows is not seen")
        count = len(self.emptied)
        super().notice(text, line, effect, dialect)
        on_all = self.emptied[count:]
        if effect.kind is StatementKind.DATA and Tokens(text, dialect).take().text == b"UPDATE":
            # Of several tables it is not known to which one a column belongs.
            columns = _assigned(text, dialect) if len(effect.writes) == 1 else None
            for item in effect.writes:
                name = self.fold(_text(item.name))
                known = columns and tuple(self.names.column(name, column) for column in columns)
                self._assignments.append(_Assignment(self.names.table(name).lower(), known, bool(on_all)))
        elif on_all and effect.kind is StatementKind.DATA:
            # The first is there already.
            others = (self._origin(item.name) for item in effect.writes[1:])
            self._also += [on_all[0]._replace(table=name) for name in others]
        elif (b"EXCHANGE", b"PARTITION") in pairs:
            self._exchange(Tokens(text, dialect))
        self._renamed |= {
            (self.names.table(table).lower(), origin or column)
            for (table, column), origin in self.names.columns.items()
            if origin != column
        }

    def _exchange(self, words: Tokens) -> None:
        """Take what ALTER TABLE gives away; what becomes of the other table then is not followed."""
        words.reach(b"TABLE")
        table = self._origin(words.name())
        words.reach(b"EXCHANGE")
        words.skip(b"PARTITION")
        self._also.append(Emptied("EXCHANGE", table, (_text(words.name()),)))

    def _origin(self, name: bytes) -> str:
        return self.names.table(self.fold(_text(name)))

    def losses(self, before: Snapshot, after: Snapshot) -> Losses:
        """Return what is destroyed.

        :param before: the copies before the migration.
        :param after: those after it.
        """
        tables = [key.name for key in before.definitions if key.sort == "TABLE"]
        views = {key.name.lower() for key in before.definitions if key.sort == "VIEW"}
        sequences = [key for key in before.definitions if key.sort == "SEQUENCE" and key not in after.definitions]
        by_view = [item for item in self.emptied if item.table.lower() in views and item.verb in ("DELETE", "UPDATE")]
        unseen = [
            *self._unseen,
            *(f"what {item.verb} does to rows by the view {item.table} is not seen" for item in by_view),
            *(f"the position of {key}, which goes, is not kept" for key in sequences),
        ]
        # One that has another name now comes before one that has taken the name.
        keys = sorted(
            (self.fold(key.name) in self.names.tables, key.name, key)
            for key in after.definitions
            if key.sort == "TABLE"
        )
        now = {self.names.table(self.fold(name)): key for _renamed, name, key in keys}
        losses = [loss for table in tables for loss in self._of(table, before, after, now.get(self.fold(table)))]
        # One that drops something else besides has to be sent as it is.
        known = {(loss.dropped_by, loss.table) for loss in losses}
        for place, loss in enumerate(losses):
            if not all((loss.dropped_by, name) in known for name in loss.together):
                losses[place] = loss._replace(dropped_by="")
        return Losses(losses, unseen)

    def _of(self, table: str, before: Snapshot, after: Snapshot, left: Optional[Key]) -> Iterator[Loss]:
        """Yield what is destroyed of a table.

        :param left: what it is afterwards; None if it goes.
        """
        definitions = "\n;\n".join(
            item.shown
            for item in before.definitions.values()
            if item.key == Key("TABLE", table) or (item.key.sort == "TRIGGER" and item.table == table)
        )
        # A server may take no notice of case.
        emptied = [item for item in (*self.emptied, *self._also) if item.table.lower() == table.lower()]
        deletes = any(item.verb == "DELETE" for item in emptied)
        if left is None or any(item.verb in ("DROP", "REPLACE") for item in emptied):
            drop = self._only_drop(table, after)
            loss = Loss("table", table, deletes=deletes, definition=definitions)
            yield loss._replace(dropped_by=drop.digest, together=drop.names) if drop is not None else loss
            return
        old = read_structure(before.definitions[Key("TABLE", table)].shown)
        new = read_structure(after.definitions[left].shown)
        columns = self._columns(table, self.fold(left.name), old, new)
        key = self._lasting_key(table, old, new)
        parts = {name.lower(): name for name in old.partitions}
        gone = {name.lower() for item in emptied for name in item.partitions}
        all_rows = any(item.verb in ("TRUNCATE", "DELETE") and not item.partitions for item in emptied)
        if all_rows or gone - parts.keys() or columns is None or (columns and (not key or {*key} & {*columns})):
            yield Loss("rows", table, columns or (), now=left.name, deletes=deletes, definition=definitions)
            return
        partitions = {parts[name] for name in gone}
        if self.fold(left.name) not in self.moved or self._parted & {table.lower(), "*"}:
            partitions |= old.partitions - new.partitions
        if partitions:
            yield Loss("partition", table, partitions=tuple(sorted(partitions)), now=left.name)
        if columns:
            yield Loss("columns", table, columns, key=key, now=left.name)

    def _columns(self, table: str, name: str, old: Structure, new: Structure) -> Optional[tuple[str, ...]]:
        """Return the columns of which values go; None if that is not known."""
        given = [item.columns for item in self._assignments if item.everywhere and item.table == table.lower()]
        if None in given:
            return None
        left = set()
        for column in new.columns:
            origin = self.names.column(name, column)
            if (name, column.lower()) in self.names.columns or (table.lower(), origin) not in self._renamed:
                left.add(origin)
        left -= {column for columns in given for column in columns or ()}
        # A generated column has no values of its own.
        return tuple(
            column for column, what in old.columns.items() if not what.generated and column.lower() not in left
        )

    def _lasting_key(self, table: str, old: Structure, new: Structure) -> tuple[str, ...]:
        """Return the primary key's columns if the rows have the same key afterwards; nothing if they may not."""
        parts = old.uniques.get("") or ()
        names = tuple(name for name, _length in parts)
        same = new.uniques.get("") == old.uniques.get("") and all(
            new.columns.get(name) == old.columns.get(name) for name in names
        )
        given = [item.columns for item in self._assignments if item.table == table.lower()]
        moved = any(columns is None or {*columns} & {name.lower() for name in names} for columns in given)
        return () if moved or not same or any(length for _name, length in parts) else names

    def _only_drop(self, table: str, after: Snapshot) -> Optional[_Drop]:
        """Return the statement that drops a table and can be another one: it plainly drops tables that go for good.

        A table that is there again afterwards may be a temporary one's namesake.
        """
        drops = [item for item in self._drops if table in item.names]
        if len(drops) != 1 or not drops[0].plain or drops[0].renamed:
            return None
        others = [name for item in self._drops if item is not drops[0] for name in item.names]
        again = any(name in others or Key("TABLE", name) in after.definitions for name in drops[0].names)
        return None if again else drops[0]


def _is_plain(text: bytes, dialect: Dialect) -> bool:
    """Tell whether DROP TABLE has names without a schema, in ASCII, and nothing that matters besides."""
    words = Tokens(text, dialect)
    words.take()
    words.skip(b"TABLE")
    if words.skip(b"IF"):
        words.skip(b"EXISTS")
    while True:
        name = words.take()
        if not words.is_name(name) or not text[name.start : name.end].isascii():
            return False
        if not words.skip(b","):
            break
    words.skip(b"RESTRICT", b"CASCADE")
    return words.peek().kind == "nothing"


def _assigned(text: bytes, dialect: Dialect) -> Optional[tuple[str, ...]]:
    """Return the columns to which an UPDATE of one table gives values; None if they are not understood."""
    words, found = Tokens(text, dialect), []
    if not words.reach(b"SET"):
        return None
    while True:
        name = words.take()
        while words.skip(b"."):
            name = words.take()
        if not words.is_name(name) or not words.skip(b"=", b":="):
            return None
        found.append(_text(text[name.start : name.end]))
        if not words.reach(b","):
            return tuple(found)


def _shown(text: bytes) -> str:
    words = b" ".join(text.split(None, 2)[:2])
    return "".join(filter(str.isprintable, words[:60].decode("utf-8", "replace")))


def _text(name: bytes) -> str:
    return unquote(name).decode("utf-8", "replace")
