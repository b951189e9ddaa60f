# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: survey_gather
short_description: Report on what the role survey has seen on all hosts
version_added: 0.2.0
description:
  - Gives M(dbops.migrations.survey_report) what the role P(dbops.migrations.survey#role) has seen on each host of the
    play, and why the others were not seen. The role ends with it, and it is of no use outside of it.
  - Fails if no host at all was seen.
  - In AWX, and wherever C(awx_job_id) or C(tower_job_id) is set, it hands C(infrastructure_survey) on as an artifact,
    with the counts, the findings without their texts, and the hosts that were not seen. No address is in it.
author: The dbops.migrations contributors (@dbops)
extends_documentation_fragment:
  - action_common_attributes
attributes:
  check_mode:
    support: full
  diff_mode:
    support: none
  platform:
    support: full
    platforms: all
options:
  directory:
    description: As of M(dbops.migrations.survey_report).
    type: path
    required: true
  signatures:
    description: As of M(dbops.migrations.survey_report).
    type: path
  bandwidth:
    description: As of M(dbops.migrations.survey_report), in Mbit/s.
    type: float
  data_stores:
    description: As of M(dbops.migrations.survey_report).
    type: str
    choices: [first, last]
    default: first
"""

EXAMPLES = r"""
- name: Report on all hosts
  dbops.migrations.survey_gather:
    directory: /srv/survey
  run_once: true
  delegate_to: localhost
  register: survey_result
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
    - "Not seen: db2: Failed to connect to the host via ssh: connection timed out"
    - "The report: /srv/survey/index.html"
findings:
  description:
    - As M(dbops.migrations.survey_report) returns it, and so are RV(ignore:components), RV(ignore:hosts),
      RV(ignore:not_seen), RV(ignore:flows), RV(ignore:externals), RV(ignore:waves), RV(ignore:files) and
      RV(ignore:refused).
  returned: success
  type: list
  elements: dict
msg:
  description: The lines, if no host was seen.
  returned: failure
  type: str
"""
