# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup plugin and the module as a playbook uses them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from conftest import RunPlaybook
    from parts.secretsmanager import SecretsManager

# A template in a password stays a text; a quote and a backslash come through.
PASSWORD = "canary-{{ 6 * 7 }}-'\"\\-€"
SECRET = {"hostname": "db.example.com", "port": "3307", "database": "shop_db", "username": "shop", "password": PASSWORD}
WHERE = "region=region, endpoint_url=endpoint_url, access_key=access_key, secret_key=secret_key"

LOCALHOST = {
    "all": {
        "hosts": {"localhost": {}},
        "vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
    }
}

PLAYBOOK = f"""
- name: Lookups
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Keep a secret
      ansible.builtin.set_fact:
        secret: "{{{{ lookup('dbops.migrations.secret', 'lookup/shop', {WHERE}) }}}}"
      no_log: true

    - name: Compare
      ansible.builtin.assert:
        that:
          - secret.credentials.host == 'db.example.com'
          - secret.credentials.port == 3307
          - secret.credentials.user == 'shop'
          - secret.credentials.password == expected_password
          - secret.credentials.database == 'shop_db'
        quiet: true

    - name: Tell the version
      ansible.builtin.debug:
        msg: "{{{{ {{'arn': secret.arn, 'version_id': secret.version_id}} }}}}"

    - name: Two secrets, one with keys of its own
      ansible.builtin.assert:
        that:
          - both | length == 2
          - both[0].credentials.password == 'first-password'
          - both[1].credentials.password == 'second-password'
          - both[1].credentials.host is none
        quiet: true
      vars:
        pw: {{password: pw}}
        both: "{{{{ query('dbops.migrations.secret', 'lookup/one', 'lookup/two', fields=pw, {WHERE}) }}}}"

    - name: The module, with the options of its group
      dbops.migrations.secret_lookup:
        secret_id: lookup/shop
      register: looked_up
      no_log: true

    - name: Compare the two
      ansible.builtin.assert:
        that:
          - looked_up.credentials == secret.credentials
          - looked_up.arn == secret.arn
          - looked_up.version_id == secret.version_id
          - looked_up is not changed
        quiet: true

    - name: No such secret
      ansible.builtin.debug:
        msg: "{{{{ lookup('dbops.migrations.secret', 'lookup/missing', {WHERE}) }}}}"
      ignore_errors: true

    - name: No name
      ansible.builtin.debug:
        msg: "{{{{ lookup('dbops.migrations.secret', {WHERE}) }}}}"
      ignore_errors: true

    - name: Half a key
      ansible.builtin.debug:
        msg: "{{{{ lookup('dbops.migrations.secret', 'lookup/shop', secret_key=secret_key) }}}}"
      ignore_errors: true
  module_defaults:
    group/dbops.migrations.aws:
      region: "{{{{ region }}}}"
      endpoint_url: "{{{{ endpoint_url }}}}"
      access_key: "{{{{ access_key }}}}"
      secret_key: "{{{{ secret_key }}}}"
"""


@pytest.fixture
def variables(secrets_manager: SecretsManager) -> dict[str, Any]:
    names = ("region", "endpoint_url", "access_key", "secret_key")
    return {
        **{name: getattr(secrets_manager, name) for name in names},
        "expected_password": {"__ansible_unsafe": PASSWORD},
    }


def test_the_lookup_reads_from_the_secrets_manager(
    playbook: RunPlaybook, secrets_manager: SecretsManager, variables: dict[str, Any], tmp_path: Path
) -> None:
    arn = secrets_manager.put("lookup/shop", json.dumps(SECRET))
    secrets_manager.put("lookup/one", '{"pw": "first-password", "host": "a"}')
    secrets_manager.put("lookup/two", '{"pw": "second-password"}')
    (tmp_path / "lookup.yml").write_text(PLAYBOOK)
    run = playbook(tmp_path / "lookup.yml", LOCALHOST, "-vvv", extra_vars=variables)

    assert run.rc == 0, run.stdout
    assert run.result("localhost", "Tell the version")["msg"]["arn"] == arn
    assert re.fullmatch(r"[0-9a-f-]{36}", run.result("localhost", "Tell the version")["msg"]["version_id"])
    for task, message in {
        "No such secret": "Secret lookup/missing: there is no secret with this name, or not in this version. ",
        "No name": "Give the names or ARNs of the secrets to look up, each as a text. (DBM-1487)",
        "Half a key": "access_key and secret_key go together, and only one of them is set. (DBM-1421)",
    }.items():
        assert message in run.result("localhost", task)["msg"]
    output = run.stdout + run.stderr
    assert "Traceback" not in output
    assert "canary" not in output
    assert variables["secret_key"] not in output


def test_the_lookup_without_its_library(playbook: RunPlaybook, tmp_path: Path) -> None:
    # A module of the same name that cannot be imported comes before the real one.
    (tmp_path / "library").mkdir()
    (tmp_path / "library" / "botocore.py").write_text("raise ImportError('No module named botocore')")
    (tmp_path / "lookup.yml").write_text(
        """
- name: Lookup
  hosts: localhost
  gather_facts: false
  tasks:
    - name: Look up
      ansible.builtin.debug:
        msg: "{{ lookup('dbops.migrations.secret', 'x') }}"
"""
    )
    run = playbook(tmp_path / "lookup.yml", LOCALHOST, env={"PYTHONPATH": str(tmp_path / "library")})
    assert run.rc == 2
    assert "The Python library boto3 is missing for " in run.result("localhost", "Look up")["msg"]
    assert "Traceback" not in run.stdout + run.stderr
