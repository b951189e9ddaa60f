# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A module's messages in the words of the role, and failures of many hosts as lines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible import constants as C
from ansible_collections.dbops.migrations.plugins.plugin_utils import report
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import in_role, left_for_the_report, told
from parts import CHECKOUT

ROLE = CHECKOUT / "roles" / "migrate"


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ("Check login_host and login_port, and that", "Check migrate_login_host and migrate_login_port, and that"),
        ("login_db is empty: name", "migrate_login_database is empty: name"),
        ("in the secret of login_secret.", "in the secret of migrate_secret_id."),
        ("tls is disabled, but login_auth iam", "migrate_tls is disabled, but migrate_login_auth iam"),
        ("steps is 0. Give a number", "migrate_steps is 0. Give a number"),
        ("history_limit is -1.", "migrate_history_limit is -1."),
        ("does not accept username and token.", "does not accept migrate_git_username and migrate_git_token."),
        ("Set token (and username); or", "Set migrate_git_token (and migrate_git_username); or"),
        ("it, or raise timeout.", "it, or raise migrate_git_timeout."),
        ("Check region, endpoint_url, DNS", "Check migrate_aws_region, migrate_aws_endpoint_url, DNS"),
        ("repo holds credentials", "migrate_repository holds credentials"),
        ("that column; choose another migrations_table.", "that column; choose another migrate_table."),
        ("set checksums to warn.", "set migrate_checksums to warn."),
        (
            "The guards refuse this plan: up 1, destroy: target: NULL in profile, login_db: 1. Correct the files."
            " Or allow it, with {destroy: [1]} in allow, or set it to warn in guards.",
            "The guards refuse this plan: up 1, destroy: target: NULL in profile, login_db: 1. Correct the files."
            " Or allow it, with {destroy: [1]} in migrate_allow, or set it to warn in migrate_guards.",
        ),
        (
            "value of rename must be one of: allow, warn, refuse, got: no found in guards",
            "value of rename must be one of: allow, warn, refuse, got: no found in migrate_guards",
        ),
        ("run again with resume_from: 3 if", "run again with migrate_resume_from: 3 if"),
        ("name its key: fields: {password: KEY}.", "name its key: migrate_secret_fields: {password: KEY}."),
    ],
)
def test_options_become_the_roles_variables(said: str, meant: str) -> None:
    assert in_role(said, ROLE) == meant


@pytest.mark.parametrize(
    "text",
    [
        "(1054) Unknown column 'login_host' in 'field list'",
        "0003_login_host.up.sql:1:1: statement 1 failed",
        "Cannot read /etc/ssh/known_hosts, nor login_port.sql",
        "the lock on shop is held by a job that runs on the target; its steps and region are not known",
        "failed. The statement: ALTER TABLE hosts ADD login_host INT, ADD login_port INT",
    ],
)
def test_words_from_elsewhere_stay(text: str) -> None:
    assert in_role(text, ROLE) == text


def test_each_reason_is_reported_once() -> None:
    reasons = {
        "a": "Cannot open shop_a as admin: refused.",
        "b": "Cannot open shop_b as admin: refused.",
        "c": "Cannot open shop_c as root: refused.",
        "d": "",
        "e": "Cannot open shop_a as admin: refused.",
        "f": "First.\n" + " ".join(["word"] * 30),
    }
    names = {host: [host, f"shop_{host}"] for host in reasons}
    names["e"] = ["e", "shop_a"]
    assert list(report.wrapped(report.failed(reasons, names))) == [
        "a, e: failed",
        "  Cannot open shop_a as admin: refused.",
        "b: failed like a",
        "c: failed",
        "  Cannot open shop_c as root: refused.",
        "d: failed",
        "f: failed",
        "  First.",
        "  " + " ".join(["word"] * 21),
        "    " + " ".join(["word"] * 9),
    ]


def test_names_of_one_or_two_letters_do_not_make_reasons_alike() -> None:
    """Or statement 1 of the database 1 would be mistaken for statement 2 of the database 2."""
    reasons = {"1": "statement 1 failed", "2": "statement 2 failed"}
    assert len(list(report.failed(reasons, {"1": ["1"], "2": ["2"]}))) == 4


def test_no_text_makes_a_line_of_its_own() -> None:
    result = {"database": "a\nother: up 9", "msg": "a\nother: up 9: nothing to do", "applied": [], "pending": []}
    assert list(report.done("shop", result)) == ["shop (a other: up 9): nothing to do"]


def test_a_success_ends_what_an_earlier_failure_has_left(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Of a failure that counted as none; or a later play would tell that reason for another failure."""
    monkeypatch.setattr(C, "DEFAULT_LOCAL_TMP", str(tmp_path))
    variables = {"inventory_hostname": "shop", "__migrate_reports": True}
    action: Any = None
    told(action, {"failed": True, "msg": "Nobody answers."}, variables)
    assert left_for_the_report("shop") == {"reason": "Nobody answers.", "database": None}
    told(action, {"changed": False}, variables)
    assert left_for_the_report("shop") is None
