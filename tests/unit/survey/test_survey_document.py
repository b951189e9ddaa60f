# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The survey's document: what is written is read back, and whatever else is refused with its place."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args, get_origin, get_type_hints

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Document, as_json, read
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st


def _values(kind: Any) -> st.SearchStrategy[Any]:
    if get_origin(kind) is list:
        return st.lists(_values(get_args(kind)[0]), max_size=2)
    if get_origin(kind) is Literal:
        return st.sampled_from(get_args(kind))
    if type(None) in get_args(kind):
        return st.none() | _values(get_args(kind)[0])
    if hasattr(kind, "_fields"):
        hints = get_type_hints(kind)
        return st.builds(
            kind, **{name: st.just(1) if name == "schema_version" else _values(hints[name]) for name in hints}
        )
    scalars: dict[Any, st.SearchStrategy[Any]] = {
        str: st.text(max_size=5),
        int: st.integers(),
        float: st.floats(allow_nan=False, allow_infinity=False),
        bool: st.booleans(),
    }
    return scalars[kind]


def _sample() -> dict[str, Any]:
    data: dict[str, Any] = {}
    for name, kind in get_type_hints(Document).items():
        data[name] = _empty(kind)
    data["schema_version"] = 1
    return data


def _empty(kind: Any) -> Any:
    if get_origin(kind) is list:
        return []
    if get_origin(kind) is Literal:
        return get_args(kind)[0]
    if type(None) in get_args(kind):
        return None
    if hasattr(kind, "_fields"):
        return {name: _empty(inner) for name, inner in get_type_hints(kind).items()}
    return kind()


@settings(suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None, max_examples=50)
@given(_values(Document))
def test_what_is_written_is_read_back(document: Document) -> None:
    text = as_json(document)
    assert read(text) == document
    assert as_json(read(text)) == text


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (("host",), 1, "host is not text"),
        (("samples",), True, "samples is not a whole number"),
        (("privileged",), 1, "privileged is not true or false"),
        (("duration",), float("nan"), "duration is not a finite number"),
        (("firewall", "tables"), [{"family": "bridge"}], "firewall.tables[0] lacks chains"),
        (("unseen",), [{"what": "all", "why": "", "remedy": ""}], "unseen[0].what is not one of processes, sockets,"),
        (("unseen",), [{"what": [], "why": "", "remedy": ""}], "unseen[0].what is not one of"),
        (("flows",), {}, "flows is not a list"),
        (("flows",), [[]], "flows[0] is not an object"),
        (("identity", "kernel"), None, "identity.kernel is not text"),
        (("identity", "more"), 1, "identity has the unknown key more"),
        (("unseen",), [{"what": "", "why": ""}], "unseen[0] lacks remedy"),
        (
            ("listeners",),
            [{**_empty(get_args(get_type_hints(Document)["listeners"])[0]), "port": "80"}],
            "listeners[0].port is not",
        ),
    ],
)
def test_what_is_wrong_is_named_with_its_place(place: tuple[str, ...], value: Any, message: str) -> None:
    data = _sample()
    inner = data
    for name in place[:-1]:
        inner = inner[name]
    inner[place[-1]] = value
    with pytest.raises(Error) as raised:
        read(json.dumps(data))
    assert message in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "not JSON"),
        ('{"schema_version": 1', "only a part of it"),
        ("[" * 200_000, "nested too deep"),
        ("[]", "no schema_version"),
        ('{"hosts": 1}', "no schema_version"),
        ('{"schema_version": 2}', "schema version 2; this version of the collection reads 1"),
        ('{"schema_version": true}', "schema version true"),
        ('{"schema_version": 1}', "lacks"),
    ],
)
def test_what_is_not_a_document_is_refused(text: str, message: str) -> None:
    with pytest.raises(Error) as raised:
        read(text)
    assert message in str(raised.value)
