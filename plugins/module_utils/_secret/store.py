# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What every secrets manager offers. Private to the collection.

A store is a file beside this one: a class that is made from a module's options without asking the network,
and whose read() raises Error with a message that continues after "Secret NAME: ".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from .._core.errors import Error


@dataclass(frozen=True)
class StoredSecret:
    """One version of a secret as its store holds it.

    :param arn: its full name.
    :param version_id: empty where the store knows no versions.
    """

    text: str = field(repr=False)
    arn: str
    version_id: str


class Store(Protocol):
    """A place from which secrets are read."""

    @property
    def staged(self) -> str | None:
        """The stage of a version that a rotation is about to make the current one; None if there is no such."""

    def read(self, secret_id: str, options: Mapping[str, Any]) -> StoredSecret:
        """Read one version of a secret, which version_stage or version_id of the options chooses."""


def open_store(name: str, options: Mapping[str, Any]) -> Store:
    """Return the store of that name, one of the choices of the option store.

    :param options: those of the spec AWS by name; options that are None or empty are not set.
    """
    # Each on demand: boto3 takes a quarter of a second to load, and a file does not need it.
    if name == "file":
        from .file import FileStore  # noqa: PLC0415

        return FileStore()
    if name == "aws_parameter_store":
        from .aws_parameter_store import AwsParameterStore  # noqa: PLC0415

        return AwsParameterStore(options)
    from .aws_secrets_manager import AwsSecretsManager  # noqa: PLC0415

    return AwsSecretsManager(options)


def chosen_version(options: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """Return version_stage and version_id, of which one at most is given."""
    stage, version_id = options.get("version_stage") or None, options.get("version_id") or None
    if stage and version_id:
        raise Error(1420, "version_stage and version_id are mutually exclusive. Leave one of them out.")
    return stage, version_id
