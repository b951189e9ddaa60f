# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  directory:
    description: The directory on the runner that holds the migration files.
    type: path
    required: true
  history_limit:
    description: The maximum number of attempts to return for a schema, the newest first.
    type: int
    default: 20
"""
