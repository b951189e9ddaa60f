# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An SSH agent."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from .process import Server


class Agent(Server):
    """A real ssh-agent."""

    @property
    def env(self) -> dict[str, str]:
        """The environment by which it is found."""
        return {"SSH_AUTH_SOCK": str(self.folder / "socket")}

    def command(self) -> list[str]:
        return ["ssh-agent", "-D", "-a", self.env["SSH_AUTH_SOCK"]]

    def ready(self) -> bool:
        return (self.folder / "socket").exists()

    def add(self, *keys: Path) -> None:
        """Have it hold private keys."""
        subprocess.run(["ssh-add", "-q", *keys], env={**os.environ, **self.env}, check=True)
