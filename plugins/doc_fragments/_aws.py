# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    DOCUMENTATION = r"""
options:
  region:
    description:
      - The AWS region, that of the secret or of the database server.
      - When not set, what E(AWS_DEFAULT_REGION) or the profile's configuration on the host says.
    type: str
  profile:
    description:
      - The profile in C(~/.aws) of the user who runs this on the host.
      - When not set, E(AWS_PROFILE) on the host or the default profile.
      - Excludes O(access_key).
    type: str
  access_key:
    description:
      - The access key ID. Together with O(secret_key).
      - When not set, boto3 looks for credentials on the host as it always does, in the environment, in C(~/.aws),
        and at last in the instance's role.
    type: str
  secret_key:
    description:
      - The secret access key. Together with O(access_key).
    type: str
  session_token:
    description:
      - The session token, if O(access_key) and O(secret_key) are temporary.
      - A session token in the host's environment is not combined with an O(access_key) that is set here.
    type: str
  assume_role_arn:
    description:
      - The ARN of a role to take before AWS is asked, for instance of another account. The credentials above, or the
        host's own, must be allowed to take it.
      - A VPC endpoint for this question is set with E(AWS_ENDPOINT_URL_STS) on the host.
    type: str
  external_id:
    description: The external ID that the role's trust policy asks for. Only used with O(assume_role_arn).
    type: str
  endpoint_url:
    description:
      - The URL of another endpoint than AWS's public one, for instance of a VPC endpoint.
      - When not set, E(AWS_ENDPOINT_URL) and its siblings on the host apply.
    type: str
  ca_bundle:
    description:
      - The path, on the host, of the certificates in PEM format that AWS's are checked with.
      - When not set, E(AWS_CA_BUNDLE) on the host or boto3's own bundle.
    type: path
notes:
  - Options that are not set, or are set to an empty text, are left to boto3, so the AWS environment variables,
    C(~/.aws), and E(HTTPS_PROXY), E(HTTP_PROXY) and E(NO_PROXY) keep their meaning.
    Time limits and retries are an exception. A request is tried three times and is given up within about 15 seconds,
    whatever E(AWS_MAX_ATTEMPTS) says. When AWS throttles it, the pauses in between are up to 3 seconds in all.
    An endpoint whose name has several addresses, of which none answers, takes longer.
requirements:
  - boto3 >= 1.42.97
"""
