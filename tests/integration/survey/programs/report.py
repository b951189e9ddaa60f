# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The job that the clock starts: it asks the database something that takes half a second."""

from __future__ import annotations

import json
import time

import pymysql

DATABASE = "10.99.0.13"
database = pymysql.connect(host=DATABASE, user="shop", password="not-so-secret")
began = time.time()
database.cursor().execute("SELECT SLEEP(0.5)")
entry = {"client": "", "server": DATABASE, "port": 3306, "began": began, "ended": time.time()}
database.close()
with open("/var/log/truth", "a", encoding="utf-8") as file:
    file.write(json.dumps(entry) + "\n")
