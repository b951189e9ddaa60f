# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The guards' names, as options and comments in files have them. Private to the collection. Imports nothing of ours."""

from __future__ import annotations

GUARDS = (
    "destroy",
    "block_writes",
    "rebuild",
    "would_fail",
    "irreversible",
    "not_rehearsed",
    "rename",
    "no_down_file",
)
