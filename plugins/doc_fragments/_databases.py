# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  databases:
    description:
      - The schemas, by their names, or by patterns as C(LIKE) has them. A text with a C(%) that is not escaped, or with
        C(\_), is a pattern. In it C(%) stands for any characters and C(_) for one, unless C(\) is before it.
      - They are taken in the order given, those of a pattern in the order of their names, each once. No pattern means
        the server's own schemas.
      - A name or a pattern that means no schema is an error, before anything is done.
    type: list
    elements: str
    required: true
  login_db:
    description:
      - Counts for nothing here, where O(databases) names the schemas. It may be among defaults that all modules share.
    type: str
"""
