# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a module returns and what Ansible is told, whatever ansible-core does or does not do by itself."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core import secrets
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import failed
from ansible_collections.dbops.migrations.plugins.module_utils._secret.credentials import Credentials
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import Resolved


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is registered with Ansible, which then sends it to the controller."""
    told: list[str] = []
    monkeypatch.setattr(secrets, "_register", told.append)
    monkeypatch.setattr(secrets, "_registered", set())
    return told


def test_a_secret_that_stays_on_the_host_is_not_told_to_ansible(told: list[str]) -> None:
    secrets.register_secret("pa55word")
    assert told == []
    Resolved(Credentials("pa55word"), "arn", "1").results()
    assert told == ["pa55word"]


def test_no_part_of_a_result_holds_a_secret() -> None:
    secrets.register_secret("pa55word")
    result = {
        "error": "near 'pa55word'",
        "rows": [("pa55word", 1, None)],
        "deep": [{"a": "xpa55wordx"}],
        "changed": True,
    }
    assert secrets.without_secrets(result) == {
        "error": "near '********'",
        "rows": [["********", 1, None]],
        "deep": [{"a": "x********x"}],
        "changed": True,
    }


def test_no_part_of_a_result_steers_a_terminal() -> None:
    secrets.register_secret("pa55\x1bword")
    result = {
        "diff": {"before_header": "a\x1b[31m\x9b1m\u202e\u2066\u2028b"},
        "text": "a\tb\nc \u00e9\u200d",
        "said": "pa55\x1bword",
    }
    assert secrets.without_secrets(result) == {
        "diff": {"before_header": "a?[31m?1m???b"},
        "text": "a\tb\nc \u00e9\u200d",
        "said": "********",
    }


def test_a_failure_ends_with_its_code_however_long_it_is() -> None:
    assert failed(Error(1042, "It failed.", line=3)) == {"msg": "It failed. (DBM-1042)", "line": 3}
    assert failed(Error(1042, "x" * 20_000))["msg"] == f"{'x' * 10_000}\N{HORIZONTAL ELLIPSIS} (DBM-1042)"
    assert failed(KeyError("x"))["msg"] == (
        "This is a bug in dbops.migrations, please report it: KeyError('x') (DBM-1199)"
    )
