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
from jinja2 import ChainableUndefined, StrictUndefined
from jinja2.sandbox import ImmutableSandboxedEnvironment
from parts import CHECKOUT

AWX = CHECKOUT / "awx"
SETTINGS = literally(AWX / "settings.yml")
TYPES = literally(AWX / "credential_types.yml")["awx_credential_types"]
TEMPLATES = literally(AWX / "templates.yml")
SURVEYS = {each["name"]: each["survey"] for each in [*TEMPLATES["awx_job_templates"], *TEMPLATES["awx_workflows"]]}
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
SURVEY = yaml.safe_load((CHECKOUT / "roles/survey/meta/argument_specs.yml").read_text())["argument_specs"]["main"]
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
    # AWX goes by the name only: what has no ending, or may be executed, is beside them.
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


def test_a_private_key_gets_its_last_line_ending() -> None:
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
def test_questions_of_surveys_are_complete(name: str) -> None:
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
        of_migrate = playbook.stem in entries
        for question in template["survey"]:
            variable = question["variable"]
            taken = {**SPECS["main"]["options"], **SPECS[entries[playbook.stem]]["options"]} if of_migrate else {}
            known = variable in (SURVEY["options"] if playbook.stem == "survey" else taken)
            assert known or f" {variable} | default(" in playbook.read_text() + inventory, variable
    asked = {question["variable"] for template in TEMPLATES["awx_job_templates"] for question in template["survey"]}
    for workflow in TEMPLATES["awx_workflows"]:
        # Else AWX keeps an answer from the workflow that follows, which has it from the first.
        assert workflow["survey"] == TEMPLATES["awx_workflows"][0]["survey"]
        assert {question["variable"] for question in workflow["survey"]} <= asked


MESSAGES = SETTINGS["awx_notification"]["messages"]
REPORT = "orders: failed: near 'SELEC 1'\nstock: from version 1 to version 2, 1 migration\n  up 2 email: 0.013 s\n"


def sent(body: str, about: dict[str, Any]) -> str:
    """Return the text of a webhook's body, rendered as AWX does."""
    rendered = ImmutableSandboxedEnvironment(undefined=ChainableUndefined).from_string(body).render(about)
    payload = json.loads(rendered)
    assert list(payload) == ["text"]
    text: str = payload["text"]
    return text


def approval(**variables: Any) -> dict[str, Any]:
    """Return all that AWX gives to an approval's message (awx/main/models/workflow.py, WorkflowApproval.context).

    What it knows of the job is JSON, in which the variables of the approval's workflow are JSON again.
    """
    known = {"id": 9, "name": 'The "one"', "status": "pending", "extra_vars": json.dumps(variables)}
    return {
        "approval_status": "running",
        "approval_node_name": "Migrate the databases?",
        "workflow_url": "https://awx.example.com/#/jobs/workflow/8",
        "job_metadata": json.dumps(known, indent=4),
    }


def test_messages_are_all_there() -> None:
    # Else AWX adds what is missing, and takes each later run for a change.
    assert list(MESSAGES) == ["started", "success", "error", "workflow_approval"]
    assert list(MESSAGES["workflow_approval"]) == ["running", "approved", "denied", "timed_out"]
    webhook = {"url", "http_method", "disable_ssl_verification", "username", "password", "headers"}
    assert set(SETTINGS["awx_notification"]["notification_configuration"]) == webhook


def test_messages_are_accepted() -> None:
    """AWX renders each with an example whose job has no artifacts, and refuses what needs more than is there."""
    text = 'it\'s "it"\n'
    example = {"job": {"name": text, "artifacts": {}, "job_explanation": text}, "url": text, **approval()}
    for each in [MESSAGES["success"], MESSAGES["error"], *MESSAGES["workflow_approval"].values()]:
        assert list(each) == ["body"]
        ImmutableSandboxedEnvironment(undefined=StrictUndefined).from_string(each["body"]).render(example)
        assert sent(each["body"], example)


def test_messages_about_jobs() -> None:
    job = {"name": 'The "one"', "artifacts": {"database_report": REPORT}, "job_explanation": ""}
    about = {"job": job, "url": "https://awx.example.com/#/jobs/playbook/7"}
    assert sent(MESSAGES["success"]["body"], about) == f'The "one" is done:\n{REPORT}{about["url"]}'
    assert sent(MESSAGES["error"]["body"], about) == f'The "one" has failed:\n{REPORT}{about["url"]}'
    # Ansible was not reached; what AWX says about it is JSON.
    before = {**about, "job": {**job, "artifacts": {}, "job_explanation": 'Previous Task Failed: {"job_id": "6"}'}}
    assert sent(MESSAGES["error"]["body"], before).splitlines()[1] == 'Previous Task Failed: {"job_id": "6"}'
    # A workflow has no artifacts.
    assert sent(MESSAGES["error"]["body"], {"job": {"name": "Release"}, "url": "U"}) == "Release has failed:\n\nU"


def test_an_approvals_request_has_the_plan() -> None:
    running = MESSAGES["workflow_approval"]["running"]["body"]
    about = approval(migrate_hosts="", database_report=REPORT, database_plans={"orders": {"commit": "c"}})
    assert sent(running, about) == f"Migrate the databases?\n{REPORT}{about['workflow_url']}"
    assert sent(running, approval(migrate_hosts="")).splitlines()[1:] == ["Nothing was planned.", about["workflow_url"]]


@pytest.mark.parametrize(
    "answer",
    [
        'x", "database_report": "stock: nothing to do\\n',
        '\\", \\"database_report\\": \\"stock: nothing to do\\n',
        'database_report\\": \\"stock: nothing to do',
        '"}\n',
    ],
)
def test_nobody_who_launches_a_release_writes_its_plan(answer: str) -> None:
    """An answer to the survey is in the same JSON, and comes first."""
    running = MESSAGES["workflow_approval"]["running"]["body"]
    about = approval(survey_ref=answer, database_report=REPORT)
    assert sent(running, about) == f"Migrate the databases?\n{REPORT}{about['workflow_url']}"


def test_inventory_is_there() -> None:
    assert Path(CHECKOUT, SETTINGS["awx_inventory"]["path"]).is_dir()
