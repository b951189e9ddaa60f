# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Versions of servers: how they are read, and what follows from them."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._mysql.versions import Support, Version, read_version


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("9.7.1", Version(False, 90701)),
        ("8.0.33-0ubuntu0.22.04.2", Version(False, 80033)),
        ("8.0.mysql_aurora.3.08.0", Version(False, 80000)),
        ("5.6.21-log", Version(False, 50621)),
        ("10.11.19-MariaDB-0+deb12u1-log", Version(True, 101119)),
        ("5.5.5-10.11.19-MariaDB-0+deb12u1-log", Version(True, 101119)),
        ("11.8.9-MariaDB-0+deb13u1 from Debian", Version(True, 110809)),
        ("5.5.68-MariaDB", Version(True, 50568)),
        ("8", Version(False, 80000)),
        ("", Version(False, 0)),
    ],
)
def test_versions_are_read_as_servers_write_them(text: str, version: Version) -> None:
    assert read_version(text) == version


@pytest.mark.parametrize(
    ("text", "support"),
    [
        ("5.5.62", Support.REFUSED),
        ("5.6.0", Support.OLD),
        ("5.7.44", Support.OLD),
        ("8.0.0", Support.SUPPORTED),
        ("8.4.6", Support.SUPPORTED),
        ("9.7.1", Support.SUPPORTED),
        ("26.1.0", Support.SUPPORTED),
        ("10.1.48-MariaDB", Support.REFUSED),
        ("10.2.11-MariaDB", Support.OLD),
        ("10.5.29-MariaDB", Support.OLD),
        ("10.6.0-MariaDB", Support.SUPPORTED),
        ("11.8.9-MariaDB", Support.SUPPORTED),
        ("12.3.1-MariaDB", Support.SUPPORTED),
    ],
)
def test_how_far_a_server_is_supported(text: str, support: Support) -> None:
    version = read_version(text)
    assert version.support is support
    assert version.atomic_ddl is (support is Support.SUPPORTED)
    assert (version.complaint is None) is (support is Support.SUPPORTED)


def test_what_is_said_about_an_old_server() -> None:
    assert str(read_version("10.5.29-MariaDB").complaint).startswith("MariaDB 10.5 is not supported any more. ")
    assert str(read_version("5.5.62").complaint).startswith("MySQL 5.5 is too old for this collection. ")


def test_only_mysql_from_8_0_on_keeps_statistics_for_a_while() -> None:
    texts = "5.7.44", "8.0.2", "8.0.3", "9.7.1", "11.8.9-MariaDB"
    assert [read_version(text).has_stats_expiry for text in texts] == [False, False, True, True, False]
