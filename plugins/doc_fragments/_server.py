# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  login_host:
    description: The name or address of the database server, as seen from the runner. The default is C(localhost).
    type: str
  login_port:
    description: The port of the database server. The default is 3306.
    type: int
  login_user:
    description:
      - The user to log in as.
      - The default is the user in O(config_file), or else the account that runs the module.
    type: str
  login_auth:
    description:
      - How the user authenticates.
      - V(password) uses O(login_password).
      - V(iam) uses IAM database authentication of Amazon RDS and Aurora. The password is a token that the module
        generates from the AWS options, without a request to RDS. The token is only valid for O(login_host),
        O(login_port) and O(login_user), so O(login_host) must be the server's own endpoint, not an alias.
      - V(iam) sends the token in clear text inside the TLS connection. So O(tls) must be V(required), V(verify_ca) or
        V(verify_identity). Use V(verify_identity) so that no other server can obtain the token.
      - V(iam) also needs boto3 on the runner, with AWS credentials from the AWS options.
    type: str
    default: password
    choices: [password, iam]
  login_password:
    description: The password of the user. It may contain any characters.
    type: str
  login_secret:
    description:
      - Where to find the credentials. The module reads them itself on the host on which it runs. They are not part of
        its result and never reach the controller.
      - The secret contains host, port, user and password, and optionally the schema. O(login_host), O(login_port),
        O(login_user) and O(login_password) override it. M(dbops.migrations.secret_lookup) describes the formats.
      - If the server rejects the password, the secret is read again, including the version that a rotation in
        progress has staged. So a rotation during a deploy does no harm.
    type: dict
    suboptions:
      id:
        description: The name or ARN of the secret, or the path of the file.
        type: str
        required: true
      store:
        description:
          - Where the secret is stored. V(aws_secrets_manager) and V(aws_parameter_store) use the AWS options.
          - V(file) is a file on the host, for example a systemd credential. It may have up to 64 KiB, and only its
            owner and group may be able to read it.
        type: str
        default: aws_secrets_manager
        choices: [aws_secrets_manager, aws_parameter_store, file]
      version_stage:
        description:
          - The staging label of the version to read, V(AWSCURRENT) by default, or a label in Parameter Store.
        type: str
      version_id:
        description: The ID of the version to read instead of a label, or its number in Parameter Store.
        type: str
      fields:
        description:
          - The names of the secret's keys, if they differ from the usual ones. See
            M(dbops.migrations.secret_lookup).
        type: dict
  login_unix_socket:
    description: The path of the server's Unix socket. O(login_host) and O(login_port) are ignored if it is set.
    type: path
  connect_timeout:
    description: How long to wait for a connection to the server, in seconds.
    type: int
    default: 10
  config_file:
    description: An option file on the runner, whose section C([client]) may contain the user and the password.
    type: path
  tls:
    description:
      - How to secure the connection.
      - V(disabled) does not encrypt. V(preferred) encrypts if the server supports it, without verifying the
        certificate. V(required) encrypts or fails, without verifying the certificate.
      - V(verify_ca) also verifies that the server's certificate is signed by O(ca_cert), or by one of the runner's
        trusted authorities. V(verify_identity) also verifies that the certificate is valid for O(login_host).
      - Connections through O(login_unix_socket) are not encrypted with V(preferred).
    type: str
    default: preferred
    choices: [disabled, preferred, required, verify_ca, verify_identity]
  ca_cert:
    description:
      - The path on the runner of the CA certificate in PEM format. The default is the runner's trusted authorities.
    type: path
  client_cert:
    description: The path on the runner of the client certificate in PEM format.
    type: path
  client_key:
    description: The path on the runner of the client's private key in PEM format.
    type: path
  server_public_key:
    description:
      - The path on the runner of the server's RSA public key in PEM format.
      - MySQL accounts that use C(caching_sha2_password) or C(sha256_password) need it to log in without TLS; their
        password is encrypted with this key. The module does not accept a key that the server sends, because an
        attacker in between could send its own key and read the password. Without TLS and without this option, the
        login of such an account is refused, as the C(mysql) client does.
      - It is not needed for connections over TLS or through O(login_unix_socket).
    type: path
    version_added: 0.2.0
"""
