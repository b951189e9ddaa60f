# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a secret's name to credentials: the one way for modules and the lookup. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._core.errors import Error
from .._core.secrets import register_secret
from .credentials import Credentials, parse
from .store import Store


@dataclass(frozen=True)
class Resolved:
    """Credentials and the version of the secret they were read from."""

    credentials: Credentials
    arn: str
    version_id: str

    def results(self) -> dict[str, Any]:
        """Return what a module or a lookup hands to the user: the password is in it."""
        return asdict(self)


def resolve(store: Store, secret_id: str, options: Mapping[str, Any]) -> Resolved:
    """Read a secret and make credentials of it.

    :param options: the options of the spec SECRET by name; one that is None or empty is not given.
    """
    try:
        secret = store.read(secret_id, options)
        credentials = parse(secret.text, options.get("fields"))
    except Error as error:
        raise Error(f"Secret {secret_id}: {error}", **error.results) from None
    register_secret(credentials.password)
    return Resolved(credentials, secret.arn, secret.version_id)
