# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A secret's text becomes credentials, or a message that holds nothing of it."""

from __future__ import annotations

import dataclasses
import json
import sys
import traceback
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._secret.credentials import KEYS, Credentials, parse, pick
from hypothesis import example, given
from hypothesis import strategies as st

FULL = Credentials(host="db.example.com", port=3307, user="shop", password="pa55", database="shop_db")
RDS = {
    "engine": "mysql",
    "host": "db.example.com",
    "port": 3307,
    "dbname": "shop_db",
    "username": "shop",
    "password": "pa55",
    "dbClusterIdentifier": "cluster-1",
    "dbInstanceIdentifier": "instance-1",
}
OLD = {"hostname": "db.example.com", "port": "3307", "database": "shop_db", "username": "shop", "password": "pa55"}


@pytest.mark.parametrize(
    "secret",
    [
        pytest.param(json.dumps(OLD), id="the common keys, the port as text"),
        pytest.param(json.dumps(RDS), id="Amazon RDS"),
        pytest.param(json.dumps({**RDS, "engine": "MariaDB"}), id="an engine in capitals"),
        pytest.param(json.dumps({**RDS, "engine": "aurora-mysql"}), id="Aurora"),
        pytest.param(json.dumps({**OLD, "host": "db.example.com"}), id="two keys that agree"),
        pytest.param(json.dumps({**OLD, "host": None, "dbname": ""}), id="two keys of which one is empty"),
        pytest.param(f"\n {json.dumps(OLD)} \n", id="white space around"),
        pytest.param("mysql://shop:pa55@db.example.com:3307/shop_db", id="URL"),
        pytest.param("MariaDB://shop:pa55@db.example.com:3307/shop_db\n", id="URL of MariaDB"),
        pytest.param("mysql://shop:pa55@tcp(db.example.com:3307)/shop_db", id="golang-migrate's URL"),
        pytest.param("mysql://shop:pa55@db.example.com:3307/shop_db?charset=utf8&x=a/b@c", id="URL with parameters"),
        pytest.param("mysql://shop:pa55@tcp(db.example.com:3307)/shop_db?tls=true&x=%2F", id="its URL with parameters"),
        pytest.param(f"\ufeff{json.dumps(OLD)}", id="a byte order mark"),
        pytest.param("\ufeffmysql://shop:pa55@db.example.com:3307/shop_db", id="URL with a byte order mark"),
        pytest.param("mysql2://shop:pa55@db.example.com:3307/shop_db", id="URL of Rails"),
        pytest.param("trilogy://shop:pa55@db.example.com:3307/shop_db", id="URL of Rails, its other driver"),
        pytest.param("mysql+pymysql://shop:pa55@db.example.com:3307/shop_db", id="URL of SQLAlchemy"),
        pytest.param("mariadb+mariadbconnector://shop:pa55@db.example.com:3307/shop_db", id="URL of another driver"),
        pytest.param("mysql://%73hop:p%6155@db.example.com:3307/shop%5Fdb", id="URL with percent signs"),
    ],
)
def test_accepted_shapes(secret: str) -> None:
    assert parse(secret) == FULL


def test_fields_name_any_keys() -> None:
    secret = {"srv": "db.example.com", "p": 3307, "u": "shop", "db_pw": "pa55", "schema": "shop_db", "password": "no"}
    fields = {"host": "srv", "port": "p", "user": "u", "password": "db_pw", "database": "schema"}
    assert parse(json.dumps(secret), fields) == FULL


def test_fields_are_needed_only_where_keys_differ() -> None:
    secret = {**OLD, "db_pw": "other"}
    assert parse(json.dumps(secret), {"password": "db_pw"}).password == "other"
    assert parse(json.dumps(secret), {"password": "db_pw"}).host == "db.example.com"


def test_fields_decide_between_keys_that_differ() -> None:
    assert parse(json.dumps({**OLD, "host": "other"}), {"host": "host"}).host == "other"


@pytest.mark.parametrize("secret", ['{"password": "pa55"}', "mysql://:pa55@", "mysql://:pa55@tcp()/"])
def test_what_the_secret_does_not_say_is_none(secret: str) -> None:
    assert parse(secret) == Credentials(password="pa55")


@pytest.mark.parametrize("text", ["mysql://u:p@[2001:db8::1]:3306/d", "mysql://u:p@tcp([2001:db8::1]:3306)/d"])
def test_an_ipv6_address(text: str) -> None:
    assert parse(text) == Credentials(host="2001:db8::1", port=3306, user="u", password="p", database="d")


def test_an_ipv6_address_as_a_host_is_not_a_host_with_a_port() -> None:
    assert parse('{"password": "x", "host": "2001:db8::1"}').host == "2001:db8::1"


def test_a_password_with_signs_that_nobody_encoded() -> None:
    assert parse("mysql://u:a@b:c@host/d").password == "a@b:c"
    assert parse("mysql://u:a/b?c#d@e@tcp(host:1)/d").password == "a/b?c#d@e"


def test_a_plus_sign_is_a_space_only_where_golang_migrate_says_so() -> None:
    assert parse("mysql://u:a+b@host/d").password == "a+b"
    assert parse("mysql://u:a+b@tcp(host:1)/d").password == "a b"


def test_the_password_stays_out_of_repr() -> None:
    assert "pa55" not in repr(FULL)
    assert "db.example.com" in repr(FULL)


PASSWORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(password=PASSWORDS)
@example(password="%25 +&?#/@:()[]{}\\\"'")
@example(password=" begins and ends with a space ")
def test_every_password_comes_back_from_every_shape(password: str) -> None:
    for text in (
        json.dumps({**RDS, "password": password}),
        json.dumps({**OLD, "password": password}, ensure_ascii=False),
        f"mysql://shop:{quote(password, safe='')}@db.example.com:3307/shop_db",
        f"mysql://shop:{quote(password, safe='')}@tcp(db.example.com:3307)/shop_db?x=1",
        f"mysql://shop:{quote_plus(password)}@tcp(db.example.com:3307)/shop_db",
    ):
        assert parse(text) == dataclasses.replace(FULL, password=password)


REFUSED: dict[str, tuple[str, Any, str]] = {
    "empty": ("", {}, "it is empty. Store a JSON object or a connection URL in it."),
    "white space": (" \n", {}, "it is empty. Store a JSON object or a connection URL in it."),
    "plain text": (
        "s3cret-value",
        {},
        "it is neither JSON nor a connection URL. Store a JSON object with the keys host, port, username, password "
        "and database, or a URL such as mysql://user:password@host:3306/database.",
    ),
    "a comma after the last value": (
        '{\n  "password": "s3cret-value",\n}',
        {},
        # Python 3.13 points at the comma, older ones at what follows it.
        f"its JSON is broken at {'line 2, column 29' if sys.version_info >= (3, 13) else 'line 3, column 1'}. Look "
        "for a comma that is missing or follows the last value, a missing quotation mark, or a line break or a "
        "backslash inside a value.",
    ),
    "a missing quotation mark": (
        '{"password": s3cret-value}',
        {},
        "its JSON is broken at line 1, column 14. Look for a comma that is missing or follows the last value, a "
        "missing quotation mark, or a line break or a backslash inside a value.",
    ),
    "a host with its port": (
        '{"password": "s3cret-value", "host": "db.example.com:3306"}',
        {},
        "the value of host also contains a port. Store only the host there, and the port under port.",
    ),
    "an IPv6 address with its port": (
        '{"password": "s3cret-value", "hostname": "[2001:db8::1]:3306"}',
        {},
        "the value of hostname also contains a port. Store only the host there, and the port under port.",
    ),
    "a list": (
        '["s3cret-value"]',
        {},
        "it is JSON, but not an object. Store an object: {…} with the key password and others.",
    ),
    "a number": (
        "31415926",
        {},
        "it is JSON, but not an object. Store an object: {…} with the key password and others.",
    ),
    "a string": (
        '"s3cret-value"',
        {},
        "it is JSON, but not an object. Store an object: {…} with the key password and others.",
    ),
    "no password": (
        '{"hostname": "s3cret-value", "pw": "s3cret-value"}',
        {},
        "it has no password. Its keys are: hostname, pw. "
        "Store the password under password, or name its key: fields: {password: KEY}.",
    ),
    "an empty password": (
        '{"password": ""}',
        {},
        "its key password, which should hold the password, is empty.",
    ),
    "no keys": (
        "{}",
        {},
        "it has no password. Its keys are: none. "
        "Store the password under password, or name its key: fields: {password: KEY}.",
    ),
    "nested": (
        '{"db": {"password": "s3cret-value"}, "name": "s3cret-value"}',
        {},
        "it has no password. Its keys are: db, name. Keys inside db are not looked at: credentials belong at the top "
        "level. Store the password under password, or name its key: fields: {password: KEY}.",
    ),
    "an empty password under a key of its own": (
        '{"pw": ""}',
        {"password": "pw"},
        "its key pw, which should hold the password, is empty.",
    ),
    "a password that is a number": (
        '{"password": 31415926}',
        {},
        "the value of password is not a string. Put it in quotes.",
    ),
    "a host that is an object": (
        '{"host": {"a": "s3cret-value"}, "password": "s3cret-value"}',
        {},
        "the value of host is not a string. Put it in quotes.",
    ),
    "half a character": (
        '{"password": "s3cret-value\\ud800"}',
        {},
        "the value of password contains half a character (a lone surrogate). Store it again.",
    ),
    "a key twice": (
        '{"password": "s3cret-value", "password": "s3cret-value2"}',
        {},
        "it has a key twice: password. Remove one.",
    ),
    "keys that differ": (
        '{"host": "s3cret-value", "hostname": "s3cret-value2", "password": "s3cret-value"}',
        {},
        "its keys hostname and host differ. Remove one, or say which holds: fields: {host: hostname}.",
    ),
    "another engine": (
        '{"engine": "s3cret-value", "password": "s3cret-value"}',
        {},
        "its engine is not one of mysql, mariadb, aurora-mysql. It belongs to another kind of database.",
    ),
    "an engine that is not a name": (
        '{"engine": ["mysql"], "password": "s3cret-value"}',
        {},
        "its engine is not one of mysql, mariadb, aurora-mysql. It belongs to another kind of database.",
    ),
    "a key that is not there": (
        '{"password": "s3cret-value", "a": 1}',
        {"password": "db_pw"},
        "fields maps password to db_pw, which is not among its keys: a, password.",
    ),
    "an unknown name": (
        '{"password": "s3cret-value"}',
        {"pass": "password"},
        "fields maps pass, which is not one of host, port, user, password, database.",
    ),
    "a key that is not a string": (
        '{"password": "s3cret-value"}',
        {"password": ["a"]},
        "fields maps password to something other than the name of a key.",
    ),
    "fields for a URL": (
        "mysql://u:s3cret-value@h/d",
        {"password": "pw"},
        "it is a connection URL and has no keys. Leave fields out.",
    ),
    "another kind of URL": (
        "postgres://u:s3cret-value@h/d",
        {},
        "it is a URL, but neither mysql:// nor mariadb://. It belongs to another kind of database.",
    ),
    "a URL without a password": (
        "mysql://s3cret-value@h/d",
        {},
        "its URL has no password. Write it as mysql://user:password@host:3306/database "
        "or mysql://user:password@tcp(host:3306)/database.",
    ),
    "a URL without a login": (
        "mysql://s3cret-value/d",
        {},
        "its URL has no password. Write it as mysql://user:password@host:3306/database "
        "or mysql://user:password@tcp(host:3306)/database.",
    ),
    "a URL that is cut": (
        "mysql://u:s3cret-value@tcp(h:3306)",
        {},
        "its URL cannot be read. Write it as mysql://user:password@host:3306/database or "
        "mysql://user:password@tcp(host:3306)/database, with characters other than letters and digits "
        "percent-encoded in user, password and database.",
    ),
    "a socket": (
        "mysql://u:s3cret-value@unix(/run/s.sock)/d",
        {},
        "its URL uses a protocol other than tcp(host:port), which is not supported.",
    ),
    "a lone percent sign": (
        "mysql://u:s3cret-value%@h/d",
        {},
        "its URL has a % that does not begin a percent-encoded UTF-8 character. "
        "Write a percent sign in user, password and database as %25.",
    ),
    "percent signs that are not UTF-8": (
        "mysql://u:s3cret-value%ff@h/d",
        {},
        "its URL has a % that does not begin a percent-encoded UTF-8 character. "
        "Write a percent sign in user, password and database as %25.",
    ),
    "a port in a URL": (
        "mysql://u:s3cret-value@h:31415926/d",
        {},
        "the URL's port is not a port: a number from 1 to 65535.",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_refused_and_why(case: str) -> None:
    text, fields, message = REFUSED[case]
    with pytest.raises(Error) as caught:
        parse(text, fields)
    assert str(caught.value) == message
    assert_holds_nothing(caught.value, ["s3cret-value", "31415926", "postgres://u"])


@pytest.mark.parametrize("port", [0, 65536, -1, 3306.5, True, [], "x", "+3306", "3_306", " 3306", "٣٣٠٦", 10**30, "0"])
def test_a_port_that_is_invalid(port: Any) -> None:
    with pytest.raises(Error, match=r"^the value of port is not a port: a number from 1 to 65535\.$"):
        parse(json.dumps({"password": "x", "port": port}))


def test_nested_too_deep() -> None:
    with pytest.raises(Error, match=r"^its JSON is broken\. Look for a comma "):
        parse('{"a":' * 100_000)


def test_a_long_list_of_keys_is_cut() -> None:
    with pytest.raises(Error, match=r"Its keys are: k100, .*, k111 and 88 more\. "):
        parse(json.dumps({f"k{number}": 1 for number in range(100, 200)}))


def test_a_key_that_cannot_be_printed() -> None:
    with pytest.raises(Error) as caught:
        parse('{"\\ud800": 1}')
    assert "Its keys are: \\ud800." in str(caught.value)


# Values that stand out, so that finding one in a message is not an accident.
CANARY = st.text("abcdefgh%:/@?#()+&=\"'\\ 0123456789", max_size=12).map(lambda text: f"CANARY{text}CANARY")
VALUES = st.recursive(CANARY | st.none() | st.booleans() | st.just(""), lambda inner: st.lists(inner, max_size=2))
NAMES = st.sampled_from(
    ["host", "hostname", "port", "user", "username", "password", "database", "dbname", "engine", "x"]
)


@given(
    text=st.one_of(
        CANARY,
        CANARY.map(json.dumps),
        VALUES.map(json.dumps),
        st.dictionaries(NAMES, VALUES).map(json.dumps),
        st.dictionaries(NAMES, VALUES).map(lambda secret: json.dumps(secret)[:-1]),
        st.builds("{}://{}:{}@{}:{}/{}".format, st.sampled_from(["mysql", "x"]), *[CANARY] * 5),
        st.builds("mysql://{}:{}@{}({}:{})/{}".format, CANARY, CANARY, st.sampled_from(["tcp", "unix"]), *[CANARY] * 3),
        CANARY.map("mysql://{}".format),
    ),
    fields=st.none() | st.dictionaries(st.sampled_from(list(KEYS)), NAMES, max_size=2),
)
def test_no_message_ever_holds_a_value(text: str, fields: dict[str, str] | None) -> None:
    try:
        credentials = parse(text, fields)
    except Error as error:
        assert_holds_nothing(error, ["CANARY"])
    else:
        assert credentials.password


def assert_holds_nothing(error: Error, values: list[str]) -> None:
    """Fail when a value is in the message, or in what a traceback would print of it and its causes."""
    shown = "".join(traceback.TracebackException.from_exception(error).format_exception_only()) + str(error)
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None
    for value in values:
        assert value not in shown


@pytest.mark.parametrize(
    ("text", "field", "found"),
    [
        ("pa55", None, "pa55"),
        ("two\nlines\r\n\n", None, "two\nlines"),
        ("  spaces are part of it  \n", "", "  spaces are part of it  "),
        ('["pa55"]', None, '["pa55"]'),
        ('{"a": "pa55\\n", "b": 1}', "a", "pa55\n"),
        ('\n {"a": "{pa55"}\n', "a", "{pa55"),
        ('\ufeff{"a": "pa55"}', "a", "pa55"),
        ("\ufeffpa55\n", None, "pa55"),
    ],
)
def test_one_text_of_a_secret(text: str, field: str | None, found: str) -> None:
    assert pick(text, field) == found


@pytest.mark.parametrize(
    ("text", "field", "reason"),
    [
        ('{"a": "canary", "b": "canary"}', "c", "it has no key c. Its keys are: a, b."),
        (
            '{"a": "canary", "b": "canary"}',
            None,
            "it is a JSON object, whose keys are: a, b. Name the one to use: field: KEY.",
        ),
        (
            "{canary",
            None,
            "its JSON is broken at line 1, column 2. Look for a comma that is missing or follows the last value, a "
            "missing quotation mark, or a line break or a backslash inside a value.",
        ),
        ("canary", "a", "it is not a JSON object, so it has no key a. Store one, or leave field out."),
        ('["canary"]', "a", "it is not a JSON object, so it has no key a. Store one, or leave field out."),
        ("null", "a", "it is not a JSON object, so it has no key a. Store one, or leave field out."),
        ("[" * 100_000, "a", "it is not a JSON object, so it has no key a. Store one, or leave field out."),
        ('{"a": "canary", "a": "canary"}', "a", "it has a key twice: a. Remove one."),
        ('{"a": ""}', "a", "its key a is empty."),
        ('{"a": " "}', "a", "its key a is empty."),
        ('{"a": null}', "a", "its key a is empty."),
        ('{"a": 5}', "a", "the value of a is not a string. Put it in quotes."),
        ('{"a": {"canary": "b"}}', "a", "the value of a is not a string. Put it in quotes."),
        ('{"a": "\\ud800canary"}', "a", "the value of a contains half a character (a lone surrogate). Store it again."),
        ("", None, "it is empty."),
        (" \n\n", None, "it is empty."),
        ("", "a", "it is empty."),
    ],
)
def test_no_text_of_a_secret(text: str, field: str | None, reason: str) -> None:
    with pytest.raises(Error) as caught:
        pick(text, field)
    assert str(caught.value) == reason
