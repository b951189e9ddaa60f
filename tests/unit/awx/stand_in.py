# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A fake in the place of awx.awx and of AWX: it takes and refuses things as AWX's API does, by their kind.

It knows the options of the real modules, from argument_specs.yml, what names what, and those rules of AWX by which
awx/configure.yml could fail. One file is all of the modules: an action, which needs no process, under each one's name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.plugins.action import ActionBase

# What an option names; where it may be of two kinds, the name must be that of one thing among all of them.
REFERENCES = {
    "organization": ("organization",),
    "galaxy_credentials": ("credential",),
    "credential": ("credential",),
    "credentials": ("credential",),
    "credential_type": ("credential_type",),
    "execution_environment": ("execution_environment",),
    "default_environment": ("execution_environment",),
    "project": ("project",),
    "source_project": ("project",),
    "inventory": ("inventory",),
    "notification_templates_success": ("notification_template",),
    "notification_templates_error": ("notification_template",),
    "notification_templates_approvals": ("notification_template",),
    "workflow_job_template": ("workflow_job_template",),
    "unified_job_template": ("job_template", "workflow_job_template", "project", "inventory_source"),
}
LINKS = ("success_nodes", "failure_nodes", "always_nodes")
# AWX's own types, by what a credential of theirs is for.
TYPES = {
    "Machine": "ssh",
    "Amazon Web Services": "cloud",
    "Source Control": "scm",
    "Container Registry": "registry",
    "Ansible Galaxy/Automation Hub API Token": "galaxy",
}
# What may be given to what.
TAKEN = {
    "organization": {"galaxy"},
    "project": {"scm"},
    "execution_environment": {"registry"},
    "job_template": {"ssh", "cloud", "vault", "net"},
    "inventory_source": {"cloud"},
}
# Fields of AWX's own types that it does not show; a type of ours says it of its fields.
SECRETS = {"ssh_key_data", "password", "security_token"}
HIDDEN = "$encrypted$"
# What AWX adds to what it is given.
WEBHOOK = {
    "url": "",
    "http_method": "POST",
    "disable_ssl_verification": False,
    "username": "",
    "password": "",
    "headers": {},
}
MESSAGES = ("started", "success", "error", "workflow_approval")

Things = dict[str, dict[str, dict[str, Any]]]


class Refused(AnsibleError):
    """What the module would fail with."""


@dataclass
class Controller:
    """What AWX has, by kind and name; a node's name is that of its workflow and its own."""

    things: Things = field(
        default_factory=lambda: {
            "credential_type": {name: {"kind": kind} for name, kind in TYPES.items()},
            "credential": {"Ansible Galaxy": {"credential_type": "Ansible Galaxy/Automation Hub API Token"}},
        }
    )

    def keep(self, kind: str, given: Mapping[str, Any]) -> bool:
        """Take a thing as it is given, and tell whether anything is another than before.

        :raises Refused: AWX would not have it.
        """
        name = given.get("name") or f"{given['workflow_job_template']}: {given['identifier']}"
        for option, kinds in REFERENCES.items():
            for each in _names(given.get(option)):
                self._find(kinds, each)
        rule = getattr(self, f"_check_{kind}", None)
        if rule is not None:
            rule(given)
        self._check_credentials(kind, [*_names(given.get("credential")), *_names(given.get("credentials"))])
        self._check_credentials(kind, _names(given.get("galaxy_credentials")))
        kept = self.things.setdefault(kind, {})
        before = kept.get(name)
        if kind == "credential":
            given = {**given, "inputs": self._inputs(given, before or {"inputs": {}})}
        if before is not None and all(before.get(option) == value for option, value in given.items()):
            return False
        kept[name] = _completed(kind, {**(before or {}), **given})
        return True

    def _find(self, kinds: Iterable[str], name: str) -> None:
        found = [kind for kind in kinds if name in self.things.get(kind, {})]
        if len(found) != 1:
            raise Refused(f"Request to {' or '.join(kinds)} returned {len(found)} items for {name}, expected 1.")

    def _check_credentials(self, kind: str, names: Iterable[str]) -> None:
        types: set[str] = set()
        for name in names:
            its_type = self.things["credential"][name]["credential_type"]
            its_kind = self.things["credential_type"][its_type]["kind"]
            if its_kind not in TAKEN[kind]:
                raise Refused(f"Cannot assign a Credential of kind `{its_kind}`.")
            if its_type in types:
                raise Refused(f"Cannot assign multiple {its_type} credentials.")
            types.add(its_type)

    def _inputs(self, given: Mapping[str, Any], before: Mapping[str, Any]) -> dict[str, Any]:
        """Return the inputs of a credential; with update_secrets off AWX keeps the secrets that it has."""
        fields = self.things["credential_type"][given["credential_type"]].get("inputs", {}).get("fields", [])
        secrets = SECRETS | {each["id"] for each in fields if each.get("secret")}
        had = {} if given["update_secrets"] else before["inputs"]
        inputs = {**given["inputs"], **{name: value for name, value in had.items() if name in secrets}}
        for name, value in inputs.items():
            if value == HIDDEN:
                raise Refused(f"{HIDDEN} is a reserved keyword, may not be used for {name}.")
        return inputs

    def _check_inventory_source(self, given: Mapping[str, Any]) -> None:
        if given["source"] == "scm" and not given.get("source_project"):
            raise Refused("Project required for scm type sources.")

    def _check_job_template(self, given: Mapping[str, Any]) -> None:
        _check_survey(given["survey_spec"])

    def _check_workflow_job_template(self, given: Mapping[str, Any]) -> None:
        _check_survey(given["survey_spec"])

    def _check_workflow_job_template_node(self, given: Mapping[str, Any]) -> None:
        links = [f"{given['workflow_job_template']}: {each}" for way in LINKS for each in given.get(way, [])]
        missing = [link for link in links if link not in self.things.get("workflow_job_template_node", {})]
        if missing:
            raise Refused(f"Could not find success_nodes entry with name {missing}")
        if links and given.get("approval_node"):
            # The module looks for them below the approval, and not below its node.
            raise Refused("The requested object could not be found at workflow_approval_templates/15/success_nodes/.")


def _check_survey(spec: Mapping[str, Any]) -> None:
    for question in spec["spec"]:
        missing = {"type", "question_name", "variable", "required"} - set(question)
        if missing:
            raise Refused(f"'{min(missing)}' missing from survey question.")


def _names(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        # An empty one is looked for, too, and is not found.
        yield value
    elif value:
        yield from value


def _completed(kind: str, thing: dict[str, Any]) -> dict[str, Any]:
    """Return a thing as AWX shows it, which is what the next run compares."""
    if kind == "notification_template":
        thing["notification_configuration"] = {**WEBHOOK, **thing["notification_configuration"]}
        thing["messages"] = {**dict.fromkeys(MESSAGES), **(thing.get("messages") or {})}
    return thing


class ActionModule(ActionBase):
    """Each of the modules; what AWX has is in the file that the environment names."""

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Take what the task gives."""
        kind = self._task.action.rpartition(".")[2]
        folder = Path(os.environ["STAND_IN"])
        facts = json.loads((folder / "argument_specs.json").read_text())
        rules = {rule: value for rule, value in facts["modules"][kind].items() if rule != "options"}
        spec = {**facts["modules"][kind]["options"], **facts["auth"]}
        checked = ArgumentSpecValidator(spec, **rules).validate(dict(self._task.args))
        if checked.error_messages:
            raise Refused(", ".join(checked.error_messages))
        given = {name: value for name, value in checked.validated_parameters.items() if value is not None}
        kept = folder / "things.json"
        controller = Controller(json.loads(kept.read_text())) if kept.exists() else Controller()
        changed = controller.keep(kind, given)
        kept.write_text(json.dumps(controller.things))
        return {"changed": changed}
