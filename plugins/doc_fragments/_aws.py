# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  region:
    description:
      - The AWS region of the secret or of the database server.
      - By default, it is taken from E(AWS_DEFAULT_REGION) or from the profile's configuration on the host.
    type: str
  profile:
    description:
      - The profile to use from C(~/.aws) of the account that runs this on the host.
      - By default, it is taken from E(AWS_PROFILE) on the host, or is the default profile.
      - Mutually exclusive with O(access_key).
    type: str
  access_key:
    description:
      - The access key ID. Requires O(secret_key).
      - By default, boto3 searches for credentials on the host as usual, in the environment, in C(~/.aws) and finally in
        the instance role.
    type: str
  secret_key:
    description:
      - The secret access key. Requires O(access_key).
    type: str
  session_token:
    description:
      - The session token, if O(access_key) and O(secret_key) are temporary credentials.
      - A session token in the host's environment is not combined with an O(access_key) that is set here.
    type: str
  assume_role_arn:
    description:
      - The ARN of a role to assume first, for example in another account. The credentials described above must be
        allowed to assume it.
      - To use a VPC endpoint for STS, set E(AWS_ENDPOINT_URL_STS) on the host.
    type: str
  external_id:
    description: The external ID that the role's trust policy requires. Only used with O(assume_role_arn).
    type: str
  endpoint_url:
    description:
      - The URL of an endpoint to use instead of the public AWS endpoint, for example of a VPC endpoint.
      - By default, E(AWS_ENDPOINT_URL) and the service-specific variables on the host apply.
    type: str
  ca_bundle:
    description:
      - The path on the host of a file with the CA certificates, in PEM format, that verify AWS's certificates.
      - By default, it is taken from E(AWS_CA_BUNDLE) on the host, or is the bundle that comes with boto3.
    type: path
notes:
  - Options that are not set or empty are left to boto3, so AWS's environment variables, C(~/.aws), and E(HTTPS_PROXY),
    E(HTTP_PROXY) and E(NO_PROXY) work as usual.
    Timeouts and retries are the exception. A request is tried three times and given up after about 15 seconds,
    regardless of E(AWS_MAX_ATTEMPTS). If AWS throttles requests, the pauses between them add up to 3 seconds.
    An endpoint name with several addresses, none of which answers, takes longer.
requirements:
  - boto3 >= 1.42.97
"""
