/** When it was: what was found over time, in bars that narrow the query. */

import { button, debounced, h, sentence, svg } from "./dom.js";
import { narrowed, narrowedInTime, pathText } from "./query.js";
import { LAST_UPDATED, sortText } from "./route.js";
import { isGivenUp } from "./server.js";
import { leavesOf } from "./paths.js";
import { counted, instant, looksLikeTime, number, span, stretches, tick, WINDOWS } from "./time.js";

const HIGH = 72;
const BAR = 14;
const WIDEST = 48;
const LABEL = 110;
const MOST_OFFERED = 30;

export class Histogram {
  constructor(app) {
    this.app = app;
    this.asked = new AbortController();
    this.bars = null;
    this.range = null;
    this.path = h("select", {
      "aria-label": "Time",
      onchange: () => app.go({ time: this.path.value }),
    });
    this.windows = h("div", { class: "segments", role: "group", "aria-label": "Window" });
    this.total = h("span", { class: "muted" });
    this.only = button(
      "Only this window",
      () => this.#narrow(this.stretch.low, this.stretch.high),
      { class: "link" },
    );
    this.chart = svg("svg", {
      class: "bars",
      tabindex: "0",
      role: "slider",
      "aria-label": "Items over time",
      "aria-valuemin": "0",
    });
    this.element = h(
      "section",
      { class: "histogram", "aria-label": "Over time" },
      h("div", { class: "row" }, this.path, this.windows, this.total, this.only),
      this.chart,
    );
    this.#listen();
    app.state.watch(
      (state) => [state.found, state.view.time, state.view.window],
      () => this.load(),
    );
    app.state.watch(
      (state) => [state.view.time, state.view.window, state.timePaths],
      (state) => this.#drawChoices(state),
    );
  }

  async load() {
    const { found, view } = this.app.state.get();
    this.element.classList.toggle("stale", found === null);
    if (found === null) return;
    this.asked.abort();
    this.asked = new AbortController();
    const { signal } = this.asked;
    try {
      const stretch = await this.#stretch(found, view, signal);
      const parameters = {
        store: found.store,
        q: found.q,
        path: view.time,
        low: stretch.low,
        high: stretch.high,
        buckets: stretch.buckets,
      };
      const { facets } = await this.app.server.facets(parameters, signal);
      if (this.begin !== undefined) return; // the bars stay while one drags over them
      if (stretch.low !== this.stretch?.low || stretch.step !== this.stretch.step)
        this.range = null;
      this.stretch = stretch;
      this.bars = facets.map(({ value, count }) => ({ low: Number(value), count }));
      this.draw();
    } catch (error) {
      if (isGivenUp(error)) return;
      this.bars = null;
      this.total.textContent = sentence(error.message);
      this.chart.replaceChildren();
    }
  }

  /** Give the stretches that fit the window and the width. */
  async #stretch(found, view, signal) {
    const most = Math.max(Math.floor(this.chart.clientWidth / BAR), 10);
    const { long } = WINDOWS[view.window] ?? WINDOWS.all;
    const now = Date.now();
    if (long !== null) return stretches(now - long, now, most);
    const ends = [
      await this.#end(found, view.time, "asc", signal),
      await this.#end(found, view.time, "desc", signal),
    ];
    return stretches(ends[0] ?? now, ends[1] ?? now, most);
  }

  /** Ask for the first or the last time there is, undefined where there is none. */
  async #end({ store, q }, path, direction, signal) {
    const exists = narrowed(q, `${pathText(path)}:*`);
    const { items } = await this.app.server.query(
      { store, q: exists, sort: sortText(path, direction), rows: 1 },
      signal,
    );
    for await (const [item] of items) {
      const times = (leavesOf(item).get(path) ?? []).map(instantOf).filter(Number.isFinite);
      if (times.length > 0) return direction === "asc" ? Math.min(...times) : Math.max(...times);
    }
    return undefined;
  }

  draw() {
    if (this.bars === null) return;
    const wide = this.chart.clientWidth;
    const most = Math.max(...this.bars.map((bar) => bar.count), 1);
    const step = wide / this.bars.length;
    const sum = this.bars.reduce((all, bar) => all + bar.count, 0);
    this.total.textContent = `${number(sum)} in the window, ${span(this.stretch.step)} a bar`;
    this.only.hidden = sum === 0;
    this.chart.setAttribute("viewBox", `0 0 ${wide} ${HIGH + 18}`);
    this.chart.setAttribute("aria-valuemax", String(this.bars.length - 1));
    this.chart.replaceChildren(
      svg("text", { x: wide, y: 10, "text-anchor": "end" }, sum === 0 ? "" : number(most)),
      ...this.bars.map((bar, i) => this.#bar(bar, i, step, most)),
      svg("line", { x1: 0, x2: wide, y1: HIGH + 0.5, y2: HIGH + 0.5, class: "axis" }),
      ...this.#ticks(step),
    );
    this.#mark();
  }

  #bar({ low, count }, i, step, most) {
    const high = count === 0 ? 0 : Math.max((count / most) * (HIGH - 14), 2);
    const place = { x: i * step, width: step };
    const said = `${instant(low)} for ${span(this.stretch.step)}: ${number(count)}`;
    return svg(
      "g",
      { "data-bar": i },
      svg("title", {}, said),
      svg("rect", { class: "back", ...place, y: 0, height: HIGH }),
      svg("rect", {
        class: "bar",
        x: place.x + 1,
        width: Math.min(Math.max(step - 2, 1), WIDEST),
        y: HIGH - high,
        height: high,
        rx: 1,
      }),
    );
  }

  #ticks(step) {
    const every = Math.max(Math.ceil(LABEL / step), 1);
    const labels = this.bars
      .map((bar, i) => [bar.low, i])
      .filter(([, i]) => i % every === 0 && (i + every / 2) * step < this.chart.clientWidth);
    const long =
      this.stretch.high - this.stretch.low > 86_400_000 && this.stretch.step < 86_400_000;
    return labels.map(([low, i]) =>
      svg(
        "text",
        { x: i * step + 1, y: HIGH + 14 },
        long ? instant(low).slice(5, 16) : tick(low, this.stretch.step),
      ),
    );
  }

  #drawChoices({ view, timePaths }) {
    const paths = [...new Set([view.time, LAST_UPDATED, ...timePaths])].slice(0, MOST_OFFERED);
    this.path.replaceChildren(
      ...paths.map((path) => h("option", { value: path, selected: path === view.time }, path)),
    );
    this.windows.replaceChildren(
      ...Object.entries(WINDOWS).map(([name, { label }]) =>
        button(label, () => this.app.go({ window: name }), {
          "aria-pressed": String(name === view.window),
        }),
      ),
    );
  }

  // --- choosing a stretch ---

  #listen() {
    new ResizeObserver(debounced(() => this.load(), 200)).observe(this.chart);
    this.chart.addEventListener("pointerdown", (event) => {
      if (event.button !== 0 || this.bars === null) return;
      this.chart.setPointerCapture(event.pointerId);
      this.begin = this.#at(event);
      this.#choose(this.begin, this.begin);
    });
    this.chart.addEventListener(
      "pointermove",
      (event) => this.begin !== undefined && this.#choose(this.begin, this.#at(event)),
    );
    this.chart.addEventListener("pointerup", () => {
      if (this.begin === undefined) return;
      this.begin = undefined;
      this.#narrowToRange();
    });
    this.chart.addEventListener("pointercancel", () => {
      this.begin = undefined;
      this.#choose(null, null);
    });
    this.chart.addEventListener("keydown", (event) => this.#onKey(event));
  }

  #at(event) {
    const { left, width } = this.chart.getBoundingClientRect();
    const at = Math.floor(((event.clientX - left) / width) * this.bars.length);
    return Math.min(Math.max(at, 0), this.bars.length - 1);
  }

  #choose(from, to) {
    this.range = from === null ? null : [from, to];
    this.#mark();
  }

  #mark() {
    const [low, high] =
      this.range === null ? [-1, -1] : [Math.min(...this.range), Math.max(...this.range)];
    for (const bar of this.chart.querySelectorAll("[data-bar]")) {
      bar.classList.toggle("chosen", bar.dataset.bar >= low && bar.dataset.bar <= high);
    }
    const at = this.range?.[1] ?? this.bars.length - 1;
    const { low: begin, count } = this.bars[at] ?? { low: 0, count: 0 };
    this.chart.setAttribute("aria-valuenow", String(at));
    this.chart.setAttribute("aria-valuetext", `${instant(begin)}: ${counted(count, "item")}`);
  }

  #onKey(event) {
    const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (this.bars === null) return;
    if (step) {
      const [begin, end] = this.range ?? [this.bars.length, this.bars.length];
      const next = Math.min(Math.max(end + step, 0), this.bars.length - 1);
      this.#choose(event.shiftKey && this.range !== null ? begin : next, next);
      event.preventDefault();
    } else if (event.key === "Enter" && this.range !== null) this.#narrowToRange();
    else if (event.key === "Escape" && this.range !== null) this.#choose(null, null);
    else return;
    event.stopPropagation();
  }

  #narrowToRange() {
    const [low, high] = [Math.min(...this.range), Math.max(...this.range)].map(
      (i) => this.bars[i].low,
    );
    this.#choose(null, null);
    this.#narrow(low, high + this.stretch.step);
  }

  #narrow(low, high) {
    const { q, time } = this.app.state.get().view;
    this.app.run({ q: narrowedInTime(q, time, low, high), window: this.#windowFor(high - low) });
  }

  /** A window that is much longer than what is left of it would show a bar or two. */
  #windowFor(long) {
    return long < (this.stretch.high - this.stretch.low) / 3
      ? "all"
      : this.app.state.get().view.window;
  }
}

/** Give the instant that a value says, NaN where it says none. */
function instantOf(value) {
  return typeof value === "string" ? Date.parse(value) : Number(value?.text ?? NaN);
}

/** Give the paths of some rows that have times. */
export function timePathsOf(rows) {
  const paths = new Set();
  for (const { leaves } of rows.slice(0, 20)) {
    for (const [path, [value]] of leaves) {
      const ms = instantOf(value);
      const isText = typeof value === "string" && /^\d{4}-\d\d-\d\d(?:T|$)/.test(value);
      if (
        Number.isFinite(ms) &&
        (isText || (ms > 978_307_200_000 && ms < 4_102_444_800_000 && looksLikeTime(path)))
      )
        paths.add(path);
    }
  }
  return [...paths].sort();
}
