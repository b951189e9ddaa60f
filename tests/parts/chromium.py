# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Chromium, headless, of Debian's packages of this machine's suite, which are unpacked into the cache."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import tempfile
from pathlib import Path

from . import CACHE, private_folder
from .debian_packages import Packages

# With it come the fonts of a page.
_PACKAGES = ("chromium-headless-shell", "fonts-dejavu-core")
_HEIGHT = re.compile(r"<title>(\d+)</title>")
_OPTIONS = ("--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--force-device-scale-factor=1")


def photograph(page: Path, picture: Path, width: int) -> None:
    """Write a PNG of all of a page, in two pixels for each of the page's; NotAvailable is raised without Chromium.

    :param page: its script gives it its height in pixels as a title.
    """
    found = _HEIGHT.search(_run(f"--window-size={width},100", "--dump-dom", page.absolute().as_uri()))
    height = found[1] if found else "1000"
    _run(f"--window-size={width},{height}", f"--screenshot={picture.absolute()}", page.absolute().as_uri())


def _run(*options: str) -> str:
    root = _root()
    folders = (root / name / f"{platform.machine()}-linux-gnu" for name in ("usr/lib", "lib"))
    libraries = ":".join(f"{folder}:{folder}/pulseaudio" for folder in folders)
    with private_folder("chromium") as home:
        fonts = home / "fonts.conf"
        fonts.write_text(f"<fontconfig><dir>{root}/usr/share/fonts</dir><cachedir>{home}</cachedir></fontconfig>")
        more = {"HOME": str(home), "LD_LIBRARY_PATH": libraries, "FONTCONFIG_FILE": str(fonts)}
        return subprocess.run(
            [root / "usr/lib/chromium/chromium-headless-shell", *_OPTIONS, f"--user-data-dir={home}", *options],
            env={**os.environ, **more},
            check=True,
            capture_output=True,
            text=True,
            timeout=120,
        ).stdout


def _root() -> Path:
    folder = CACHE / "chromium"
    if not (folder / "root").exists():
        folder.mkdir(parents=True, exist_ok=True)
        codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
        suites = [codename, f"{codename}-security"]
        with tempfile.TemporaryDirectory(dir=folder) as unfinished:
            for number, package in enumerate(_PACKAGES):
                place = Path(unfinished, str(number))
                place.mkdir()
                Packages(package, suites).unpack(place, folder / "log")
            subprocess.run(["cp", "-a", f"{unfinished}/1/root/.", f"{unfinished}/0/root"], check=True)
            Path(unfinished, "0", "root").rename(folder / "root")
    return folder / "root"
