# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Errors of a server, or of the connection to it. Private to the collection."""

from __future__ import annotations

from .._core.errors import Error, Message

NO_TLS_ON_SERVER = 2026
PLUGIN_FAILED = 2059
OLD_PLUGIN = 1251
# The mysql client's code for it.
KEY_UNKNOWN = 2061
# The connection failed; the server ended it (1053, 1927, 3169: shutdown and KILL, 4031: idle for too long).
_LOST = (0, 1053, 1927, 2006, 2013, 3169, 4031)
# What a server says is not ours to explain one by one.
_REFUSED = Message(1505, "The server refused")
_LOGIN = Message(1506, "Check login_user and login_password, and from which hosts the user may log in.")
# What to do about an error at connecting, by its code.
HINTS = {
    1040: Message(1507, "The server has too many connections; try again, or raise max_connections."),
    1044: Message(1508, "Grant the user its privileges on this schema."),
    1045: _LOGIN,
    1049: Message(1509, "Create the schema first, or correct login_db."),
    1129: Message(1510, "The server blocks this host after too many failed connections: FLUSH HOSTS on the server."),
    1130: Message(1511, "The server does not let this host in: check the host part of the user's account."),
    OLD_PLUGIN: Message(1512, "Give the account another plugin, and set its password again."),
    1698: _LOGIN,
    2013: Message(
        1513, "Check login_host and login_port: something else may be listening there, or the server is overloaded."
    ),
    2003: Message(1514, "Check login_host and login_port, and that a firewall lets the runner through."),
    2026: Message(1515, "The server offers no TLS, or none that fits: check tls and ca_cert."),
    PLUGIN_FAILED: Message(
        1516, "Anyone could pose as that server: set tls to required, verify_ca or verify_identity."
    ),
    KEY_UNKNOWN: Message(
        1517, "Set tls to required, verify_ca or verify_identity; or give the server's key in server_public_key."
    ),
}


class ServerError(Error):
    """An error of the server, or of the connection to it.

    :param code: the server's error code; 0 when the connection itself failed.
    :param reason: the server's text.
    :param number: of the message, if there is more to say about it.
    :ivar place: which statement of a packet it was about.
    """

    def __init__(self, code: int, reason: str, doing: str, number: int = _REFUSED.number) -> None:
        self.code = code
        self.reason = reason
        self.place = 0
        super().__init__(number, f"{doing}: ({code}) {reason}", error_code=code)

    @property
    def lost(self) -> bool:
        """Whether the connection is gone."""
        return self.code in _LOST
