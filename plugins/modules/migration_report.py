# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: migration_report
short_description: Report what the role migrate did
version_added: 0.2.0
description:
  - Prints what the role P(dbops.migrations.migrate#role) did, or would do, for each host of the play, and which hosts
    failed.
  - In AWX, or if C(awx_job_id) or C(tower_job_id) is set, it also sets artifacts for workflows and notifications.
    C(database_report) is the report as one text, with the failures first, short enough for chat messages.
    C(database_migrations) contains the versions and numbers. C(database_plans) contains the plans of check mode.
  - The playbooks C(dbops.migrations.migrate), C(dbops.migrations.rollback), C(dbops.migrations.force) and
    C(dbops.migrations.baseline) end with this module. In your own playbooks, run it after the role, with C(run_once).
author: The dbops.migrations contributors (@dbops)
extends_documentation_fragment:
  - action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: all
"""

EXAMPLES = r"""
- name: Report what the role did
  dbops.migrations.migration_report:
  run_once: true
"""

RETURN = r"""
msg:
  description: The lines of the report.
  returned: always
  type: list
  elements: str
  sample:
    - "orders: from version 1 to version 2, 1 migration"
    - "  up 2 email: 0.012 s"
"""
