# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The nearest to CentOS Stream where its packages are not available: its dnf, and stubs of its packages, on Debian."""

from __future__ import annotations

import fcntl
from pathlib import Path

import yaml

from . import CACHE, CHECKOUT, NotAvailable, debian_root, private_folder

# dnf, and what the stubs only pretend to bring. Debian's own package manager is not used any more after that.
REAL = "sudo dnf python3-dnf rpm createrepo-c openssh-client python3-venv python3-packaging"
REPOSITORY = """\
[stubs]
name=stubs
baseurl=file:///srv/repository
gpgcheck=0
"""
RELEASE = """\
NAME="CentOS Stream"
VERSION="{0}"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="{0}"
PLATFORM_ID="platform:el{0}"
PRETTY_NAME="CentOS Stream {0}"
"""
# A package without content; one that is named after a Python leads to the system's.
STUB = """\
Name: {name}
Version: 1
Release: 1
Summary: stands in for CentOS's
License: none
BuildArch: noarch
AutoReqProv: no
%description
A stub.
%install
mkdir -p %{{buildroot}}/usr/bin
{install}
%files
{files}
"""
BUILD = """\
set -e
cd /srv/stubs
for spec in *.spec; do rpmbuild -bb --quiet --define '_rpmdir /srv/repository' "$spec"; done
createrepo_c --quiet /srv/repository
"""


def create(root: Path, release: str) -> None:
    """Make the system in the folder ``root``; a packed one, of no release yet, is kept in the cache."""
    packed = CACHE / "centos-stand-in.tar"
    CACHE.mkdir(exist_ok=True)
    with (CACHE / "centos.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not packed.exists():
            with private_folder("centos") as folder:
                _make(folder)
                debian_root.pack(folder, packed)
    debian_root.unpack(packed, root)
    _pretend(root, release)


def _make(root: Path) -> None:
    debian_root.create(root)
    install = f"apt-get update -q && apt-get install -q -y --no-install-recommends {REAL}"
    if debian_root.run(root, ["env", "DEBIAN_FRONTEND=noninteractive", "sh", "-c", install], "/") != 0:
        raise NotAvailable("The stand-in for CentOS cannot be made: Debian's packages cannot be installed.")
    # Debian's rpm keeps an account's own list otherwise.
    (root / "etc/rpm").mkdir(exist_ok=True)
    (root / "etc/rpm/macros").write_text("%_dbpath /var/lib/rpm\n")


def _pretend(root: Path, release: str) -> None:
    (root / "etc/debian_version").unlink()
    (root / "etc/os-release").unlink()
    (root / "etc/os-release").write_text(RELEASE.format(release))
    for name in ("centos-release", "redhat-release"):
        (root / "etc" / name).write_text(f"CentOS Stream release {release}\n")
    (root / "etc/dnf/vars/releasever").write_text(f"{release}\n")
    (root / "etc/yum.repos.d").mkdir(exist_ok=True)
    (root / "etc/yum.repos.d/stubs.repo").write_text(REPOSITORY)
    variables = yaml.safe_load((CHECKOUT / f"roles/runner/vars/RedHat-{release}.yml").read_text())
    (root / "srv/stubs").mkdir()
    for name in variables["__runner_packages"]:
        path = f"/usr/bin/{name}" if name.startswith("python3.") and "-" not in name else ""
        install = f"ln -s python3 %{{buildroot}}{path}" if path else ""
        (root / f"srv/stubs/{name}.spec").write_text(STUB.format(name=name, install=install, files=path))
    if debian_root.run(root, ["sh", "-c", BUILD], "/") != 0:
        raise RuntimeError("The stubs of CentOS's packages cannot be built.")
