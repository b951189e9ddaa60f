# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A server, a proxy before it, the module, and what can happen to them."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import time
from pathlib import Path
from typing import Any

import pymysql
from parts.forks import Forks
from parts.mariadb import DatabaseServer
from parts.proxy import Proxy

from .script import OTHER, SCHEMA, Work
from .truth import settle

# What cuts a run off. Each strikes when a number of bytes has passed in one direction, which is chosen at random.
CUTS = ("process", "server", "connection", "kill connection", "kill query", "sigterm")
# What passes in a handshake: nothing has been started there.
_GREETING = {"up": 250, "down": 200, "packets": 1}
_HISTORY = "schema_migrations_history"
_STATE = "schema_migrations"


class Bench:
    """Runs the module, and cuts it off."""

    def __init__(self, server: DatabaseServer, folder: Path, proxy: Proxy, forks: Forks) -> None:
        self.server, self.folder, self.proxy, self.forks = server, folder, proxy, forks

    def write(self, work: Work, bad: tuple[int, int, bytes] | None = None) -> None:
        """Write the files; ``bad`` is a file's place, a statement's place in it, and what is there instead."""
        for old in self.folder.iterdir():
            old.unlink()
        for number, file in enumerate((*work.ups, *work.downs)):
            wrong = bad[1:] if bad is not None and bad[0] == number else None
            (self.folder / file.name).write_bytes(file.text(wrong))

    def begin(self, module: str, options: dict[str, Any], proxied: bool) -> int:
        """Begin a module and return its process's number."""
        # What only MySQL has. After a kill it knows no account by its password's hash any more.
        public_key = self.server.folder / "data" / "public_key.pem"
        arguments = {
            "login_host": self.server.host,
            "login_port": self.proxy.port if proxied else self.server.port,
            "login_user": self.server.user,
            "login_password": self.server.password,
            "login_db": SCHEMA,
            "directory": str(self.folder),
            "tls": "disabled",
            "server_public_key": str(public_key) if public_key.exists() else None,
            "lock_timeout": 60,
            **options,
        }
        return self.forks.begin(f"migration_{module}", arguments)

    def ended(self) -> dict[str, Any] | None:
        """Wait for the module's end and return its result; None if it was killed."""
        if self.forks.status() < 0:
            return None
        text = self.forks._output.read_text()
        found: dict[str, Any] = json.loads(text[text.index("{") :]) if "{" in text else {"msg": text}
        found.setdefault("failed", "changed" not in found)
        if "Traceback" in text or "is a bug" in text or ("changed" not in found and "msg" not in found):
            found["bug"] = text
        return found

    def apply(self, options: dict[str, Any]) -> dict[str, Any] | None:
        """Run migration_apply undisturbed."""
        self.begin("apply", options, proxied=False)
        return self.ended()

    def measure(self, options: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, int]]:
        """Run migration_apply undisturbed, and count what passes the proxy."""
        self.begin("apply", options, proxied=True)
        return self.ended(), self.proxy.passed()

    def cut(
        self, fault: str, options: dict[str, Any], dice: random.Random, passing: dict[str, int]
    ) -> tuple[dict[str, Any] | None, str]:
        """Run migration_apply and cut it off; return its result, and what struck it: nothing if it ended before.

        :param passing: what passes when nothing happens, see Proxy.passed.
        """
        # While the server works on a packet most can go wrong.
        way = dice.choice(("packets", "packets", "up", "down"))
        offset = dice.randint(min(_GREETING[way], passing[way] - 1), passing[way])
        then = dice.choice(("reset", "close")) if fault == "connection" else "hold"
        self.proxy.trap(way, offset, then)
        process = self.begin("apply", options, proxied=True)
        while not self.proxy.sprung() and not self.forks.ended():
            time.sleep(0.0005)
        if not self.proxy.sprung():
            return self.ended(), ""
        what = f"{fault} ({then}) at {offset} {way}"
        time.sleep(dice.choice((0, dice.uniform(0, 0.012), dice.uniform(0, 0.03))))
        if fault == "process":
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
            self.forks.status()
            self.proxy.release()
            return None, what
        if fault == "server":
            self.server.stop(kill=True)
            self.proxy.cut()
        elif fault == "sigterm":
            # It may have ended by now.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        elif fault.startswith("kill"):
            self._kill(fault)
        self.proxy.release()
        result = self.ended()
        if fault == "server":
            self.server.start()
        return result, what

    def _kill(self, fault: str) -> None:
        # The file may have gone to the other schema.
        theirs = f"SELECT id FROM information_schema.processlist WHERE db IN ('{SCHEMA}', '{OTHER}')"
        for (number,) in self.server.query(theirs):
            with contextlib.suppress(pymysql.MySQLError):
                self.server.query(f"KILL {'CONNECTION' if fault.endswith('connection') else 'QUERY'} {number}")

    def state(self) -> list[tuple[int, int]]:
        """Return the state table's rows."""
        return self._rows(f"SELECT version, dirty FROM {SCHEMA}.{_STATE}")

    def record(self) -> tuple[int, str, str, int, int] | None:
        """Return version, direction, outcome, done and begun of the newest attempt."""
        rows = self._rows(
            f"SELECT version, direction, outcome, done, begun FROM {SCHEMA}.{_HISTORY} ORDER BY id DESC LIMIT 1"
        )
        return rows[0] if rows else None

    def _rows(self, question: str) -> list[Any]:
        try:
            return self.server.query(question)
        except pymysql.ProgrammingError:
            # It has not been made yet.
            return []

    def settle(self) -> None:
        """Wait until the server has done with what was interrupted."""
        settle(self.server)
