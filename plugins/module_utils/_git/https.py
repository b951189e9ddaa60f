# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""User name and token for HTTPS. Private to the collection."""

from __future__ import annotations

import base64
import shlex
from urllib.parse import urlsplit

from .._core.secrets import register_secret
from .private import PrivateFolder
from .reference import Address


def credentials(address: Address, username: str, token: str, private: PrivateFolder) -> dict[str, str]:
    """Return the environment by which git gets a user name and a token, and only for the host they are meant for."""
    # What a server sees of them, and may repeat.
    register_secret(base64.b64encode(f"{username}:{token}".encode("utf-8", "surrogateescape")).decode())
    host = urlsplit(address.repo).netloc
    place = f"{address.transport}://"
    quote = shlex.quote
    script = f"""#!/bin/sh
case $1 in
  {quote(f"Username for '{place}{host}'")}*) cat {quote(private.secret("username", username))} ;;
  {quote(f"Password for '{place}")}*{quote(f"@{host}'")}*) cat {quote(private.secret("token", token))} ;;
  *) exit 1 ;;
esac
"""
    return {"GIT_ASKPASS": private.program("askpass", script)}
