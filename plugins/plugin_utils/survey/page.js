/* Copyright (c) 2026, the dbops.migrations contributors
 * GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
"use strict";
(() => {
  const table = document.getElementById("list");
  const body = table.tBodies[0];
  const rows = [...body.rows];

  // Sorting: a header is a button; a second press turns the order round.
  const order = new Intl.Collator("en", { numeric: true }).compare;
  const value = (row, column) => row.cells[column].dataset.value ?? row.cells[column].textContent;
  [...table.tHead.rows[0].cells].forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const before = head.getAttribute("aria-sort");
      const down = before ? before === "ascending" : head.classList.contains("number");
      for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const keys = new Map(rows.map((row) => [row, value(row, column)]));
      const names = new Map(rows.map((row) => [row, value(row, 0)]));
      // What is empty comes last, in either order.
      rows.sort((one, other) => {
        const [first, second] = [keys.get(one), keys.get(other)];
        if (!first !== !second) return first ? -1 : 1;
        return (down ? -order(first, second) : order(first, second)) || order(names.get(one), names.get(other));
      });
      body.append(...rows);
    });
  });

  // Filtering: a row has to have every word.
  const filter = document.getElementById("filter");
  const count = document.getElementById("count");
  const texts = new Map(rows.map((row) => [row, row.textContent.toLowerCase()]));
  const show = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      row.hidden = !words.every((word) => texts.get(row).includes(word));
      shown += !row.hidden;
    }
    count.textContent = words.length ? `${shown} of ${rows.length} shown` : `${rows.length} shown`;
  };
  filter.addEventListener("input", show);
  filter.closest(".filter").hidden = false;
  show();

  // A link into what is closed opens it; a link to a row shows it, whatever the filter is.
  const reveal = () => {
    let target = null;
    try {
      target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
    } catch {
      return;
    }
    if (!target) return;
    if (target.hidden) {
      filter.value = "";
      show();
    }
    for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
    target.scrollIntoView();
  };
  addEventListener("hashchange", reveal);
  if (location.hash) reveal();

  // The map: what talks to what is under the pointer, or has the focus, stands out.
  const map = document.querySelector("svg.map");
  if (!map) return;
  const arrows = [...map.querySelectorAll(".arrow")];
  const nodes = new Map([...map.querySelectorAll("[data-node]")].map((node) => [node.dataset.node, node]));
  const light = (name) => {
    for (const lit of map.querySelectorAll(".lit")) lit.classList.remove("lit");
    map.classList.toggle("dim", Boolean(name));
    if (!name) return;
    nodes.get(name).classList.add("lit");
    for (const arrow of arrows) {
      const { from, to } = arrow.dataset;
      if (from !== name && to !== name) continue;
      arrow.classList.add("lit");
      for (const end of [from, to]) nodes.get(end).classList.add("lit");
    }
  };
  for (const [name, node] of nodes) {
    node.addEventListener("pointerenter", () => light(name));
    node.addEventListener("pointerleave", () => light(""));
    node.addEventListener("focus", () => light(name));
    node.addEventListener("blur", () => light(""));
    node.addEventListener("click", () => {
      if (!node.dataset.find) return;
      filter.value = node.dataset.find;
      show();
    });
  }
})();
