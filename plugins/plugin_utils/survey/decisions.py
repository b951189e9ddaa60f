# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""decisions.yml: what people have decided about components. It is read, and never written."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, cast, get_args

import yaml
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Decision, Fate

FILE = "decisions.yml"
_KEYS = ("name", "owner", "decision", "wave", "notes")


def load(directory: Path) -> dict[str, Decision]:
    """Return the decisions by component; empty: there is no such file.

    :raises Error: the file is something else; the message says where.
    """
    path = directory / FILE
    try:
        text = path.read_bytes().decode("utf-8")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Error(2518, f"{path} cannot be read: {reason}. Fix its owner or mode, and write it in UTF-8.") from error
    return read(text)


def read(text: str) -> dict[str, Decision]:
    """Return the decisions of a text.

    :raises Error: it is no such text.
    """
    try:
        data = yaml.safe_load(text)
        _refuse_twice(yaml.compose(text, yaml.SafeLoader), 2)
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split()) if not isinstance(error, RecursionError) else "it is nested too deep"
        raise Error(2519, f"{FILE} is not valid YAML: {reason}. Correct it there.") from error
    data = {} if data is None else data
    if not isinstance(data, dict) or set(data) - {"components"}:
        raise Error(2520, f"{FILE} must have one key, components, with a dictionary of components under it.")
    entries = data.get("components")
    if not isinstance(entries, dict | None):
        raise Error(2521, f"{FILE}: components is not a dictionary. Write each component's name as a key.")
    return {_name(name): _decision(name, entry) for name, entry in (entries or {}).items()}


def _refuse_twice(node: Any, deep: int) -> None:
    """Refuse a key that is there twice, of which YAML would take the last one.

    :raises Error: there is one.
    """
    if isinstance(node, yaml.MappingNode):
        count = Counter(key.value for key, _value in node.value if isinstance(key, yaml.ScalarNode))
        for name, times in count.items():
            if times > 1:
                raise Error(2522, f"{FILE} has {name} twice. Merge the two.")
        for _key, value in node.value if deep else ():
            _refuse_twice(value, deep - 1)


def _name(name: Any) -> str:
    if not isinstance(name, str):
        raise Error(2523, f"{FILE}: {name!r} is not a string. Write the component's name in quotes.")
    return name


def _decision(name: str, entry: Any) -> Decision:
    place = f"{FILE}: {name}"
    if entry is None:
        return Decision()
    if not isinstance(entry, Mapping):
        raise Error(2524, f"{place} is not a dictionary. It may have {', '.join(_KEYS)}.")
    for key in entry:
        if key not in _KEYS:
            near = get_close_matches(str(key), _KEYS, 1)
            meant = f"Did you mean {near[0]}?" if near else f"It may have {', '.join(_KEYS)}."
            raise Error(2525, f"{place} has the unknown key {key}. {meant}")
    for key in ("name", "owner", "notes"):
        if not isinstance(entry.get(key, ""), str):
            raise Error(2526, f"{place}: {key} is not a string. Write it in quotes.")
    fate, wave = entry.get("decision"), entry.get("wave")
    if fate is not None and fate not in get_args(Fate):
        raise Error(2527, f"{place}: decision is {fate!r}. It can be {', '.join(get_args(Fate))}.")
    if wave is not None and (not isinstance(wave, int) or isinstance(wave, bool) or wave < 1):
        raise Error(2528, f"{place}: wave is {wave!r}. Give a number from 1.")
    title, owner, notes = (" ".join(entry.get(key, "").split()) for key in ("name", "owner", "notes"))
    return Decision(title, owner, cast(Fate, fate), wave, notes)
