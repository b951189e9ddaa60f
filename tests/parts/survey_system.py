# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A Debian with the programs that a web company runs, for the hosts of a survey."""

from __future__ import annotations

import fcntl
import hashlib
import tempfile
from pathlib import Path

from . import CACHE, NotAvailable, debian_root

# ADMINISTRATOR may become root, and WATCHER may not.
ADMINISTRATOR, WATCHER = "deploy", "watcher"
_PACKAGES = (
    "nginx-light redis-server memcached gunicorn python3-pymysql mariadb-server cron nftables openssh-server sudo "
    "firewalld dbus netbase"
)
_SET_UP = f"""set -e
# Nothing is to be started here.
printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d
chmod 755 /usr/sbin/policy-rc.d
apt-get update -q
DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends {_PACKAGES}
apt-get clean
for name in {ADMINISTRATOR} {WATCHER}; do
  useradd --create-home --shell /bin/sh $name
  # No password, and not locked, which sshd would refuse.
  usermod --password '*' $name
done
echo '{ADMINISTRATOR} ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/{ADMINISTRATOR}
"""


def provide() -> Path:
    """Return the folder of the system, which is made once and kept in the cache. Nobody may change anything in it."""
    CACHE.mkdir(exist_ok=True)
    system = CACHE / f"survey-system-{hashlib.sha256(_SET_UP.encode()).hexdigest()[:8]}"
    with (CACHE / "survey-system.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not system.exists():
            with tempfile.TemporaryDirectory(dir=CACHE) as unfinished:
                root = Path(unfinished) / "root"
                root.mkdir(mode=0o755)
                debian_root.create(root)
                if debian_root.run(root, ["sh", "-c", _SET_UP], "/"):
                    raise NotAvailable(f"Debian's packages {_PACKAGES} cannot be installed. See the output above.")
                root.rename(system)
    return system
