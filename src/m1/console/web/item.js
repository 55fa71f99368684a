/** One item beside the results: as a tree whose values narrow the query, or as JSON. */

import { button, byId, h, sentence } from "./dom.js";
import { open } from "./dialog.js";
import { editItem } from "./editor.js";
import { itemOf } from "./items.js";
import { format, textOf } from "./json.js";
import { valueAt } from "./paths.js";
import { storeOf } from "./route.js";
import { treeOf } from "./tree.js";

/** Keep the panel in step with the item that is chosen. */
export function showItem(app) {
  const panel = byId("item");
  let asked = new AbortController();
  let shown = null;
  let kept = null;
  let asJson = false;

  app.state.watch(
    (state) => [state.view.item, state.view.store, state.stores, state.rights, state.run],
    load,
  );
  app.state.watch(
    (state) => [state.tick],
    ({ tick }) => tick > 0 && load(),
  );

  async function load() {
    asked.abort();
    asked = new AbortController();
    const { view, rights } = app.state.get();
    const store = storeOf(app.state.get());
    panel.hidden = view.item === "";
    byId("work").classList.toggle("with-item", view.item !== "");
    if (view.item === "" || store === null || !rights?.query) {
      shown = null;
      return panel.replaceChildren();
    }
    try {
      const item = await itemOf(app, store, view.item, asked.signal);
      draw(store, view.item, item);
    } catch (error) {
      if (error.name !== "AbortError")
        panel.replaceChildren(
          head(view.item),
          h("p", { class: "problem" }, sentence(error.message)),
        );
    }
    return null;
  }

  function draw(store, id, item) {
    const text = item === null ? "" : format(item, 2);
    const name = `${store.name}\0${id}`;
    if (shown?.name === name && shown.text === text) return;
    const had = panel.contains(document.activeElement);
    const isOther = shown?.name !== name;
    shown = { name, text };
    if (isOther) kept = { open: new Map(), chosen: null };
    const body =
      item === null
        ? h("p", { class: "empty" }, "There is no such item any more.")
        : content(item, text);
    panel.replaceChildren(head(id), item === null ? "" : actions(store, id, item, text), body);
    if (isOther || had)
      (panel.querySelector("[role=treeitem][tabindex='0']") ?? panel.querySelector("button")).focus(
        { preventScroll: true },
      );
  }

  function head(id) {
    return h(
      "header",
      {},
      h("h2", { title: id }, id),
      button("✕", () => app.go({ item: "" }), {
        class: "quiet icon",
        "aria-label": "Close the item",
        title: "Close (Esc)",
      }),
    );
  }

  function actions(store, id, item, text) {
    const { rights } = app.state.get();
    const flip = () => {
      asJson = !asJson;
      shown = { ...shown, text: null };
      draw(store, id, item);
      byId("flip").focus();
    };
    return h(
      "div",
      { class: "row actions" },
      rights.update && button("Edit", () => editItem(app, item), { title: "Edit (e)", id: "edit" }),
      rights.update &&
        button("Delete", () => askToDelete(app, store, id, valueAt(item, store.key)), {
          class: "danger",
        }),
      h("span", { class: "gap" }),
      button(asJson ? "Tree" : "JSON", flip, { id: "flip" }),
      button("Copy", () => copy(app, text, "The item")),
    );
  }

  function content(item, text) {
    if (asJson)
      return h("pre", { class: "json", tabindex: "0", "aria-label": "Item as JSON" }, text);
    const chosen = h("div", {
      class: "chosen",
      role: "group",
      "aria-label": "The value that is chosen",
    });
    const tree = treeOf(item, kept, (node) => chosen.replaceChildren(...chosenValue(app, node)));
    tree.addEventListener("keydown", (event) => {
      const name = { "+": "only", "=": "only", "-": "not", c: "copy" }[event.key];
      if (name && !event.ctrlKey && !event.metaKey)
        chosen.querySelector(`[data-act=${name}]`)?.click();
    });
    return h("div", { class: "content" }, tree, chosen);
  }
}

function chosenValue(app, { path, value }) {
  const text = textOf(value);
  const isColumn = app.state.get().isColumn(path);
  return [
    h("code", { title: path }, path),
    h(
      "div",
      { class: "row" },
      text !== null &&
        button("Only this", () => app.narrow(path, text), {
          "data-act": "only",
          title: "Only items with this value (+)",
        }),
      text !== null &&
        button("Exclude", () => app.exclude(path, text), {
          "data-act": "not",
          title: "Only items without it (-)",
        }),
      button("Copy path", () => copy(app, path, "The path"), {
        "data-act": "copy",
        title: "Copy the path (c)",
      }),
      text !== null &&
        isColumn !== null &&
        button(isColumn ? "Hide column" : "Column", () => app.toggleColumn(path)),
    ),
  ];
}

function askToDelete(app, store, id, key) {
  const remove = async () => {
    await app.server.post("session/update", {
      store: store.name,
      ops: `[{"delete": [${format(key)}]}]`,
    });
    app.run({ item: "" });
    app.say(`${id} was deleted.`);
  };
  open(`Delete ${id}?`, h("p", {}, `It is removed from the store ${store.name} for good.`), [
    ["Delete", remove, "danger"],
  ]);
}

async function copy(app, text, what) {
  try {
    await navigator.clipboard.writeText(text);
    app.say(`${what} was copied.`);
  } catch {
    app.say("The browser lets nothing be copied here: select the text instead.");
  }
}
