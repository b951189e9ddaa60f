# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What a real firewalld makes of its XML, against the kernel: connections are made, and end as the model says.

The files themselves are not read by a survey: what counts is what firewalld has put into the kernel.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.firewall import Probe, inbound
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import Firewall
from ansible_collections.dbops.migrations.plugins.module_utils._survey.shape import checked_part
from integration.survey.test_survey_firewall import CLIENT, COLLECTIONS, READER, SERVER, TCP, UDP
from parts import private_folder, survey_system
from parts.network import Host, Network

pytestmark = pytest.mark.survey

HERE, THERE = "10.99.0.1", ("10.99.0.2", "10.99.0.3")
PLACES = [("tcp", HERE, port) for port in TCP] + [("udp", HERE, port) for port in UDP]
PROBES = [(protocol, source, port, HERE) for protocol, _here, port in PLACES for source in THERE]
HEAD = '<?xml version="1.0" encoding="utf-8"?>\n'
# The zones, and how many of the probes are let in.
ZONES = {
    "services and ports": (
        {"public": '<zone><service name="ssh"/><port protocol="tcp" port="8080"/><service name="dns"/></zone>'},
        6,
    ),
    "rich rules": (
        {
            "public": '<zone><port protocol="tcp" port="80"/>'
            '<rule family="ipv4"><source address="10.99.0.3"/><port protocol="tcp" port="3306"/><accept/></rule>'
            '<rule family="ipv4"><source address="10.99.0.2"/><port protocol="tcp" port="80"/><reject/></rule>'
            '<rule family="ipv4"><source address="10.99.0.0/30"/><service name="https"/><log/><drop/></rule></zone>'
        },
        2,
    ),
    "zones by where it comes from": (
        {
            "public": '<zone target="DROP"><port protocol="tcp" port="443"/></zone>',
            "trusted": '<zone target="ACCEPT"><source address="10.99.0.3"/></zone>',
        },
        8,
    ),
}


def start_firewalld(host: Host, zones: dict[str, str]) -> None:
    """Start it, and wait until its rules stay the same."""
    host.path("/etc/firewalld/zones").mkdir(parents=True, exist_ok=True)
    for zone, text in zones.items():
        host.path(f"/etc/firewalld/zones/{zone}.xml").write_text(HEAD + text)
    host.run("mkdir", "-p", "/run/dbus")
    host.run("dbus-daemon", "--system", "--fork")
    host.start("/usr/sbin/firewalld", "--nofork", "--nopid")
    end = time.monotonic() + 60
    before = "-"
    while (rules := host.run("nft", "list", "ruleset")) != before or "filter_INPUT" not in rules:
        assert time.monotonic() < end, rules
        before = rules
        time.sleep(1)


@pytest.mark.parametrize("zones", ZONES)
def test_the_model_says_what_firewalld_does(zones: str) -> None:
    files, accepted = ZONES[zones]
    system = survey_system.provide()
    with private_folder("firewalld") as folder, Network(folder) as network:
        host = network.host("guarded", HERE, system=system)
        asking = network.host("asking", *THERE)
        host.path("/root/places.py").write_text(SERVER.replace("sys.stdin.read()", "threading.Event().wait()"))
        host.start("/usr/bin/python3", "/root/places.py", repr(PLACES), port=TCP[-1])
        start_firewalld(host, files)
        # It reads the kernel, and this machine's Python knows the collection.
        inside = ["nsenter", f"--net=/proc/{host.pid}/ns/net", sys.executable, "-c", READER]
        environment = {**os.environ, "PYTHONPATH": str(COLLECTIONS)}
        text = subprocess.run(inside, env=environment, check=True, capture_output=True, text=True).stdout
        firewall: Firewall = checked_part(Firewall, text)
        assert firewall.seen
        assert firewall.managers == ["firewalld"]
        happened = json.loads(asking.run("/usr/bin/python3", "-c", CLIENT, repr(PROBES)))
        told = [inbound(firewall, Probe(*probe[:2], HERE, probe[2], interface="eth0")) for probe in PROBES]
        assert [
            (*probe, model, real)
            for probe, model, real in zip(PROBES, told, happened)
            if model not in (real, "cannot tell")
        ] == []
        assert happened.count("accept") == accepted
        assert told.count("cannot tell") == 0
