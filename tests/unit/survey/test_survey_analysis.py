# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What services are, and how much there is to copy."""

from __future__ import annotations

from typing import Any, get_type_hints

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.classify import (
    Finding,
    classify,
    signatures,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.transfer import transfer
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    DataDirectory,
    Document,
    Listener,
    Mount,
    Service,
    Storage,
)

_SERVICE = Service("s", "", "", "root", None, None, None, None, None, "", 1, "", 0, 0.0)


def _listener(port: int, service: str = "s") -> Listener:
    return Listener(service, "tcp", "0.0.0.0", port, False, None)


@pytest.mark.parametrize(
    ("fields", "ports", "expected"),
    [
        (
            {"program": "mariadbd", "unit": "mariadb.service", "package": "mariadb-server-core"},
            [3306],
            Finding(
                "MariaDB",
                "database",
                0.99,
                [
                    "program mariadbd",
                    "unit mariadb.service",
                    "package mariadb-server-core",
                    "port 3306",
                ],
            ),
        ),
        (
            {"program": "python3.11", "name": "gunicorn"},
            [],
            Finding("Gunicorn", "application", 0.8, ["program gunicorn"]),
        ),
        (
            {"program": "java", "command": "java -Xmx1g org.apache.catalina.startup.Bootstrap start"},
            [8080],
            Finding("Tomcat", "application", 0.86, ["command org.apache.catalina.", "port 8080"]),
        ),
        (
            {"program": "postgres", "unit": "postgresql@15-main.service"},
            [],
            Finding(
                "PostgreSQL",
                "database",
                0.92,
                ["program postgres", "unit postgresql@15-main.service"],
            ),
        ),
        # Something waits there: no more is known.
        ({"program": "shop"}, [5432], Finding("PostgreSQL", "database", 0.3, ["port 5432"])),
    ],
)
def test_a_service_is_recognised(fields: dict[str, Any], ports: list[int], expected: Finding) -> None:
    listeners = [*map(_listener, ports), _listener(6379, "other")]
    assert classify(_SERVICE._replace(**fields), listeners, signatures())[0] == expected


def test_what_nobody_knows_is_nothing() -> None:
    assert classify(_SERVICE._replace(program="shop"), [_listener(12345)], signatures()) == []


def test_there_are_many_technologies_and_each_can_be_recognised() -> None:
    known = signatures()
    assert len({one.technology for one in known}) == len(known) >= 60
    for one in known:
        assert one.programs or one.units or one.packages or one.commands
        for program in one.programs:
            found = {finding.technology for finding in classify(_SERVICE._replace(program=program), [], known)}
            assert one.technology in found


def test_a_persons_own_are_added_and_replace() -> None:
    own = signatures(
        "- {technology: Shop, role: application, programs: [shop]}\n"
        "- {technology: nginx, role: gate, programs: [nginx]}\n",
        "own.yml",
    )
    assert [one.technology for one in classify(_SERVICE._replace(program="shop"), [], own)] == ["Shop"]
    assert [one.role for one in classify(_SERVICE._replace(program="nginx"), [], own)] == ["gate"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [", "The signatures in own.yml are not valid YAML"),
        ("a: 1", "The signatures in own.yml are not a list"),
        ("- {technology: a}", "Signature 1 in own.yml lacks technology or role"),
        ("- 1", "Signature 1 in own.yml lacks technology or role"),
        ("- {technology: a, role: b, port: [1]}", "Signature 1 in own.yml has the unknown key port"),
        ("- {technology: a, role: b, ports: ['1']}", "Signature 1 in own.yml: ports is not a list of numbers"),
        ("- {technology: a, role: b, units: x}", "Signature 1 in own.yml: units is not a list of strings"),
        (
            "- {technology: a, role: b, commands: ['(']}",
            "Signature 1 in own.yml: a command is not a valid regular expression",
        ),
    ],
)
def test_what_is_not_a_signature_is_named(text: str, message: str) -> None:
    with pytest.raises(Error) as raised:
        signatures(text, "own.yml")
    assert str(raised.value).startswith(message)


def _document(mounts: list[Mount], data: list[DataDirectory]) -> Document:
    empty: dict[str, Any] = dict.fromkeys(get_type_hints(Document))
    return Document(**{**empty, "storage": Storage(mounts, [], data)})


def test_the_data_of_services_is_what_is_copied() -> None:
    root = Mount("/", "ext4", "/dev/vda1", False, False, 10**12, 9 * 10**9)
    data = DataDirectory("s", "/var/lib/mysql", 36 * 10**9, False)
    found = transfer(_document([root], [data, data._replace(service="t")]), 1000)
    assert (found.bytes, found.least, found.hours) == (36 * 10**9, False, 0.1)
    assert found.basis == "the data directories /var/lib/mysql"
    assert transfer(_document([root], [data._replace(partial=True)]), 100).least


def test_else_it_is_what_the_host_itself_has_stored() -> None:
    root = Mount("/", "ext4", "/dev/vda1", False, False, 10**12, 9 * 10**9)
    again = root._replace(path="/bind")
    nas = Mount("/srv", "nfs4", "nas:/srv", True, False, 0, 0)
    found = transfer(_document([root, again, nas], [DataDirectory("s", "/data", None, False)]), 100)
    assert (found.bytes, found.hours) == (9 * 10**9, 0.25)
    assert "no data directories are known" in found.basis


@pytest.mark.parametrize("megabits", [0, -1, float("nan")])
def test_a_line_that_carries_nothing_is_refused(megabits: float) -> None:
    with pytest.raises(ValueError, match="more than 0 megabits"):
        transfer(_document([], []), megabits)
