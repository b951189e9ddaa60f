# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  databases:
    description:
      - The names of the schemas, or patterns as for SQL's C(LIKE). A text is a pattern if it has an unescaped C(%) or
        contains C(\_). In a pattern, C(%) stands for any characters and C(_) for one character; put C(\) before them
        to match them literally.
      - The schemas are processed in this order, those that match a pattern in alphabetical order, and each only once.
        Patterns never match the server's own schemas.
      - A name or pattern that matches no schema is an error, and nothing is changed.
    type: list
    elements: str
    required: true
  login_db:
    description:
      - Ignored, because O(databases) names the schemas. It is accepted so that it can be among shared module defaults.
    type: str
"""
