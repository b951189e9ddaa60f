# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Files on the runner, and git's names for what is in them. Private to the collection."""

from __future__ import annotations

import errno
import hashlib
import os
import stat


def blob_name(content: bytes) -> str:
    """Return git's name for a file's content, see git-hash-object(1)."""
    # A host in FIPS mode has SHA-1 for such uses only.
    return hashlib.sha1(b"blob %d\0%b" % (len(content), content), usedforsecurity=False).hexdigest()


def read_regular(path: str) -> bytes:
    """Return the content of a regular file; nobody waits for a pipe's other end, and no link is followed.

    :raises OSError: it is something else, or cannot be read.
    """
    with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(errno.EINVAL, "Not a regular file", path)
        return file.read()
