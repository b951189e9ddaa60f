# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The session itself, where nothing else shows what it does."""

from __future__ import annotations

import time

from ansible_collections.dbops.migrations.plugins.module_utils._mysql.session import connect
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.settings import MYSQL, read_settings
from parts.mariadb import DatabaseServer


def test_something_else_is_done_while_the_server_is_at_work(server: DatabaseServer) -> None:
    """It rests on a method that PyMySQL does not promise: without it, all would only be slower."""
    defaults = {name: option.get("default") for name, option in MYSQL.argument_spec.items()}
    login = {"host": server.host, "port": server.port, "user": server.user, "password": server.password}
    params = {**defaults, **{f"login_{name}": value for name, value in login.items()}, "login_db": "information_schema"}
    done: list[float] = []
    with connect(read_settings(params)) as session:
        started = time.monotonic()
        session.execute(b"DO SLEEP(0.5)", meanwhile=lambda: done.append(time.monotonic()))
        ended = time.monotonic()
        session.execute(b"DO 1")
    [moment] = done
    assert moment - started < 0.4 < ended - started
