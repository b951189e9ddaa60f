#!/usr/bin/python
# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: secret_lookup
short_description: Look up the credentials of a database in a secrets manager
version_added: 0.1.0
description:
  - Reads a secret from AWS Secrets Manager, AWS Systems Manager Parameter Store or a file, on the host on which the
    module runs, and returns the credentials in it.
  - The modules that work on databases can read secrets themselves with the option O(ignore:login_secret), so that the
    credentials never leave the host. Prefer that option.
  - The result contains the password. Set C(no_log=true) for the task. Only ansible-core 2.22 and later mask the
    password automatically.
extends_documentation_fragment:
  - dbops.migrations._aws
  - dbops.migrations._secret
  - dbops.migrations._attributes
  - dbops.migrations._attributes.info_module
author:
  - The dbops.migrations contributors (@dbops)
options:
  secret_id:
    description:
      - The name or the ARN of the secret, or the path of the file.
    type: str
    required: true
seealso:
  - plugin: dbops.migrations.secret
    plugin_type: lookup
    description: Does the same on the controller.
"""

EXAMPLES = r"""
- name: Look up the credentials of a database, with the instance role
  dbops.migrations.secret_lookup:
    secret_id: prod/shop
    region: eu-central-1
  register: secret
  no_log: true

- name: Look up a secret with custom keys
  dbops.migrations.secret_lookup:
    secret_id: legacy/shop
    region: eu-central-1
    access_key: "{{ aws_access_key }}"
    secret_key: "{{ aws_secret_key }}"
    fields:
      host: db_server
      user: db_user
      password: db_pw
      database: db_name
  register: secret
  no_log: true

- name: Apply the migrations
  dbops.migrations.migration_apply:
    login_host: "{{ secret.credentials.host }}"
    login_port: "{{ secret.credentials.port or 3306 }}"
    login_user: "{{ secret.credentials.user }}"
    login_password: "{{ secret.credentials.password }}"
    login_db: "{{ secret.credentials.database }}"
    directory: /opt/shop/migrations
"""

RETURN = r"""
credentials:
  description: The credentials in the secret. Values that the secret does not contain are null.
  returned: success
  type: dict
  contains:
    host:
      description: The name or address of the database server.
      type: str
      returned: success
      sample: shop.cluster-abc.eu-central-1.rds.amazonaws.com
    port:
      description: The port of the database server.
      type: int
      returned: success
      sample: 3306
    user:
      description: The user to log in as.
      type: str
      returned: success
      sample: shop
    password:
      description: The password of the user.
      type: str
      returned: success
      sample: "the password"
    database:
      description: The name of the schema.
      type: str
      returned: success
      sample: shop
arn:
  description: The ARN of the secret, or the path of the file.
  returned: success
  type: str
  sample: arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/shop-AbCdEf
version_id:
  description: The ID of the version that was read, or its number in Parameter Store; empty for a file.
  returned: success
  type: str
  sample: 3fd3e4ef-8c5a-4f3a-9f0e-0f5d5b6c7a81
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.dbops.migrations.plugins.module_utils._core.arguments import ArgumentSpec
from ansible_collections.dbops.migrations.plugins.module_utils._core.run import run_module
from ansible_collections.dbops.migrations.plugins.module_utils._secret.arguments import AWS, SECRET
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import resolve
from ansible_collections.dbops.migrations.plugins.module_utils._secret.store import open_store

SPEC = ArgumentSpec({"secret_id": {"type": "str", "required": True, "no_log": False}}) + SECRET + AWS


def look_up(module: AnsibleModule) -> dict[str, Any]:
    options = module.params
    store = open_store(options["store"], options)
    return {**resolve(store, options["secret_id"], options).results(), "changed": False}


def main() -> None:
    run_module(SPEC, look_up, returns_secrets=True)


if __name__ == "__main__":
    main()
