# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description:
      - Where the secret is stored.
      - V(aws_secrets_manager) is AWS Secrets Manager.
      - V(aws_parameter_store) is AWS Systems Manager Parameter Store; the parameter may have any type.
      - V(file) is a file on the host, for example a systemd credential. It may have up to 64 KiB, and only its owner
        and group may be able to read it.
    type: str
    default: aws_secrets_manager
    choices: [aws_secrets_manager, aws_parameter_store, file]
  version_stage:
    description:
      - The staging label of the version to read, or the label of the parameter version in Parameter Store.
      - If neither this nor O(version_id) is set, V(AWSCURRENT) is read, or the latest version in Parameter Store.
      - Mutually exclusive with O(version_id).
    type: str
  version_id:
    description:
      - The ID of the version to read, or the number of the parameter version in Parameter Store.
      - Mutually exclusive with O(version_stage).
    type: str
  fields:
    description:
      - The names of the secret's keys, if they differ from the usual ones.
      - The keys of this dictionary are V(host), V(port), V(user), V(password) and V(database), as needed. The values
        are the names of the keys in the secret. Each key that is named here must exist in the secret.
      - The usual names are C(hostname) or C(host), C(port), C(username) or C(user), C(password), and C(database) or
        C(dbname).
    type: dict
notes:
  - The secret may be a JSON object with the usual keys, as Amazon RDS creates it, or with the keys that O(fields)
    names. It may also be a connection URL, such as V(mysql://user:password@host:3306/database) or golang-migrate's
    V(mysql://user:password@tcp(host:3306\)/database), with user, password and database percent-encoded.
    V(mariadb), V(mysql2), V(trilogy), V(mysql+pymysql) and other drivers are accepted in place of V(mysql).
    Parameters after the question mark of a URL are ignored.
  - Only the password is required. Other values that the secret does not contain are returned as null.
"""
