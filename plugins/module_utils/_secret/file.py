# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A file on the host as a store, for what a service manager or an agent puts there. Private to the collection."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from typing import Any

from .._core.errors import Error
from .store import StoredSecret, chosen_version

# What AWS Secrets Manager takes, in bytes.
_LIMIT = 1 << 16


class FileStore:
    """A store whose secrets are named by their paths."""

    staged = None

    def read(self, secret_id: str, options: Mapping[str, Any]) -> StoredSecret:
        """Read the file."""
        if chosen_version(options) != (None, None):
            raise Error(1413, "a file has no versions. Leave version_stage and version_id out.")
        if not os.path.isabs(secret_id) or "\0" in secret_id:
            raise Error(1414, "it is not the path of a file: give an absolute one.")
        try:
            # Not blocking, in case it is not a regular file.
            with open(os.open(secret_id, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
                status = os.fstat(file.fileno())
                if not stat.S_ISREG(status.st_mode):
                    raise Error(1415, "it is not a regular file.")
                content = file.read(_LIMIT + 1)
        except OSError as error:
            raise Error(
                1416,
                f"the file cannot be read: {error.strerror}. Check the path, its mode and the account that runs this.",
            ) from None
        if status.st_mode & stat.S_IRWXO:
            raise Error(1417, f"everyone may read or change the file. Do: chmod o= {secret_id}")
        if len(content) > _LIMIT:
            raise Error(1418, f"the file is larger than {_LIMIT} bytes. Is it the right one?")
        try:
            return StoredSecret(text=content.decode(), arn=secret_id, version_id="")
        except UnicodeDecodeError:
            raise Error(1419, "the file is not UTF-8 text. Store a JSON object or a connection URL in it.") from None
