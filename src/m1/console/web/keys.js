/** Help, and keys: everything that the console does can be done without a mouse. */

import { open } from "./dialog.js";
import { byId, h } from "./dom.js";

const QUERIES = [
  ["user.name:Ada", "a value at a path; of a list any of its values"],
  ['user.name:"Ada Lovelace"', "a value with spaces or signs in it"],
  ["cart.sku:tea*", "a beginning; * anywhere, ? for one character"],
  ["cart.qty:>1", "a number; from 1 to 5 is cart.qty:[1 TO 5]"],
  ["seen:[NOW-5MINUTES TO *]", "a time; or 2026-11-26, or one in epoch ms"],
  ["NOT user.name:*", "there is nothing at the path"],
  ["page:(cart OR pay) AND NOT plan:pro", "conditions together"],
];
const KEYS = [
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
  ["?", "this help"],
];

export function showHelp() {
  const list = (tag, said) =>
    said.map(([term, what]) => h("div", {}, h("dt", {}, h(tag, {}, term)), h("dd", {}, what)));
  open(
    "Help",
    h(
      "div",
      { class: "stack" },
      h("h3", {}, "Queries"),
      h("dl", { class: "facts queries" }, list("code", QUERIES)),
      h("h3", {}, "Keys"),
      h("dl", { class: "facts keys" }, list("kbd", KEYS)),
    ),
    [],
    { class: "wide" },
  );
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
    "?": showHelp,
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
