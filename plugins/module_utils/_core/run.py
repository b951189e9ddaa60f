# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The one place where a module starts and where an error becomes a failure. Private to the collection."""

from __future__ import annotations

import gc
import resource
import traceback
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from .arguments import ArgumentSpec
from .errors import Error, coded
from .secrets import clean, link_no_log_values, without_secrets

# A module's process is short. What has been imported stays: the collector need not go through it again, nor be as busy
# with what is imported next; Python's own figure is 700 objects beyond those given back.
gc.freeze()
gc.set_threshold(10_000)


# Characters of a message: a name out of a secret or a server may be of any length.
_LONGEST = 10_000


# Options of type str for which a YAML number is fine.
_NUMBERS = ("baseline", "job", "target", "version", "version_id")


class _Module(AnsibleModule):
    """An AnsibleModule whose warnings are cleaned like its messages.

    :ivar database: the schema that the module works on, for its warnings and failures.
    :ivar changed_texts: options of type str that YAML has parsed as something else.
    """

    def __init__(self, **spec: Any) -> None:
        self.database = ""
        self.changed_texts: list[str] = []
        super().__init__(supports_check_mode=True, **spec)

    def _load_params(self) -> None:
        super()._load_params()
        self.changed_texts = list(self._changed(self.argument_spec, self.params))

    def _changed(self, spec: Mapping[str, Any], params: Mapping[str, Any]) -> Iterator[str]:
        for name, option in spec.items():
            value = params.get(name)
            if isinstance(value, Mapping):
                yield from self._changed(option.get("options") or {}, value)
            elif option.get("type", "str") in ("str", "path") and isinstance(value, (int, float)):
                if isinstance(value, bool):
                    yield f"{name} is a boolean to YAML, as are yes, no, on and off."
                elif name not in _NUMBERS:
                    yield f"{name} is a number to YAML, which reads 1.10 as 1.1 and 0123 as 83."

    def warn(self, warning: str, **more: Any) -> None:
        about = f"{self.database}: " if self.database else ""
        super().warn(clean(warning if warning.startswith(about) else f"{about}{warning}"), **more)


def run_module(
    spec: ArgumentSpec,
    action: Callable[[AnsibleModule], dict[str, Any]],
    returns_secrets: bool = False,
) -> None:
    """Run ``action`` as an Ansible module that supports check mode.

    :param spec: the module's options.
    :param action: takes the module and returns its return values; raises Error for anything a user can fix.
    :param returns_secrets: the result may contain secrets. Otherwise all secrets are masked in it.
    """
    # A dump of this process, or of its git and ssh, would hold secrets.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    module = _Module(**spec.kwargs())
    if not returns_secrets:
        link_no_log_values(module.no_log_values)
    result: dict[str, Any] = {}
    failure: dict[str, Any] = {}
    try:
        if module.changed_texts:
            raise Error(1010, f"{' '.join(module.changed_texts)} Write it in quotes.")
        result = action(module)
    except Exception as error:
        failure = failed(error)
    if failure and module.database:
        failure.setdefault("database", clean(module.database))
    # As Python ends it collects several times, for nothing: that took a tenth of a run.
    gc.freeze()
    if failure:
        # Not while the error is handled: Ansible would add its traceback, whose text is not clean.
        module.fail_json(**failure)
    module.exit_json(**(result if returns_secrets else without_secrets(result)))


def failed(error: Exception) -> dict[str, Any]:
    """Return what a user is told about an error that is being handled, without secrets."""
    if isinstance(error, Error):
        return {"msg": coded(error.number, _cut(clean(str(error)))), **without_secrets(error.results)}
    return {
        "msg": coded(1199, f"This is a bug in dbops.migrations, please report it: {clean(repr(error))}"),
        "exception": clean(traceback.format_exc()),
    }


def _cut(message: str) -> str:
    return message if len(message) <= _LONGEST else f"{message[:_LONGEST]}…"
