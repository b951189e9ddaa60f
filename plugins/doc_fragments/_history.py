# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  run_by:
    description: Who runs this, to be recorded in the history. The default is the account that runs the module.
    type: str
  job:
    description: The job that runs this, to be recorded in the history, for example the number of the AWX job.
    type: str
"""
