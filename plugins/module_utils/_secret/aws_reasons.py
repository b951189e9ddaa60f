# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What AWS's error codes and botocore's exceptions mean to a user. Private to the collection.

Only the names of codes and classes are looked at, never their texts.
"""

from __future__ import annotations

import re

from .._core.errors import Message

_CREDENTIALS = "Check access_key, secret_key and session_token, or the credentials that the host itself has"
_REFUSED = Message(1430, f"AWS does not accept the credentials. {_CREDENTIALS}")
_EXPIRED = Message(1431, "the credentials have expired. Get new ones")
_CLOCK = Message(1436, f"{_REFUSED.text}; check the host's clock, too")
_THROTTLED = Message(
    1432, "AWS still throttles the request after repeating it. Wait a little, or run fewer hosts at once"
)
_FAILED = Message(1433, "AWS still fails after repeating the request. Try again later")

_ACCESS = Message(1438, "access is denied. Check what the identity may do")
_CODES = {
    "AccessDenied": _ACCESS,
    "AccessDeniedException": _ACCESS,
    "ExpiredToken": _EXPIRED,
    "ExpiredTokenException": _EXPIRED,
    "IncompleteSignature": _REFUSED,
    "InvalidClientTokenId": _REFUSED,
    "InvalidSignatureException": _CLOCK,
    "MissingAuthenticationToken": _REFUSED,
    "MissingAuthenticationTokenException": _REFUSED,
    "RequestExpired": Message(1439, "the request was too old when it arrived. Check the host's clock"),
    "RequestLimitExceeded": _THROTTLED,
    "SignatureDoesNotMatch": _CLOCK,
    "Throttling": _THROTTLED,
    "ThrottlingException": _THROTTLED,
    "TooManyRequestsException": _THROTTLED,
    "UnrecognizedClientException": Message(
        1440, f"{_REFUSED.text}; a region that is not enabled for the account refuses them, too"
    ),
}

_NO_ROLE = Message(
    1437,
    "the identity may not assume the role. Check assume_role_arn or the profile, the role's trust policy with its "
    "external_id, and that the identity is allowed sts:AssumeRole",
)
NOT_AWS = Message(1434, "the answer is not from AWS. Check endpoint_url and proxies")
_OWN = Message(1435, "the host's own credentials cannot be used. Check the profile, role or sign-on behind them")
# Names of exception classes: the nearest in an exception's line of ancestors counts.
_CLASSES = {
    "ConfigParseError": Message(
        1441, "the host's AWS configuration files cannot be read. Check ~/.aws/config and ~/.aws/credentials"
    ),
    "ConnectTimeoutError": Message(
        1442, "the connection attempt timed out. Check region, endpoint_url, routes and firewalls"
    ),
    "ConnectionClosedError": Message(
        1443, "the connection was closed before an answer came. Check endpoint_url and proxies"
    ),
    "CredentialRetrievalError": _OWN,
    "EndpointConnectionError": Message(
        1444, "cannot connect to the endpoint. Check region, endpoint_url, DNS and firewalls"
    ),
    "HTTPClientError": Message(
        1445, "the request could not be sent. Check endpoint_url, proxies, and the AWS keys on the host"
    ),
    "InvalidConfigError": _OWN,
    "InvalidRegionError": Message(1446, "the region is not valid. Write it like eu-central-1"),
    "NoCredentialsError": Message(
        1447,
        "there are no AWS credentials. Give access_key and secret_key or profile, "
        "or give the host an instance role, the AWS_ environment variables or ~/.aws",
    ),
    "NoRegionError": Message(
        1448, "there is no region. Set region, or AWS_DEFAULT_REGION or the profile's region on the host"
    ),
    "OSError": Message(
        1449, "a file or program that the host's AWS settings name cannot be used. Check ~/.aws and AWS_CA_BUNDLE"
    ),
    "ParamValidationError": Message(
        1450, "a parameter is not valid. Check the secret's name and version, assume_role_arn and external_id"
    ),
    "PartialCredentialsError": _OWN,
    "ProfileNotFound": Message(
        1451,
        "the host has no such profile. Check profile, AWS_PROFILE and the files in ~/.aws of the user who runs this",
    ),
    "ProxyConnectionError": Message(
        1452,
        "the proxy cannot be reached, or refuses. Check HTTPS_PROXY, HTTP_PROXY and NO_PROXY on "
        "the host, and the name and password in them",
    ),
    "ReadTimeoutError": Message(
        1453, "the endpoint accepts connections, but does not answer. Check endpoint_url and proxies"
    ),
    "SSLError": Message(
        1454,
        "the endpoint's TLS certificate is not trusted. Check endpoint_url, and set ca_bundle, or AWS_CA_BUNDLE on "
        "the host, if your own CA signs it",
    ),
    "SSOError": _OWN,
    "ValueError": Message(
        1455, "boto3 cannot use what it was given. Check endpoint_url, and AWS_ENDPOINT_URL and ~/.aws on the host"
    ),
}


def denied(text: str, action: str) -> Message:
    """Say what it means that AWS refuses a secret to an identity.

    :param text: AWS's own; an identity is a name, not a secret, and the one thing that is needed to fix this.
    """
    who = re.search(r"User: (arn:[\w+=,.@:/-]+)", text)
    return Message(
        1456,
        f"access is denied. Allow {who[1] if who else 'the identity'} {action} on it, "
        "and kms:Decrypt on its key if that is a key of your own",
    )


def service_reason(code: str, status: int, operation: str) -> Message:
    """Say what an error means that AWS answered with.

    :param status: the HTTP status of the answer.
    """
    if operation == "AssumeRole" and code == "AccessDenied":
        return _NO_ROLE
    if operation == "AssumeRole" and code == "ValidationError":
        return Message(1457, "AWS rejects the role. Check assume_role_arn and external_id")
    if status == 407:
        return Message(
            1458, "the proxy asks for a name and password. Put them into HTTPS_PROXY and HTTP_PROXY on the host"
        )
    if status == 429:
        return _THROTTLED
    return _CODES.get(code) or (_FAILED if status >= 500 else Message(1459, "AWS refuses the request"))


def library_reason(error: Exception) -> Message:
    """Say what an exception means with which botocore gave up."""
    names = [kind.__name__ for kind in type(error).__mro__]
    return next(
        (_CLASSES[name] for name in names if name in _CLASSES),
        Message(1460, "boto3 gives up. Check the AWS settings of the host, in its environment and ~/.aws"),
    )
