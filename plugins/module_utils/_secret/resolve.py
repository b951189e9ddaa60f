# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From a secret's name to credentials: the one way for modules and the lookup. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from .._core.errors import Error
from .._core.secrets import register_secret, register_with_ansible
from .credentials import Credentials, parse, pick
from .store import Store, StoredSecret, open_store


@dataclass(frozen=True)
class Resolved:
    """Credentials and the version of the secret they were read from."""

    credentials: Credentials
    arn: str
    version_id: str

    def results(self) -> dict[str, Any]:
        """Return what a module or a lookup hands to the user: the password is in it."""
        register_with_ansible(self.credentials.password)
        return asdict(self)


def resolve(store: Store, secret_id: str, options: Mapping[str, Any]) -> Resolved:
    """Read a secret and make credentials of it.

    :param options: the options of the spec SECRET by name; options that are None or empty are not set.
    """
    try:
        secret = store.read(secret_id, options)
        credentials = parse(secret.text, options.get("fields"))
    except Error as error:
        raise Error(error.number, f"Secret {secret_id}: {error}", **error.results) from None
    register_secret(credentials.password)
    return Resolved(credentials, secret.arn, secret.version_id)


class Texts:
    """Reads texts out of secrets, each secret once.

    :param options: the options of the spec AWS by name.
    """

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = options
        self._stores: dict[str, Store] = {}
        self._secrets: dict[tuple[Any, ...], StoredSecret] = {}

    def read(self, address: Mapping[str, Any]) -> str:
        """Return what is at an address, which may name a field of the secret.

        :raises Error: it cannot be read, or has no such field.
        """
        secret_id, store = address["id"], address["store"]
        key = (store, secret_id, address["version_stage"], address["version_id"])
        try:
            if key not in self._secrets:
                if store not in self._stores:
                    self._stores[store] = open_store(store, self._options)
                self._secrets[key] = self._stores[store].read(secret_id, address)
            text = pick(self._secrets[key].text, address["field"])
        except Error as error:
            raise Error(error.number, f"Secret {secret_id}: {error}", **error.results) from None
        register_secret(text)
        return text
