# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An ansible-playbook that has been imported, a copy of which runs each command that it reads: see ../playbooks.py."""

from __future__ import annotations

import atexit
import json
import os
import sys
import tempfile

import ansible.executor.playbook_executor
import ansible.plugins.strategy.linear  # noqa: F401
from ansible import constants
from ansible.cli.playbook import PlaybookCLI
from ansible.utils.path import cleanup_tmp_file


def serve() -> list[str]:
    """Run what is read, and return in each copy with its command."""
    for line in sys.stdin:
        command, environment, folder, output = json.loads(line)
        child = os.fork()
        if child == 0:
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, name in ((1, "stdout"), (2, "stderr")):
                os.dup2(os.open(f"{output}/{name}", os.O_CREAT | os.O_TRUNC | os.O_WRONLY, 0o600), number)
            os.environ.clear()
            os.environ.update(environment)
            os.chdir(folder)
            use_own_folder()
            return list(command)
        print(child, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
    sys.exit()


def use_own_folder() -> None:
    """Have a folder for temporary files that is of this run alone, as Ansible makes one when it is imported."""
    atexit.unregister(cleanup_tmp_file)
    prefix = f"ansible-local-{os.getpid()}"
    own = tempfile.mkdtemp(prefix=prefix, dir=os.path.dirname(constants.DEFAULT_LOCAL_TMP))
    constants.DEFAULT_LOCAL_TMP = own
    atexit.register(cleanup_tmp_file, own, warn=True)


if __name__ == "__main__":
    sys.argv = serve()
    PlaybookCLI.cli_executor(sys.argv)
