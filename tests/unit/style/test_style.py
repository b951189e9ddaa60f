# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The style check finds each word of its list, in all that people read, and says where."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from programs.style import prose
from programs.style.__main__ import files, main
from programs.style.words import WORDS, Word, check

_PLAIN = re.compile(r"[\w ,'-]+")


def found(path: Path, text: str) -> list[tuple[int, str]]:
    """Return the lines and words that are found in a file of this text."""
    path.write_text(text)
    return [(finding.line, finding.text) for finding in check(prose.read(path), WORDS)]


@pytest.mark.parametrize("word", WORDS, ids=lambda word: word.find)
def test_a_word_finds_its_examples_and_nothing_that_is_allowed(word: Word) -> None:
    for example in word.examples:
        assert word.pattern.search(f"So {example}, then."), example
    for text in word.allowed:
        assert not word.pattern.search(f"So {text}, then."), text


def test_a_word_that_is_a_pattern_has_an_example() -> None:
    assert [word.find for word in WORDS if not _PLAIN.fullmatch(word.find) and word.examples == [word.find]] == []


def test_no_word_recommends_another() -> None:
    better = [word.better for word in WORDS]
    assert [text for text in better if any(word.pattern.search(text) for word in WORDS)] == []


def test_a_sentence_over_several_lines_is_found_where_it_begins(tmp_path: Path) -> None:
    assert found(tmp_path / "page.md", "# Title\n\nIt is taken\nfor applied.\n") == [(3, "taken for")]


def test_a_paragraph_ends_at_a_blank_line(tmp_path: Path) -> None:
    assert found(tmp_path / "page.md", "It is taken\n\nfor applied.\n") == []


def test_of_a_page_inline_code_is_not_read_and_blocks_are(tmp_path: Path) -> None:
    text = "The value `by hand` and ``by `hand` ``.\n\n    fixed by hand\n\n```text\nundone by hand\n```\n"
    assert found(tmp_path / "page.md", text) == [(3, "by hand"), (6, "by hand")]


def test_of_yaml_comments_and_values_are_read(tmp_path: Path) -> None:
    text = "# fixed by\n# hand\nname: Fix it by hand\n"
    assert found(tmp_path / "main.yml", text) == [(1, "by hand"), (3, "by hand")]


def test_of_python_strings_comments_and_names_of_tests_are_read(tmp_path: Path) -> None:
    text = '''\
"""Fixed
by hand."""
by.hand  # by
# hand
def by_hand(): ...
def test_by_hand(): ...
first = "fixed by", "hand"
second = f"fixed {name} by" " hand"
third = "fixed\\nby hand"
'''
    assert found(tmp_path / "code.py", text) == [
        (2, "by hand"),
        (3, "by hand"),
        (6, "by hand"),
        (8, "by hand"),
        (9, "by hand"),
    ]


def test_a_placeholder_of_an_f_string_is_a_word(tmp_path: Path) -> None:
    text = 'a = f"take {name.up[0]!r:>9} up again"\nb = f"take {{it}} for one; {by} hand"\n'
    assert found(tmp_path / "code.py", text) == [(1, "take XXXXXXXXXXXXXXXXX up again")]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    subprocess.run(["git", "init", "--quiet", tmp_path], check=True)
    (tmp_path / ".gitignore").write_text("ignored.md\n")
    for name in ("page.md", "ignored.md", "data.csv", "Makefile", "LICENSES/text.md", "docs/page.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("First.\nDone by hand\n")
    return tmp_path


def test_the_project_s_own_texts_are_checked(checkout: Path) -> None:
    assert files(checkout, []) == ["Makefile", "docs/page.md", "page.md"]


def test_a_finding_says_where_it_is_and_what_to_write(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(checkout, ["docs"]) == 1
    output = capsys.readouterr()
    assert output.out == 'docs/page.md:2: "by hand": manually\n'
    assert output.err == "1 finding\n"


def test_nothing_is_printed_of_a_clean_text(checkout: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (checkout / "docs/page.md").write_text("Done manually\n")
    assert main(checkout, ["docs"]) == 0
    assert capsys.readouterr().out == ""
