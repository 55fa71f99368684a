/** Where it was: the points of `_m1.geo` on an outline of the world, sized by how many they are. */

import { button, h, sentence, svg } from "./dom.js";
import { showValues } from "./facets.js";
import { isGivenUp } from "./server.js";
import { number } from "./time.js";
import { LAND } from "./world.js";

const POSITION = "_m1.geo.position";
const MOST_POINTS = 1000;
const WHOLE = [-186, -85, 372, 150]; // with room for the points at its edges
const CLOSEST = 8;

export class WorldMap {
  constructor(app) {
    this.app = app;
    this.box = WHOLE;
    this.points = svg("g", {});
    this.map = svg(
      "svg",
      { class: "map", role: "img", "aria-label": "Map of the items" },
      svg("path", { class: "grid", d: grid() }),
      svg("path", { class: "land", d: LAND }),
      this.points,
    );
    this.hint = h(
      "p",
      { class: "muted" },
      "A click on a point narrows the query to it. Shift and the wheel look closer.",
    );
    this.places = h("div", { class: "places" });
    this.empty = h(
      "p",
      { class: "empty", hidden: true },
      "No item that was found has a position. A server with --geo FILE adds one to each item.",
    );
    this.element = h(
      "section",
      { class: "where", "aria-label": "Map" },
      h(
        "div",
        { class: "stack" },
        h("div", { class: "map-box" }, this.map, this.#zoomButtons()),
        this.hint,
        this.empty,
      ),
      this.places,
    );
    this.#listen();
    this.#look(WHOLE);
    app.state.watch(
      (state) => [state.found, state.view.tab],
      (state) => state.view.tab === "map" && this.load(state.found),
    );
  }

  #zoomButtons() {
    return h(
      "div",
      { class: "zoom" },
      button("+", () => this.#zoom(0.5), { "aria-label": "Closer" }),
      button("−", () => this.#zoom(2), { "aria-label": "Farther" }),
      button("⤢", () => this.#look(WHOLE), { "aria-label": "The whole world" }),
    );
  }

  async load(found) {
    if (found === null) return;
    this.asked?.abort();
    this.asked = new AbortController();
    try {
      const parameters = { store: found.store, q: found.q, path: POSITION, rows: MOST_POINTS };
      const { facets } = await this.app.server.facets(parameters, this.asked.signal);
      this.found = facets
        .map(({ value, count }) => ({ value, count, at: value.split(",").map(Number) }))
        .filter(({ at }) => at.every(Number.isFinite));
      this.empty.hidden = this.found.length > 0;
      this.hint.hidden = this.found.length === 0;
      this.#draw();
      this.#list(found);
    } catch (error) {
      if (isGivenUp(error)) return;
      this.empty.textContent = sentence(error.message);
      this.empty.hidden = false;
    }
  }

  /** Beside the map, the same by name: for those who do not see it, or do not aim well. */
  #list(found) {
    if (this.found.length === 0) return this.places.replaceChildren();
    const lists = [
      ["Countries", "country_name"],
      ["Cities", "city_name"],
    ].map(([title, name]) => {
      const values = h("div", { class: "values" });
      showValues(this.app, values, found, `_m1.geo.${name}`);
      return h("section", {}, h("h3", {}, title), values);
    });
    return this.places.replaceChildren(...lists);
  }

  #draw() {
    if (this.found === undefined) return;
    const most = Math.max(...this.found.map((point) => point.count), 1);
    const unit = this.box[2] / 360;
    this.points.replaceChildren(
      ...this.found.map(({ value, count, at: [latitude, longitude] }) =>
        svg(
          "circle",
          {
            class: "point",
            cx: longitude,
            cy: -latitude,
            r: (1 + 5 * Math.sqrt(count / most)) * unit,
            "stroke-width": 0.3 * unit,
            onclick: () => this.wasMoved || this.app.narrow(POSITION, value),
          },
          svg("title", {}, `${value}: ${number(count)}`),
        ),
      ),
    );
  }

  // --- looking closer ---

  #look(box) {
    this.box = box;
    this.map.setAttribute("viewBox", box.join(" "));
    this.#draw();
  }

  #zoom(by, [x, y] = [0.5, 0.5]) {
    const wide = Math.min(this.box[2] * by, WHOLE[2]);
    if (wide < WHOLE[2] / 2 ** CLOSEST) return;
    const high = (wide * WHOLE[3]) / WHOLE[2];
    const [left, top] = [
      this.box[0] + (this.box[2] - wide) * x,
      this.box[1] + (this.box[3] - high) * y,
    ];
    this.#look(wide === WHOLE[2] ? WHOLE : [left, top, wide, high]);
  }

  #listen() {
    const inside = (event) => {
      const { left, top, width, height } = this.map.getBoundingClientRect();
      return [(event.clientX - left) / width, (event.clientY - top) / height];
    };
    this.map.addEventListener("dblclick", (event) => this.#zoom(0.5, inside(event)));
    this.map.addEventListener(
      "wheel",
      (event) => {
        if (!event.ctrlKey && !event.shiftKey) return; // so that the page scrolls
        event.preventDefault();
        this.#zoom(event.deltaY + event.deltaX < 0 ? 0.8 : 1.25, inside(event));
      },
      { passive: false },
    );
    let last = null;
    this.map.addEventListener("pointerdown", (event) => {
      last = inside(event);
      this.wasMoved = false;
    });
    this.map.addEventListener("pointermove", (event) => {
      if (last === null || event.buttons === 0 || this.box === WHOLE) return;
      const next = inside(event);
      if (Math.hypot(next[0] - last[0], next[1] - last[1]) < 0.005) return;
      this.wasMoved = true;
      this.#look([
        this.box[0] + (last[0] - next[0]) * this.box[2],
        this.box[1] + (last[1] - next[1]) * this.box[3],
        this.box[2],
        this.box[3],
      ]);
      last = next;
    });
    this.map.addEventListener("pointerup", () => (last = null));
  }
}

/** Lines of longitude and latitude, every 30 degrees. */
function grid() {
  const lines = [];
  for (let longitude = -180; longitude <= 180; longitude += 30) lines.push(`M${longitude} -90V90`);
  for (let latitude = -60; latitude <= 60; latitude += 30) lines.push(`M-180 ${latitude}H180`);
  return lines.join("");
}
