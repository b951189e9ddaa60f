# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Those outside: partners whom the application calls, and visitors, each of whom comes once from an address of his own.

The first line of the input has the ports, and each other one is a visit.
"""

from __future__ import annotations

import json
import socket
import sys
import threading
import time
from typing import Any
from urllib.parse import quote

WEB = "10.99.0.11"


def main() -> None:
    """Answer until the input ends; print each visit when it is over."""
    ports = json.loads(sys.stdin.readline())
    for port in ports:
        server = socket.create_server(("0.0.0.0", port), backlog=200)
        threading.Thread(target=serve, args=[server], daemon=True).start()
    print("ready", flush=True)
    for line in sys.stdin:
        threading.Thread(target=visit, kwargs=json.loads(line), daemon=True).start()


def serve(server: socket.socket) -> None:
    """Be a partner."""
    while True:
        threading.Thread(target=answer, args=[server.accept()[0]], daemon=True).start()


def answer(connection: socket.socket) -> None:
    """Wait for so many seconds as are asked for, or until the other one leaves, who asks for none."""
    with connection:
        seconds = float(connection.makefile().readline())
        if seconds:
            time.sleep(seconds)
        else:
            connection.sendall(b"ok\n")
            connection.recv(1)


def visit(address: str, port: int, plan: list[dict[str, Any]], stays: bool) -> None:
    """Ask for a page.

    :param stays: until the server has left, which nginx does at once if it is asked to.
    """
    with socket.create_connection((WEB, port), source_address=(address, 0)) as connection:
        began = time.time()
        words = "close" if stays else "keep-alive"
        request = f"GET /?{quote(json.dumps(plan))} HTTP/1.1\r\nHost: shop\r\nConnection: {words}\r\n\r\n"
        connection.sendall(request.encode())
        text = b""
        while not text.endswith(b"ok\n"):
            piece = connection.recv(1000)
            if not piece:
                break
            text += piece
        entry = {"client": address, "server": WEB, "port": port, "began": began, "ended": time.time()}
        while stays and connection.recv(1000):
            pass
    # In one piece, as others write as well.
    sys.stdout.write(json.dumps(entry if text.endswith(b"ok\n") else {"failed": text.decode()}) + "\n")
    sys.stdout.flush()


main()
