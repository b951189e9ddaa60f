# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What the report of a survey costs: ``python -m programs.benchmarks.survey_analysis [HOSTS …]``, 200 flows a host.

The documents are made up: of five hosts one has a database, which the others ask; all have a web server that the others
ask, too. Each count of hosts runs in a process of its own, for its memory. The seconds are those of the processor, from
what the hosts have returned to the files.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from ansible_collections.dbops.migrations.plugins.module_utils._survey.collect.look import survey
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    Document,
    Flow,
    Interface,
    Listener,
    as_data,
)
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.report import report

_FLOWS = 200


def _address(number: int) -> str:
    return f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"


def _document(pattern: Document, number: int, hosts: int) -> Document:
    dice = random.Random(number)
    own = _address(number)
    service = pattern.services[0]
    services = [
        service._replace(id=name, program=name, name=name, unit=f"{name}.service", container=None, package=None)
        for name in ("nginx", "shop", "mariadbd")
    ]
    flows = []
    for count in range(_FLOWS):
        other = _address(dice.randrange(hosts // 5 or 1) * 5 if count % 2 else dice.randrange(hosts))
        asked = count % 4 == 0
        name, port = ("nginx", 80) if asked else ("shop", 3306 if count % 2 else 80)
        flows.append(
            Flow(
                name,
                "in" if asked else "out",
                "tcp",
                own,
                other,
                port,
                None,
                True,
                "a",
                "b",
                1,
                count,
                ["netlink"],
                None,
                None,
            )
        )
    return pattern._replace(
        host=f"host{number}",
        identity=pattern.identity._replace(interfaces=[Interface("eth0", [f"{own}/8"])]),
        services=services,
        listeners=[
            Listener(name, "tcp", "0.0.0.0", port, False, None) for name, port in (("nginx", 80), ("mariadbd", 3306))
        ],
        flows=flows,
    )


def main(hosts: int) -> None:
    """Measure, and print."""
    pattern = survey(0, 1)
    looks = [
        {"host": one.host, "survey": as_data(one)}
        for one in (_document(pattern, number, hosts) for number in range(hosts))
    ]
    with tempfile.TemporaryDirectory() as folder:
        before = time.process_time()
        result = report({"directory": folder, "observations": looks}, False)
        kept = time.process_time()
        again = report({"directory": folder}, False)
        after = time.process_time()
        size = (Path(folder) / "index.html").stat().st_size / 1e6
    assert not again["changed"]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(
        f"{hosts} hosts, {hosts * _FLOWS} flows: {kept - before:.1f} s, and {after - kept:.1f} s without new looks; "
        f"{peak:.0f} MiB; {result['components']} components, {result['flows']} edges, {len(result['waves'])} waves, "
        f"{len(result['findings'])} findings; a page of {size:.1f} MB"
    )


if __name__ == "__main__":
    if len(sys.argv) == 2:
        main(int(sys.argv[1]))
    else:
        for text in sys.argv[1:] or ["10", "100", "1000"]:
            subprocess.run([sys.executable, "-m", "programs.benchmarks.survey_analysis", text], check=True)
