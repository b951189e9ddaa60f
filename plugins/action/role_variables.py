# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""role_variables: refuse a role's variables that are misspelt, missing, or not what was written, before it starts.

Ansible ignores a variable that nobody reads, and YAML reads 1.10, 0123 and on as something else than text. Ansible's
own check of a role sees neither, and answers each variable that is wrong with the whole specification.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.module_utils.common.yaml import yaml_load
from ansible.plugins.action import ActionBase
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import coded
from ansible_collections.dbops.migrations.plugins.plugin_utils.step import told

_TEXTS = ("str", "path")
_CLASS = re.compile(r"<class '[^']*'>")
_NAME = re.compile(r"\{\{ *[A-Za-z_][\w.]* *\}\}")


class ActionModule(ActionBase):
    """Look at the variables of the role that the task is in, on the controller."""

    _requires_connection = False

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return nothing of note, or a failure with a line for each variable that is wrong."""
        super().run(tmp, task_vars)
        variables = task_vars or {}
        _validation, arguments = self.validate_argument_spec(
            argument_spec={
                "prefix": {"type": "str", "required": True},
                "entry": {"type": "str", "default": "main"},
                "required": {"type": "list", "elements": "str", "default": []},
                "others": {"type": "list", "elements": "str", "default": []},
                "unread": {"type": "list", "elements": "str", "default": []},
                "python": {"type": "path"},
                "problems": {"type": "list", "elements": "str", "default": []},
            }
        )
        entries = _entries(Path(variables["role_path"]))
        options = {name: option for entry in entries.values() for name, option in entry.items()}
        # Each entry point takes the variables of main, too.
        taken = {**entries["main"], **entries[arguments["entry"]]}
        read = {name: option for name, option in taken.items() if name not in arguments["unread"]}
        values, unreadable = self._values(read, variables)
        said = {
            name: values[name] if _names_another(text) else text for name, text in variables.items() if name in values
        }
        problems = [
            *_missing(arguments["required"], variables),
            *_unknown(arguments["prefix"], {*options, *arguments["others"]}, variables),
            *_changed(options, said),
            *unreadable,
        ]
        problems = problems or _refused(read, values)
        problems = problems or list(filter(None, arguments["problems"]))
        python, wanted = variables.get("ansible_python_interpreter"), arguments["python"]
        # The task has it from the role, unless something comes before that.
        if not problems and wanted is not None and self._templar.template(python) != wanted:
            problem = coded(
                1001,
                "ansible_python_interpreter is set with -e, which the role cannot override. Remove it: the role uses "
                f"{wanted}, which is migrate_python.",
            )
            problems = [problem]
        if not problems:
            return {"changed": False}
        result = {"failed": True, "changed": False, "msg": "\n".join(problems), "_ansible_verbose_always": True}
        return told(self, result, variables)

    def _values(self, options: Mapping[str, Any], variables: Mapping[str, Any]) -> tuple[dict[str, Any], list[str]]:
        """Return the values of the variables, and a line for each that has none because another is not defined."""
        values: dict[str, Any] = {}
        without: dict[str, list[str]] = {}
        for name in sorted(options.keys() & variables.keys()):
            try:
                values[name] = self._templar.template(variables[name])
            except AnsibleError as error:
                without.setdefault(" ".join(str(error).split()), []).append(name)
        return values, [
            coded(1002, f"{', '.join(names)} cannot be evaluated: {reason}") for reason, names in without.items()
        ]


def _names_another(text: Any) -> bool:
    """Tell whether the variable's text only names another one, so that the other one's value is what was written."""
    return isinstance(text, str) and _NAME.fullmatch(text) is not None


def _refused(options: dict[str, Any], values: Mapping[str, Any]) -> list[str]:
    """Return what Ansible's own check of the role finds."""
    found = ArgumentSpecValidator(options).validate(values).error_messages
    return [coded(1003, _sentence(message)) for message in found]


def _sentence(text: str) -> str:
    """Return one of Ansible's messages as a sentence: one about what is not known begins with its name."""
    text = _CLASS.sub("it", text).rstrip(".")
    return f"There is no {text}." if "Supported parameters" in text else f"{text[0].upper()}{text[1:]}."


def _entries(role: Path) -> dict[str, dict[str, Any]]:
    """Return the options of each entry point of a role."""
    specs = yaml_load((role / "meta" / "argument_specs.yml").read_text("utf-8"))["argument_specs"]
    return {name: entry["options"] for name, entry in specs.items()}


def _missing(names: Iterable[str], variables: Mapping[str, Any]) -> Iterator[str]:
    for name in names:
        if variables.get(name) in (None, ""):
            yield coded(1004, f"{name} is not set.")


def _unknown(prefix: str, known: set[str], variables: Mapping[str, Any]) -> Iterator[str]:
    """Find the names that only look like variables of the role."""
    own = f"{prefix}my_"
    rest = {name.removeprefix(prefix): name for name in known}
    for name in sorted(name for name in variables if name.startswith(prefix) and not name.startswith(own)):
        if name not in known:
            near = get_close_matches(name.removeprefix(prefix), rest, 1, 0.7)
            meant = f"Did you mean {rest[near[0]]}?" if near else f"A name of your own may begin with {own}."
            yield coded(1005, f"{name} is not a variable of this role. {meant}")


def _changed(options: Mapping[str, Mapping[str, Any]], variables: Mapping[str, Any]) -> Iterator[str]:
    """Find the texts that YAML has read as something else."""
    for name, option in options.items():
        value = variables.get(name)
        if option["type"] not in _TEXTS or value is None:
            continue
        if isinstance(value, (list, tuple)):
            yield coded(1006, f"{name} is a list, but must be a string: write {name}: | with the lines below it.")
        elif isinstance(value, Mapping):
            yield coded(1007, f"{name} is a dictionary, but must be a string.")
        elif isinstance(value, bool):
            yield coded(
                1008,
                f"{name} is a boolean to YAML, as are yes, no, on and off. Write it in quotes: 'on'",
            )
        elif not hasattr(value, "startswith"):
            # An inline vault is not a str before ansible-core 2.19, but it can do what one can.
            yield coded(1009, f"{name} is a number to YAML, which reads 1.10 as 1.1 and 0123 as 83. Quote it: '1.10'")
