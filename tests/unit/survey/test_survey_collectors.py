# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages, schedules, devices and data, beside what the machine's own programs say about them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect import (
    commands,
    packages,
    schedules,
    storage,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Schedule, Service
from parts import NotOnThisSystem

_SERVICE = Service("db", "mysqld", "db", "mysql", None, None, None, None, None, "", 1, "", 0, 0.0)


def test_a_program_belongs_to_the_package_that_the_machine_names() -> None:
    if not shutil.which("dpkg-query"):
        raise NotOnThisSystem("Debian's packages are on Debian only.")
    shell = os.path.realpath("/bin/sh")
    theirs = subprocess.run(
        ["dpkg-query", "--show", "--showformat", "${Version}", "dash"], capture_output=True, text=True, check=True
    ).stdout
    services = [
        _SERVICE._replace(executable=shell),
        _SERVICE._replace(executable=shell, container="0" * 64),
        _SERVICE._replace(executable="/opt/nobody/s"),
        _SERVICE,
    ]
    found, unseen = packages.with_packages(services)
    assert unseen == []
    assert [(one.package, one.version) for one in found] == [("dash", theirs), (None, None), (None, None), (None, None)]


def test_rpm_is_asked_where_there_is_no_dpkg(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A stand-in for rpm, which is not on the machine of the tests."""
    program = tmp_path / "rpm"
    program.write_text(
        '#!/bin/sh\nif [ "$5" = /usr/sbin/nginx ]; then printf "nginx\\t1.20.1-14.el9\\n"; else\n'
        'echo "file $5 is not owned by any package"; exit 1; fi\n'
    )
    program.chmod(0o755)
    monkeypatch.setattr(commands, "_PATH", str(tmp_path))
    services = [_SERVICE._replace(executable="/usr/sbin/nginx"), _SERVICE._replace(executable="/opt/shop")]
    found, unseen = packages.with_packages(services)
    assert unseen == []
    assert [(one.package, one.version) for one in found] == [("nginx", "1.20.1-14.el9"), (None, None)]


def test_a_machine_without_packages_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commands, "_PATH", "/nowhere")
    found, unseen = packages.with_packages([_SERVICE])
    assert found == [_SERVICE]
    assert [(entry.what, entry.why) for entry in unseen] == [("packages", "There is neither dpkg nor rpm.")]


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder in which the timers and the tables of cron are."""
    for name, value in {
        "_UNITS": ("etc", "lib"),
        "_TABLES": ("crontab",),
        "_FOLDERS": ("cron.d",),
        "_SPOOLS": ("spool", "nowhere"),
        "_ANACRON": "anacrontab",
        "_PERIODIC": "cron.",
    }.items():
        paths = str(tmp_path / value) if isinstance(value, str) else tuple(str(tmp_path / one) for one in value)
        monkeypatch.setattr(schedules, name, paths)
    return tmp_path


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


def test_timers_that_are_switched_on(clock: Path) -> None:
    _write(clock / "lib/backup.timer", "[Timer]\nOnCalendar=daily\nOnCalendar=Sat 03:00\nPersistent=true\n")
    _write(clock / "lib/off.timer", "[Timer]\nOnCalendar=daily\n")
    _write(clock / "lib/dump@.timer", "[Timer]\nOnBootSec = 5min\nOnUnitActiveSec=1h\nUnit=other.service\n")
    _write(clock / "etc/backup.timer.d/when.conf", "[Timer]\nOnCalendar=\nOnCalendar=weekly\n")
    for name in ("backup.timer", "dump@shop.timer", "web.service"):
        _write(clock / "etc/timers.target.wants" / name, "")
    found, unseen = schedules.schedules()
    assert unseen == []
    assert found == [
        Schedule("timer", "backup.timer", "OnCalendar=weekly", None, "backup.service"),
        Schedule("timer", "dump@shop.timer", "OnBootSec=5min OnUnitActiveSec=1h", None, "other.service"),
    ]


def test_lines_of_cron(clock: Path) -> None:
    table = (
        "SHELL=/bin/sh\n# nothing\n*/5 * * * * root mysqldump -pcanary shop\n@reboot www  /opt/start  it\nbroken line\n"
    )
    _write(clock / "crontab", table)
    _write(clock / "cron.d/job", "0 3 * * 1 deploy true\n")
    _write(clock / "cron.d/job.rpmsave", "0 4 * * * deploy false\n")
    _write(clock / "spool/alice", "MAILTO = a\n1 2 3 4 5 run this\n@daily that\n")
    _write(clock / "cron.daily/rotate", "")
    _write(clock / "cron.daily/.placeholder", "")
    (clock / "cron.daily/rotate").chmod(0o755)
    found, unseen = schedules.schedules()
    assert unseen == []
    assert [(Path(one.name).name, one.when, one.user, one.command) for one in found] == [
        ("job", "0 3 * * 1", "deploy", "true"),
        ("cron.daily", "@daily", "root", str(clock / "cron.daily/rotate")),
        ("crontab", "*/5 * * * *", "root", "mysqldump -p******** shop"),
        ("crontab", "@reboot", "www", "/opt/start it"),
        ("alice", "1 2 3 4 5", "alice", "run this"),
        ("alice", "@daily", "alice", "that"),
    ]


def test_lines_of_anacron(clock: Path) -> None:
    table = "START_HOURS_RANGE=3-22\n# nothing\n7 10 weekly run --password=canary\n@monthly 15 dump save\n1 5 lacking\n"
    _write(clock / "anacrontab", table)
    found, unseen = schedules.schedules()
    assert unseen == []
    place = str(clock / "anacrontab")
    assert found == [
        Schedule("cron", place, "@monthly", "root", "save"),
        Schedule("cron", place, "every 7 days", "root", "run --password=********"),
    ]


def test_tables_that_are_closed_are_named(clock: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def closed(path: str) -> str:
        raise PermissionError(13, "Permission denied", path)

    _write(clock / "spool/alice", "@daily that\n")
    monkeypatch.setattr(schedules, "read_text", closed)
    found, unseen = schedules.schedules()
    assert found == []
    why = f"The tables of cron in {clock}/spool/alice are not readable by this account."
    assert [entry.why for entry in unseen] == [why]


def test_devices_are_those_that_lsblk_lists() -> None:
    def flat(devices: list[dict[str, Any]]) -> dict[str, tuple[int, str]]:
        found = {}
        for one in devices:
            found[one["name"]] = (one["size"], one["type"])
            found.update(flat(one.get("children", [])))
        return found

    output = subprocess.run(["lsblk", "--json", "--bytes"], capture_output=True, text=True, check=True).stdout
    theirs = {name: what for name, what in flat(json.loads(output)["blockdevices"]).items() if what[0]}
    ours = {one.name: (one.size_bytes, one.type) for one in storage.volumes()}
    assert {name: size for name, (size, _type) in ours.items()} == {
        name: size for name, (size, _type) in theirs.items()
    }
    named = {"disk", "part", "lvm", "crypt"}
    assert {name: kind for name, (_size, kind) in ours.items() if kind in named} == {
        name: kind for name, (_size, kind) in theirs.items() if kind in named
    }


def test_devices_on_others(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A made-up table of devices, as this machine has no LVM."""
    for path, text in {
        "sda/size": "2048",
        "sda/device/x": "",
        "sda1/size": "1024",
        "sda1/partition": "1",
        "dm-0/size": "512",
        "dm-0/dm/name": "vg-data\n",
        "dm-0/dm/uuid": "LVM-abc",
        "dm-0/slaves/sda1": "",
        "md0/size": "8",
        "md0/md/x": "",
        "loop0/size": "0",
    }.items():
        _write(tmp_path / path, text)
    monkeypatch.setattr(storage, "_DEVICES", str(tmp_path))
    assert [(one.name, one.type, one.size_bytes, one.parents) for one in storage.volumes()] == [
        ("md0", "raid", 4096, []),
        ("sda", "disk", 1 << 20, []),
        ("sda1", "part", 1 << 19, [tmp_path.name]),
        ("vg-data", "lvm", 1 << 18, ["sda1"]),
    ]


def test_a_data_directory_has_the_size_that_du_says(tmp_path: Path) -> None:
    _write(tmp_path / "shop/t.ibd", "x" * 100_000)
    os.link(tmp_path / "shop/t.ibd", tmp_path / "shop/again.ibd")
    (tmp_path / "link").symlink_to("/usr")
    theirs = int(subprocess.run(["du", "-s", "-B1", tmp_path], capture_output=True, check=True).stdout.split()[0])
    own = tmp_path.stat().st_blocks * 512
    service = _SERVICE._replace(command=f"mysqld --port=3306 --datadir={tmp_path}")
    found, unseen = storage.directories([service, _SERVICE._replace(id="gone")], {"db": os.getpid()})
    assert unseen == []
    assert [(one.service, one.path, one.partial) for one in found] == [("db", str(tmp_path), False)]
    assert found[0].size_bytes == theirs - own


def test_a_server_works_where_its_data_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _write(tmp_path / "a", "x" * 10_000)
    monkeypatch.setattr(storage, "_MOST_FILES", 0)
    found, _unseen = storage.directories([_SERVICE], {"db": os.getpid()})
    assert [(one.path, one.partial) for one in found] == [(str(tmp_path), True)]


def test_data_that_is_closed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another account than root; the file system's refusal is the one of a directory that is not there."""
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    service = _SERVICE._replace(command=f"mysqld --datadir {tmp_path}/closed")
    found, unseen = storage.directories([service], {"db": os.getpid()})
    assert [(one.path, one.size_bytes) for one in found] == [(f"{tmp_path}/closed", None)]
    assert [entry.why for entry in unseen] == ["This account may not read the data of db."]
