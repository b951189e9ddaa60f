# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whether an account has rights on the schemas of rehearsals only, so that the server guards all others.

Private to the collection.
"""

from __future__ import annotations

import re
from typing import Optional

from .._core.errors import Error
from .._mysql.session import ServerError, Session
from .._mysql.statements import identifier
from .scratch import PREFIX

# USAGE is no privilege at all.
_USAGE = re.compile(r"GRANT USAGE ON \*\.\* TO ")
_ON_SCHEMA = re.compile(r"GRANT [A-Z_ ,]+ ON [`\"]([^`\"]+)[`\"]\.\* TO ")
_OWN = (PREFIX, PREFIX.replace("_", "\\_"))


def check(session: Session, schema: str) -> None:
    """See to it that an account has rights on the schemas of rehearsals only.

    :param session: the account's.
    :param schema: the one that is to be safe from it.
    :raises Error: it may do more, or it cannot be told.
    """
    more = _more(session, schema)
    if more is None:
        return
    raise Error(
        f"The account of rehearsal_login_user may do more than work in the schemas of rehearsals: {more}. A script "
        f"could reach {schema} with it. Give it {needed()} and nothing else. Nothing was run."
    )


def needed(account: str = "the account") -> str:
    """Return the GRANT that an account needs that rehearses."""
    return f"GRANT ALL PRIVILEGES ON `{PREFIX.replace('_', chr(92) + '_')}%`.* TO {account}"


def _more(session: Session, schema: str) -> Optional[str]:
    for (line,) in session.query("SHOW GRANTS"):
        # A role may be one that it can take at any time.
        place = _ON_SCHEMA.match(str(line))
        if not (_USAGE.match(str(line)) or (place and place[1].startswith(_OWN))):
            # Behind the account's name there may be the digest of its password.
            return str(line).partition(" TO ")[0]
    try:
        # What is granted to everybody is not among the account's grants.
        session.query(f"USE {identifier(schema)}")
    except ServerError as error:
        if error.lost:
            raise
        return None
    return f"USE {identifier(schema)}"
