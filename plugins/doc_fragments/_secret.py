# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  store:
    description:
      - Where the secret is.
      - V(aws_secrets_manager) is AWS Secrets Manager.
      - V(aws_parameter_store) is AWS Systems Manager Parameter Store; the secret is a parameter of any type.
      - V(file) is a file on the host, of 64 KiB at most, that only its owner and group may read, such as a credential
        of systemd.
    type: str
    default: aws_secrets_manager
    choices: [aws_secrets_manager, aws_parameter_store, file]
  version_stage:
    description:
      - The staging label of the version to read; in the Parameter Store its label.
      - When neither this nor O(version_id) is set, V(AWSCURRENT) is read; in the Parameter Store the latest version.
      - Excludes O(version_id).
    type: str
  version_id:
    description:
      - The ID of the version to read; in the Parameter Store its number. Excludes O(version_stage).
    type: str
  fields:
    description:
      - Where the secret's keys have other names than the usual ones, their names.
      - The keys of this dictionary are V(host), V(port), V(user), V(password) and V(database), each only where needed.
        The values are the keys in the secret. A key that is named here must be there.
      - Usual are C(hostname) or C(host), C(port), C(username) or C(user), C(password), and C(database) or C(dbname).
    type: dict
notes:
  - The secret may be a JSON object with the usual keys, in the shape that Amazon RDS gives its secrets,
    or with any keys that O(fields) names. It may also be a connection URL,
    such as V(mysql://user:password@host:3306/database) or golang-migrate's
    V(mysql://user:password@tcp(host:3306\)/database), with user, password and database percent-encoded.
    V(mariadb), V(mysql2), V(trilogy) and V(mysql+pymysql), with any driver, may stand for V(mysql).
    Parameters after the question mark of a URL are not used.
  - Only a password is required. What else is lacking is null in the result.
"""
