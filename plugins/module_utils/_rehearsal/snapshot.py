# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""All definitions of a schema, read in few packets, and what differs between two of them. Private to the collection.

A definition is the output of SHOW CREATE without these parts: AUTO_INCREMENT, which rows change; DEFINER; the name of
its own schema, which MariaDB writes or omits depending on the privileges of a view's definer; and whether an event is
enabled. The rest can be run unchanged in another schema.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from difflib import unified_diff
from typing import NamedTuple, Optional, Union

from .._mysql.rights import account
from .._mysql.session import Answer, ServerError, Session
from .._mysql.statements import identifier, text_literal

# In the order in which they are read, made and shown.
SORTS = ("SEQUENCE", "TABLE", "FUNCTION", "PROCEDURE", "PACKAGE", "PACKAGE BODY", "VIEW", "TRIGGER", "EVENT")
# A server lists an object only to who has one of these privileges on it. Who has one on the schema sees all.
_ALL = "ALL PRIVILEGES"
_ROUTINES = frozenset({_ALL, "EXECUTE", "CREATE ROUTINE", "ALTER ROUTINE"})
_TABLES = frozenset({_ALL, "SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"})
_LISTED_TO = {
    **dict.fromkeys(("SEQUENCE", "TABLE", "VIEW"), _TABLES),
    **dict.fromkeys(("FUNCTION", "PROCEDURE", "PACKAGE", "PACKAGE BODY"), _ROUTINES),
    "TRIGGER": frozenset({_ALL, "TRIGGER"}),
    "EVENT": frozenset({_ALL, "EVENT"}),
}
# So many questions go in one packet.
_PACKET = 200
# Which columns of SHOW CREATE hold the text, and the sql_mode, character set, collation, collation of the schema and
# time zone that were in force, by sort.
_PLAIN = (1, (None, None, None, None, None))
_PROGRAM = (2, (1, 3, 4, 5, None))
_COLUMNS: dict[str, tuple[int, tuple[Optional[int], ...]]] = {
    "SEQUENCE": _PLAIN,
    "TABLE": _PLAIN,
    "VIEW": (1, (None, 2, 3, None, None)),
    "EVENT": (3, (1, 4, 5, 6, 2)),
}
_NAME = rb"(?:`(?:[^`]|``)*`|[^`\s@]+)"
_DEFINER = re.compile(
    rb"^(CREATE (?:OR REPLACE )?(?:ALGORITHM\s*=\s*\w+ )?)DEFINER\s*=\s*" + _NAME + rb"(?:@" + _NAME + rb")? ?", re.I
)
_COUNTER = re.compile(rb"(\n\)[^\n]*?) AUTO_INCREMENT=\d+")
_STATUS = re.compile(
    rb"( ON COMPLETION (?:NOT )?PRESERVE) (?:ENABLE|DISABLE(?: ON (?:SLAVE|REPLICA))?)(?= |$)", re.DOTALL
)
# The server writes the present time where a statement names none.
_MOMENT = re.compile(rb"( STARTS| AT) '[^']*'")
_QUOTED = re.compile(rb"'(?:[^'\\]|\\.|'')*'|`((?:[^`]|``)+)`", re.DOTALL)
_HEAD_OF_TRIGGER = re.compile(
    rb"^(CREATE\s+TRIGGER\s+(?:IF\s+NOT\s+EXISTS\s+)?)((?:`(?:[^`]|``)+`|[^\s`.]+)\s*\.\s*)?"
    rb"(.*?\bON\s+)((?:`(?:[^`]|``)+`|[^\s`.]+)\s*\.\s*)?",
    re.IGNORECASE | re.DOTALL,
)
# Each server quotes it in its own way when the table gets another name.
_TABLE_OF_TRIGGER = re.compile(
    rb"^(CREATE\s+TRIGGER\s.*?\bON\s+)(?:`(?:[^`]|``)+`|\"(?:[^\"]|\"\")+\"|[^\s`\"]+)", re.IGNORECASE | re.DOTALL
)
# MySQL writes it where a definition has named it, and a definition that it has written itself names it.
_CHARACTER_SET = re.compile(rb" CHARACTER SET (\w+)(?= COLLATE \1_)")
# MySQL writes a literal of a CHECK in the character set of its column from the next ALTER on.
_INTRODUCER = re.compile(rb"\b_[0-9a-z]+(?=')")


class Key(NamedTuple):
    """What names an object in its schema."""

    sort: str
    name: str

    def __str__(self) -> str:
        return f"{self.sort} {self.name}"


class Settings(NamedTuple):
    """The settings that were in force when a program was created, and are when it runs; empty if they do not matter."""

    sql_mode: str = ""
    character_set: str = ""
    collation: str = ""
    schema_collation: str = ""
    time_zone: str = ""


class Definition(NamedTuple):
    """One object.

    :param text: SHOW CREATE, normalised, in the character set of ``settings``; UTF-8 where that is empty.
    :param table: a trigger's.
    :param order: a trigger's place among those that the same event fires.
    """

    key: Key
    text: bytes
    settings: Settings = Settings()
    table: str = ""
    order: int = 0

    @property
    def compared(self) -> tuple[bytes, Settings, int]:
        """What two definitions have in common that do the same.

        Keys and constraints of a table have no order that matters, nor have the character set that MySQL names before a
        literal, and the quotes around the table of a trigger; the time that the server has written into an event
        is another one each time, the character set of the connection is that of whoever has made the object, and MySQL
        takes the semicolon after a program for a part of it.
        """
        text = self.text.rstrip(b"; \t\r\n")
        if self.key.sort == "TABLE":
            text = _INTRODUCER.sub(b"", _in_order(text))
        elif self.key.sort == "EVENT":
            text = _MOMENT.sub(rb"\1 ?", text)
        elif self.key.sort == "TRIGGER":
            text = _TABLE_OF_TRIGGER.sub(lambda head: head[1] + self.table.encode(), text)
        return text, self.settings._replace(character_set="", collation=""), self.order

    @property
    def shown(self) -> str:
        """The definition for a person."""
        return self.text.decode("utf-8", "backslashreplace")


class Snapshot(NamedTuple):
    """A schema at one moment.

    :param definitions: in the order of SORTS, and of their names.
    :param unreadable: the objects whose definitions the server does not show, or that cannot be told from those of
        another schema, and why.
    :param unlisted: the sorts of which there may be more, which the server does not list to this account.
    """

    definitions: dict[Key, Definition]
    unreadable: dict[Key, str]
    unlisted: frozenset[str] = frozenset()


class Change(NamedTuple):
    """What differs in one object.

    :param change: added, removed or changed.
    :param diff: a unified diff, without the lines that name the files.
    """

    key: Key
    change: str
    diff: str


def take(session: Session, without: Collection[str] = ()) -> Snapshot:
    """Read all definitions of the session's schema.

    :param without: tables that are left out: golang-migrate's and ours.
    :raises ServerError: the connection was lost, or the server does not list the schema's objects.
    """
    held = account(session).rights(session.schema)
    unlisted = frozenset(sort for sort, any_of in _LISTED_TO.items() if held is None or not any_of & held.here)
    return read(session, things(session, without))._replace(unlisted=unlisted)


def things(session: Session, without: Collection[str] = ()) -> list[Definition]:
    """Return the schema's objects, without their texts.

    :param without: tables that are left out.
    :raises ServerError: the connection was lost, or the server does not list the schema's objects.
    """
    # What the server writes depends on these, and each text is to come in its own character set.
    prepare = b"SET SESSION sql_mode = '', SESSION sql_quote_show_create = 1, SESSION character_set_results = NULL"
    listed = _all([prepare, *_lists(session)], session)
    for answer in listed:
        if isinstance(answer, ServerError):
            raise answer
    return sorted(_things(listed[1:], without), key=lambda thing: (SORTS.index(thing.key.sort), thing.key.name))


def read(session: Session, wanted: Collection[Definition]) -> Snapshot:
    """Read the definitions of some of the schema's objects.

    :param wanted: from ``things``, which the same session has been asked for.
    :raises ServerError: the connection was lost.
    """
    questions = [f"SHOW CREATE {thing.key.sort} {identifier(thing.key.name)}".encode() for thing in wanted]
    found = Snapshot({}, {})
    for thing, answer in zip(wanted, _all(questions, session)):
        definition = _read(thing, answer, session.schema)
        if isinstance(definition, str):
            found.unreadable[thing.key] = definition
        elif definition is not None:
            found.definitions[thing.key] = definition
    return found


def difference(before: Snapshot, after: Snapshot) -> list[Change]:
    """Return what differs between two snapshots, in the order of SORTS and names."""
    return list(changes(before.definitions, after.definitions))


def changes(before: Mapping[Key, Definition], after: Mapping[Key, Definition]) -> Iterator[Change]:
    """Yield what differs."""
    for key in sorted({*before, *after}, key=lambda item: (SORTS.index(item.sort), item.name)):
        old, new = before.get(key), after.get(key)
        if old is not None and new is not None and old.compared == new.compared:
            continue
        change = "added" if old is None else "removed" if new is None else "changed"
        settled = old is None or new is None or old.compared[1:] == new.compared[1:]
        lines = list(unified_diff(_lines(old, settled), _lines(new, settled), lineterm="", n=2))[2:]
        yield Change(key, change, "".join(f"{line}\n" for line in lines))


def _lines(definition: Optional[Definition], settled: bool) -> list[str]:
    """Return a definition's lines; with its settings, if these differ."""
    if definition is None or settled:
        return definition.shown.split("\n") if definition else []
    settings = [f"-- {name}: {value}" for name, value in definition.settings._asdict().items() if value]
    order = [f"-- order: {definition.order}"] if definition.order > 1 else []
    return [*settings, *order, *definition.shown.split("\n")]


def _lists(session: Session) -> list[bytes]:
    schema = text_literal(session.schema)
    lists = (
        f"SELECT table_type, table_name, '', 0 FROM information_schema.tables WHERE table_schema = {schema}",
        "SELECT 'TRIGGER', trigger_name, event_object_table, action_order FROM information_schema.triggers "
        f"WHERE trigger_schema = {schema}",
        f"SELECT routine_type, routine_name, '', 0 FROM information_schema.routines WHERE routine_schema = {schema}",
        f"SELECT 'EVENT', event_name, '', 0 FROM information_schema.events WHERE event_schema = {schema}",
    )
    return [text.encode() for text in lists]


def _things(lists: Iterable[Answer], without: Collection[str]) -> Iterator[Definition]:
    for answer in lists:
        for row in () if isinstance(answer, ServerError) else answer:
            sort, name, table, order = (str(value.decode()) for value in row)
            sort = {"BASE TABLE": "TABLE", "SYSTEM VERSIONED": "TABLE"}.get(sort, sort)
            if sort in SORTS and not (sort == "TABLE" and name in without):
                yield Definition(Key(sort, name), b"", table=table, order=int(order))


def _all(questions: Iterable[bytes], session: Session) -> list[Answer]:
    """Ask all questions; one that is refused ends its packet, and the rest is asked in another one."""
    left: list[bytes] = list(questions)
    found: list[Answer] = []
    while left:
        answers = session.answers(left[:_PACKET])
        found += answers
        left = left[len(answers) :]
    return found


def _read(thing: Definition, answer: Answer, schema: str) -> Union[Definition, str, None]:
    """Return a definition, or why there is none; None if the object has gone meanwhile."""
    if isinstance(answer, ServerError):
        return f"({answer.code}) {answer.reason}"
    if not answer:
        return None
    place, columns = _COLUMNS.get(thing.key.sort, _PROGRAM)
    row = answer[0]
    if row[place] is None:
        return "the server does not show it to this account"
    settings = Settings(*("" if column is None else row[column].decode() for column in columns))
    if not thing.key.name.isascii() and not (settings.character_set or "utf8").startswith("utf8"):
        # MySQL writes the name in UTF-8 then, and the rest in that character set.
        return f"its name is not ASCII, and it was made in {settings.character_set}"
    text = normalised(thing.key.sort, row[place], schema)
    if text is None:
        return f"something in it is called {schema}, as the schema is"
    return thing._replace(text=text, settings=settings)


def normalised(sort: str, text: bytes, schema: str) -> Optional[bytes]:
    """Return what SHOW CREATE says without what is not a part of an object; None if that cannot be told."""
    if sort in ("TABLE", "SEQUENCE"):
        return _unqualified(_COUNTER.sub(rb"\1", text), schema, aliases=False)
    text = _DEFINER.sub(rb"\1", text)
    if sort == "VIEW":
        return _unqualified(text, schema, aliases=True)
    if sort == "EVENT":
        return _STATUS.sub(rb"\1 DISABLE", text, count=1)
    if sort == "TRIGGER":
        return _HEAD_OF_TRIGGER.sub(lambda head: _head(head, schema), text, count=1)
    return text


def _unqualified(text: bytes, schema: str, aliases: bool) -> Optional[bytes]:
    """Take a schema's own name out of what the server has written itself, which has all names in backticks.

    :param aliases: whether a table's name, or an alias, may qualify a column.
    """
    own = schema.replace("`", "``").encode()
    found, place = [], 0
    for match in _QUOTED.finditer(text):
        if match[1] != own:
            continue
        qualified, qualifies = (
            text[match.start() - 1 : match.start()] == b".",
            text[match.end() : match.end() + 1] == b".",
        )
        if qualifies and not qualified:
            found.append(text[place : match.start()])
            place = match.end() + 1
        elif aliases and (qualifies or not (qualified or text[: match.start()].lower().endswith(b" as "))):
            # A table of that name, or an alias.
            return None
    return b"".join([*found, text[place:]])


def _head(head: re.Match[bytes], schema: str) -> bytes:
    """Return a trigger's beginning, which is as it was typed, without the schema's own name."""
    own = schema.encode()

    def without(qualifier: Optional[bytes]) -> bytes:
        plain = (qualifier or b"").strip().rstrip(b".").strip().strip(b"`").replace(b"``", b"`")
        return b"" if plain == own else qualifier or b""

    return head[1] + without(head[2]) + head[3] + without(head[4])


def _in_order(text: bytes) -> bytes:
    """Return a table's definition with its keys and constraints in alphabetical order."""
    lines = _CHARACTER_SET.sub(b"", text).split(b"\n")
    place = next((index for index, line in enumerate(lines) if index and not line.startswith(b"  `")), 0)
    end = next((index for index in range(place, len(lines)) if lines[index].startswith(b")")), place)
    keys = sorted(line.rstrip(b",") for line in lines[place:end])
    columns = [line.rstrip(b",") for line in lines[:place]]
    return b"\n".join([*columns, *keys, *lines[end:]])
