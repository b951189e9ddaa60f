# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""How a module logs in to a database: with a password of its own, with a secret's, or with a token of AWS's.

The one place that knows both _mysql and _secret. Private to the collection.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from copy import copy
from dataclasses import asdict, replace
from typing import Any, Optional

from ansible.module_utils.basic import AnsibleModule

from ._core.errors import Error, Message
from ._mysql.errors import HINTS
from ._mysql.session import ServerError, Session, connect
from ._mysql.settings import MYSQL, PORT, Settings, read_settings
from ._secret.arguments import AWS, PROOF

# Documented in the doc fragments dbops.migrations._server, dbops.migrations._mysql and dbops.migrations._aws.
LOGIN = MYSQL + PROOF + AWS
# The server knows no such account, or not with this password.
_DENIED = (1045, 1698)
_ENCRYPTED = ("required", "verify_ca", "verify_identity")
_NO_TOKEN = Message(
    1526,
    "Check login_user, region and login_host, which must be the server's own endpoint. The account must be made for "
    "IAM, and the AWS identity be allowed rds-db:connect for it.",
)


class Login:
    """Opens sessions for a module whose options are those of LOGIN, or SERVER, PROOF and AWS if no schema is named.

    The second one is for what has to end a statement of the first.
    """

    def __init__(self, module: AnsibleModule, schema: bool = True) -> None:
        """Read the options, and the secret if they name one.

        :param schema: whether they name the schema that sessions open.

        :raises Error: they do not go together, or the secret cannot be read.
        """
        self._module = module
        self._params: dict[str, Any] = module.params
        self._schema = schema
        self._secret = self._params["login_secret"]
        # The secret's password is the one that counts.
        self._rotates = bool(self._secret) and not self._params["login_password"]
        if self._secret:
            # It takes a quarter of a second to load boto3, which only this and the token need.
            from ._secret.store import open_store  # noqa: PLC0415

            self._store = open_store(self._secret["store"], self._params)
        self._settings = self._read(self._secret)
        self._module.database = self._settings.database

    @property
    def database(self) -> str:
        """The schema's name as it was given."""
        return self._settings.database

    def other(self, user: str, password: Optional[str], host: Optional[str], port: Optional[int]) -> Login:
        """Return the same with another account, which rehearses, and no schema of its own.

        :param host: of another server; None for the same.
        :param port: None for the same, or on another host for the usual one.
        """
        login = copy(self)
        settings = replace(self._settings, user=user, password=password, database="")
        options = "user|password"
        if host or port:
            # The option file may hold a password and a socket, which are the database's own.
            settings = replace(settings, unix_socket=None, config_file=None)
            settings = replace(settings, host=host or settings.host, port=port or PORT)
            options += "|host|port"
        hints = {
            code: hint._replace(text=re.sub(rf"login_(?={options})", "rehearsal_login_", hint.text))
            for code, hint in HINTS.items()
        }
        login._settings = replace(settings, hints=hints)
        login._params = {**self._params, "login_auth": "password"}
        login._rotates = False
        return login

    @contextmanager
    def session(self, database: Optional[str] = None) -> Iterator[Session]:
        """Open a session for the length of a ``with`` block.

        :param database: the schema to open, if the options name none; an empty text for none.

        :raises Error: there is no token or no library.
        :raises ServerError: the server cannot be reached, or refuses the user.
        """
        with ExitStack() as stack:
            yield self._open(stack, database)

    def _open(self, stack: ExitStack, database: Optional[str]) -> Session:
        def opened(settings: Settings) -> Session:
            named = settings if database is None else replace(settings, database=database)
            return stack.enter_context(connect(self._with_token(named)))

        try:
            return opened(self._settings)
        except ServerError as error:
            if error.code not in _DENIED or not self._rotates:
                raise
            refused = error
        tried = [self._settings]
        for settings in self._other_versions(refused):
            if settings not in tried:
                tried.append(settings)
                try:
                    session = opened(settings)
                except ServerError as error:
                    if error.code not in _DENIED:
                        raise
                else:
                    self._settings = settings
                    return session
        raise refused

    def _other_versions(self, refused: ServerError) -> Iterator[Settings]:
        """Read the secret again, which is perhaps being rotated.

        The staged version comes first: a rotation that ends in between makes it the current one, so none is missed.
        """
        asked, staged = self._secret, self._store.staged
        if staged and not asked["version_id"] and asked["version_stage"] in (None, "", "AWSCURRENT"):
            # There may be none, or the identity may only read the current one.
            with suppress(Error):
                yield self._read({**asked, "version_stage": staged})
        try:
            settings = self._read(asked)
        except Error as error:
            raise Error(1527, f"{refused} Reading the secret again failed: {error}", **refused.results) from None
        yield settings

    def _read(self, secret: Optional[dict[str, Any]]) -> Settings:
        if not secret:
            return read_settings(self._params, schema=self._schema)
        from ._secret.resolve import resolve  # noqa: PLC0415

        found = resolve(self._store, secret["id"], secret).credentials
        settings = read_settings(self._params, asdict(found), self._schema)
        if not self._rotates:
            return settings
        hint = Message(
            1528,
            f"The secret {secret['id']} was read again, in case it is being rotated. Check that it holds the "
            "account's current password, and from which hosts the account may log in.",
        )
        return replace(settings, hints=dict.fromkeys(_DENIED, hint))

    def _with_token(self, settings: Settings) -> Settings:
        """Put a token in the password's place where one is asked for; it is made again for each session."""
        if self._params["login_auth"] == "password":
            return settings
        user = self._user_for_iam(settings)
        from ._secret.rds import rds_token  # noqa: PLC0415

        token = rds_token(self._params, settings.host, settings.port, user)
        return replace(settings, password=token, hints=dict.fromkeys(_DENIED, _NO_TOKEN))

    def _user_for_iam(self, settings: Settings) -> str:
        if settings.tls not in _ENCRYPTED:
            raise Error(
                1529,
                f"tls is {settings.tls}, but login_auth iam sends its token in clear text, so the connection must be "
                f"encrypted. Set tls to {', '.join(_ENCRYPTED[:-1])} or {_ENCRYPTED[-1]}.",
            )
        if settings.unix_socket:
            raise Error(
                1530, "login_auth iam is for Amazon RDS, which has no login_unix_socket. Give login_host instead."
            )
        if self._params["login_password"]:
            raise Error(1531, "login_password and login_auth iam are mutually exclusive. Leave one of them out.")
        if not settings.user:
            raise Error(1532, "login_user is not set, and login_auth iam needs it to make a token. Name the account.")
        return settings.user
