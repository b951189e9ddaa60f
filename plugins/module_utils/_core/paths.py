# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Names of files, which are UTF-8 whatever the host's locale. Private to the collection."""

from __future__ import annotations

import os


def native(path: str) -> str:
    """Return a path as Python's functions want it, so that the name on the disk is in UTF-8."""
    return os.fsdecode(path.encode("utf-8", "surrogateescape"))


def text_of(path: str) -> str:
    """Return the text of a path that a function of Python's has given."""
    return os.fsencode(path).decode("utf-8", "surrogateescape")
