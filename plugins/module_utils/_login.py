# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module logs in to a database: with a password, or with a token of AWS's. Private to the collection.

The one place that knows both _mysql and _secret.
"""

from __future__ import annotations

from dataclasses import replace

from ansible.module_utils.basic import AnsibleModule

from ._core.arguments import ArgumentSpec
from ._core.errors import Error
from ._mysql.settings import MYSQL, Settings, read_settings
from ._secret.arguments import AWS

# Documented in the doc fragments dbops.migrations._mysql and dbops.migrations._aws.
LOGIN = (
    MYSQL
    + AWS
    + ArgumentSpec(argument_spec={"login_auth": {"type": "str", "default": "password", "choices": ["password", "iam"]}})
)
_ENCRYPTED = ("required", "verify_ca", "verify_identity")
_DENIED = (
    "Check login_user, region and login_host, which must be the server's own endpoint. The account must be made for "
    "IAM, and the AWS identity be allowed rds-db:connect for it."
)


def read_login(module: AnsibleModule) -> Settings:
    """Make settings of a module's parameters, which are those of LOGIN.

    :raises Error: they do not go together, or there is no token to be had.
    """
    settings = read_settings(module.params)
    if module.params["login_auth"] == "password":
        return settings
    user = _user_for_iam(settings)
    # It takes a quarter of a second to load boto3, which only this needs.
    from ._secret.rds import rds_token  # noqa: PLC0415

    token = rds_token(module.params, settings.host, settings.port, user)
    module.no_log_values.add(token)
    return replace(settings, password=token, hints={1045: _DENIED, 1698: _DENIED})


def _user_for_iam(settings: Settings) -> str:
    if settings.tls not in _ENCRYPTED:
        raise Error(
            f"tls is {settings.tls}, but login_auth iam sends its token as it is, so the connection must be encrypted. "
            f"Set tls to {', '.join(_ENCRYPTED[:-1])} or {_ENCRYPTED[-1]}."
        )
    if settings.unix_socket:
        raise Error("login_auth iam is for Amazon RDS, which has no login_unix_socket. Give login_host instead.")
    if settings.password:
        raise Error("login_password and login_auth iam exclude each other. Leave one of them out.")
    if not settings.user:
        raise Error("login_user is not set, and login_auth iam makes its token for one. Name the account.")
    return settings.user
