/** Keys: everything that the console does can be done without a mouse. */

import { open } from "./dialog.js";
import { byId, h } from "./dom.js";

const HELP = [
  ["/", "write a query"],
  ["Enter", "run it, or open the item"],
  ["↑ ↓  Tab", "choose and take what is offered"],
  ["r", "go to the results: ↑ ↓, Page, Home, End"],
  ["f", "find a path"],
  ["h", "queries that were run"],
  ["m", "table or map"],
  ["l", "live on or off"],
  ["n", "new item"],
  ["e", "edit the item that is open"],
  ["+  −  c", "in the tree: only this value, exclude it, copy its path"],
  ["Esc", "close what is open"],
  ["?", "these keys"],
];

export function showKeys() {
  const rows = HELP.map(([key, what]) =>
    h("div", {}, h("dt", {}, h("kbd", {}, key)), h("dd", {}, what)),
  );
  open("Keys", h("dl", { class: "facts keys" }, rows));
}

/** Listen for keys wherever nothing is being written. */
export function listen(app, { query, results, edit }) {
  const { state } = app;
  const acts = {
    "/": () => query.focus(),
    r: () => results.focus(),
    f: () => {
      app.showSide(true);
      byId("paths").focus();
    },
    h: () => query.showHistory(),
    m: () => app.go({ tab: state.get().view.tab === "map" ? "table" : "map" }),
    l: () => state.set({ live: !state.get().live }),
    n: () => state.get().rights.update && edit(null),
    e: () => byId("edit")?.click(),
    "?": showKeys,
    Escape: () => app.showSide(false) || (state.get().view.item && app.go({ item: "" })),
  };
  document.addEventListener("keydown", (event) => {
    const isWriting = event.target.matches("input:not([type=checkbox]), textarea, select");
    if (
      event.ctrlKey ||
      event.metaKey ||
      event.altKey ||
      document.querySelector("dialog[open]") ||
      byId("work").hidden
    )
      return;
    if (isWriting && event.key === "Escape") return event.target.blur();
    if (isWriting || !(event.key in acts)) return;
    event.preventDefault();
    acts[event.key]();
  });
}
