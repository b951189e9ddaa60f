# Copyright (c) 2026, the dbops.migrations contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The page in a real browser: as it looks, as keyboards use it, and as axe-core judges it."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.mapping import chart
from ansible_collections.dbops.migrations.plugins.module_utils._survey.analysis.overview import Inputs, overview
from ansible_collections.dbops.migrations.plugins.plugin_utils.survey.svg import cut
from parts import NotOnThisSystem
from parts.chromium import Browser, script
from parts.infrastructure import five, hostile, many
from programs.pictures.survey import write

pytestmark = pytest.mark.page

DESKTOP, PHONE = (1440, 900), (390, 844)
_COLUMN = "[...document.querySelectorAll('#list tbody tr:not([hidden])')].map(row => row.cells[{}].innerText)"
_FITS = "document.documentElement.scrollWidth <= innerWidth"
_OPEN = "document.querySelectorAll('details').forEach(one => one.open = true)"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    try:
        with Browser() as found:
            yield found
    except NotOnThisSystem as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(five(), tmp_path_factory.mktemp("shop"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_axe_finds_nothing_and_everything_fits(browser: Browser, shop: Path, size: tuple[int, int], dark: bool) -> None:
    browser.open(shop, *size, dark=dark)
    assert browser.evaluate(_FITS)
    browser.evaluate(_OPEN)
    assert browser.evaluate(_FITS)
    assert browser.axe() == []
    assert browser.errors == []


def test_axe_would_find_something(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP)
    browser.evaluate("document.querySelector('h1').style.color = '#eeeeee'; document.documentElement.lang = ''")
    found = browser.axe()
    assert [one for one in found if one.startswith("color-contrast")]
    assert [one for one in found if one.startswith("html-has-lang")]


def test_the_table_is_sorted_by_mouse_and_by_keyboard(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP)
    names = browser.evaluate(_COLUMN.format(0))
    sizes = "[...document.querySelectorAll('#list tbody tr')].map(row => Number(row.cells[8].dataset.value))"
    order = "document.querySelector('#list th:nth-child({})').getAttribute('aria-sort')"
    # Numbers begin with the largest, and 100 is more than 20.
    browser.click("#list th:nth-child(9) button")
    assert browser.evaluate(order.format(9)) == "descending"
    found = browser.evaluate(sizes)
    assert found == sorted(found, reverse=True)
    assert found[0] > 0
    browser.press("Enter")
    assert browser.evaluate(order.format(9)) == "ascending"
    found = [one for one in browser.evaluate(sizes) if one]
    assert found == sorted(found)
    assert browser.evaluate(sizes)[-1] == 0
    # The next header is one key away.
    browser.press("Tab")
    browser.press("Enter")
    assert browser.evaluate(order.format(9)) is None
    assert browser.evaluate(order.format(10)) == "ascending"
    assert browser.evaluate(_COLUMN.format(9))[:3] == ["move", "replace", "retire"]
    browser.click("#list th:nth-child(1) button")
    assert sorted(browser.evaluate(_COLUMN.format(0))) == sorted(names)
    assert browser.errors == []


def test_the_table_is_filtered_by_words(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP)
    browser.click("#filter")
    for one in "web1 cel":
        browser.press(one)
    assert browser.evaluate(_COLUMN.format(0)) == ["celery@web1"]
    assert browser.evaluate("document.getElementById('count').textContent") == "1 of 11 shown"


def test_links_open_what_they_lead_to(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP)
    seen = """(() => {{ const box = document.getElementById({!r}).getBoundingClientRect();
        return location.hash && box.height > 0 && box.top >= 0 && box.top < innerHeight }})()"""
    links = {
        "#list a": "c-celery@web1",
        "svg.map a[href='#c-mariadbd@db1']": "c-mariadbd@db1",
        "#findings a": "c-mariadbd@db1",
        "#waves .chips a": "c-mariadbd@db1",
    }
    for link, target in links.items():
        browser.evaluate("document.querySelectorAll('#sheets details').forEach(one => one.open = false)")
        browser.evaluate(f"document.querySelector({link!r}).focus()")
        browser.press("Enter")
        browser.wait(seen.format(target))


def test_what_talks_to_a_node_stands_out(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP)
    browser.evaluate("document.querySelector('[data-node=host_db1_mariadbd_db1]').focus()")
    lit = browser.evaluate("[...document.querySelectorAll('a.lit')].map(one => one.dataset.node)")
    users = [f"host_{host}_{name}_{host}" for host in ("web1", "web2") for name in ("celery", "gunicorn")]
    assert sorted(lit) == sorted(["host_db1_mariadbd_db1", *users])
    assert browser.evaluate("document.querySelectorAll('.arrow.lit').length") == 4


def test_without_scripts_all_but_sorting_works(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP, scripts=False)
    # DevTools still ask; nothing of the page's has run.
    assert browser.evaluate("document.querySelector('.filter').hidden")
    assert browser.evaluate("document.querySelectorAll('#list button').length") == 0
    assert len(browser.evaluate(_COLUMN.format(0))) == 11
    browser.click("#list a")
    browser.wait("document.getElementById('c-celery@web1').parentElement.open")
    assert browser.errors == []


def test_hostile_names_do_nothing(browser: Browser, tmp_path: Path) -> None:
    file = write(hostile(), tmp_path)
    for path in (file, file.with_name("map.svg")):
        for size in (DESKTOP, PHONE):
            browser.open(path, *size)
            # Nothing ran, nothing was asked for, nothing was refused by the policy: there was nothing.
            assert browser.errors == []
            assert browser.evaluate("performance.getEntriesByType('resource').length") == 0
            assert browser.evaluate("document.querySelectorAll('img').length") == 0
            assert browser.evaluate(_FITS)
    browser.open(file, *DESKTOP)
    browser.evaluate(_OPEN)
    assert browser.axe() == []


def test_the_policy_stops_what_is_not_the_pages(browser: Browser, shop: Path) -> None:
    browser.open(shop, *DESKTOP)
    browser.evaluate("""(() => {
        const script = document.createElement('script'); script.textContent = 'window.ran = true';
        const style = document.createElement('style'); style.textContent = 'body { display: none }';
        document.head.append(script, style);
    })()""")
    assert browser.evaluate("[window.ran === undefined, getComputedStyle(document.body).display]") == [True, "block"]
    assert browser.evaluate("fetch('map.svg').then(() => 'fetched', () => 'refused')") == "refused"
    assert browser.errors
    browser.errors.clear()


@pytest.mark.parametrize("inputs", [five(), hostile(), many(200), many(1000)], ids=["5", "hostile", "200", "1000"])
def test_mermaid_draws_the_map(browser: Browser, tmp_path: Path, inputs: Inputs) -> None:
    text = write(inputs, tmp_path).with_name("map.mmd").read_text(encoding="utf-8")
    blank = tmp_path / "blank.html"
    blank.write_text("<!DOCTYPE html><title>Blank</title>", encoding="utf-8")
    browser.open(blank, *DESKTOP)
    browser.evaluate(script("mermaid@11.17.2", "dist/mermaid.min.js") + "; 0")
    browser.evaluate("mermaid.initialize({startOnLoad: false})")
    browser.evaluate(
        f"mermaid.render('drawn', {json.dumps(text)}).then((drawn) => {{ document.body.innerHTML = drawn.svg }})"
    )
    shown = browser.evaluate("[...document.querySelectorAll('.node')].map((one) => one.textContent)")
    nodes = [node for box in chart(overview(inputs)).boxes for node in box.nodes]
    assert sorted(shown) == sorted(cut(node.title, 60) + cut(node.detail, 60) for node in nodes)
    assert browser.evaluate("document.querySelectorAll('script, img').length") == 0
    assert browser.errors == []


@pytest.mark.parametrize("count", [200, 1000])
def test_a_large_page_is_usable(browser: Browser, tmp_path: Path, count: int) -> None:
    file = write(many(count), tmp_path)
    before = time.monotonic()
    for size in (DESKTOP, PHONE):
        browser.open(file, *size)
        assert browser.evaluate(_FITS)
    assert time.monotonic() - before < 20
    rows = browser.evaluate("document.querySelectorAll('#list tbody tr').length")
    took = browser.evaluate("""new Promise((done) => {
        const before = performance.now();
        document.querySelector('#list th:nth-child(2) button').click();
        const filter = document.getElementById('filter');
        filter.value = 'mariadb';
        filter.dispatchEvent(new Event('input'));
        requestAnimationFrame(() => setTimeout(() => done(performance.now() - before)));
    })""")
    shown = browser.evaluate(_COLUMN.format(2))
    assert 0 < len(shown) < rows
    assert {*shown} == {"MariaDB"}
    print(f"{count} hosts, {rows} components: {file.stat().st_size} bytes; sorted and filtered in {took:.0f} ms")
    assert took < 3000
    assert browser.errors == []
