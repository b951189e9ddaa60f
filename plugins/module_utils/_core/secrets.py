# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Registers secrets, and masks them in everything that a user sees. Private to the collection."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

try:
    from ansible.module_utils.secrets import register_secret as _register
except ImportError:
    _register = None

_registered: set[str] = set()
# Shorter lines reveal nothing about a key, and may be ordinary words.
_LINE = 16
# Characters that control a terminal, end a line invisibly, or change the direction of writing.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]")


def register_secret(text: str | None) -> None:
    """Keep a text, and the forms in which others quote it, out of messages and results from now on."""
    _registered.update(_forms(text) if text else ())


def register_with_ansible(text: str) -> None:
    """Let Ansible mask a secret in a result, in everything that it prints; the registered variable keeps it.

    Since ansible-core 2.22; before, it cannot. It does so by sending the secret from the module to the controller, so
    this is not for secrets that stay on the host.
    """
    if _register is not None:
        _register(text)


def link_no_log_values(masked: set[str]) -> None:
    """Register secrets in a set that somebody else looks at, too: AnsibleModule masks what is in its no_log_values.

    What is in that set is registered, with its forms.
    """
    global _registered  # noqa: PLW0603
    texts = list(masked)
    masked |= _registered
    _registered = masked
    for text in texts:
        register_secret(text)


def clean(text: str) -> str:
    """Return a text without secrets and terminal control characters; tabs and line endings stay.

    To be called before a text is cut: the rest of a secret is not known as one.
    """
    return _masked(_CONTROL.sub("?", text), {_CONTROL.sub("?", secret) for secret in _registered})


def without_secrets(value: Any) -> Any:
    """Return a module's return value without secrets and terminal control characters.

    Since ansible-core 2.22, Ansible does not do the first for us; it prints a diff as it is.
    """
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, dict):
        return {key: without_secrets(content) for key, content in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(content) for content in value]
    return value


def _masked(text: str, secrets: Iterable[str]) -> str:
    for secret in sorted(secrets, key=len, reverse=True):
        text = text.replace(secret, "********")
    return text


def _forms(text: str) -> set[str]:
    lines = [line for line in text.splitlines() if len(line) >= _LINE and not line.startswith("-----")]
    quoted = (quote(text, safe, errors="replace") for safe in ("", "/"))
    # git's and ssh's messages reach us in ASCII.
    plain = re.sub("[^ -~]", "?", text)
    return {text, text.strip() or text, repr(text)[1:-1], plain, *quoted, *(lines if "\n" in text else ())}
