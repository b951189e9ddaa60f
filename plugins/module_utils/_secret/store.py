# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every secrets manager offers. Private to the collection.

A store is a file beside this one: a class that is made from a module's options without asking the network,
and whose read() raises Error with a message that goes on after "Secret NAME: ".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol


@dataclass(frozen=True)
class StoredSecret:
    """One version of a secret as its store holds it."""

    text: str = field(repr=False)
    arn: str
    version_id: str


class Store(Protocol):
    """A place from which secrets are read."""

    def read(self, secret_id: str, options: Mapping[str, Any]) -> StoredSecret:
        """Read one version of a secret, which options choose."""
