# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The application, under gunicorn: a request says whom to talk to and for how long, and all of it is written down."""

from __future__ import annotations

import json
import socket
import threading
import time
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import unquote

import pymysql

PORT = 8000
# What each of them answers to.
HELLO = {"redis": b"PING\r\n", "memcached": b"version\r\n", "partner": b"0\n"}


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """Talk to all that the request names, at the same time."""
    began = time.time()
    plan = json.loads(unquote(environ["QUERY_STRING"]))
    threads = [threading.Thread(target=talk, kwargs=one) for one in plan]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    note(environ["REMOTE_ADDR"], "", PORT, began)
    start_response("200 OK", [("Content-Length", "3")])
    return [b"ok\n"]


def talk(kind: str, address: str, port: int, seconds: float) -> None:
    """Keep a connection for so long; a hasty partner ends it by itself."""
    if kind == "database":
        database = pymysql.connect(host=address, port=port, user="shop", password="not-so-secret")
        began = time.time()
        database.cursor().execute("SELECT SLEEP(%s)", [seconds])
        note("", address, port, began)
        database.close()
        return
    with socket.create_connection((address, port)) as connection:
        began = time.time()
        connection.sendall(f"{seconds}\n".encode() if kind == "hasty" else HELLO[kind])
        connection.recv(100)
        time.sleep(0 if kind == "hasty" else seconds)
        note("", address, port, began)


def note(client: str, server: str, port: int, began: float) -> None:
    """Write down a connection that has been there from then until now; what is empty is this host."""
    entry = {"client": client, "server": server, "port": port, "began": began, "ended": time.time()}
    with open("/var/log/truth", "a", encoding="utf-8") as file:
        file.write(json.dumps(entry) + "\n")
