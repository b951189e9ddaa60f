# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection URL taken apart, as it is commonly written and as golang-migrate writes it. Private to the collection.

urllib.parse is not a help here: it drops control characters in silence, knows nothing of tcp(…),
and its errors hold what they complain about. No message of this file holds a part of the URL.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote, unquote_plus

from .._core.errors import Error

EXAMPLES = "mysql://user:password@host:3306/database or mysql://user:password@tcp(host:3306)/database"

# With drivers, as SQLAlchemy and Rails write them.
_SCHEME = re.compile(r"(?i:(?:mysql|mariadb)(?:\+[a-z0-9_]+)?|mysql2|trilogy)")
_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://(.*)", re.DOTALL)
_COMMON = re.compile(
    r"(?:(?P<login>[^/?#]*)@)?(?P<address>[^/?#@]*)(?:/(?P<database>[^/?#]*))?(?:[?#].*)?",
    re.DOTALL,
)
# The Go driver's form. Its own parser, too, takes the last @ and lets a password hold anything before it.
_GO = re.compile(
    r"(?P<login>.*)@(?P<protocol>[a-z0-9]+)\((?P<address>[^()]*)\)/(?P<database>[^/?]*)(?:\?.*)?",
    re.DOTALL,
)
_ADDRESS = re.compile(r"(?:\[(?P<ipv6>[^][\s]+)\]|(?P<host>[^][:()\s]*))(?::(?P<port>[^:]*))?")


def is_url(text: str) -> bool:
    """Tell whether the text is a URL of any kind."""
    return _URL.fullmatch(text) is not None


def read_url(text: str) -> dict[str, str]:
    """Return host, port, user, password and database, each as a text that may be empty.

    Parameters after the question mark are not looked at.
    """
    url = _URL.fullmatch(text)
    if url is None or not _SCHEME.fullmatch(url[1]):
        raise Error(1461, "it is a URL, but neither mysql:// nor mariadb://. It belongs to another kind of database.")
    # golang-migrate reads a plus sign in user and password as a space.
    go = _GO.fullmatch(url[2])
    parts, decode = (go, unquote_plus) if go else (_COMMON.fullmatch(url[2]), unquote)
    address = _ADDRESS.fullmatch(parts["address"]) if parts else None
    if parts is None or address is None:
        raise Error(
            1462,
            f"its URL cannot be read. Write it as {EXAMPLES}, with characters other than letters and digits "
            "percent-encoded in user, password and database.",
        )
    if go and go["protocol"] != "tcp":
        raise Error(1463, "its URL uses a protocol other than tcp(host:port), which is not supported.")
    user, _colon, password = (parts["login"] or "").partition(":")
    if not password:
        raise Error(1464, f"its URL has no password. Write it as {EXAMPLES}.")
    return {
        "host": address["ipv6"] or address["host"] or "",
        "port": address["port"] or "",
        "user": _decoded(user, decode),
        "password": _decoded(password, decode),
        "database": _decoded(parts["database"] or "", unquote),
    }


def _decoded(text: str, decode: Callable[..., str]) -> str:
    try:
        if re.search(r"%(?![0-9A-Fa-f]{2})", text):
            raise ValueError
        return decode(text, errors="strict")
    except ValueError:
        raise Error(
            1465,
            "its URL has a % that does not begin a percent-encoded UTF-8 character. "
            "Write a percent sign in user, password and database as %25.",
        ) from None
