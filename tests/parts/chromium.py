# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chromium, headless, of Debian's packages of this machine's suite, which are unpacked into the cache; and axe-core."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import platform
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from . import CACHE, NotAvailable, NotOnThisSystem, private_folder
from .debian_packages import Packages

# With it come the fonts of a page.
_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_OPTIONS = (
    *("--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"),
    "--font-render-hinting=none",
)
_AXE = "axe-core@4.14.1"


class Browser:
    """A running Chromium with one page.

    :ivar errors: what has gone to the console as an error or a warning, and exceptions that nobody caught.
    """

    def __init__(self) -> None:
        self.errors: list[str] = []
        self._stack = ExitStack()
        self._number = 0
        self._session = ""

    def __enter__(self) -> Browser:
        root = _root()
        home = self._stack.enter_context(private_folder("chromium"))
        fonts = home / "fonts.conf"
        fonts.write_text(f"<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{home}</cachedir></fontconfig>")
        libraries = root / "usr" / "lib" / f"{platform.machine()}-linux-gnu"
        there, back = os.pipe(), os.pipe()
        # Its ends of the pipes are to be 3 and 4. It reaches nothing but files.
        program = subprocess.Popen(
            [
                "bash",
                "-c",
                f'exec "$@" 3<&{there[0]} 4>&{back[1]}',
                "chromium",
                root / "usr/lib/chromium/chromium-headless-shell",
                *_OPTIONS,
                "--host-resolver-rules=MAP * ~NOTFOUND",
                f"--user-data-dir={home}",
            ],
            env={
                **os.environ,
                "HOME": str(home),
                "LD_LIBRARY_PATH": f"{libraries}:{libraries}/pulseaudio",
                "FONTCONFIG_FILE": str(fonts),
            },
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            pass_fds=(there[0], back[1]),
        )
        self._stack.callback(_end, program)
        os.close(there[0])
        os.close(back[1])
        self._there: IO[bytes] = self._stack.enter_context(open(there[1], "wb", buffering=0))
        self._back: IO[bytes] = self._stack.enter_context(open(back[0], "rb", buffering=0))
        self._rest = b""
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log"):
            self._call(f"{domain}.enable")
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def open(
        self, page: Path, width: int, height: int, dark: bool = False, scripts: bool = True, scale: float = 1
    ) -> None:
        """Show a file in a window of so many of the page's pixels, and wait until it is there.

        :param dark: as one who prefers dark colours has it.
        :param scripts: whether the page's scripts run.
        :param scale: how many pixels of a picture are one of the page's, on a side.
        """
        window = {"width": width, "height": height, "deviceScaleFactor": scale, "mobile": width < 600}
        self._call("Emulation.setDeviceMetricsOverride", **window)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self._call("Emulation.setEmulatedMedia", features=[scheme])
        self._call("Emulation.setScriptExecutionDisabled", value=not scripts)
        self._loaded = False
        self._call("Page.navigate", url=page.absolute().as_uri())
        while not self._loaded:
            self._receive()

    def evaluate(self, expression: str) -> Any:
        """Return what a JavaScript expression, or its promise, comes to; AssertionError is raised where it fails."""
        found = self._call("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, expression: str) -> None:
        """Wait until a JavaScript expression is true; AssertionError is raised after ten seconds."""
        end = time.monotonic() + 10
        while not self.evaluate(expression):
            assert time.monotonic() < end, expression
            time.sleep(0.02)

    def press(self, key: str) -> None:
        """Press and release a key: ``Tab``, ``Enter``, or a character."""
        code = {"Tab": 9, "Enter": 13}.get(key, ord(key[0]))
        text = {"Tab": "", "Enter": "\r"}.get(key, key)
        self._call("Input.dispatchKeyEvent", type="keyDown", key=key, windowsVirtualKeyCode=code, text=text)
        self._call("Input.dispatchKeyEvent", type="keyUp", key=key, windowsVirtualKeyCode=code)

    def click(self, selector: str) -> None:
        """Click into the middle of an element, once it is in sight."""
        x, y = self.evaluate(f"""(() => {{
            const element = document.querySelector({json.dumps(selector)});
            element.scrollIntoView({{block: "center"}});
            const box = element.getBoundingClientRect();
            return [box.x + box.width / 2, box.y + box.height / 2];
        }})()""")
        for kind in ("mousePressed", "mouseReleased"):
            self._call("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def photograph(self, picture: Path, whole: bool = False) -> None:
        """Write a PNG of what the window shows, or of the whole page."""
        found = self._call("Page.captureScreenshot", captureBeyondViewport=whole)
        picture.write_bytes(base64.b64decode(found["data"]))

    def axe(self) -> list[str]:
        """Return what axe-core finds wrong with the page, a line each."""
        self.evaluate(script(_AXE, "axe.min.js") + "; 0")
        found = self.evaluate("axe.run(document, {resultTypes: ['violations']})")
        assert found["passes"], "axe has looked at nothing"
        return [
            f"{one['id']}: {one['help']}: {node['html'][:200]}: {node.get('failureSummary', '')}"
            for one in found["violations"]
            for node in one["nodes"][:3]
        ]

    def _call(self, method: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message: dict[str, Any] = {"id": self._number, "method": method, "params": parameters}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[self._there.write(data) :]
        number = self._number
        while True:
            answer = self._receive()
            if answer.get("id") == number:
                assert "error" not in answer, (method, answer["error"])
                result: dict[str, Any] = answer["result"]
                return result

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            data = self._back.read(1 << 20)
            assert data, "Chromium has ended"
            self._rest += data
        text, _zero, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        method, values = message.get("method"), message.get("params", {})
        if method == "Page.loadEventFired":
            self._loaded = True
        elif method == "Runtime.exceptionThrown":
            self.errors.append(str(values["exceptionDetails"]))
        elif method == "Runtime.consoleAPICalled" and values["type"] in ("error", "warning", "assert"):
            self.errors.append(str(values["args"]))
        elif method == "Log.entryAdded" and values["entry"]["level"] in ("error", "warning"):
            self.errors.append(str(values["entry"]))
        return message


def script(package: str, path: str) -> str:
    """Return a script of a package of npm's, downloaded once; NotAvailable is raised when it is not available.

    :param package: with its version.
    :param path: in the package.
    """
    file = CACHE / f"{package}.js"
    with _lock("npm"):
        if file.exists():
            return file.read_text(encoding="utf-8")
        if shutil.which("npm") is None:
            raise NotOnThisSystem(f"{package} is not available: this machine has no npm.")
        with tempfile.TemporaryDirectory(dir=CACHE) as folder:
            command = ["npm", "pack", "--silent", package]
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise NotAvailable(f"{package} is not available: npm failed: {done.stderr.strip()[-300:]}")
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                member = archive.extractfile(f"package/{path}")
                assert member
                unfinished = Path(folder, "script.js")
                unfinished.write_bytes(member.read())
            unfinished.rename(file)
    return file.read_text(encoding="utf-8")


def _root() -> Path:
    folder = CACHE / "chromium"
    with _lock("chromium"):
        if not (folder / "root").exists():
            folder.mkdir(exist_ok=True)
            codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
            with tempfile.TemporaryDirectory(dir=folder) as unfinished:
                for package in _PACKAGES:
                    place = Path(unfinished, package)
                    place.mkdir()
                    Packages(package, [codename, f"{codename}-security"]).unpack(place, folder / "log")
                program, fonts = (Path(unfinished, package, "root") for package in _PACKAGES)
                subprocess.run(["cp", "-a", f"{fonts}/.", program], check=True)
                program.rename(folder / "root")
    return folder / "root"


@contextmanager
def _lock(name: str) -> Iterator[None]:
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _end(program: subprocess.Popen[bytes]) -> None:
    program.terminate()
    program.wait(20)
