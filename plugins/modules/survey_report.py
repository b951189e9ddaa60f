# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: survey_report
short_description: Report on what the role survey has seen on all hosts
version_added: 0.2.0
description:
  - Keeps what the role P(dbops.migrations.survey#role) has seen on each host of the play, and makes pages for people
    of it and of all that was kept before. It runs on the controller. The role ends with it.
  - Where no host of the play was looked at, it makes the pages anew of what was kept, for instance after a change of
    C(decisions.yml).
  - Fails if hosts were looked at and none was seen.
  - In AWX, and wherever C(awx_job_id) or C(tower_job_id) is set, it hands C(infrastructure_survey) on as an artifact,
    with the counts, the findings without their texts, and the hosts that were not seen. No address is in it.
author: The dbops.migrations contributors (@dbops)
requirements:
  - networkx and PyYAML on the controller
extends_documentation_fragment:
  - action_common_attributes
attributes:
  check_mode:
    support: full
    description: Nothing is written.
  diff_mode:
    support: none
  platform:
    support: full
    platforms: all
options:
  directory:
    description:
      - A folder on the controller, for surveys alone. C(observations/HOST/RUN.json) is what was seen on a host,
        and adds up from run to run. C(index.html), C(components), C(waves.md), C(map.svg), C(map.mmd) and C(flows.csv)
        are made of it anew. C(decisions.yml) is people's, is read, and is never written.
    type: path
    required: true
  signatures:
    description: A file on the controller that says how services are recognised, in addition to the collection's own.
    type: path
  bandwidth:
    description:
      - What the line between the old place and the new one carries, in Mbit/s, for the hours that copying takes.
      - By default 1000, and the pages say that nobody said it.
    type: float
  data_stores:
    description: Whether what others depend on, such as data stores, moves first or last.
    type: str
    choices: [first, last]
    default: first
"""

EXAMPLES = r"""
- name: Report on all hosts
  dbops.migrations.survey_report:
    directory: /srv/survey
  run_once: true

# Pages anew of what was kept, and no look at a host:
# ansible -i inventory.yml localhost -m dbops.migrations.survey_report -a directory=/srv/survey
"""

RETURN = r"""
report:
  description: What a person should know at once, in lines.
  returned: success
  type: list
  elements: str
  sample:
    - "Seen: 4 of 5 hosts, 12 components, 31 flows, 2 external peers, 3 waves"
    - "Findings: 1 high, 4 low"
    - "Not seen: db2: unreachable: Failed to connect to the host via ssh: connection timed out"
    - "The report: /srv/survey/index.html"
components:
  description: How many components there are.
  returned: success
  type: int
  sample: 12
hosts:
  description: How many hosts were seen, those of earlier runs that are not in this play included.
  returned: success
  type: int
  sample: 4
not_seen:
  description: The hosts of which the latest look has failed.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: Its name in the inventory.
      type: str
    error:
      description: The reason.
      type: str
flows:
  description: How many conversations there are, each with one client, server and port.
  returned: success
  type: int
  sample: 31
externals:
  description: How many addresses outside components talk to.
  returned: success
  type: int
  sample: 2
findings:
  description: What a person should look at, the gravest first.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(high), V(medium) or V(low).
      type: str
    kind:
      description: A word for what it is, such as V(exposed), V(not_seen) or V(uses_retired).
      type: str
    component:
      description: The component's name. Empty if it is about a host or about the whole.
      type: str
    text:
      description: A sentence.
      type: str
waves:
  description: In which order components move.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The wave's number, from 1.
      type: int
    steps:
      description: Lists of components that move in one step, because they depend on each other. Mostly it is one.
      type: list
      elements: list
files:
  description: The files in the directory that were written or removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [components/mariadb@db1.md, index.html, observations/db1/20261127T210000Z.json]
refused:
  description: Files in the directory that could not be used, each with the reason.
  returned: success
  type: list
  elements: str
msg:
  description: The lines, if no host was seen.
  returned: failure
  type: str
"""
