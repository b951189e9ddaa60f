# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Command lines of a survey: no secret is left in one, and what is none stays."""

from __future__ import annotations

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.redaction import redacted
from hypothesis import given
from hypothesis import strategies as st

# A canary takes the place of {} in a shape.
SHAPES = [
    ["mysql", "-uroot", "-p{}"],
    ["/usr/bin/mysqldump", "-p{}", "shop"],
    ["mysql", "--password={}"],
    ["mysql", "--password", "{}"],
    ["sshpass", "-p", "{}", "ssh", "host"],
    ["redis-cli", "-a", "{}", "ping"],
    ["redis-server", "--requirepass", "{}"],
    ["redis-server", "--masterauth", "{}"],
    ["env", "PASSWORD={}", "app"],
    ["app", "DB_PASSWORD={}"],
    ["sh", "-c", "export PGPASSWORD={}; psql"],
    ["sh", "-c", "mysql --password={} shop"],
    ["sh", "-c", "mysql --password {} shop"],
    ["sh", "-c", "mysql -uroot -p{} shop"],
    ["app", "postgres://shop:{}@db.example.com/shop"],
    ["app", "--broker=amqp://guest:{}@mq:5672//"],
    ["app", "redis://:{}@cache:6379/0"],
    ["git", "clone", "https://{}@git.example.com/x.git"],
    ["curl", "-u", "admin:{}", "http://x.example.com"],
    ["curl", "-uadmin:{}", "http://x.example.com"],
    ["curl", "--user", "admin:{}", "http://x.example.com"],
    ["curl", "-H", "Authorization: Bearer {}", "http://x.example.com"],
    ["curl", "-HX-Api-Key: {}", "http://x.example.com"],
    ["curl", "--header", "PRIVATE-TOKEN: {}"],
    ["curl", "--cookie", "session={}"],
    ["wget", "--http-password={}"],
    ["app", "--token", "{}"],
    ["app", "--api-key={}"],
    ["app", "--client-secret", "{}"],
    ["java", "-Ddb.password={}", "-jar", "app.jar"],
    ["java", "-Djavax.net.ssl.keyStorePassword={}", "-jar", "app.jar"],
    ["app", "AWS_SECRET_ACCESS_KEY={}"],
    ["app", "--aws-access-key-id", "{}"],
    ["app", "Server=db;Database=shop;User Id=sa;Password={};Encrypt=true"],
    ["app", "DefaultEndpointsProtocol=https;AccountName=a;AccountKey={};EndpointSuffix=x"],
    ["app", "host=db user=shop password={} dbname=shop"],
    ["app", "shop:{}@tcp(db:3306)/shop"],
    ["sqlplus", "scott/{}@orcl"],
    ["app", '{{"password": "{}"}}'],
    ["app", "https://x.blob.example.com/a?sv=1&sig={}&se=2"],
    ["app", "https://x.example.com/hook?access_token={}"],
    ["openssl", "enc", "-k", "{}"],
    ["openssl", "rsa", "-passin", "pass:{}"],
    ["ldapsearch", "-w", "{}"],
    ["sqlcmd", "-P", "{}"],
    ["vault", "login", "token={}"],
    ["gunicorn: worker --password {} [app]"],
    ["app", "--secretkey={}"],
    ["mysql", "--passw", "{}"],
    ["snmpget", "-v2c", "-c", "{}", "switch"],
    ["app", "AKIA{}"],
    ["app", "ghp_{}"],
    ["app", "xoxb-{}"],
    ["app", "eyJhbGciOiJIUzI1NiJ9.{}.c2ln"],
]


@pytest.mark.parametrize("shape", SHAPES, ids=" ".join)
@given(canary=st.text("ABCDEFGHJKLMNPQRSTUVWXYZ23456789", min_size=16, max_size=24))
def test_a_secret_is_not_left_in_a_command_line(shape: list[str], canary: str) -> None:
    line = redacted([part.format(canary) for part in shape])
    assert canary not in line
    assert "********" in line
    assert line.startswith(shape[0].split()[0])


@pytest.mark.parametrize(
    "arguments",
    [
        ["/usr/sbin/nginx", "-g", "daemon off;"],
        ["nginx: master process /usr/sbin/nginx"],
        ["/usr/sbin/mariadbd", "--datadir=/var/lib/mysql", "--port=3306"],
        ["/usr/bin/python3", "-m", "gunicorn", "--workers", "4", "shop.wsgi:application"],
        ["ssh", "-p", "2222", "host.example.com"],
        ["redis-server", "127.0.0.1:6379"],
        ["java", "-Xmx512m", "-jar", "/opt/app/app.jar", "--server.port=8080"],
    ],
    ids=" ".join,
)
def test_what_is_not_a_secret_stays(arguments: list[str]) -> None:
    assert redacted(arguments) == " ".join(arguments)


@given(st.lists(st.text(max_size=20), max_size=5))
def test_any_command_line_can_be_shown(arguments: list[str]) -> None:
    line = redacted(arguments)
    assert all(character.isprintable() for character in line)
    assert len(line) <= 1001
