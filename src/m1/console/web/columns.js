/** Which columns a store is shown in: those that were picked, or a first choice. */

import { button, h } from "./dom.js";
import { open } from "./dialog.js";
import { leafPaths } from "./paths.js";
import { LAST_UPDATED } from "./route.js";
import { looksLikeTime } from "./time.js";

const FIRST_CHOICE = 8;
const ROWS_OF_PATHS = 500;
const SAMPLE = 20;
const SHORT = 40;

/** Choose columns by the first items: the key, the last change, and short values but no times. */
export function firstChoice(key, rows) {
  const seen = new Map();
  for (const { leaves } of rows.slice(0, SAMPLE)) {
    for (const [path, values] of leaves) {
      const isKnown = path === key || path.startsWith("_m1.") || looksLikeTime(path);
      const isShort = values.length === 1 && String(values[0]).length <= SHORT;
      if (isShort && !isKnown) seen.set(path, (seen.get(path) ?? 0) + 1);
    }
  }
  const common = [...seen].sort((a, b) => b[1] - a[1]).map(([path]) => path);
  return [key, LAST_UPDATED, ...common.slice(0, FIRST_CHOICE - 2)];
}

/** Let columns be picked and ordered; `onPick` gets each change, null for the first choice. */
export async function pickColumns(app, { store, key, columns, onPick }) {
  let chosen = columns;
  const filter = h("input", {
    type: "search",
    placeholder: "Find a path",
    "aria-label": "Find a path",
  });
  const list = h("ul", { class: "picks", "aria-label": "Columns" });
  const { facets } = await app.server.facets({ store, q: "*", rows: ROWS_OF_PATHS });
  const stored = leafPaths(facets).map(({ value }) => value);

  const change = (next) => {
    chosen = next;
    onPick(next);
    draw();
  };
  const toggle = (path) =>
    change(chosen.includes(path) ? chosen.filter((each) => each !== path) : [...chosen, path]);
  const move = (path, by) => {
    const others = chosen.filter((each) => each !== path);
    others.splice(Math.max(chosen.indexOf(path) + by, 0), 0, path);
    change(others);
    list.querySelector(`[data-move="${by}"][data-at="${others.indexOf(path)}"]`)?.focus();
  };

  function pick(path) {
    const at = chosen.indexOf(path);
    const box = h("input", {
      type: "checkbox",
      checked: at >= 0,
      disabled: path === key,
      onchange: () => toggle(path),
    });
    const mover = (by, mark, said) =>
      button(mark, () => move(path, by), {
        class: "quiet icon",
        "aria-label": `Move ${path} ${said}`,
        "data-move": by,
        "data-at": at,
      });
    return h(
      "li",
      {},
      h("label", {}, box, h("span", {}, path)),
      at >= 0 && [mover(-1, "↑", "up"), mover(1, "↓", "down")],
    );
  }

  function draw() {
    const others = stored.filter((path) => !chosen.includes(path));
    const shown = [...chosen, ...others].filter((path) => path.includes(filter.value));
    list.replaceChildren(...shown.map(pick));
    if (shown.length === 0)
      list.append(h("li", { class: "muted" }, "No path has this in its name."));
  }

  filter.addEventListener("input", draw);
  draw();
  const again = button("Back to the first choice", () => {
    onPick(null);
    close();
  });
  const close = open("Columns", h("div", { class: "stack" }, filter, list, again));
}
