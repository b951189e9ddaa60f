# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: role_variables
short_description: Check the variables of a role of this collection
version_added: 0.2.0
description:
  - Refuses variables that begin like those of the role but are not, variables that are not set and must be, texts that
    YAML has read as a number, a date, a truth value or a list, and what does not fit the role's specification.
  - The roles of this collection begin with it. It is of no use outside of them.
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
      - What the names of the role's variables begin with.
      - Names of a user's own may begin with it, followed by C(my_).
    type: str
    required: true
  entry:
    description: The entry point of the role. The variables must fit its specification and that of C(main).
    type: str
    default: main
  required:
    description: The variables that must be set.
    type: list
    elements: str
    default: []
  others:
    description: Further names with the prefix that are in use.
    type: list
    elements: str
    default: []
  unread:
    description: Variables that this entry point does not read. They are not evaluated.
    type: list
    elements: str
    default: []
  python:
    description: The interpreter that the role sets for its tasks, which extra variables would override.
    type: path
  problems:
    description: What the role has found itself, a text for each problem; an empty one is none.
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
  description: What is wrong, one line for each variable.
  returned: failure
  type: str
  sample: "migrate_dryrun is not a variable of this role. Did you mean migrate_dry_run?"
"""
