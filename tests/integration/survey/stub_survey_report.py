# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A stand-in for the module survey_report: it keeps what it is given, and counts."""

from __future__ import annotations

import json
from pathlib import Path

from ansible.module_utils.basic import AnsibleModule


def main() -> None:
    """Write index.html, a file for each host, and what is known of the inventory."""
    options = {
        "directory": {"type": "path", "required": True},
        "observations": {"type": "list", "elements": "dict", "required": True},
        "signatures": {"type": "path"},
        "bandwidth": {"type": "float"},
        "data_stores": {"type": "str", "choices": ["first", "last"], "default": "first"},
        "inventory": {"type": "dict", "default": {}},
    }
    module = AnsibleModule(argument_spec=options, supports_check_mode=True)
    surveys = [one["survey"] for one in module.params["observations"] if "survey" in one]
    files = {f"observations/{one['host']}-{one['run']}.json": json.dumps(one) for one in surveys}
    files["index.html"] = json.dumps(module.params["inventory"])
    if not module.check_mode:
        for name, text in files.items():
            path = Path(module.params["directory"], name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    finding = {"kind": "open", "severity": "high", "component": "web {{ 1 }} 10.0.0.7", "text": "by joe@example.com"}
    module.exit_json(
        changed=not module.check_mode,
        components=sum(len(one["services"]) for one in surveys),
        hosts=len(surveys),
        not_seen=[one for one in module.params["observations"] if "error" in one],
        flows=sum(len(one["flows"]) for one in surveys),
        externals=0,
        findings=[finding],
        waves=[],
        files=sorted(files),
        refused=[],
    )


main()
