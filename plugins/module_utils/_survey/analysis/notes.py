# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The findings of a survey, in sentences. Private to the collection.

No sentence names the address of a client: it may be a person's, and many people read the sentences.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from .firewall import Outcome
from .overview import STORES, Facts, Found, Overview, answered, some

_ORDER = ("high", "medium", "low")
# What anybody may reach without surprise.
_PUBLIC = frozenset({"web server", "load balancer", "name server", "mail"})


def notes(whole: Overview) -> list[Found]:
    """Return the findings, the most severe first."""
    found = {
        *_about_hosts(whole),
        *_about_decisions(whole),
        *(one for facts in whole.facts.values() for one in _about(facts, whole)),
    }
    return sorted(found, key=lambda one: (_ORDER.index(one.severity), one.kind, one.component, one.text))


def _about_hosts(whole: Overview) -> Iterator[Found]:
    for name, host in whole.hosts.items():
        if host.missed:
            before = "" if host.document is None else " What is shown is from an earlier survey."
            yield Found("high", "not_seen", "", f"{name} could not be surveyed: {host.missed.rstrip('.')}.{before}")
        for part in host.document.unseen if host.document else ():
            yield Found("low", "partly_seen", "", f"{name}: {part.why} {part.remedy}")
    for name, why in whole.refused.items():
        yield Found("high", "unreadable", "", f"{name} could not be used: {why}")
    # Many hosts have the same rules.
    unused: dict[tuple[str, str], list[str]] = {}
    for name, allowed in whole.allowed.items():
        for chain, rule in allowed.unused:
            unused.setdefault((rule.text, chain), []).append(name)
    for (rule_text, chain), hosts in unused.items():
        text = f"{some(sorted({*hosts}))}: no traffic used the rule '{rule_text}' in {chain}."
        yield Found("low", "unused_rule", "", text)


def _about_decisions(whole: Overview) -> Iterator[Found]:
    for name in whole.gone:
        text = f"{name} is in decisions.yml, but no survey has found it. Correct its name or delete its entry."
        yield Found("medium", "gone", name, text)
    for refusal in whole.plan.refused:
        way = " before ".join(refusal.because)
        reason = (
            f"these must move together: {', '.join(refusal.because[:-1])}"
            if refusal.because[0] == refusal.because[-1]
            else f"the order must be {way}"
        )
        text = f"{refusal.component} cannot move in wave {refusal.wave}: {reason}."
        yield Found("high", "wave_refused", refusal.component, text)
    for wave in whole.plan.waves:
        for group in wave.groups:
            if len(group.components) > 1:
                text = f"These depend on each other and must move in one step: {', '.join(group.components)}."
                yield Found("medium", "together", group.components[0], text)


def _about(facts: Facts, whole: Overview) -> Iterator[Found]:
    name, services = facts.component.name, set(facts.component.services)
    allowed = whole.allowed[facts.component.host]
    exposed: dict[tuple[Outcome, str], None] = {}
    for one in allowed.exposed:
        if one.listener.service in services:
            exposed[one.outcome, f"{one.listener.port}/{one.listener.protocol}"] = None
    for outcome, port in exposed:
        if outcome == "accept":
            yield Found(_weight(facts), "exposed", name, f"The firewall lets any address reach {name} on {port}.")
        else:
            text = f"The firewall's rules do not tell whether any address can reach {name} on {port}."
            yield Found("low", "perhaps_exposed", name, text)
    refused = {(flow.port, flow.protocol): 0 for flow in allowed.refused if flow.service in services}
    for flow in allowed.refused:
        if flow.service in services:
            refused[flow.port, flow.protocol] += 1
    for (number, protocol), count in refused.items():
        text = (
            f"{count} connection{'s' * (count > 1)} to {name} on {number}/{protocol} would be blocked by the current "
            "firewall rules."
        )
        yield Found("medium", "not_allowed", name, text)
    yield from _about_others(facts, whole)


def _about_others(facts: Facts, whole: Overview) -> Iterator[Found]:
    name, fate = facts.component.name, facts.decision.fate
    for one in facts.uses:
        if not answered(one.edge):
            outside = whole.externals.get(one.server)
            where = (outside.names or ["an address outside"])[0] if outside else one.server
            text = f"{name} gets no answer from {where} on {one.edge.port}/{one.edge.protocol}."
            yield Found("medium", "unanswered", name, text)
        other = whole.facts[one.server].decision.fate if one.server in whole.facts else None
        if other == "retire" and fate != "retire":
            yield Found("high", "uses_retired", name, f"{name} uses {one.server}, which will be retired.")
        elif other == "keep" and fate in (None, "move", "replace"):
            text = f"{name} moves, but uses {one.server}, which stays: expect more latency between them."
            yield Found("medium", "uses_kept", name, text)


def _weight(facts: Facts) -> Literal["high", "medium", "low"]:
    if facts.component.role in STORES:
        return "high"
    return "low" if facts.component.role in _PUBLIC else "medium"
