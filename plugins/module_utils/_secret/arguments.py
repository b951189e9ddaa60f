# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that speak of secrets, shared by modules and the lookup. Private to the collection.

Each spec is documented by the doc fragment of its name. What excludes or requires what is checked where the options
are used, because a lookup has no such rules in its declaration and a role passes empty texts for what is not set.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.arguments import ArgumentSpec

AWS = ArgumentSpec(
    argument_spec={
        "region": {"type": "str"},
        "profile": {"type": "str"},
        "access_key": {"type": "str", "no_log": True},
        "secret_key": {"type": "str", "no_log": True},
        "session_token": {"type": "str", "no_log": True},
        "assume_role_arn": {"type": "str"},
        "external_id": {"type": "str"},
        "endpoint_url": {"type": "str"},
        "ca_bundle": {"type": "path"},
    }
)

_VERSION: Mapping[str, Mapping[str, Any]] = {
    "store": {
        "type": "str",
        "default": "aws_secrets_manager",
        "choices": ["aws_secrets_manager", "aws_parameter_store", "file"],
    },
    "version_stage": {"type": "str"},
    "version_id": {"type": "str"},
}

SECRET = ArgumentSpec(argument_spec={**_VERSION, "fields": {"type": "dict"}})


def address(**more: Mapping[str, Any]) -> dict[str, Any]:
    """Return an option that says where a secret is, in place of the secret itself.

    :param more: what it says beside that.
    """
    return {"type": "dict", "no_log": False, "options": {"id": {"type": "str", "required": True}, **_VERSION, **more}}


# Documented in the doc fragment dbops.migrations._server.
PROOF = ArgumentSpec(
    argument_spec={
        "login_auth": {"type": "str", "default": "password", "choices": ["password", "iam"]},
        "login_secret": address(fields={"type": "dict"}),
    }
)
