/** Results as a table: of any number of rows, those alone are there that are looked at. */

import { button, h, style } from "./dom.js";
import { Num, textOf } from "./json.js";
import { instant, isTime } from "./time.js";

const ROW = 32;
const BESIDE = 8;
const MOST_ROWS = 200_000;
const SAMPLE = 60;
const MOST_SHOWN = 300;
const [NARROWEST, WIDEST] = [9, 34];

export class Table {
  /** `onSort(path)`, `onOpen(id)`: what a click on a head and on a row does. */
  constructor({ onSort, onOpen }) {
    this.onSort = onSort;
    this.onOpen = onOpen;
    this.columns = [];
    this.numeric = new Set();
    this.pages = null;
    this.drawn = new Map();
    this.active = 0;
    this.head = h("tr", { "aria-rowindex": "1" });
    this.cols = h("colgroup");
    this.body = h("tbody");
    this.table = h("table", { class: "results" }, this.cols, h("thead", {}, this.head), this.body);
    this.element = h("div", { class: "scroll", tabindex: "-1" }, this.table);
    this.element.addEventListener("scroll", () => this.#soon(), { passive: true });
    this.element.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#soon()).observe(this.element);
  }

  /** Show pages in columns; `sort` is [path, direction] or null. */
  show({ pages, columns, sort, key, selected }) {
    const isOther = pages !== this.pages;
    const isSame = !isOther && columns.join("\0") === this.columns.join("\0");
    Object.assign(this, { pages, columns, key, selected });
    if (isOther) {
      this.element.scrollTop = 0;
      this.active = 0;
    }
    if (!isSame) {
      this.drawn.clear();
      this.isFitted = false;
    }
    this.#drawHead(sort);
    this.draw();
  }

  /** Move to the row that was looked at last. */
  focus() {
    this.#moveTo(this.active);
  }

  get rowCount() {
    return Math.min(this.pages?.count ?? 0, MOST_ROWS);
  }

  /** Whether there are more rows than a page can be high. */
  get isCut() {
    return (this.pages?.count ?? 0) > MOST_ROWS;
  }

  draw() {
    if (this.pages === null || this.pages.count === null) return;
    const top = Math.floor(this.element.scrollTop / ROW);
    const first = Math.max(top - BESIDE, 0);
    const last =
      Math.min(top + Math.ceil(this.element.clientHeight / ROW) + BESIDE, this.rowCount) - 1;
    if (last >= first) this.pages.want(first, last);
    this.#fit();
    const focused = this.body.contains(document.activeElement);
    this.#drawRows(first, last);
    if (focused)
      this.drawn.get(this.active)?.element.querySelector("button")?.focus({ preventScroll: true });
    this.table.setAttribute("aria-rowcount", String(this.rowCount + 1));
  }

  #soon() {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => this.draw());
  }

  #drawHead(sort) {
    const cells = this.columns.map((path) => {
      const direction = sort?.[0] === path ? sort[1] : null;
      const mark = { asc: " ▲", desc: " ▼" }[direction] ?? "";
      const said = { asc: "ascending", desc: "descending" }[direction] ?? "none";
      const label = h("span", {}, path, h("i", { "aria-hidden": "true" }, mark));
      return h(
        "th",
        { scope: "col", "aria-sort": said, class: this.numeric.has(path) && "number" },
        button(label, () => this.onSort(path), { title: `Sort by ${path}` }),
      );
    });
    const focused = [...this.head.children].findIndex((cell) =>
      cell.contains(document.activeElement),
    );
    this.head.replaceChildren(...cells);
    this.head.children[focused]?.querySelector("button").focus();
  }

  /** Make each column as wide as what is in it, and numbers end at its right, once there are some. */
  #fit() {
    if (this.isFitted) return;
    const rows = [...this.pages.rows()].slice(0, SAMPLE);
    if (rows.length === 0) return;
    this.isFitted = true;
    this.numeric = new Set(this.columns.filter((path) => areNumbers(path, rows)));
    for (const [index, path] of this.columns.entries())
      this.head.children[index].classList.toggle("number", this.numeric.has(path));
    const widths = this.columns.map((path) => {
      const longest = Math.max(
        ...rows.map((row) => shown(path, row.leaves.get(path)).length),
        path.length + 2,
      );
      return Math.min(Math.max(longest, NARROWEST), WIDEST);
    });
    this.cols.replaceChildren(
      ...widths.map((width) => h("col", { css: { width: `${width + 2}ch` } })),
    );
    style(this.table, { "min-width": `${widths.reduce((sum, width) => sum + width + 2, 0)}ch` });
  }

  #drawRows(first, last) {
    const rows = [];
    const kept = new Map();
    for (let index = first; index <= last; index += 1) {
      const row = this.pages.row(index);
      const old = this.drawn.get(index);
      const isSelected = row !== undefined && row.id === this.selected;
      const element =
        old?.row === row && old?.isSelected === isSelected
          ? old.element
          : this.#row(index, row, isSelected);
      kept.set(index, { row, element, isSelected });
      rows.push(element);
    }
    this.drawn = kept;
    const below = Math.max(this.rowCount - last - 1, 0);
    if (this.active < first || this.active > last)
      this.active = Math.min(Math.max(this.active, first), Math.max(last, 0));
    for (const [index, { element }] of kept) {
      element.querySelector("button")?.setAttribute("tabindex", index === this.active ? "0" : "-1");
    }
    this.body.replaceChildren(this.#space(first), ...rows, this.#space(below));
  }

  #space(rows) {
    return h("tr", { class: "space", "aria-hidden": "true", css: { height: `${rows * ROW}px` } });
  }

  #row(index, row, isSelected) {
    const attributes = {
      "aria-rowindex": index + 2,
      ...(isSelected && { "aria-current": "true" }),
    };
    if (row === undefined) {
      return h(
        "tr",
        { ...attributes, class: "coming" },
        this.columns.map(() => h("td", {}, h("span", {}))),
      );
    }
    const open = () => {
      this.active = index;
      this.onOpen(row.id);
    };
    const cells = this.columns.map((path) => {
      const values = row.leaves.get(path);
      const text = shown(path, values);
      const exact = values?.map(exactText).join(", ") ?? "";
      const inside =
        path === this.key
          ? button(text, null, { class: "link", "aria-label": `Open ${text}` })
          : text;
      const kind = [values === undefined && "none", this.numeric.has(path) && "number"];
      return h("td", { title: exact, class: kind.filter(Boolean).join(" ") }, inside);
    });
    return h("tr", { ...attributes, onclick: open }, cells);
  }

  #onKey(event) {
    const page = Math.max(Math.floor(this.element.clientHeight / ROW) - 2, 1);
    const steps = {
      ArrowDown: 1,
      ArrowUp: -1,
      PageDown: page,
      PageUp: -page,
      Home: -Infinity,
      End: Infinity,
    };
    if (!(event.key in steps) || !this.body.contains(event.target)) return;
    event.preventDefault();
    this.#moveTo(this.active + steps[event.key]);
  }

  #moveTo(index) {
    if (this.rowCount === 0) return;
    this.active = Math.min(Math.max(index, 0), this.rowCount - 1);
    const [top, high] = [this.active * ROW, this.element.clientHeight - 2 * ROW];
    if (top < this.element.scrollTop) this.element.scrollTop = top;
    else if (top > this.element.scrollTop + high) this.element.scrollTop = top - high;
    this.draw();
    this.drawn.get(this.active)?.element.querySelector("button")?.focus({ preventScroll: true });
  }
}

/** Whether what the rows have at a path are numbers, and no times. */
function areNumbers(path, rows) {
  const found = rows.flatMap((row) => row.leaves.get(path) ?? []);
  const isOne = (value) => value instanceof Num && !isTime(path, Number(value.text));
  return found.length > 0 && found.every(isOne);
}

const exactText = (value) => (value instanceof Num ? value.text : textOf(value));

/** Write the values at a path as one cell. */
function shown(path, values) {
  if (values === undefined) return "–";
  const texts = values.map((value) => {
    const number = value instanceof Num ? Number(value.text) : NaN;
    return isTime(path, number) ? instant(number) : exactText(value);
  });
  const text = texts.join(", ");
  return text.length > MOST_SHOWN ? text.slice(0, MOST_SHOWN) + "…" : text;
}
