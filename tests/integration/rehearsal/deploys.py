# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Three deploys to a shop with rows in it: one that is harmless, one that would fail, one that costs something.

docs/plan.md has them as examples.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from parts.mariadb import DatabaseServer

# What is there before: version 11, about 25 MB of orders, and a past that some of its rows show.
SHOP = {
    "0011_shop.up.sql": """\
CREATE TABLE customers (
  id INT UNSIGNED NOT NULL PRIMARY KEY,
  email VARCHAR(120) NOT NULL,
  name VARCHAR(80) NOT NULL,
  legacy_id INT
);
CREATE TABLE orders (
  id INT UNSIGNED NOT NULL PRIMARY KEY,
  customer_id INT UNSIGNED NOT NULL,
  placed_on DATE,
  status VARCHAR(20) NOT NULL,
  amount DECIMAL(8,2) NOT NULL,
  KEY customer_id (customer_id),
  CONSTRAINT orders_of_customer FOREIGN KEY (customer_id) REFERENCES customers (id)
);
""",
    "0011_shop.down.sql": "DROP TABLE orders;\nDROP TABLE customers;\n",
}
ROWS = (
    "INSERT INTO customers SELECT seq, CONCAT('c', seq, '@example.com'), CONCAT('Customer ', seq), "
    "IF(seq <= 40112, seq, NULL) FROM seq_1_to_60000",
    "UPDATE customers SET email = CONCAT('c', id - 3, '@example.com') WHERE id BETWEEN 4 AND 6",
    "INSERT INTO orders SELECT seq, seq % 60000 + 1, IF(seq % 25000, '2026-03-01', NULL), 'delivered', seq % 500 "
    "FROM seq_1_to_300000",
    "ANALYZE TABLE customers, orders",
    "CREATE TABLE schema_migrations (version BIGINT NOT NULL PRIMARY KEY, dirty BOOLEAN NOT NULL)",
    "INSERT INTO schema_migrations VALUES (11, FALSE)",
)


class Deploy(NamedTuple):
    """A deploy.

    :param name: in a word.
    :param files: what it adds.
    """

    name: str
    files: dict[str, str]


DEPLOYS = (
    Deploy(
        "harmless",
        {
            "0012_loyalty.up.sql": """\
-- Points for orders, from May on.
ALTER TABLE customers
  ADD loyalty_points INT UNSIGNED NOT NULL DEFAULT 0,
  ADD newsletter BOOLEAN NOT NULL DEFAULT FALSE;
""",
            "0012_loyalty.down.sql": "ALTER TABLE customers DROP loyalty_points, DROP newsletter;\n",
            "0013_orders_by_day.up.sql": "CREATE INDEX orders_by_day ON orders (placed_on, status);\n",
            "0013_orders_by_day.down.sql": "DROP INDEX orders_by_day ON orders;\n",
        },
    ),
    Deploy(
        "failing",
        {
            "0012_email_unique.up.sql": "ALTER TABLE customers ADD UNIQUE KEY email (email);\n",
            "0012_email_unique.down.sql": "ALTER TABLE customers DROP KEY email;\n",
            "0013_placed_on.up.sql": "ALTER TABLE orders MODIFY placed_on DATE NOT NULL;\n",
            "0013_placed_on.down.sql": "ALTER TABLE orders MODIFY placed_on DATE;\n",
        },
    ),
    Deploy(
        "costly",
        {
            "0012_amounts.up.sql": "ALTER TABLE orders MODIFY amount DECIMAL(12,2) NOT NULL;\n",
            "0012_amounts.down.sql": "ALTER TABLE orders MODIFY amount DECIMAL(8,2) NOT NULL;\n",
            "0013_legacy.up.sql": "ALTER TABLE customers DROP legacy_id;\n",
            "0013_legacy.down.sql": "ALTER TABLE customers ADD legacy_id INT;\n",
            "0014_shipping.up.sql": "ALTER TABLE orders ADD shipped_by VARCHAR(40);\n",
        },
    ),
)


def make_shop(server: DatabaseServer, schema: str) -> None:
    """Fill a new schema of a MariaDB server."""
    server.create_schema(schema)
    script = "".join(text for name, text in SHOP.items() if ".up." in name)
    for statement in (*script.split(";\n")[:-1], *ROWS):
        server.query(statement, schema)


def make_repository(folder: Path, deploy: Deploy) -> None:
    """Make a Git repository with the files of a deploy in ``db``."""
    (folder / "db").mkdir(parents=True)
    for name, text in (SHOP | deploy.files).items():
        (folder / "db" / name).write_text(text)
    # As a server is set up that sends no more than is asked for.
    settings = (["config", f"uploadpack.{name}", "true"] for name in ("allowFilter", "allowAnySHA1InWant"))
    author = ["-c", "user.name=Shop", "-c", "user.email=shop@example.com"]
    commit = [*author, "commit", "--quiet", "--message", deploy.name]
    for command in (["init", "--quiet"], *settings, ["add", "db"], commit):
        subprocess.run(["git", *command], cwd=folder, check=True)


def variables(server: DatabaseServer, schema: str, repository: Path, home: Path) -> dict[str, Any]:
    """Return the variables of the host that the database is."""
    return {
        "ansible_connection": "local",
        "migrate_python": sys.executable,
        "migrate_home": str(home),
        "migrate_repository": str(repository),
        "migrate_directory": "db",
        "migrate_login_host": server.host,
        "migrate_login_port": server.port,
        "migrate_login_user": server.user,
        "migrate_login_password": server.password,
        "migrate_login_database": schema,
    }
