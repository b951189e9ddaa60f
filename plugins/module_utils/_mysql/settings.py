# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How to reach a database: options and what they mean. Private to the collection."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Optional

from .._core.arguments import ArgumentSpec
from .._core.errors import Error, Message

# Of servers that listen where they usually do.
PORT = 3306
# Documented in the doc fragment dbops.migrations._server.
SERVER = ArgumentSpec(
    argument_spec={
        "login_host": {"type": "str"},
        "login_port": {"type": "int"},
        "login_user": {"type": "str"},
        "login_password": {"type": "str", "no_log": True},
        "login_unix_socket": {"type": "path"},
        "connect_timeout": {"type": "int", "default": 10},
        "config_file": {"type": "path"},
        "tls": {
            "type": "str",
            "default": "preferred",
            "choices": ["disabled", "preferred", "required", "verify_ca", "verify_identity"],
        },
        "ca_cert": {"type": "path"},
        "client_cert": {"type": "path"},
        "client_key": {"type": "path", "no_log": False},
        "server_public_key": {"type": "path"},
    },
    required_together=[["client_cert", "client_key"]],
)
# Documented in the doc fragment dbops.migrations._mysql.
MYSQL = SERVER + ArgumentSpec(
    argument_spec={
        "login_db": {"type": "str"},
        "migrations_table": {"type": "str", "default": "schema_migrations"},
        "history_table": {"type": "str"},
        "lock": {"type": "bool", "default": True},
        "lock_timeout": {"type": "int", "default": 10},
    }
)


@dataclass(frozen=True)
class Settings:
    """The options that a connection needs, under PyMySQL's names.

    :param database: empty to open none.
    :param connect_timeout: seconds.
    :param hints: what to do about an error of the server, by its code, where that is not the usual.
    """

    host: str
    port: int
    user: Optional[str]
    password: Optional[str] = field(repr=False)
    unix_socket: Optional[str]
    database: str
    connect_timeout: int
    config_file: Optional[str]
    tls: str
    ca_cert: Optional[str]
    client_cert: Optional[str]
    client_key: Optional[str]
    server_public_key: Optional[str]
    hints: Mapping[int, Message] = field(default_factory=dict)

    @property
    def address(self) -> str:
        """Where the server is, for messages."""
        return self.unix_socket or f"{self.host}:{self.port}"

    def tls_context(self) -> Optional[ssl.SSLContext]:
        """Return what the connection is to be secured with; None for plain text.

        :raises Error: a certificate or key cannot be read.
        """
        if self.tls == "disabled" or (self.unix_socket and self.tls == "preferred"):
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        verify = self.tls in ("verify_ca", "verify_identity")
        context.check_hostname = self.tls == "verify_identity"
        context.verify_mode = ssl.CERT_REQUIRED if verify else ssl.CERT_NONE
        try:
            if self.ca_cert:
                context.load_verify_locations(cafile=self.ca_cert)
            elif verify:
                context.load_default_certs()
            if self.client_cert:
                context.load_cert_chain(self.client_cert, self.client_key)
        except (OSError, ssl.SSLError) as error:
            raise Error(
                1501,
                f"The TLS files cannot be used: {error.strerror or error}. Check ca_cert "
                f"({self.ca_cert}), client_cert ({self.client_cert}) and client_key; they are paths on the runner.",
            ) from error
        return context

    def public_key(self) -> Optional[bytes]:
        """Return the server's key in PEM format, with which the password may be encrypted.

        :raises Error: it cannot be read, or is something else.
        """
        if self.server_public_key is None:
            return None
        try:
            key = Path(self.server_public_key).read_bytes()
        except OSError as error:
            raise Error(
                1502,
                f"Cannot read server_public_key {self.server_public_key}: {error.strerror}. It is a path on the "
                "runner.",
            ) from error
        if b"-----BEGIN PUBLIC KEY-----" not in key:
            raise Error(
                1503,
                f"server_public_key {self.server_public_key} holds no public key in PEM format. It is what "
                "the server has in public_key.pem of its data directory.",
            )
        return key


def read_settings(
    params: Mapping[str, Any], found: Mapping[str, Any] = MappingProxyType({}), schema: bool = True
) -> Settings:
    """Make settings of a module's parameters.

    :param found: host, port, user, password and database, as far as a secret says, for what the parameters leave open;
        None and an empty text say nothing.
    :param schema: whether a schema is to be opened; otherwise none is, whatever is named.
    :raises Error: no schema is named.
    """
    database = (params["login_db"] or found.get("database") or "") if schema else ""
    if schema and not database:
        raise Error(1504, "login_db is empty: name the schema to work on, here or in the secret of login_secret.")
    return Settings(
        host=params["login_host"] or found.get("host") or "localhost",
        port=params["login_port"] or found.get("port") or PORT,
        user=params["login_user"] or found.get("user"),
        password=params["login_password"] or found.get("password"),
        unix_socket=params["login_unix_socket"],
        database=database,
        connect_timeout=params["connect_timeout"],
        config_file=params["config_file"],
        tls=params["tls"],
        ca_cert=params["ca_cert"],
        client_cert=params["client_cert"],
        client_key=params["client_key"],
        server_public_key=params["server_public_key"],
    )
