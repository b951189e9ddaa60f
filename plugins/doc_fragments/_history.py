# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  run_by:
    description: Who runs this, for the history; the account that runs the module by default.
    type: str
  job:
    description: The job that runs this, for instance AWX's number of it, for the history.
    type: str
"""
