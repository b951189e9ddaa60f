# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of a server, or of the connection to it. Private to the collection."""

from __future__ import annotations

from .._core.errors import Error

NO_TLS_ON_SERVER = 2026
PLUGIN_FAILED = 2059
OLD_PLUGIN = 1251
# The mysql client's code for it.
KEY_UNKNOWN = 2061
# The connection failed; the server ended it (1053, 1927, 3169: shutdown and KILL, 4031: idle for too long).
_LOST = (0, 1053, 1927, 2006, 2013, 3169, 4031)
# What to do about an error at connecting, by its code.
HINTS = {
    1040: "The server has too many connections; try again, or raise max_connections.",
    1044: "Grant the user its privileges on this schema.",
    1045: "Check login_user and login_password, and from which hosts the user may log in.",
    1049: "Create the schema first, or correct login_db.",
    1129: "The server blocks this host after too many failed connections: FLUSH HOSTS on the server.",
    1130: "The server does not let this host in: check the host part of the user's account.",
    OLD_PLUGIN: "Give the account another plugin, and set its password again.",
    1698: "Check login_user and login_password, and from which hosts the user may log in.",
    2013: "Check login_host and login_port: something else may be listening there, or the server is overloaded.",
    2003: "Check login_host and login_port, and that a firewall lets the runner through.",
    2026: "The server offers no TLS, or none that fits: check tls and ca_cert.",
    PLUGIN_FAILED: "Anybody could pretend to be that server: set tls to required, verify_ca or verify_identity.",
    KEY_UNKNOWN: "Set tls to required, verify_ca or verify_identity; or give the server's key in server_public_key.",
}


class ServerError(Error):
    """An error of the server, or of the connection to it.

    :param code: the server's error code; 0 when the connection itself failed.
    :param reason: the server's text.
    :ivar place: which statement of a packet it was about.
    """

    def __init__(self, code: int, reason: str, doing: str) -> None:
        self.code = code
        self.reason = reason
        self.place = 0
        super().__init__(f"{doing}: ({code}) {reason}", error_code=code)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.code in _LOST
