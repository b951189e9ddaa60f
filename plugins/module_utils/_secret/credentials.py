# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret's text becomes a database's credentials. Private to the collection.

No message of this file holds a value of the secret; it may hold the secret's keys.
Each continues after "Secret NAME: ".
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from .._core.errors import Error
from .connection_url import is_url, read_url

# Our names, and the keys that stand for them when fields does not say otherwise.
KEYS: dict[str, tuple[str, ...]] = {
    "host": ("hostname", "host"),
    "port": ("port",),
    "user": ("username", "user"),
    "password": ("password",),
    "database": ("database", "dbname"),
}
ENGINES = ("mysql", "mariadb", "aurora-mysql")
# Some editors put it at the beginning.
_BYTE_ORDER_MARK = "\ufeff"
# An IPv6 address alone has several colons.
_HOST_AND_PORT = re.compile(r"(?:[^:]*|\[.*\]):[0-9]*")


@dataclass(frozen=True)
class Credentials:
    """What opens a database; None where the secret does not say."""

    password: str = field(repr=False)
    host: str | None = None
    port: int | None = None
    user: str | None = None
    database: str | None = None


def parse(text: str, fields: Mapping[str, Any] | None = None) -> Credentials:
    """Read the credentials out of a secret's text.

    :param text: a JSON object or a connection URL.
    :param fields: our names, and the secret's own keys for them where they are not the usual ones.
    """
    text = _trimmed(text)
    if not text:
        raise Error(1466, "it is empty. Store a JSON object or a connection URL in it.")
    if is_url(text):
        if fields:
            raise Error(1467, "it is a connection URL and has no keys. Leave fields out.")
        found = dict(read_url(text))
        where = {name: f"the URL's {name}" for name in KEYS}
    else:
        secret = _load(text)
        _check_engine(secret)
        keys = _find_keys(secret, fields or {})
        found = {name: secret[key] for name, key in keys.items()}
        where = {name: f"the value of {_shown([key])}" for name, key in keys.items()}
    found = {name: value for name, value in found.items() if value not in (None, "")}
    texts = {name: _text(value, where[name]) for name, value in found.items() if name != "port"}
    if _HOST_AND_PORT.fullmatch(texts.get("host", "")):
        raise Error(1468, f"{where['host']} also contains a port. Store only the host there, and the port under port.")
    return Credentials(
        **texts,
        port=_port(found["port"], where["port"]) if "port" in found else None,
    )


def pick(text: str, field: str | None) -> str:
    """Return a field of a secret's text, or the whole text.

    :param field: the key, where the text is a JSON object.
    """
    if not _trimmed(text):
        raise Error(1469, "it is empty.")
    if not field and not _trimmed(text).startswith("{"):
        # A file ends with a line ending.
        return _text(text.removeprefix(_BYTE_ORDER_MARK).rstrip("\r\n"), "its text")
    secret = _json(_trimmed(text))
    if not isinstance(secret, dict):
        raise Error(1470, f"it is not a JSON object, so it has no key {field}. Store one, or leave field out.")
    if not field:
        raise Error(1471, f"it is a JSON object, whose keys are: {_shown(secret)}. Name the one to use: field: KEY.")
    if field not in secret:
        raise Error(1472, f"it has no key {field}. Its keys are: {_shown(secret)}.")
    found = secret[field]
    if found is None or not str(found).strip():
        raise Error(1473, f"its key {field} is empty.")
    return _text(found, f"the value of {_shown([field])}")


def _load(text: str) -> dict[str, Any]:
    secret = _json(text)
    if secret is None:
        raise Error(
            1474,
            "it is neither JSON nor a connection URL. Store a JSON object with the keys host, port, username, "
            "password and database, or a URL such as mysql://user:password@host:3306/database.",
        )
    if not isinstance(secret, dict):
        raise Error(1475, "it is JSON, but not an object. Store an object: {…} with the key password and others.")
    return secret


def _trimmed(text: str) -> str:
    return text.removeprefix(_BYTE_ORDER_MARK).strip()


def _json(text: str) -> Any:
    """Return what a text means as JSON; None if it does not look like an object and is not JSON.

    :raises Error: it begins like an object, and is broken.
    """
    try:
        return json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        # The exception, and what it says, hold parts of the secret: they go no further.
        place = (error.lineno, error.colno) if isinstance(error, json.JSONDecodeError) else None
    if not text.startswith("{"):
        return None
    where = f" at line {place[0]}, column {place[1]}" if place else ""
    raise Error(
        1476,
        f"its JSON is broken{where}. Look for a comma that is missing or follows the last value, a missing quotation "
        "mark, or a line break or a backslash inside a value.",
    )


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    secret = dict(pairs)
    if len(secret) < len(pairs):
        times = Counter(name for name, _value in pairs)
        raise Error(1477, f"it has a key twice: {_shown(name for name in times if times[name] > 1)}. Remove one.")
    return secret


def _check_engine(secret: Mapping[str, Any]) -> None:
    engine = secret.get("engine")
    if engine is not None and str(engine).lower() not in ENGINES:
        raise Error(1478, f"its engine is not one of {', '.join(ENGINES)}. It belongs to another kind of database.")


def _find_keys(secret: Mapping[str, Any], fields: Mapping[str, Any]) -> dict[str, str]:
    """Return for each of our names the key to read; a name that the secret does not hold is absent."""
    for name, key in fields.items():
        if name not in KEYS:
            raise Error(1479, f"fields maps {name}, which is not one of {', '.join(KEYS)}.")
        if not isinstance(key, str):
            raise Error(1480, f"fields maps {name} to something other than the name of a key.")
        if key not in secret:
            raise Error(1481, f"fields maps {name} to {key}, which is not among its keys: {_shown(secret)}.")
    keys = dict(fields)
    for name in KEYS:
        if name not in fields and (key := _usual_key(secret, name)):
            keys[name] = key
    if secret.get(keys.get("password", "")) in (None, ""):
        raise Error(1482, _no_password(secret, keys.get("password", "password")))
    return keys


def _no_password(secret: Mapping[str, Any], key: str) -> str:
    if key in secret:
        return f"its key {key}, which should hold the password, is empty."
    nested = [name for name, value in secret.items() if isinstance(value, (dict, list))]
    return (
        f"it has no password. Its keys are: {_shown(secret)}. "
        + (f"Keys inside {_shown(nested)} are not looked at: credentials belong at the top level. " if nested else "")
        + "Store the password under password, or name its key: fields: {password: KEY}."
    )


def _usual_key(secret: Mapping[str, Any], name: str) -> str | None:
    keys = [key for key in KEYS[name] if secret.get(key) not in (None, "")]
    if any(secret[key] != secret[keys[0]] for key in keys):
        raise Error(
            1483,
            f"its keys {' and '.join(keys)} differ. Remove one, or say which holds: fields: {{{name}: {keys[0]}}}.",
        )
    return keys[0] if keys else None


def _shown(keys: Iterable[str]) -> str:
    """List keys for a message: not all of a long list, and nothing that cannot be printed."""
    names = sorted(keys)
    shown = ", ".join(names[:12]) or "none"
    return shown.encode("utf-8", "backslashreplace").decode() + (f" and {len(names) - 12} more" if names[12:] else "")


def _text(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise Error(1484, f"{where} is not a string. Put it in quotes.")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Error(1485, f"{where} contains half a character (a lone surrogate). Store it again.") from None
    return value


def _port(value: Any, where: str) -> int:
    text = str(value)
    # The pattern, because int() would take "+3_306" and digits of every script, and str(True) is not a number.
    if not re.fullmatch("[0-9]{1,5}", text) or not 1 <= int(text) <= 65535:
        raise Error(1486, f"{where} is not a port: a number from 1 to 65535.")
    return int(text)
