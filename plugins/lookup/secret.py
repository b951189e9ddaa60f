# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: Look up the credentials of databases in a secrets manager
version_added: 0.1.0
description:
  - Reads secrets from AWS Secrets Manager, AWS Systems Manager Parameter Store or files, on the controller, and returns
    the credentials in them.
  - The result contains the password. Set C(no_log=true) for tasks that register, set or print the result. Only
    ansible-core 2.22 and later mask the password automatically.
extends_documentation_fragment:
  - dbops.migrations._aws
  - dbops.migrations._secret
author:
  - The dbops.migrations contributors (@dbops)
options:
  _terms:
    description:
      - The names or ARNs of the secrets, or the paths of the files.
    type: list
    elements: str
    required: true
notes:
  - In the descriptions of the options, the host is the controller.
  - A lookup is evaluated, and reads the secret, each time the expression is used, even if it is stored in a variable.
    Use M(ansible.builtin.set_fact) to store the result if you need several values of it.
seealso:
  - module: dbops.migrations.secret_lookup
    description: Does the same on the host, so that the controller needs neither boto3 nor access to AWS.
"""

EXAMPLES = r"""
- name: Look up the credentials of a database
  ansible.builtin.set_fact:
    secret: "{{ lookup('dbops.migrations.secret', 'prod/shop', region='eu-central-1') }}"
  no_log: true

- name: Get the migration status of the database
  dbops.migrations.migration_info:
    login_host: "{{ secret.credentials.host }}"
    login_user: "{{ secret.credentials.user }}"
    login_password: "{{ secret.credentials.password }}"
    login_db: "{{ secret.credentials.database }}"
    directory: /opt/shop/migrations

- name: Look up the previous version of a secret with custom keys
  ansible.builtin.set_fact:
    secret: "{{ lookup('dbops.migrations.secret', 'legacy/shop', region='eu-central-1', version_stage='AWSPREVIOUS',
      access_key=aws_access_key, secret_key=aws_secret_key, fields={'user': 'db_user', 'password': 'db_pw'}) }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - A dictionary for each secret, with the keys C(credentials), C(arn) and C(version_id).
    - C(credentials) has the keys C(host), C(port), C(user), C(password) and C(database). Values that the secret does
      not contain are null.
  type: list
  elements: dict
  sample:
    - credentials:
        host: shop.cluster-abc.eu-central-1.rds.amazonaws.com
        port: 3306
        user: shop
        password: "the password"
        database: shop
      arn: arn:aws:secretsmanager:eu-central-1:123456789012:secret:prod/shop-AbCdEf
      version_id: 3fd3e4ef-8c5a-4f3a-9f0e-0f5d5b6c7a81
"""

from typing import Any

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.module_utils._core.secrets import clean
from ansible_collections.dbops.migrations.plugins.module_utils._secret.arguments import AWS, SECRET
from ansible_collections.dbops.migrations.plugins.module_utils._secret.resolve import resolve
from ansible_collections.dbops.migrations.plugins.module_utils._secret.store import open_store

SPEC = SECRET + AWS


class LookupModule(LookupBase):
    """The lookup. The code that it shares with the module secret_lookup is in module_utils."""

    def run(self, terms: list[Any], variables: dict[str, Any] | None = None, **kwargs: Any) -> list[dict[str, Any]]:
        self.set_options(var_options=variables, direct=kwargs)
        options = {name: self.get_option(name) for name in SPEC.argument_spec}
        if not terms or not all(isinstance(term, str) for term in terms):
            raise AnsibleLookupError(coded(1487, "Give the names or ARNs of the secrets to look up, each as a text."))
        try:
            store = open_store(options["store"], options)
            return [resolve(store, term, options).results() for term in terms]
        except Error as error:
            raise AnsibleLookupError(coded(error.number, clean(str(error)))) from None
