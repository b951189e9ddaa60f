# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: secret
short_description: Look up databases' credentials in a secrets manager
version_added: 0.1.0
description:
  - Reads secrets from AWS Secrets Manager, from AWS Systems Manager Parameter Store or from files, on the controller,
    and returns the credentials in them.
  - The password is part of the result. Give C(no_log=true) to tasks that register, set or print what this returns.
    Only ansible-core 2.22 and later mask the password by themselves.
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
  - The host that the options speak of is the controller.
  - A lookup is evaluated, and AWS is asked, each time its text is used, also when the text stands in a variable.
    M(ansible.builtin.set_fact) keeps the result where several values of it are needed.
seealso:
  - module: dbops.migrations.secret_lookup
    description: The same on the host. The controller then needs neither boto3 nor access to AWS.
"""

EXAMPLES = r"""
- name: Look up the credentials of a database
  ansible.builtin.set_fact:
    secret: "{{ lookup('dbops.migrations.secret', 'prod/shop', region='eu-central-1') }}"
  no_log: true

- name: Tell the state of the database
  dbops.migrations.migration_info:
    login_host: "{{ secret.credentials.host }}"
    login_user: "{{ secret.credentials.user }}"
    login_password: "{{ secret.credentials.password }}"
    login_db: "{{ secret.credentials.database }}"
    directory: /opt/shop/migrations

- name: Look up a secret that has keys of its own, as it was before the last rotation
  ansible.builtin.set_fact:
    secret: "{{ lookup('dbops.migrations.secret', 'legacy/shop', region='eu-central-1', version_stage='AWSPREVIOUS',
      access_key=aws_access_key, secret_key=aws_secret_key, fields={'user': 'db_user', 'password': 'db_pw'}) }}"
  no_log: true
"""

RETURN = r"""
_raw:
  description:
    - One dictionary for each secret, with the keys C(credentials), C(arn) and C(version_id).
    - C(credentials) has the keys C(host), C(port), C(user), C(password) and C(database).
      What the secret does not say is null.
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
    """The lookup; what it shares with the module secret_lookup is in module_utils."""

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
