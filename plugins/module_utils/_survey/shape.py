# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""JSON to typed tuples and back, strictly. Private to the collection."""

from __future__ import annotations

import json
import math
from functools import cache
from typing import Any, Callable, Literal, Union, get_args, get_origin, get_type_hints

from .._core.errors import Error

# What a value has to be: returns it, or raises _WrongError.
_Reader = Callable[[Any], Any]


class _WrongError(Exception):
    """A value is not what it should be; the place grows from the inside to the outside."""

    def __init__(self, problem: str) -> None:
        super().__init__(problem)
        self.problem = problem
        self.place = ""


def checked(kind: type, text: str, version: int) -> Any:
    """Return JSON text as a typed tuple.

    :param kind: a NamedTuple whose first field is ``schema_version``.
    :raises Error: the text is something else; the message says what is wrong, and where.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, ValueError) else "it is nested too deep"
        raise Error(2505, f"This is not JSON, or only a part of it: {reason}.") from error
    if not isinstance(data, dict) or "schema_version" not in data:
        raise Error(2506, "This is JSON, but not a survey document: it has no schema_version.")
    if data["schema_version"] != version or isinstance(data["schema_version"], bool):
        raise Error(
            2507,
            f"This document has the schema version {json.dumps(data['schema_version'])[:40]}; this version of the "
            f"collection reads {version}. Survey the host again, or use the version that wrote it.",
        )
    try:
        return _reader(kind)(data)
    except _WrongError as error:
        raise Error(2508, f"This is not a valid survey document: {error.place.lstrip('.')} {error.problem}.") from error


def checked_part(kind: type, text: str) -> Any:
    """Return the JSON text of a part of a document as a typed tuple.

    :raises ValueError: it is not JSON, or no such part.
    """
    try:
        return _reader(kind)(json.loads(text))
    except _WrongError as error:
        raise ValueError(f"{error.place.lstrip('.')} {error.problem}") from error


def plain(value: Any) -> Any:
    """Return typed tuples as dicts, and whatever else as it is."""
    if isinstance(value, tuple) and hasattr(value, "_fields"):
        return {name: plain(item) for name, item in zip(value._fields, value)}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


@cache
def _reader(kind: Any) -> _Reader:
    """Return what reads a type. It is made once, so that each of 200,000 entries costs little."""
    if get_origin(kind) is list:
        return _list(_reader(get_args(kind)[0]))
    if get_origin(kind) is Union:
        inner = _reader(next(item for item in get_args(kind) if item is not type(None)))
        return lambda value: None if value is None else inner(value)
    if get_origin(kind) is Literal:
        return _word(get_args(kind))
    if hasattr(kind, "_fields"):
        return _object(kind)
    return _scalar(kind)


def _scalar(kind: Any) -> _Reader:
    name = {str: "text", int: "a whole number", float: "a number", bool: "true or false"}[kind]

    def read(value: Any) -> Any:
        # To Python, true is a number.
        if isinstance(value, kind) and (kind is bool or not isinstance(value, bool)):
            if kind is float and not math.isfinite(value):
                raise _WrongError("is not a finite number")
            return value
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        raise _WrongError(f"is not {name}")

    return read


def _word(words: tuple[str, ...]) -> _Reader:
    known = {word: word for word in words}

    def read(value: Any) -> Any:
        if not isinstance(value, str) or value not in known:
            raise _WrongError(f"is not one of {', '.join(words)}")
        # One text for all of 200,000 entries.
        return known[value]

    return read


def _list(inner: _Reader) -> _Reader:
    def read(value: Any) -> Any:
        if not isinstance(value, list):
            raise _WrongError("is not a list")
        index = 0
        try:
            for index, item in enumerate(value):
                value[index] = inner(item)
        except _WrongError as error:
            error.place = f"[{index}]{error.place}"
            raise
        return value

    return read


def _object(kind: Any) -> _Reader:
    hints = get_type_hints(kind)
    fields = [(name, _reader(hints[name])) for name in kind._fields]
    names = frozenset(kind._fields)

    def read(value: Any) -> Any:
        if not isinstance(value, dict):
            raise _WrongError("is not an object")
        if value.keys() != names:
            missing = sorted(names - value.keys())
            word, name = ("lacks", missing[0]) if missing else ("has the unknown key", min(value.keys() - names))
            raise _WrongError(f"{word} {name[:100]}")
        items = []
        for name, reader in fields:
            try:
                items.append(reader(value[name]))
            except _WrongError as error:
                error.place = f".{name}{error.place}"
                raise
        return kind._make(items)

    return read
