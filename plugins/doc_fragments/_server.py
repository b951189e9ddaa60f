# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description: The database server's name or address, as the runner reaches it; C(localhost) by default.
    type: str
  login_port:
    description: The database server's port; 3306 by default.
    type: int
  login_user:
    description:
      - The user to log in as.
      - Without it, O(config_file) may name one; otherwise it is the account that runs the module.
    type: str
  login_auth:
    description:
      - How the user proves who it is.
      - V(password) is with O(login_password).
      - V(iam) is for Amazon RDS and Aurora with IAM database authentication. The password is a token that is made here,
        with the options for AWS and without a question to RDS. It is made for O(login_host), O(login_port) and
        O(login_user), so the host must be the server's own endpoint, not an alias.
      - V(iam) sends the token as it is. So O(tls) must be V(required), V(verify_ca) or V(verify_identity), of which the
        last is the one that no other server can pretend to.
      - V(iam) also needs boto3 on the runner, and gets its credentials with the options for AWS.
    type: str
    default: password
    choices: [password, iam]
  login_password:
    description: The user's password. Any character is fine.
    type: str
  login_secret:
    description:
      - Where the credentials are. The module reads them itself, on the host on which it runs; they are in no result and
        never come to the controller.
      - The secret says host, port, user and password, and perhaps the schema. What O(login_host), O(login_port),
        O(login_user) or O(login_password) say counts before it. For its shapes see M(dbops.migrations.secret_lookup).
      - If the server refuses the password, the secret is read once more, with the version that a rotation has staged
        if there is one. So a rotation in the middle of a deploy does no harm.
    type: dict
    suboptions:
      id:
        description: The secret's name or ARN, or the path of the file.
        type: str
        required: true
      store:
        description:
          - Where the secret is. V(aws_secrets_manager) and V(aws_parameter_store) are reached with the options for AWS.
          - V(file) is a file on the host, of 64 KiB at most, that only its owner and group may read, such as a
            credential of systemd.
        type: str
        default: aws_secrets_manager
        choices: [aws_secrets_manager, aws_parameter_store, file]
      version_stage:
        description: The staging label of the version to read, V(AWSCURRENT) by default; a label in the Parameter Store.
        type: str
      version_id:
        description: The ID of the version to read, instead of a label; its number in the Parameter Store.
        type: str
      fields:
        description:
          - Where the secret's keys have other names than the usual ones, their names, as for
            M(dbops.migrations.secret_lookup).
        type: dict
  login_unix_socket:
    description: The path of the server's socket; then O(login_host) and O(login_port) do not matter.
    type: path
  connect_timeout:
    description: How many seconds to wait for the server when connecting.
    type: int
    default: 10
  config_file:
    description: An option file on the runner, whose section C([client]) may hold the user and the password.
    type: path
  tls:
    description:
      - How the connection is secured.
      - V(disabled) is plain text. V(preferred) encrypts if the server can, and checks no certificate. V(required)
        encrypts or fails, and checks no certificate.
      - V(verify_ca) also checks that O(ca_cert) or one of the runner's own authorities signed the server's certificate.
        V(verify_identity) also checks that the certificate is for O(login_host).
      - Through O(login_unix_socket), V(preferred) does not encrypt.
    type: str
    default: preferred
    choices: [disabled, preferred, required, verify_ca, verify_identity]
  ca_cert:
    description: The path, on the runner, of the authority's certificate in PEM format; else the runner's own are used.
    type: path
  client_cert:
    description: The path, on the runner, of the client's certificate in PEM format.
    type: path
  client_key:
    description: The path, on the runner, of the client's private key in PEM format.
    type: path
  server_public_key:
    description:
      - The path, on the runner, of the server's RSA key in PEM format.
      - Accounts of MySQL with C(caching_sha2_password) or C(sha256_password) have their password encrypted with it
        where the connection has no TLS. The server would send the key itself, but so would whoever pretends to be the
        server, and then read the password. So without TLS and without this option such a login is refused, as by the
        C(mysql) client.
      - Over TLS and through O(login_unix_socket) it is not needed.
    type: path
"""
