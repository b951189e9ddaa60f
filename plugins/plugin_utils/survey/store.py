# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The observations of a survey's directory: one document for each host and run, below ``observations/HOST/``."""

from __future__ import annotations

import hashlib
import ipaddress
import json
import os
import re
import time
from collections import Counter
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ansible_collections.dbops.migrations.plugins.module_utils._core.errors import Error, coded
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.merge import merge
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Absence
from ansible_collections.dbops.migrations.plugins.module_utils._survey.document import (
    SCHEMA_VERSION,
    Document,
    as_json,
    read,
)
from ansible_collections.dbops.migrations.plugins.module_utils._survey.shape import checked, plain
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.files import Writer, file_name

FOLDER = "observations"
_INTERFACES = "identity.interfaces"
# Seconds, without fractions, so that texts sort as times do.
_RUN = re.compile(r"\d{8}T\d{6}Z")


class Stored(NamedTuple):
    """What is there.

    :ivar looks: how many documents there are of a host; where they were read, they have been merged into one.
    :ivar refused: files that are not documents, with the reason.
    """

    documents: list[Document]
    absences: list[Absence]
    looks: dict[str, int]
    refused: dict[str, str]


_NOTHING = Stored([], [], {}, {})


def observed(observations: Sequence[Mapping[str, Any]]) -> Stored:
    """Return what the hosts' looks have returned, as documents of one run.

    What is not a document counts as a host that was not seen: it is refused by its host's name.

    :param observations: of each host ``survey``, as host_survey returns it, or ``error``.
    """
    documents, absences, refused = [], [], {}
    for one in observations:
        if one.get("survey") is None:
            absences.append(Absence(SCHEMA_VERSION, one["host"], "", one.get("error") or "No reason was given."))
            continue
        try:
            # As it will be once it has been written.
            text = json.dumps(one["survey"], ensure_ascii=False).encode("utf-8", "replace").decode()
            documents.append(_document(text)._replace(host=one["host"]))
        except Error as error:
            refused[one["host"]] = coded(error.number, str(error))
            absences.append(Absence(SCHEMA_VERSION, one["host"], "", f"What it returned cannot be used: {error}"))
    run = _run(documents)
    return Stored(
        [one._replace(run=run) for one in documents],
        [one._replace(run=run) for one in absences],
        dict(Counter(one.host for one in documents)),
        refused,
    )


def keep(new: Stored, writer: Writer) -> Stored:
    """Write one file for each host, and return those that were not there.

    :raises Error: one cannot be written.
    """
    documents = [one for one in new.documents if _write(writer, one.host, one.run, as_json(one))]
    absences = [one for one in new.absences if _write(writer, one.host, one.run, _text(one))]
    return Stored(documents, absences, dict(Counter(one.host for one in documents)), new.refused)


def load(directory: Path, new: Stored = _NOTHING, written: Container[str] = ()) -> Stored:
    """Return all that is there.

    :param new: what counts as there, too, whether it has been written or not.
    :param written: the files that hold it.
    :raises Error: the directory cannot be read.
    """
    stored = Stored([], [*new.absences], {}, {**new.refused})
    more: dict[Path, list[Document]] = {}
    for one in new.documents:
        more.setdefault(directory / FOLDER / file_name(one.host), []).append(one)
    there: dict[Path, list[str]] = {folder: [] for folder in more}
    if os.path.lexists(directory / FOLDER):
        there.update((Path(folder), files) for folder, _folders, files in os.walk(directory / FOLDER, onerror=_closed))
    for folder in sorted(there):
        names = [name for name in sorted(there[folder]) if re.fullmatch(r"[^.].*\.json", name, re.DOTALL)]
        paths = [folder / name for name in names if (folder / name).relative_to(directory).as_posix() not in written]
        _load(paths, directory, more.get(folder, []), stored)
    return stored._replace(documents=merge(stored.documents))


def _closed(error: OSError) -> None:
    raise Error(2512, f"{error.filename} cannot be read: {error.strerror}. Fix its owner or mode.") from error


def _load(paths: Sequence[Path], directory: Path, more: Sequence[Document], stored: Stored) -> None:
    """Add the documents of a folder, those of a host as one: a week of looks need not be in memory at a time."""
    documents = [*more]
    for path in paths:
        try:
            text = path.read_bytes().decode("utf-8")
            if '"error"' in text and "error" in _keys(text):
                stored.absences.append(checked(Absence, text, SCHEMA_VERSION))
            else:
                documents.append(_document(text))
        except (Error, OSError, UnicodeDecodeError) as error:
            reason = str(getattr(error, "strerror", None) or error)
            stored.refused[path.relative_to(directory).as_posix()] = reason
    for document in documents:
        stored.looks[document.host] = stored.looks.get(document.host, 0) + 1
    stored.documents.extend(merge(documents))


def _text(absence: Absence) -> str:
    return json.dumps(plain(absence), ensure_ascii=False)


def _write(writer: Writer, host: str, run: str, json_text: str) -> bool:
    text = f"{json_text}\n"
    stem = f"{FOLDER}/{file_name(host)}/{run}"
    if writer.differs(f"{stem}.json", text):
        # Two looks that began in the same second.
        stem += f"-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:8]}"
    return writer.write(f"{stem}.json", text)


def _run(documents: Sequence[Document]) -> str:
    """Return the name of a run: when its first look began, so that the same observations get the same."""
    begun = sorted(re.sub(r"[-:]", "", one.started) for one in documents)
    return next(filter(_RUN.fullmatch, begun), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()))


def _keys(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return ()


def _document(text: str) -> Document:
    """Return a document of which also the addresses are what they should be.

    :raises Error: it is not one.
    """
    document = read(text)
    for place, address in set(_addresses(document)):
        try:
            (ipaddress.ip_interface if place == _INTERFACES else ipaddress.ip_address)(address)
        except ValueError as error:
            raise Error(
                2510, f"This is not a valid survey document: {place} has {address[:100]!r}, no address."
            ) from error
    for flow in document.flows:
        if flow.translated and not flow.translated.rpartition(":")[2].isdecimal():
            wrong = flow.translated[:100]
            raise Error(2511, f"This is not a valid survey document: flows has {wrong!r}, no address with its port.")
    return document


def _addresses(document: Document) -> Iterator[tuple[str, str]]:
    for interface in document.identity.interfaces:
        yield from ((_INTERFACES, address) for address in interface.addresses)
    yield from (("listeners", one.address) for one in document.listeners)
    yield from (("resolution.hosts", one.address) for one in document.resolution.hosts)
    for flow in document.flows:
        yield from (("flows", address) for address in (flow.local_address, flow.remote_address))
        if flow.translated:
            yield "flows", flow.translated.rpartition(":")[0].strip("[]")
