# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What scripts could reach with an account: whether it only has privileges on the schemas of rehearsals, so that the
server protects all others, and whether there are others. Private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Optional

from .._core.errors import Error
from .._mysql.rights import account as look
from .._mysql.session import ServerError, Session
from .._mysql.statements import identifier
from .scratch import PREFIX

# USAGE means no privileges.
_USAGE = re.compile(r"GRANT USAGE ON \*\.\* TO ")
_ON_SCHEMA = re.compile(r"GRANT [A-Z_ ,]+ ON [`\"]([^`\"]+)[`\"]\.\* TO ")
_OWN = (PREFIX, PREFIX.replace("_", "\\_"))
# What a server is made with.
_OF_SERVER = frozenset({"information_schema", "performance_schema", "mysql", "sys"})
_SEES_ALL = frozenset({"ALL PRIVILEGES", "SHOW DATABASES"})


def check(session: Session, schema: str) -> None:
    """Make sure that an account has rights on the schemas of rehearsals only.

    :param session: the account's.
    :param schema: the one that is to be safe from it.
    :raises Error: it may do more, or it cannot be told.
    """
    more = _more(session, schema)
    if more is None:
        return
    raise Error(
        2115,
        f"The account of rehearsal_login_user has more privileges than a rehearsal needs: {more}. A script could "
        f"reach {schema} with them. Give it {needed()} and nothing else. Nothing was run.",
    )


def needed(account: str = "the account") -> str:
    """Return the GRANT that an account needs that rehearses."""
    return f"GRANT ALL PRIVILEGES ON `{PREFIX.replace('_', chr(92) + '_')}%`.* TO {account}"


def visible(session: Session) -> frozenset[str]:
    """Return the schemas that scripts could reach, in small letters.

    One that the account may not see it may not touch either; information_schema can only be read.
    """
    return frozenset(str(row[0]).lower() for row in session.query("SHOW DATABASES")) - {"information_schema"}


def within_reach(session: Session, room: str) -> Optional[frozenset[str]]:
    """Return the schemas that scripts are to be kept from, in small letters; None if there is nothing to lose.

    That is so where the server has no schemas but those it was made with, and the account sees all; or where it has
    rights on no others.

    :param room: the schema in which scripts are run.
    """
    found = visible(session) - {room.lower()}
    others = {name for name in found - _OF_SERVER if not name.startswith(PREFIX)}
    held = look(session).rights(room)
    sees_all = held is not None and bool(held.everywhere & _SEES_ALL)
    alone = not others and (sees_all or _first_other(session, _spellings(room)) is None)
    return None if alone else found


def _spellings(schema: str) -> tuple[str, str]:
    return schema, schema.replace("_", "\\_")


def _more(session: Session, schema: str) -> Optional[str]:
    other = _first_other(session, ())
    if other is not None:
        return other
    try:
        # What is granted to everybody is not among the account's grants.
        session.query(f"USE {identifier(schema)}")
    except ServerError as error:
        if error.lost:
            raise
        return None
    return f"USE {identifier(schema)}"


def _first_other(session: Session, schemas: Collection[str]) -> Optional[str]:
    """Return the first grant that is about more than the schemas of rehearsals; None if there is none.

    :param schemas: others that it may be about, as grants spell them.
    """
    for (line,) in session.query("SHOW GRANTS"):
        # A role may be one that it can take at any time.
        place = _ON_SCHEMA.match(str(line))
        if not (_USAGE.match(str(line)) or (place and (place[1].startswith(_OWN) or place[1] in schemas))):
            # Behind the account's name there may be the digest of its password.
            return str(line).partition(" TO ")[0]
    return None
