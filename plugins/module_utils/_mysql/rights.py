# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the account may do, and which settings of the server refuse what migrations do. Private to the collection.

This is information for people before a run. Nothing depends on it, and uncertain facts are not reported.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple, Optional

from .errors import ServerError
from .session import Session

# What migrations of every kind need, the state table and the history included.
NEEDED = ("SELECT", "INSERT", "UPDATE", "DELETE", "CREATE", "ALTER", "DROP", "INDEX", "REFERENCES")
_ALL = "ALL PRIVILEGES"
# On the server's whole, or on a schema, whose name is a pattern.
_GRANT = re.compile(r"(GRANT|REVOKE) ([A-Z_ ,]+) ON (\*|[`\"](?:[^`\"]|``|\"\")+[`\"])\.\* (?:TO|FROM) ")
# Any of these lets the account write although the server is read-only, or define programs although it logs them.
_WRITES = {_ALL, "SUPER", "CONNECTION_ADMIN", "READ_ONLY ADMIN", "READ ONLY ADMIN"}
_DEFINES = {_ALL, "SUPER", "SET_ANY_DEFINER", "SET_USER_ID", "SET USER", "BINLOG ADMIN"}
_ASKED = (
    "log_bin",
    "log_bin_trust_function_creators",
    "read_only",
    "super_read_only",
    "sql_require_primary_key",
    "max_statement_time",
    "max_allowed_packet",
)
_OFF = ("", "0", "OFF")


class Rights(NamedTuple):
    """The privileges of an account, in capital letters.

    :ivar everywhere: on the server.
    :ivar here: on the schema, those on the server included.
    """

    everywhere: frozenset[str]
    here: frozenset[str]

    @property
    def missing(self) -> list[str]:
        """Those of NEEDED that it lacks."""
        return [] if _ALL in self.here else [name for name in NEEDED if name not in self.here]


class Obstacle(NamedTuple):
    """A setting of the server, and what it does to migrations."""

    name: str
    value: str
    effect: str


class Grant(NamedTuple):
    """A line of SHOW GRANTS about the server's whole, or about schemas.

    :ivar gives: whether it gives the privileges; a partial revoke of MySQL's takes them.
    :ivar schemas: the names of the schemas that it is about; None for the server's whole.
    """

    gives: bool
    privileges: frozenset[str]
    schemas: Optional[re.Pattern[str]]


class Account(NamedTuple):
    """What the server says about the account and of itself, once for all schemas.

    :ivar grants: None if the server does not show them.
    :ivar values: the server's settings, by their names in small letters.
    """

    grants: Optional[tuple[Grant, ...]]
    values: dict[str, str]

    def rights(self, schema: str) -> Optional[Rights]:
        """Return the account's privileges; None if they are not known."""
        return None if self.grants is None else rights(self.grants, schema)

    def obstacles(self, held: Optional[Rights], longest: int) -> list[Obstacle]:
        """Return the settings of the server that refuse what migrations do.

        :param held: the account's privileges; None if they are not known, and then nothing is said that rests on them.
        :param longest: bytes of the longest file that is pending.
        """
        return [Obstacle(name, self.values[name], effect) for name, effect in _effects(self.values, held, longest)]


def account(session: Session) -> Account:
    """Ask the server."""
    names = ", ".join(f"'{name}'" for name in _ASKED)
    rows = session.query(f"SHOW GLOBAL VARIABLES WHERE variable_name IN ({names})")
    return Account(_grants(session), {str(name).lower(): str(value) for name, value in rows})


def everywhere(session: Session) -> frozenset[str]:
    """Return the privileges on the whole server that the account is known to have, in capital letters.

    :raises ServerError: the connection was lost.
    """
    grants = _grants(session) or ()
    given = [grant.privileges for grant in grants if grant.gives and grant.schemas is None]
    # Of MySQL's partial revokes; a privilege that one schema lacks is none on the whole server.
    taken = [grant.privileges for grant in grants if not grant.gives]
    return frozenset().union(*given) - frozenset().union(*taken)


def _grants(session: Session) -> Optional[tuple[Grant, ...]]:
    try:
        return parse(str(row[0]) for row in session.query(_question(session)))
    except ServerError as error:
        if error.lost:
            raise
        return None


def _question(session: Session) -> str:
    if session.mariadb or session.version < 80000:
        # MariaDB includes the roles that are set; an older MySQL has none.
        return "SHOW GRANTS"
    [(roles,)] = session.query("SELECT CURRENT_ROLE()")
    return "SHOW GRANTS" if roles in (None, "", "NONE") else f"SHOW GRANTS FOR CURRENT_USER() USING {roles}"


def parse(lines: Iterable[str]) -> tuple[Grant, ...]:
    """Take what is about the server's whole, or about schemas, out of SHOW GRANTS."""
    found = []
    for line in filter(None, map(_GRANT.match, lines)):
        what, names, place = line.groups()
        privileges = frozenset(name.strip() for name in names.split(","))
        found.append(Grant(what == "GRANT", privileges, None if place == "*" else _pattern(place)))
    return tuple(found)


def rights(grants: Iterable[Grant], schema: str) -> Rights:
    """Add up what an account may do on a schema."""
    everywhere: frozenset[str] = frozenset()
    here: frozenset[str] = frozenset()
    for gives, privileges, schemas in grants:
        if schemas is None:
            everywhere |= privileges if gives else frozenset()
        elif schemas.fullmatch(schema):
            here = here | privileges if gives else here - privileges
            # It takes from what is granted on the server.
            everywhere -= frozenset() if gives else privileges
    return Rights(everywhere, everywhere | here)


def _pattern(place: str) -> re.Pattern[str]:
    """Return what a grant's name of a schema stands for, which is a pattern with % and _ and backslashes."""
    quote = place[0]
    name = place[1:-1].replace(quote * 2, quote)
    pattern = re.sub(
        r"\\(.)|(%)|(_)|(.)",
        lambda part: re.escape(part[1] or part[4]) if part[1] or part[4] else ".*" if part[2] else ".",
        name,
        flags=re.S,
    )
    # Whether case counts depends on the server; where it does not, nothing is missing.
    return re.compile(pattern, re.I | re.S)


def _effects(values: dict[str, str], held: Optional[Rights], longest: int) -> Iterator[tuple[str, str]]:
    on = {name for name, value in values.items() if value.upper() not in _OFF}
    privileges = held.everywhere if held else _WRITES | _DEFINES
    if "super_read_only" in on:
        yield "super_read_only", "every write is refused (1290)"
    elif "read_only" in on and not privileges & _WRITES:
        yield "read_only", "every write is refused (1290), as on a replica"
    if "log_bin" in on and "log_bin_trust_function_creators" not in on and not privileges & _DEFINES:
        yield "log_bin_trust_function_creators", "CREATE TRIGGER and CREATE FUNCTION are refused (1419)"
    if "sql_require_primary_key" in on:
        yield "sql_require_primary_key", "a table without a primary key is refused (3750)"
    if float(values.get("max_statement_time", 0)):
        yield "max_statement_time", "a statement that takes longer, in seconds, is ended (1969)"
    if longest > int(values.get("max_allowed_packet", longest)):
        yield "max_allowed_packet", f"a pending file has {longest} bytes: golang-migrate could not send it as a whole"
