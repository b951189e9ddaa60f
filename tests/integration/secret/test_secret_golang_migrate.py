# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A connection URL means the same here and to the real golang-migrate."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._secret.credentials import parse

if TYPE_CHECKING:
    from parts.mariadb import MariaDB

USER = "us er+1"
PASSWORD = "a+b c%41@:/?#()é"


@pytest.fixture
def account(mariadb: MariaDB, schema: str) -> Iterator[str]:
    """An account whose name and password are full of signs; the schema that it may use."""
    password = PASSWORD.replace("'", "''")
    mariadb.query(f"CREATE USER '{USER}'@'%' IDENTIFIED BY '{password}'")
    mariadb.query(f"GRANT ALL ON `{schema}`.* TO '{USER}'@'%'")
    yield schema
    mariadb.query(f"DROP USER '{USER}'@'%'")


@pytest.mark.parametrize(
    "login",
    [
        pytest.param(f"{quote(USER, safe='')}:{quote(PASSWORD, safe='')}", id="percent-encoded"),
        pytest.param(f"{quote_plus(USER)}:{quote_plus(PASSWORD)}", id="a plus sign for a space"),
        pytest.param("us er%2B1:a%2Bb c%2541@:/?#()é", id="only what must be encoded"),
    ],
)
def test_a_url_opens_the_same_account(
    mariadb: MariaDB, account: str, golang_migrate: Path, tmp_path: Path, login: str
) -> None:
    url = f"mysql://{login}@tcp({mariadb.host}:{mariadb.port})/{account}"
    (tmp_path / "1_a.up.sql").write_text("CREATE TABLE a (id INT)")
    done = subprocess.run(
        [golang_migrate, "-path", tmp_path, "-database", url, "up"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert mariadb.query("SELECT version FROM schema_migrations", account) == [(1,)]

    credentials = parse(url)
    assert (credentials.user, credentials.password, credentials.database) == (USER, PASSWORD, account)
    assert (credentials.host, credentials.port) == (mariadb.host, mariadb.port)
