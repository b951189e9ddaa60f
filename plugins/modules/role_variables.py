# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: role_variables
short_description: Check the variables of a role of this collection
version_added: 0.2.0
description:
  - Refuses unknown variables that have the prefix of a role, required variables that are not set, strings that YAML
    parsed as a number, date, boolean or list, and values that do not match the role's argument specification.
  - The roles of this collection start with this module. Do not use it anywhere else.
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
options:
  prefix:
    description:
      - The prefix of the role's variables.
      - Users may define variables of their own whose names start with the prefix and C(my_).
    type: str
    required: true
  entry:
    description: The entry point of the role. The variables must fit its specification and that of C(main).
    type: str
    default: main
  required:
    description: The variables that are required.
    type: list
    elements: str
    default: []
  others:
    description: Other known variables with the prefix.
    type: list
    elements: str
    default: []
  unread:
    description: Variables that this entry point does not read. They are not evaluated.
    type: list
    elements: str
    default: []
  python:
    description: The Python interpreter that the role sets for its tasks. It fails if extra variables override it.
    type: path
  problems:
    description: Problems that the role found itself. Empty texts are ignored.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Check the variables
  dbops.migrations.role_variables:
    prefix: migrate_
    required: [migrate_repository]
"""

RETURN = r"""
msg:
  description: The problems, one line for each variable.
  returned: failure
  type: str
  sample: "migrate_dryrun is not a variable of this role. Did you mean migrate_dry_run?"
"""
