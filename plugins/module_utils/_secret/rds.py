# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A token in place of a password, for Amazon RDS with IAM database authentication. Private to the collection."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._core.errors import Error
from .._core.secrets import register_secret
from .aws import AwsClient


def rds_token(options: Mapping[str, Any], host: str, port: int, user: str) -> str:
    """Make a token with which this user can log in at this address.

    :param options: the options of the spec AWS by name; options that are None or empty are not set.
    """
    client = AwsClient("rds", options)
    try:
        token = client.login_token(host, port, user)
    except Error as error:
        raise Error(error.number, f"The token for login_auth iam: {error}", **error.results) from None
    register_secret(token)
    return token
