# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Host keys that are known by their fingerprints. Private to the collection."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from .._core.errors import Error
from .private import PrivateFolder
from .reference import shown

_FINGERPRINT = re.compile(r"SHA256:[A-Za-z0-9+/]{43}\Z")
# How ssh is told. All paths are relative to git's working directory, the private one.
OPTIONS = {
    "KnownHostsCommand": "/bin/sh known_keys %t %f %H %K",
    "UserKnownHostsFile": os.devnull,
    "GlobalKnownHostsFile": os.devnull,
}
# What the script below says in ssh's standard error. No server can say it: it begins a line.
LISTED, UNLISTED = "\1listed", "\1unlisted"
# ssh asks this one which lines it would find in a known_hosts file. It asks before it hears from the server, too, with
# NONE: which kinds of keys to prefer.
_KNOWN_KEYS = """case $2 in
  NONE) ;;
  %s)
    printf '\\001listed\\n' >&2
    printf '%%s %%s %%s\\n' "$3" "$1" "$4"
    ;;
  *)
    printf '\\001unlisted\\n' >&2
    case $1 in ssh-rsa) printf ',rsa-sha2-*' ;; esac >>refused
    printf ',%%s' "$1" >>refused
    ;;
esac
"""
# A server shows one of its keys, of the kind that ssh prefers. While that is not listed, the next kind is asked for.
_CONNECT = """while :; do
  refused=$(cat refused)
  %s -o "HostKeyAlgorithms=-*-cert-v01@openssh.com$refused" "$@"
  status=$?
  [ "$refused" != "$(cat refused)" ] || exit $status
done
"""


def command(ssh: str, fingerprints: Sequence[str], private: PrivateFolder) -> str:
    """Return the value of GIT_SSH_COMMAND for servers whose key has one of these fingerprints.

    :param ssh: the command otherwise, with ``OPTIONS``.
    """
    for text in fingerprints or ("",):
        if not _FINGERPRINT.match(text):
            raise Error(
                1315,
                f"known_hosts_fingerprints: {shown(text)} is not a fingerprint as ssh-keygen -lf prints it: SHA256: "
                "and 43 characters. Those of MD5 are not accepted.",
            )
    private.file("known_keys", _KNOWN_KEYS % "|".join(f"'{text}'" for text in fingerprints))
    private.file("connect", _CONNECT % ssh)
    private.file("refused", "")
    return "/bin/sh connect"
