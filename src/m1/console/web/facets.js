/** The paths of what was found, and at a click the values of one, which narrow the query. */

import { button, byId, debounced, h, sentence } from "./dom.js";
import { leafPaths } from "./paths.js";
import { isGivenUp } from "./server.js";
import { number } from "./time.js";

const MOST_PATHS = 300;
const VALUES = 10;

/** Show the paths in the side. */
export function showFacets(app) {
  const filter = h("input", {
    type: "search",
    id: "paths",
    placeholder: "Find a path",
    "aria-label": "Find a path",
  });
  const list = h("ul", { class: "facets", "aria-label": "Paths" });
  const opened = new Set();
  byId("side").append(
    h("section", { class: "grow" }, h("header", {}, h("h2", {}, "Paths")), filter, list),
  );
  let asked = new AbortController();

  async function load() {
    asked.abort();
    asked = new AbortController();
    const { found } = app.state.get();
    if (found === null) return list.replaceChildren();
    try {
      const { count, facets } = await app.server.facets(
        { store: found.store, q: found.q, prefix: filter.value, rows: MOST_PATHS },
        asked.signal,
      );
      draw(found, facets, count);
    } catch (error) {
      if (!isGivenUp(error))
        list.replaceChildren(h("li", { class: "problem" }, sentence(error.message)));
    }
    return null;
  }

  function draw(found, facets, count) {
    const focused = list.contains(document.activeElement)
      ? document.activeElement.dataset.path
      : null;
    list.replaceChildren(...leafPaths(facets).map((facet) => line(found, facet, count)));
    if (facets.length === 0)
      list.append(
        h(
          "li",
          { class: "muted" },
          filter.value ? "No path begins like this." : "Nothing was found.",
        ),
      );
    if (facets.length === MOST_PATHS)
      list.append(h("li", { class: "muted" }, `The first ${MOST_PATHS}: type to find others.`));
    if (focused) list.querySelector(`[data-path="${CSS.escape(focused)}"]`)?.focus();
  }

  function line(found, { value: path, count }, whole) {
    const values = h("div", { class: "values", hidden: true });
    const head = h(
      "button",
      {
        type: "button",
        class: "path",
        "data-path": path,
        "aria-expanded": "false",
        onclick: () => toggle(),
      },
      h("span", { class: "name" }, path),
      h("span", { class: "count" }, count === whole ? "all" : number(count)),
    );
    const show = (isOpen) => {
      head.setAttribute("aria-expanded", String(isOpen));
      values.hidden = !isOpen;
      if (isOpen) showValues(app, values, found, path);
    };
    const toggle = () => {
      const isOpen = !opened.has(path);
      if (isOpen) opened.add(path);
      else opened.delete(path);
      show(isOpen);
    };
    if (opened.has(path)) show(true);
    return h("li", {}, head, values);
  }

  filter.addEventListener("input", debounced(load, 120));
  app.state.watch((state) => [state.found], load);
}

/** Show the most frequent values of a path, each with what it narrows the query to. */
export async function showValues(app, place, found, path, rows = VALUES) {
  try {
    const { count, facets } = await app.server.facets({
      store: found.store,
      q: found.q,
      path,
      rows,
    });
    if (facets.length === 0) {
      place.replaceChildren(h("p", { class: "muted" }, "No value short enough to be found."));
      return;
    }
    const column = app.state.get().isColumn(path);
    place.replaceChildren(
      h(
        "ul",
        { "aria-label": `Values of ${path}` },
        facets.map((facet) => valueLine(app, path, facet, count)),
      ),
      column === null
        ? ""
        : button(column ? "Hide the column" : "Show as a column", () => app.toggleColumn(path), {
            class: "link",
          }),
    );
  } catch (error) {
    if (!isGivenUp(error))
      place.replaceChildren(h("p", { class: "problem" }, sentence(error.message)));
  }
}

function valueLine(app, path, { value, count }, whole) {
  const share = whole === 0 ? 0 : count / whole;
  const text = value === "" ? '""' : value;
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: "value",
        title: `Only ${path}: ${text}`,
        onclick: () => app.narrow(path, value),
        css: { "--share": `${100 * share}%` },
      },
      h("span", { class: "name" }, text),
      h("span", { class: "count" }, number(count)),
    ),
    button("−", () => app.exclude(path, value), {
      class: "quiet icon",
      "aria-label": `Exclude ${text}`,
      title: "Exclude",
    }),
  );
}
