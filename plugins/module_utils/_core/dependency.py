# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A guard around the import of a library that a host may lack. Private to the collection."""

from __future__ import annotations

import platform
import sys
from types import TracebackType

from .errors import Error


class Dependency:
    """Swallows the ImportError of a ``with`` block and raises a clear error once the library is needed.

    :param package: what to give to pip, for instance ``PyMySQL[rsa]``.
    :param prepared: whether the role runner installs it. If not, it is for the controller.
    """

    def __init__(self, package: str, prepared: bool = True) -> None:
        self.package = package
        self._prepared = prepared
        self.missing: str | None = None

    def __enter__(self) -> Dependency:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        if isinstance(error, ImportError):
            self.missing = str(error)
            return True
        return False

    def check(self) -> None:
        """Raise Error when the library could not be imported."""
        if self.missing is not None:
            prepare = "Prepare the host with the playbook dbops.migrations.prepare_runner, or install it"
            raise Error(
                1102,
                f"The Python library {self.package} is missing for {sys.executable} on {platform.node()} "
                f"({self.missing}). {prepare if self._prepared else 'Install it'}: "
                f"{sys.executable} -m pip install '{self.package}'.",
            )
