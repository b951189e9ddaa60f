# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: survey_report
short_description: Create the report of the role survey about all hosts
version_added: 0.2.0
description:
  - Stores what the role P(dbops.migrations.survey#role) has observed on each host of the play, and creates a report
    from all stored observations. It runs on the controller, as the last task of the role.
  - If no host of the play was surveyed, it creates the report again from the stored observations, for example after you
    have changed C(decisions.yml).
  - It fails if hosts were surveyed and none could be observed.
  - In AWX, or if C(awx_job_id) or C(tower_job_id) is set, it also sets the artifact C(infrastructure_survey), with the
    counts, the findings without their texts, and the hosts that were not seen. It does not contain any addresses.
author: The dbops.migrations contributors (@dbops)
requirements:
  - networkx and PyYAML on the controller
extends_documentation_fragment:
  - action_common_attributes
attributes:
  check_mode:
    support: full
    description: Returns the results without writing any files.
  diff_mode:
    support: none
  platform:
    support: full
    platforms: all
options:
  directory:
    description:
      - A directory on the controller that is only used for surveys. C(observations/HOST/RUN.json) contains the
        observations of a host; these files accumulate from run to run. C(index.html), C(components), C(waves.md),
        C(map.svg), C(map.mmd) and C(flows.csv) are created again each time. You can write your decisions in
        C(decisions.yml), which is never overwritten.
    type: path
    required: true
  signatures:
    description:
      - A file on the controller with signatures that identify services, in addition to those of the collection.
    type: path
  bandwidth:
    description:
      - The bandwidth between the old and the new hosts in Mbit/s, to estimate how long it takes to copy data.
      - The default is 1000, which the report points out.
    type: float
  data_stores:
    description: Whether the components that others depend on, such as data stores, move first or last.
    type: str
    choices: [first, last]
    default: first
"""

EXAMPLES = r"""
- name: Create the report about all hosts
  dbops.migrations.survey_report:
    directory: /srv/survey
  run_once: true

# Create the report again from the stored observations:
# ansible -i inventory.yml localhost -m dbops.migrations.survey_report -a directory=/srv/survey
"""

RETURN = r"""
report:
  description: A summary, as lines of text.
  returned: success
  type: list
  elements: str
  sample:
    - "Seen: 4 of 5 hosts, 12 components, 31 flows, 2 external peers, 3 waves"
    - "Findings: 1 high, 4 low"
    - "Not seen: db2: unreachable: Failed to connect to the host via ssh: connection timed out"
    - "The report: /srv/survey/index.html"
components:
  description: The number of components.
  returned: success
  type: int
  sample: 12
hosts:
  description: The number of hosts that were seen, including those that were only seen in earlier runs.
  returned: success
  type: int
  sample: 4
not_seen:
  description: The hosts whose latest survey failed.
  returned: success
  type: list
  elements: dict
  contains:
    host:
      description: The name of the host in the inventory.
      type: str
    error:
      description: The reason for the failure.
      type: str
flows:
  description: The number of flows. Each has one client, one server and one port.
  returned: success
  type: int
  sample: 31
externals:
  description: The number of external addresses that components communicate with.
  returned: success
  type: int
  sample: 2
findings:
  description: The findings, the most severe first.
  returned: success
  type: list
  elements: dict
  contains:
    severity:
      description: V(high), V(medium) or V(low).
      type: str
    kind:
      description: The kind of finding, for example V(exposed), V(not_seen) or V(uses_retired).
      type: str
    component:
      description: The name of the component; empty if the finding is about a host or everything.
      type: str
    text:
      description: The finding as a sentence.
      type: str
waves:
  description: The waves in which to move the components.
  returned: success
  type: list
  elements: dict
  contains:
    number:
      description: The number of the wave, from 1.
      type: int
    steps:
      description:
        - Lists of components that move in one step because they depend on each other. Most contain one component.
      type: list
      elements: list
files:
  description: The files in the directory that were written or removed, or would be in check mode.
  returned: success
  type: list
  elements: str
  sample: [components/mariadb@db1.md, index.html, observations/db1/20261127T210000Z.json]
refused:
  description: The files in the directory that could not be used, with the reasons.
  returned: success
  type: list
  elements: str
msg:
  description: The lines of RV(report), if no host was seen.
  returned: failure
  type: str
"""
