# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What awx/ says agrees with itself, with the role, and with the rules by which AWX's API judges it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from integration.awx.support import injected, listed, literally, names_in_git, selectable
from jinja2 import StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from parts import CHECKOUT

AWX = CHECKOUT / "awx"
SETTINGS = literally(AWX / "settings.yml")
TYPES = literally(AWX / "credential_types.yml")["awx_credential_types"]
TEMPLATES = literally(AWX / "templates.yml")
SURVEYS = {each["name"]: each["survey"] for each in [*TEMPLATES["awx_job_templates"], TEMPLATES["awx_workflow"]]}
ROLE = CHECKOUT / "roles" / "migrate"
DEFAULTS = yaml.safe_load((ROLE / "defaults" / "main.yml").read_text())
SECRET = {
    "migrate_private_key",
    "migrate_private_key_passphrase",
    "migrate_git_token",
    "migrate_aws_access_key",
    "migrate_aws_secret_key",
    "migrate_aws_session_token",
    "migrate_login_password",
}
SPECS = yaml.safe_load((ROLE / "meta" / "argument_specs.yml").read_text())["argument_specs"]
# What each type of question takes for a default.
ANSWERS: dict[str, type] = {
    "text": str,
    "textarea": str,
    "password": str,
    "multiplechoice": str,
    "multiselect": str,
    "integer": int,
    "float": float,
}


def names(kind: dict[str, Any]) -> list[str]:
    return [field["id"] for field in kind["inputs"]["fields"]]


def test_playbooks_and_no_other_files_are_offered_as_such() -> None:
    project = CHECKOUT / "examples" / "awx-project"
    assert [path.name for path in project.iterdir() if path.is_file() and selectable(project, path)] == [
        "databases.yml"
    ]
    examples = {"awx-project/databases", "fleet/fleet", "rolling-deploy/deploy", "schemas/schemas", "site/site"}
    offered = {name for name in names_in_git() if selectable(CHECKOUT, CHECKOUT / name)}
    assert offered == {
        *(f"playbooks/{path.name}" for path in (CHECKOUT / "playbooks").glob("*.yml")),
        *(f"examples/{name}.yml" for name in examples),
        "awx/configure.yml",
    }
    assert {template["playbook"] for template in TEMPLATES["awx_job_templates"]} < offered


def test_inventories_are_offered_as_such() -> None:
    project = CHECKOUT / "examples" / "awx-project"
    assert [path.name for path in project.iterdir() if path.is_file() and listed(project, path)] == ["hosts"]
    offered = {name for name in names_in_git() if listed(CHECKOUT, CHECKOUT / name)}
    inventories = {f"{path.relative_to(CHECKOUT)}/hosts" for path in (CHECKOUT / "inventories").iterdir()}
    assert len(inventories) == 3
    assert inventories < offered
    # AWX goes by the name only: what has no ending, or may be executed, stands beside them.
    rest = {name for name in offered if not name.endswith("/hosts")}
    settings = {name for name in rest if name.startswith(".")}
    assert rest == {*settings, "Makefile", "tests/all.sh", "tests/sanity.sh", "tests/parts/packages.sh"}
    # It shows no more than 50 or so.
    assert len(offered) < 50


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind["name"])
def test_fields_of_credential_types(kind: dict[str, Any]) -> None:
    fields, required = kind["inputs"]["fields"], kind["inputs"]["required"]
    assert set(kind) == {"name", "description", "inputs", "injectors"}
    assert set(kind["inputs"]) == {"fields", "required"}
    assert len(set(names(kind))) == len(fields)
    assert set(required) <= set(names(kind))
    for field in fields:
        assert set(field) <= {"id", "label", "type", "format", "secret", "multiline", "help_text"}
        assert re.fullmatch(r"[A-Za-z_]\w*", field["id"])
        # AWX's own, in each injector.
        assert field["id"] != "tower"
        assert field["type"] == "string"
        assert field["label"]
        assert field.get("format", "url") in ("ssh_private_key", "url")
        assert {field.get("secret", True), field.get("multiline", True)} == {True}


@pytest.mark.parametrize("kind", TYPES, ids=lambda kind: kind["name"])
def test_injectors(kind: dict[str, Any]) -> None:
    """They name fields only, and each gives a variable of the role; as secret as the role holds it."""
    assert list(kind["injectors"]) == ["extra_vars"]
    strict = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    secret = {field["id"]: field.get("secret", False) for field in kind["inputs"]["fields"]}
    used = set()
    for variable, template in kind["injectors"]["extra_vars"].items():
        own = [
            name
            for name in names(kind)
            if strict.from_string(template).render(dict.fromkeys(names(kind), "-"), **{name: "X"}) == "X"
        ]
        assert len(own) == 1, template
        used.add(own[0])
        assert variable in SPECS["main"]["options"]
        assert secret[own[0]] or variable not in SECRET
    assert used == set(names(kind))

    given = injected(kind, dict.fromkeys(kind["inputs"]["required"], "given"))
    for variable, text in given.items():
        assert text.strip() in ("", "given")
        # What is left out must be what the role takes for nothing.
        assert text or DEFAULTS[variable] == ""


def test_a_private_key_gets_its_last_line_end() -> None:
    key = injected(TYPES[0], {"private_key": "-----BEGIN\nEND-----", "known_hosts": "x"})["migrate_private_key"]
    assert key == "-----BEGIN\nEND-----\n"


def test_credentials_fit_their_types() -> None:
    types = {kind["name"]: kind for kind in TYPES}
    for credential in SETTINGS["awx_credentials"]:
        kind = types.get(credential["credential_type"])
        if kind is None:
            # One of AWX's own.
            assert credential["credential_type"] == "Machine"
            continue
        assert set(kind["inputs"]["required"]) <= set(credential["inputs"]) <= set(names(kind))
        for field in kind["inputs"]["fields"]:
            if field.get("secret") and field["id"] in credential["inputs"]:
                # AWX keeps the secret that it has.
                template = r"\{\{ lookup\('ansible.builtin.env', '\w+'\) \| default\('\$encrypted\$', true\) \}\}"
                assert re.fullmatch(template, credential["inputs"][field["id"]])


@pytest.mark.parametrize("name", SURVEYS)
def test_surveys(name: str) -> None:
    variables = [question["variable"] for question in SURVEYS[name]]
    assert len(set(variables)) == len(variables) > 0
    for question in SURVEYS[name]:
        assert isinstance(question["question_name"], str)
        assert re.fullmatch(r"[a-z]\w*", question["variable"])
        assert isinstance(question["required"], bool)
        assert question["default"].__class__ is ANSWERS[question["type"]]
        limits = [question[limit] for limit in ("min", "max") if limit in question]
        assert {type(limit) for limit in limits} <= {int}
        if question["type"] == "integer":
            assert question["min"] <= question["default"] <= question["max"]
        if question["type"] == "multiplechoice":
            assert {type(choice) for choice in question["choices"]} == {str}
            assert question["default"] in question["choices"]


def test_answers_reach_something() -> None:
    """Each answer is a variable of what the template runs, or one that the playbooks or the inventory look at."""
    entries = {name: name for name in ("status", "rollback", "force", "baseline")} | {"migrate": "main"}
    inventory = "".join(path.read_text() for path in (CHECKOUT / "inventories/example/group_vars").iterdir())
    for template in TEMPLATES["awx_job_templates"]:
        playbook = CHECKOUT / template["playbook"]
        for question in template["survey"]:
            variable = question["variable"]
            known = playbook.stem in entries and variable in SPECS[entries[playbook.stem]]["options"]
            assert known or f" {variable} | default(" in playbook.read_text() + inventory, variable
    asked = {question["variable"] for template in TEMPLATES["awx_job_templates"] for question in template["survey"]}
    assert {question["variable"] for question in TEMPLATES["awx_workflow"]["survey"]} <= asked


def test_messages() -> None:
    """They can be rendered, and are JSON even if what they quote has quotation marks."""
    text = 'it\'s "it"\n'
    about = {
        "job": {"name": text, "artifacts": {text: {"applied": 1, "from": None}}},
        "job_friendly_name": text,
        "url": text,
        "approval_node_name": text,
        "workflow_url": text,
    }
    messages = SETTINGS["awx_notification"]["messages"]
    # Else AWX adds what is missing, and takes each later run for a change.
    assert list(messages) == ["started", "success", "error", "workflow_approval"]
    occasions = messages["workflow_approval"]
    assert list(occasions) == ["running", "approved", "denied", "timed_out"]
    bodies = [messages["success"], messages["error"], *occasions.values()]
    for body in bodies:
        assert list(body) == ["body"]
        rendered = ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(body["body"]).render(about)
        assert list(json.loads(rendered)) == ["text"]
    assert (
        "'applied': 1"
        in json.loads(ImmutableSandboxedEnvironment().from_string(messages["success"]["body"]).render(about))["text"]
    )
    webhook = {"url", "http_method", "disable_ssl_verification", "username", "password", "headers"}
    assert set(SETTINGS["awx_notification"]["notification_configuration"]) == webhook


def test_inventory_is_there() -> None:
    assert Path(CHECKOUT, SETTINGS["awx_inventory"]["path"]).is_dir()
