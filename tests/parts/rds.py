# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A MariaDB server that asks for a token as Amazon RDS does: over TLS, with the plugin mysql_clear_password.

RDS looks at the token itself; here MariaDB hands it to PAM, and PAM to a script, which keeps it.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

from . import CACHE, NotOnThisSystem
from .debian_packages import Packages
from .mariadb import MariaDB

PLUGIN = "auth_pam_v1.so"
PLUGINS = ("/usr/lib/mysql/plugin", "/usr/lib/mariadb/plugin", "/usr/lib64/mariadb/plugin")
# pam_exec gives no more of a token to its script.
LONGEST = 511


class Rds(MariaDB):
    """MariaDB with the account ``iam``; NotAvailable is raised where it is not available.

    :param dialog: it asks by MariaDB's own plugin, as a server with PAM does that is not one of RDS's.
    :ivar authority: the certificate to trust, which is for the server's address.
    """

    def __init__(self, folder: Path, dialog: bool = False) -> None:
        self.authority = folder / "certificate.pem"
        self._kept = folder / "kept"
        super().__init__(
            folder,
            options=[
                f"--plugin-dir={folder / 'plugins'}",
                # The plugin that asks PAM in the server's own process; the newer one starts a program for it.
                "--plugin-load-add=auth_pam_v1",
                f"--pam-use-cleartext-plugin={'OFF' if dialog else 'ON'}",
                f"--ssl-cert={self.authority}",
                f"--ssl-key={folder / 'key.pem'}",
            ],
        )

    def prepare(self) -> None:
        if os.geteuid() or subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False).returncode:
            raise NotOnThisSystem("Only root has a PAM service of its own for a server, where it may mount.")
        super().prepare()
        # Where the server's account can read it, wherever the checkout is.
        (self.folder / "plugins").mkdir(mode=0o755)
        shutil.copy(_plugin(), self.folder / "plugins")
        subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
        files = ["-keyout", str(self.folder / "key.pem"), "-out", str(self.authority)]
        self.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", *subject, *files])
        script = self.folder / "keep"
        script.write_text(f"#!/bin/sh\ncat >{self._kept} && test ! -e {self._kept}.refuse\n")
        script.chmod(0o755)
        (self.folder / "pam.d").mkdir()
        (self.folder / "pam.d" / "iam").write_text(
            f"auth required pam_exec.so expose_authtok quiet {script}\naccount required pam_permit.so\n"
        )

    def start(self) -> None:
        super().start()
        self.query("CREATE USER IF NOT EXISTS iam@'%' IDENTIFIED VIA pam USING 'iam' REQUIRE SSL")
        self.query("GRANT ALL ON *.* TO iam@'%'")

    def token(self) -> str | None:
        """Return the last token that came, up to LONGEST characters of it, and forget it."""
        if not self._kept.exists():
            return None
        text = self._kept.read_bytes().rstrip(b"\0").decode()
        self._kept.unlink()
        return text

    def refuse(self, refuse: bool = True) -> None:
        """Refuse whoever comes from now on, or let them in."""
        switch = self._kept.with_suffix(".refuse")
        if refuse:
            switch.touch()
        else:
            switch.unlink()

    def _launcher(self) -> list[str]:
        if not (self.folder / "pam.d").exists():
            return super()._launcher()
        # Nobody else on this machine sees this PAM service.
        mount = 'mount --bind "$0" /etc/pam.d && exec "$@"'
        namespace = ["unshare", "--mount", "sh", "-c", mount, str(self.folder / "pam.d")]
        return [*namespace, *super()._launcher()]


def _plugin() -> Path:
    """Return where the plugin is: of Debian's packages only mariadb-server has it, which is unpacked."""
    for folder in map(Path, PLUGINS):
        if (folder / PLUGIN).exists():
            return folder / PLUGIN
    cache = CACHE / "mariadb-server"
    cache.mkdir(parents=True, exist_ok=True)
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (cache / "root").exists():
            suite = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
            with tempfile.TemporaryDirectory(dir=cache) as unfinished:
                Packages("mariadb-server", [suite, f"{suite}-security"], alone=True).unpack(
                    Path(unfinished), cache / "log"
                )
                (Path(unfinished) / "root").rename(cache / "root")
    return next((cache / "root").rglob(PLUGIN))
