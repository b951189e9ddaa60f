# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Lines are shown while a statement runs: when, and what they say beside what the server says."""

from __future__ import annotations

import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from integration.progress.support import Book, Printed, Samples, gaps, number
from parts import cores
from parts.ansible import PROGRAMS, environment
from parts.mariadb import DatabaseServer

# Each takes seconds of waiting: more of one kind are for a target of their own, make test-progress.
MORE = pytest.mark.progress
FIRST, NEXT = 8, 12
# Rows, and what takes how long for each of them: some 15 s in all on two processors.
SMALL, LARGE = 3000, 2_000_000
KINDS = ("alter", "update", "wait", "many")


@dataclass
class Four:
    """A database for each kind of long run: a table that is copied, rows that are changed, a wait, many statements."""

    server: DatabaseServer
    schemas: Callable[[str], str]
    folder: Path
    rows: int
    kinds: Sequence[str] = KINDS
    names: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Make the tables and the files."""
        small = self.rows == SMALL
        # What is computed for a row takes its time.
        value = "SHA2(REPEAT(i, 400000), 512)" if small else "SHA2(REPEAT(i, 200), 512)"
        update = "UPDATE a SET j = j + 1 + SLEEP(0.005)" if small else f"UPDATE a SET j = LENGTH({value})"
        files = {
            "alter": f"ALTER TABLE a ADD h CHAR(128) AS ({value}) STORED, ALGORITHM=COPY;\n",
            "update": f"DO 1;\n\n{update};\n",
            "wait": "ALTER TABLE a ADD k INT;\n",
            "many": "".join(f"DO SLEEP({0.0075});\n" for _statement in range(2000)),
        }
        for name in self.kinds:
            schema = self.names[name] = self.schemas(name)
            rows = 10 if name in ("wait", "many") else self.rows
            self.server.query("CREATE TABLE a (i INT PRIMARY KEY, j INT)", schema)
            self.server.query(f"INSERT INTO a SELECT seq, 0 FROM seq_1_to_{rows}", schema)
            (self.folder / name).mkdir()
            (self.folder / name / "0012_long.up.sql").write_text(files[name])

    def add_to(self, playbook: Book) -> None:
        """Add them to a playbook."""
        for name, schema in self.names.items():
            playbook.add(schema, self.folder / name)

    @contextmanager
    def in_the_way(self, seconds: float) -> Iterator[None]:
        """Have somebody hold what one waits for, and somebody wait behind that one."""
        schema = self.names["wait"]
        holder, behind = self.server.connect(schema), self.server.connect(schema)
        holder.cursor().execute("START TRANSACTION")
        holder.cursor().execute("SELECT COUNT(*) FROM a")

        over = threading.Event()

        def wait() -> None:
            question = (
                f"SELECT 1 FROM information_schema.processlist WHERE db = '{schema}' AND state LIKE 'Waiting for %'"
            )
            with closing(holder):
                while not self.server.query(question):
                    if over.wait(0.1):
                        return
                thread = threading.Thread(target=lambda: behind.cursor().execute("SELECT i FROM a"))
                thread.start()
                over.wait(seconds)
            thread.join()

        waiting = threading.Thread(target=wait)
        waiting.start()
        try:
            yield
        finally:
            over.set()
            waiting.join()
            behind.close()


def check(four: Four, printed: Printed, samples: Samples) -> tuple[list[str], str]:
    """Compare the lines with what the server has said; return what is wrong, and how soon they came."""
    wrong: list[str] = []
    report: list[str] = []
    words = {"alter": "ALTER TABLE", "update": "UPDATE a", "wait": "ALTER TABLE", "many": "DO SLEEP"}
    for name, schema in four.names.items():
        word = words[name]
        began, ended = samples.began(schema, word), samples.ended(schema, word)
        lines = printed.about(schema)
        first, longest = gaps([moment for moment, _line in lines], began, ended)
        if first > FIRST or longest > NEXT:
            wrong.append(f"{name}: the first line after {first:.1f} s, then {longest:.1f} s without one")
        report.append(f"{name} {first:.1f} s and {longest:.1f} s of {ended - began:.0f} s")
        for moment, line in lines:
            print(f"  {moment - began:5.1f} s  {line.rstrip()}")
            if began <= moment <= ended:
                fault = COMPARE[name](line, samples.between(schema, word, moment), schema)
                wrong += [f"{name}: {fault}: {line}"] if fault else []
    return wrong, ", ".join(report)


def _alter(line: str, seen: Any, schema: str) -> str:
    # Before it is five seconds old there is its number only.
    if "statement 1 of 1," in line:
        return ""
    shown, states = number(r"copy to tmp table (\d+) %", line), {sample.state for sample in seen}
    if not line.startswith(f"{schema} 0012_long.up.sql:1 ALTER TABLE a: "):
        return "it is about another statement"
    if shown is None:
        stage = re.split(r" \d+ %|,", line.split(": ")[1])[0]
        return "" if stage in states else f"the server has named {states}"
    copied = [sample.percent for sample in seen if sample.state == "copy to tmp table"]
    return "" if copied and min(copied) - 1 <= shown <= max(copied) + 1 else f"the server has said {copied}"


def _update(line: str, seen: Any, schema: str) -> str:
    if "statement 2 of 2," in line:
        return ""
    if not line.startswith(f"{schema} 0012_long.up.sql:3 UPDATE a: "):
        return "it is about another statement"
    shown, rows = number(r"([\d,]+) row changes in its transaction", line), [sample.rows for sample in seen]
    return "" if shown is not None and min(rows) <= shown <= max(rows) else f"the server has said {rows}"


def _wait(line: str, seen: Any, schema: str) -> str:
    if "statement 1 of 1," in line:
        return ""
    expected = (
        rf"{schema} 0012_long\.up\.sql:1 ALTER TABLE a: waiting for a metadata lock held by connection \d+ "
        r"\(admin@127\.0\.0\.1:\d+, idle after SELECT COUNT …, its transaction open for \d+ s\), \d+ s, "
        r"1 connection waiting behind it\n"
    )
    return "" if re.fullmatch(expected, line) else f"it is not like {expected}"


def _many(line: str, seen: Any, schema: str) -> str:
    found = re.fullmatch(rf"{schema} 0012_long\.up\.sql: statement ([\d,]+) of 2,000, \d+ s\n", line)
    return "" if found and 1 < int(found[1].replace(",", "")) <= 2000 else "it is another line"


COMPARE: dict[str, Callable[[str, Any, str], str]] = {
    "alter": _alter,
    "update": _update,
    "wait": _wait,
    "many": _many,
}


def try_it(four: Four, run: Callable[[], Printed]) -> str:
    """Run a playbook, and compare what it prints with what the server says; return it for the report."""
    samples = Samples(four.server, list(four.names.values()))
    with samples.taken(), four.in_the_way(15):
        printed = run()
    assert printed.rc == 0, printed.text
    wrong, report = check(four, printed, samples)
    assert wrong == []
    for schema in four.names.values():
        assert four.server.query("SELECT version, dirty FROM schema_migrations", schema) == [(12, 0)]
    return report


WAYS = ["local", "ssh", "ssh, pipelining", "become"]
ENDS = (next(iter(cores.CORES)), next(reversed(cores.CORES)))


def begin(playbook: Book, way: str, programs: Path) -> Printed:
    """Run a playbook by one of the ways."""
    if way == "runner":
        return playbook.run_by_runner(programs)
    return playbook.run(env={"ANSIBLE_BECOME_ALLOW_SAME_USER": "true"}, programs=programs)


@pytest.mark.parametrize("way", ["ssh", *(pytest.param(way, marks=MORE) for way in ("become", "runner"))])
def test_lines_while_it_runs(
    way: str, book: Callable[[str], Book], four: Four, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    playbook = book("local" if way == "runner" else way)
    four.add_to(playbook)
    record_property("progress", f"{way}: {try_it(four, lambda: begin(playbook, way, PROGRAMS))}")
    assert [path.name for path in (tmp_path / "remote").rglob("dbops-migrations-*")] == []


@pytest.mark.progress
@pytest.mark.parametrize("core", cores.CORES)
@pytest.mark.parametrize("way", [*WAYS, "runner"])
def test_lines_on_every_core(
    core: str,
    way: str,
    book: Callable[[str], Book],
    recording: DatabaseServer,
    schemas: Callable[[str], str],
    tmp_path: Path,
    record_property: Callable[[str, object], None],
) -> None:
    """Large tables: all kinds on the oldest and on the newest core, a table that is copied and a wait on all."""
    large = Four(recording, schemas, tmp_path, LARGE, KINDS if core in ENDS else ("alter", "wait"))
    playbook = book("local" if way == "runner" else way)
    large.add_to(playbook)
    programs = cores.programs(core)
    record_property("progress", f"{core}, {way}: {try_it(large, lambda: begin(playbook, way, programs))}")


@pytest.fixture
def four(recording: DatabaseServer, schemas: Callable[[str], str], tmp_path: Path) -> Four:
    return Four(recording, schemas, tmp_path, SMALL)


@pytest.fixture
def quick(book: Callable[[str], Book], schemas: Callable[[str], str], tmp_path: Path) -> Callable[..., Book]:
    """Make a playbook for a file with one statement."""

    def make(way: str, statement: str, **options: Any) -> Book:
        (tmp_path / "1_a.up.sql").write_text(f"{statement};\n")
        playbook = book(way)
        playbook.add(schemas("shop"), tmp_path, **options)
        return playbook

    return make


def looks(printed: Printed) -> int:
    """Return how many commands have read a run's file, of a run that prints each command."""
    return len(re.findall(r"^<.*> (?:EXEC|SSH: EXEC) .*cat .*dbops-migrations-", printed.text, re.MULTILINE))


@pytest.mark.parametrize(("seconds", "expected"), [(0, 0), (8, 2)])
def test_a_short_run_has_no_second_command(quick: Callable[..., Book], seconds: int, expected: int) -> None:
    playbook = quick("local", f"DO SLEEP({seconds})")
    printed = playbook.run("-vvv")
    assert printed.rc == 0
    assert expected <= looks(printed) <= 2 * expected, printed.text
    assert bool(printed.about(*playbook.hosts)) == bool(expected)


HINDRANCES: dict[str, tuple[dict[str, Any], str]] = {
    "async": ({"async": 60, "poll": 1}, "async"),
    "check mode": ({"check_mode": True}, "check mode"),
    "until": ({"register": "tried", "until": "tried is not failed", "retries": 1}, "until"),
    "no_log": ({"no_log": True}, "no_log"),
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=() if name == "async" else MORE) for name in HINDRANCES])
def test_where_it_cannot_be_shown(quick: Callable[..., Book], name: str) -> None:
    keywords, reason = HINDRANCES[name]
    playbook = quick("local", "DO SLEEP(7)")
    printed = playbook.run("-v", **keywords)
    assert printed.rc == 0
    expected = f"migration_apply: its progress is not shown, because of {reason}.\n"
    assert len([line for _moment, line in printed.lines if line.endswith(expected)]) == 1, printed.text
    [schema] = playbook.hosts
    assert [line for _moment, line in printed.about(schema) if "1_a.up.sql" in line] == []


@MORE
def test_a_folder_to_which_it_cannot_write(quick: Callable[..., Book], tmp_path: Path) -> None:
    """Nobody can make a folder in a file."""
    playbook = quick("local", "DO SLEEP(9)")
    (tmp_path / "file").touch()
    more = {"ansible_remote_tmp": str(tmp_path / "file" / "tmp"), "ansible_pipelining": True}
    playbook.variables = {**playbook.variables, **more}
    printed = playbook.run("-v")
    assert printed.rc == 0, printed.text
    expected = "its progress is not shown, because of remote_tmp, to which the account cannot write.\n"
    assert len([line for _moment, line in printed.lines if line.endswith(expected)]) == 1, printed.text
    [schema] = playbook.hosts
    assert printed.about(schema) == []


# What a plugin must have.
DOCUMENTED = 'DOCUMENTATION = """\nname: other\nshort_description: it\ndescription: it\nauthor: us\noptions: {}\n"""\n'


def test_another_connection(quick: Callable[..., Book], tmp_path: Path) -> None:
    """A connection that is not known to run two commands at once: here the local one under another name."""
    (tmp_path / "connections").mkdir()
    (tmp_path / "connections" / "other.py").write_text(
        f"{DOCUMENTED}from ansible.plugins.connection.local import Connection as Local\n\n\n"
        "class Connection(Local):\n    transport = 'other'\n"
    )
    playbook = quick("local", "DO SLEEP(7)")
    playbook.variables = {**playbook.variables, "ansible_connection": "other"}
    printed = playbook.run("-v", env={"ANSIBLE_CONNECTION_PLUGINS": str(tmp_path / "connections")})
    assert printed.rc == 0, printed.text
    assert "because of the connection other, which is not known to run two commands" in printed.text
    [schema] = playbook.hosts
    assert [line for _moment, line in printed.about(schema) if "1_a.up.sql" in line] == []


DOCUMENTED = (
    'DOCUMENTATION = """\nname: {}\nshort_description: it\ndescription: it\nauthor: us\noptions: {{}}\n"""\n'.format(
        "other"
    )
)


def test_lines_stay_out_of_a_callbacks_json(quick: Callable[..., Book], tmp_path: Path) -> None:
    (tmp_path / "callbacks").mkdir()
    documented = DOCUMENTED.replace("options", "type: stdout\noptions")
    (tmp_path / "callbacks" / "like_json.py").write_text(
        f"{documented}import json\n\nfrom ansible.plugins.callback import CallbackBase\n\n\n"
        "class CallbackModule(CallbackBase):\n"
        "    CALLBACK_TYPE, CALLBACK_NAME, CALLBACK_VERSION = 'stdout', 'like_json', 2.0\n\n"
        "    def v2_playbook_on_stats(self, stats):\n"
        "        self._display.display(json.dumps({'ended': True}))\n"
    )
    book, inventory = quick("local", "DO SLEEP(8)").write()
    done = subprocess.run(
        [PROGRAMS / "ansible-playbook", book, "-i", inventory],
        env={
            **environment(Path("/dev/null")),
            "ANSIBLE_CALLBACK_PLUGINS": str(tmp_path / "callbacks"),
            "ANSIBLE_STDOUT_CALLBACK": "like_json",
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout) == {"ended": True}
    assert "1_a.up.sql:1 DO SLEEP: " in done.stderr


def test_what_the_file_holds_is_not_our_text(quick: Callable[..., Book], tmp_path: Path) -> None:
    """Whoever may write to the account's folder could write anything to a file there."""
    playbook = quick("local", "DO SLEEP(9)")
    running = playbook.start()
    [file] = wait_for(lambda: list((tmp_path / "remote").glob("dbops-migrations-" + "?" * 32)))
    fake = file.with_name("fake")
    while running.process.poll() is None:
        fake.write_text(json.dumps({"text": "{{ 1 + 1 }}\x1b[31m\nred " + "x" * 2000, "hint": ["no text"]}))
        fake.rename(file)
        time.sleep(0.05)
    printed = running.end()
    file.unlink()
    assert printed.rc == 0
    [(_moment, line)] = [line for line in printed.lines if line[1].startswith("{{")]
    assert line == ("{{ 1 + 1 }}?[31m red " + "x" * 2000)[:1000] + "\n"


def wait_for(find: Callable[[], list[Path]]) -> list[Path]:
    """Wait until something is found."""
    deadline = time.monotonic() + 60
    while not (found := find()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


@MORE
def test_many_databases(book: Callable[[str], Book], schemas: Callable[[str], str], tmp_path: Path) -> None:
    (tmp_path / "1_a.up.sql").write_text("DO SLEEP(4);\n")
    names = [schemas("customer") for _number in range(7)]
    playbook = book("ssh")
    playbook.add("server", tmp_path, databases=names, parallel=1, canary=0)
    printed = playbook.run()
    assert printed.rc == 0, printed.text
    told = [(moment, line) for moment, line in printed.lines if "databases are done" in line]
    assert told[0][1] == f"1 of 7 databases are done; working on {names[1]}, 5 s\n"
    texts = [f"{done} of 7 databases are done; working on {names[done]}" for done in (3, 6)]
    done = dict(zip(("15 s\n", "25 s\n"), texts))
    for _moment, line in told[1:]:
        text, _comma, seconds = line.rpartition(", ")
        assert text == done[seconds]
    assert all(later - earlier > 4 for (earlier, _first), (later, _next) in zip(told, told[1:]))
    assert 2 <= len(told) <= 3
