# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The plan to read: what check mode prints, and the file for a merge request, of the role on a real server."""

from __future__ import annotations

import json
import os
import re
import subprocess
import urllib.parse
import uuid
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from integration.rehearsal import deploys
from markdown_it import MarkdownIt
from parts import CHECKOUT
from parts.http_stand_in import HttpStandIn, body, respond
from parts.mariadb import DatabaseServer

if TYPE_CHECKING:
    from conftest import PlaybookResult, RunPlaybook

MIGRATE = "dbops.migrations.migrate"
# The server's own estimates.
ESTIMATE = re.compile(r"(?<=about )[\d,]+|[\d.]+(?= [kMG]B)")


@pytest.fixture(scope="module")
def schema(mariadb: DatabaseServer) -> Iterator[str]:
    """A shop; checks leave it as it is."""
    name = f"test_{uuid.uuid4().hex[:12]}"
    deploys.make_shop(mariadb, name)
    yield name
    mariadb.query(f"DROP DATABASE `{name}`")


class Shop:
    """A shop, and how to migrate it and others as a host's database."""

    def __init__(self, server: DatabaseServer, schema: str, folder: Path, playbook: RunPlaybook) -> None:
        self.server, self.schema, self.folder, self._playbook = server, schema, folder, playbook

    def run(self, deploy: deploys.Deploy, *options: str, **more: Any) -> PlaybookResult:
        """Run the playbook for the shop."""
        return self.run_for({"shop": (deploy, self.schema)}, *options, **more)

    def run_for(
        self, databases: Mapping[str, tuple[deploys.Deploy, str]], *options: str, **more: Any
    ) -> PlaybookResult:
        """Run the playbook for hosts, each with a deploy to a schema.

        :param more: variables; one that is a dictionary has each host's own.
        """
        more = {"migrate_plan_file": str(self.folder / "plan.md"), **more}
        hosts = {}
        for host, (deploy, schema) in databases.items():
            repository = self.folder / deploy.name
            if not repository.exists():
                deploys.make_repository(repository, deploy)
            own = {name: value[host] if isinstance(value, dict) else value for name, value in more.items()}
            hosts[host] = {**deploys.variables(self.server, schema, repository, self.folder / "home"), **own}
        inventory = {"all": {"children": {"databases": {"hosts": hosts}}}}
        return self._playbook(MIGRATE, inventory, *options)

    @property
    def text(self) -> str:
        """The plan that was written."""
        return (self.folder / "plan.md").read_text()

    @property
    def data(self) -> list[dict[str, Any]]:
        """What was written as data."""
        found: dict[str, list[dict[str, Any]]] = json.loads((self.folder / "plan.json").read_text())
        return found["databases"]


@pytest.fixture
def shop(mariadb: DatabaseServer, schema: str, playbook: RunPlaybook, tmp_path: Path) -> Shop:
    """The shop, and a folder for the plans."""
    return Shop(mariadb, schema, tmp_path, playbook)


def test_the_page_shows_what_a_run_prints(shop: Shop) -> None:
    """docs/plan.md has the plan of the deploy that costs something, and of each the two lines that decide."""
    page = (CHECKOUT / "docs/plan.md").read_text()
    tokens = MarkdownIt("commonmark").parse(page)
    [sample] = [token.content for token in tokens if token.type == "fence" and token.info == "markdown"]
    quotes = [ESTIMATE.sub("N", token.content.rstrip("\n")) for token in tokens if token.type == "code_block"]
    # One after the other: it is the same schema.
    databases = {deploy.name: (deploy, shop.schema) for deploy in deploys.DEPLOYS}
    result = shop.run_for(databases, "--check", "--diff", "--forks", "1")
    # A plan that the guards refuse is shown, and then the run fails.
    assert [host["failed"] for host in shop.data] == [False, False, False]
    assert (result.rc, result.stdout.count("FAILED!")) == (2, 1)
    plans = dict(re.findall(r"^## (\w+) \(\w+\)(: .*?\n)(?=\n## |\Z)", shop.text, re.MULTILINE | re.DOTALL))
    assert list(plans) == ["costly", "failing", "harmless"]
    assert ESTIMATE.sub("N", f"## shop{plans['costly']}") == ESTIMATE.sub("N", sample)
    for text in plans.values():
        # A terminal shows the same, except for the name of the host.
        assert text in result.stdout
        assert ESTIMATE.sub("N", "\n\n".join(text.split("\n\n")[1:3])) in quotes
        assert max(map(len, text.splitlines())) <= 100
    data = shop.data[0]
    assert (data["host"], data["database"], data["from_version"]) == ("costly", shop.schema, 11)
    assert [item["version"] for item in data["pending"]] == [12, 13, 14]
    assert [risk["rows"] for item in data["rehearsal"]["migrations"] for risk in item["risks"]] == [40112]
    assert re.fullmatch("[0-9a-f]{64}", data["plan"])


def test_hosts_with_equal_plans_are_together(shop: Shop) -> None:
    """In the order of their names; a host that fails is there, too, with the reason."""
    small = [f"{shop.schema}_{letter}" for letter in "ab"]
    for name in small:
        shop.server.create_schema(name)
    schemas = {"b": small[1], "gone": "no_such_schema", "a": small[0]}
    databases = {host: (deploys.DEPLOYS[0], schema) for host, schema in schemas.items()}
    try:
        result = shop.run_for(databases, "--check", migrate_rehearse="never", migrate_target=11)
        text = shop.text
        assert result.rc == 2
        headings = [line for line in text.splitlines() if line.startswith("#")]
        assert headings == [
            f"## a ({small[0]}), b ({small[1]}): from no version yet to version 11",
            "### Up 11: shop",
            "## gone (no_such_schema): failed",
        ]
        assert text.count("CREATE TABLE orders (") == 1
        assert "Unknown database 'no_such_schema'" in " ".join(text.split("**Failed**: ")[1].split())
        failed = {item["host"]: item["failed"] for item in shop.data}
        assert failed == {"a": False, "b": False, "gone": True}
    finally:
        for name in small:
            shop.server.query(f"DROP DATABASE `{name}`")


def test_a_run_leaves_its_plan(shop: Shop) -> None:
    """Also one that is refused: what it would have failed on is in there."""
    bad = deploys.Deploy("bad", {"0012_bad.up.sql": "ALTER TABLE orders ADD status INT;\n"})
    new = f"{shop.schema}_new"
    shop.server.create_schema(new)
    try:
        result = shop.run_for(
            {"bad": (bad, shop.schema), "good": (deploys.DEPLOYS[0], new)}, migrate_rehearse="always",
            migrate_target={"bad": "", "good": "11"},
        )  # fmt: skip
        assert result.rc == 2
        assert shop.server.query("SELECT version FROM schema_migrations", new) == [(11,)]
    finally:
        shop.server.query(f"DROP DATABASE `{new}`")
    refused, done = shop.text.split("\n\n## ")
    assert refused.startswith(f"## bad ({shop.schema}): from version 11 to version 12\n\n**Failed**: ")
    assert "\n**Refused**: 12 (would_fail). 1 migration is pending: 12. **12 will fail**: " in refused
    assert done.startswith(f"good ({new}): from no version yet to version 11\n\n1 migration is pending: 11. It ran ")
    assert "(1060)" in shop.data[0]["rehearsal"]["migrations"][0]["error"]
    assert [item["version"] for item in shop.data[1]["applied"]] == [11]


def test_files_that_cannot_be_written(shop: Shop) -> None:
    """Without its folder nothing is run; when the disk is full, what was to be done is done."""
    (shop.folder / "plan.md").symlink_to("/dev/full")
    files = {"gone": f"{shop.folder}/gone/plan.md", "full": f"{shop.folder}/plan.md"}
    databases = dict.fromkeys(files, (deploys.DEPLOYS[0], shop.schema))
    result = shop.run_for(databases, "--check", migrate_rehearse="never", migrate_plan_file=files)
    [lines] = [event["result"]["msg"] for event in result.tasks if "Report the result" in event["task"]]
    said = " ".join(" ".join(lines).split())
    assert (
        f"gone: failed migrate_plan_file: {files['gone']} cannot be written on the controller: No such file or "
        "directory. Nothing was run."
    ) in said
    would = "check mode, nothing was changed; it would migrate from version 11 to version 13"
    assert f"full ({shop.schema}): {would}" in said
    warnings = " ".join(result.stderr.split())
    assert "The plan could not be written to plan_file: [Errno 28] No space left on device (DBM-2121)" in warnings


def test_hostile_names_are_shown_harmless(shop: Shop) -> None:
    """In the terminal and in the file: titles, tables, and what the server quotes."""
    hostile = "0012_x`<b>|@all $a$.up.sql"
    sql = "-- ```\n-- ~~~~\n# <script>\nALTER TABLE orders ADD `a\u202e``<i>|\x1b[31m` INT;\n"
    deploy = deploys.Deploy("hostile", {hostile: sql})
    result = shop.run(deploy, "--check", "--diff")
    assert result.rc == 0, result.stdout
    text = shop.text
    tokens = MarkdownIt("commonmark").enable(["table", "strikethrough"]).parse(text)
    inner = {child.type for token in tokens for child in token.children or ()}
    assert {token.type for token in tokens if token.nesting == 0} == {"inline", "fence"}
    assert inner <= {"text", "code_inline", "softbreak", "strong_open", "strong_close"}
    assert [token.tag for token in tokens if token.type == "heading_open"] == ["h2", "h3"]
    for line in (*text.split("\n"), *result.stdout.split("\n")):
        assert line.isprintable(), line


class _Api(HttpStandIn):
    """Stands in for the API of GitHub and of GitLab, which nobody can run here."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, dict[str, str], str]] = []
        super().__init__()

    def answer(self, request: BaseHTTPRequestHandler) -> None:
        """Keep what was asked."""
        self.asked.append((request.path, dict(request.headers), body(request).decode()))
        respond(request, 201)


@pytest.mark.parametrize("service", ["github", "gitlab"])
def test_the_page_says_how_to_comment(tmp_path: Path, service: str) -> None:
    """Its commands send the file as it is, and the token where nobody else on the machine sees it."""
    page = (CHECKOUT / "docs/plan.md").read_text()
    found = [yaml.safe_load(text) for text in re.findall(r"^```yaml\n(.*?)^```", page, re.MULTILINE | re.DOTALL)]
    if service == "github":
        [workflow] = [item for item in found if "jobs" in item]
        script = next(step["run"] for step in workflow["jobs"]["plan"]["steps"] if "TOKEN" in step.get("env", {}))
    else:
        [script] = next(item for item in found if "plan" in item)["plan"]["after_script"]
    text = "## shop: from version 1 to version 2\n\n  ```sql\n  SELECT 'a&b=%20 +ü';\n  ```\n"
    (tmp_path / "plan.md").write_text(text)
    with _Api() as api:
        given = {
            "GITHUB_API_URL": api.url, "GITHUB_REPOSITORY": "a/b", "NUMBER": "7", "TOKEN": "t0ken",
            "CI_API_V4_URL": api.url, "CI_PROJECT_ID": "3", "CI_MERGE_REQUEST_IID": "7", "PLAN_TOKEN": "t0ken",
        }  # fmt: skip
        shell = "bash" if service == "github" else "sh"
        subprocess.run([shell, "-ec", script], cwd=tmp_path, env={**os.environ, **given}, check=True)
        [(path, headers, sent)] = api.asked
    if service == "github":
        assert (path, json.loads(sent)) == ("/repos/a/b/issues/7/comments", {"body": text})
        assert headers["Authorization"] == "Bearer t0ken"
    else:
        assert (path, urllib.parse.parse_qs(sent)) == ("/projects/3/merge_requests/7/notes", {"body": [text]})
        assert headers["PRIVATE-TOKEN"] == "t0ken"
