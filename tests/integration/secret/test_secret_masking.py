# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module read itself, or was given, is in nothing that it returns, whoever repeats it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from conftest import RunModule
    from parts.mariadb import MariaDB

PASSWORD = "canary p@ss/wörd-€"


@pytest.fixture
def login(mariadb: MariaDB, schema: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The options of a module that works on a database whose password is in a file."""
    account = schema.replace("test_", "user_")
    mariadb.query(f"CREATE USER '{account}'@'%' IDENTIFIED BY '{PASSWORD}'")
    mariadb.query(f"GRANT ALL ON `{schema}`.* TO '{account}'@'%'")
    content = {"host": mariadb.host, "port": mariadb.port, "username": account, "password": PASSWORD}
    (tmp_path / "secret").write_text(json.dumps({**content, "dbname": schema}))
    (tmp_path / "secret").chmod(0o600)
    (tmp_path / "migrations").mkdir()
    yield {"login_secret": {"id": f"{tmp_path}/secret", "store": "file"}, "directory": f"{tmp_path}/migrations"}
    mariadb.query(f"DROP USER '{account}'@'%'")


@pytest.mark.parametrize("form", [PASSWORD, quote(PASSWORD, safe=""), quote(PASSWORD)])
def test_a_statement_that_fails(run_module: RunModule, login: dict[str, Any], schema: str, form: str) -> None:
    """The server repeats it, and so does our quotation of the statement."""
    Path(login["directory"], "1_leak.up.sql").write_text(f"SELECT '{form}' FROM `{form}`;\n")
    result = run_module("migration_apply", login)
    assert result["msg"].startswith(
        f"1_leak.up.sql:1:1: statement 1 failed: (1146) Table '{schema}.********' doesn't exist. "
    )
    assert result["msg"].endswith("The statement: SELECT '********' FROM `********` (DBM-1801)")
    assert "canary" not in str(result)


def test_a_result_that_would_hold_it(run_module: RunModule, login: dict[str, Any]) -> None:
    """The file is called like the password, which no message has to say."""
    (Path(login["directory"]) / "1_canary.up.sql").write_text("SELECT 1;\n")
    result = run_module("migration_apply", {**login, "run_by": PASSWORD})
    assert result["failed"] is False, result["msg"]
    assert result["applied"][0]["title"] == "canary"
    info = run_module("migration_info", login)
    assert info["history"][0]["ran_by"] == "********"
    assert PASSWORD not in str(info) + str(result)


class TestFaults:
    """What nobody foresaw is one message, which says whose fault it is."""

    def run(self, run_module: RunModule, tmp_path: Path, name: str, options: dict[str, Any], broken: str) -> str:
        # Python runs it when it starts.
        (tmp_path / "sitecustomize.py").write_text(broken)
        path = ":".join([str(tmp_path), *filter(None, sys.path)])
        # With what ANSIBLE_DISPLAY_TRACEBACK adds.
        result = run_module(name, {**options, "_ansible_tracebacks_for": ["error"]}, env={"PYTHONPATH": path})
        assert result["failed"]
        assert {key for key in result if not key.startswith("_")} - {"database"} == {"failed", "msg", "exception"}
        assert "canary" not in str(result)
        assert "Traceback" in result["exception"]
        assert "********" in result["exception"]
        message: str = result["msg"]
        assert message.startswith("This is a bug in dbops.migrations, please report it: ")
        assert "Traceback" not in message
        return message

    def test_with_a_secret_that_was_read(self, run_module: RunModule, login: dict[str, Any], tmp_path: Path) -> None:
        broken = f"import platform\ndef node():\n    raise RuntimeError('\\x1b {PASSWORD}')\nplatform.node = node\n"
        Path(login["directory"], "1_a.up.sql").write_text("SELECT 1;\n")
        message = self.run(run_module, tmp_path, "migration_apply", login, broken)
        assert message.endswith("RuntimeError('\\x1b ********') (DBM-1199)")

    def test_with_a_secret_that_was_given(self, run_module: RunModule, tmp_path: Path) -> None:
        broken = "import shutil\ndef which(_name):\n    raise KeyError('canary%2Ftoken')\nshutil.which = which\n"
        options = {"repo": "https://git.example.com/x.git", "dest": f"{tmp_path}/dest", "token": "canary/token"}
        assert self.run(run_module, tmp_path, "git_fetch", options, broken).endswith("KeyError('********') (DBM-1199)")

    def test_in_a_module_that_returns_secrets(self, run_module: RunModule, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text('{"password": "canary"}')
        (tmp_path / "secret").chmod(0o600)
        # It comes after the secret was registered.
        broken = "import dataclasses\ndef asdict(it):\n    raise ValueError(it.credentials.password)\n"
        options = {"secret_id": f"{tmp_path}/secret", "store": "file"}
        broken += "dataclasses.asdict = asdict\n"
        assert self.run(run_module, tmp_path, "secret_lookup", options, broken).endswith(
            "ValueError('********') (DBM-1199)"
        )

    def test_what_a_user_can_fix_is_none(self, run_module: RunModule) -> None:
        options = {"secret_id": "/nowhere/\x1b[2J", "store": "file", "_ansible_tracebacks_for": ["error"]}
        result = run_module("secret_lookup", options)
        assert result["msg"].startswith("Secret /nowhere/?[2J: the file cannot be read: No such file or directory. ")
        # What Ansible adds says where the module ended, not what was raised in it.
        assert "Error" not in result["exception"]
        assert "\x1b" not in result["exception"]
