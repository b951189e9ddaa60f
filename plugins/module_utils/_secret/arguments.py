# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that speak of secrets, shared by modules and the lookup. Private to the collection.

Each spec is documented by the doc fragment of its name. What excludes or requires what is checked where the options
are used, because a lookup has no such rules in its declaration and a role passes empty texts for what is not set.
"""

from __future__ import annotations

from .._core.arguments import ArgumentSpec

AWS = ArgumentSpec(
    argument_spec={
        "region": {"type": "str"},
        "profile": {"type": "str"},
        "access_key": {"type": "str", "no_log": True},
        "secret_key": {"type": "str", "no_log": True},
        "session_token": {"type": "str", "no_log": True},
        "endpoint_url": {"type": "str"},
    }
)

SECRET = ArgumentSpec(
    argument_spec={
        "version_stage": {"type": "str"},
        "version_id": {"type": "str"},
        "fields": {"type": "dict"},
    }
)
