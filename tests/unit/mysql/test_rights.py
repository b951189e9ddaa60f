# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What SHOW GRANTS says, and which settings are in the way. The servers' own answers are in the integration tests."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.rights import (
    NEEDED,
    Rights,
    _effects,
    parse,
    rights,
)

WRITES = "SELECT, INSERT, UPDATE, DELETE"
DEFINES = "CREATE, ALTER, DROP, INDEX, REFERENCES"


@pytest.mark.parametrize(
    ("lines", "missing"),
    [
        (["GRANT ALL PRIVILEGES ON *.* TO `a`@`%` WITH GRANT OPTION"], []),
        (["GRANT USAGE ON *.* TO `a`@`%`", "GRANT ALL PRIVILEGES ON `shop_1`.* TO `a`@`%`"], []),
        ([f"GRANT {WRITES} ON *.* TO `a`@`%`", f"GRANT {DEFINES} ON `shop_1`.* TO `a`@`%`"], []),
        ([f"GRANT {WRITES} ON `shop_1`.* TO `a`@`%`"], ["CREATE", "ALTER", "DROP", "INDEX", "REFERENCES"]),
        (["GRANT ALL PRIVILEGES ON `shop\\_%`.* TO `a`@`%`"], []),
        (["GRANT ALL PRIVILEGES ON `SHOP_1`.* TO `a`@`%`"], []),
        (['GRANT ALL PRIVILEGES ON "shop_1".* TO "a"@"%"'], []),
        (["GRANT ALL PRIVILEGES ON `shop\\_2`.* TO `a`@`%`"], list(NEEDED)),
        (["GRANT ALL PRIVILEGES ON `shop_1`.`orders` TO `a`@`%`"], list(NEEDED)),
        (
            ["GRANT SELECT (id), INSERT ON `shop_1`.`orders` TO `a`@`%`", "GRANT PROXY ON ''@'%' TO 'a'@'%'"],
            list(NEEDED),
        ),
        ([f"GRANT {WRITES}, {DEFINES} ON *.* TO `a`@`%`", "REVOKE DROP ON `shop_1`.* FROM `a`@`%`"], ["DROP"]),
        (["GRANT `role`@`%` TO `a`@`%`"], list(NEEDED)),
    ],
)
def test_what_is_missing(lines: list[str], missing: list[str]) -> None:
    assert rights(parse(lines), "shop_1").missing == missing


def test_a_name_with_quotes() -> None:
    assert rights(parse(["GRANT ALL PRIVILEGES ON `a``b`.* TO `a`@`%`"]), "a`b").missing == []


NOBODY = Rights(frozenset(), frozenset())


@pytest.mark.parametrize(
    ("values", "held", "names"),
    [
        ({"log_bin": "ON", "log_bin_trust_function_creators": "OFF"}, NOBODY, ["log_bin_trust_function_creators"]),
        ({"log_bin": "ON", "log_bin_trust_function_creators": "ON"}, NOBODY, []),
        ({"log_bin": "OFF", "log_bin_trust_function_creators": "OFF"}, NOBODY, []),
        ({"log_bin": "ON", "log_bin_trust_function_creators": "OFF"}, Rights(frozenset({"SUPER"}), frozenset()), []),
        ({"log_bin": "ON", "log_bin_trust_function_creators": "OFF"}, None, []),
        ({"read_only": "ON"}, NOBODY, ["read_only"]),
        ({"read_only": "ON"}, Rights(frozenset({"CONNECTION_ADMIN"}), frozenset()), []),
        ({"read_only": "ON", "super_read_only": "ON"}, Rights(frozenset({"SUPER"}), frozenset()), ["super_read_only"]),
        ({"sql_require_primary_key": "ON"}, None, ["sql_require_primary_key"]),
        ({"max_statement_time": "0.000000"}, None, []),
        ({"max_statement_time": "30.000000"}, None, ["max_statement_time"]),
        ({"max_allowed_packet": "999"}, None, ["max_allowed_packet"]),
        ({"max_allowed_packet": "1000"}, None, []),
        ({}, NOBODY, []),
    ],
)
def test_settings_in_the_way(values: dict[str, str], held: Rights | None, names: list[str]) -> None:
    assert [name for name, _effect in _effects(values, held, 1000)] == names
