/** Store administration: add, rename, key, drop. */

import { button, field, h } from "./dom.js";
import { open } from "./dialog.js";

const NAME = {
  required: true,
  pattern: "[A-Za-z0-9_\\-]{1,64}",
  title: "1 to 64 letters, digits, _ and -",
  spellcheck: "false",
  autocomplete: "off",
};

export function addStore(app) {
  const name = h("input", { name: "name", ...NAME });
  const key = h("input", { name: "key", placeholder: "session.id", spellcheck: "false" });
  const shards = h("input", { type: "number", min: "1", value: "1" });
  const replicas = h("input", { type: "number", min: "1", value: "1" });
  const body = h(
    "div",
    { class: "stack" },
    field("Name", name),
    field(
      "Key",
      key,
      "The path whose value tells one session from another; session.id where nothing stands here.",
    ),
    h("div", { class: "row" }, field("Shards", shards), field("Replicas", replicas)),
  );
  const add = async () => {
    const store = name.value.trim();
    const parameters = { store, shards: shards.value, replicas: replicas.value };
    await app.server.post("session/add", { ...parameters, ...(key.value && { key: key.value }) });
    await app.loadStores();
    app.goToStore(store);
    app.say(`The store ${store} was added.`);
  };
  open("Add a store", body, [["Add", add]]);
}

/** Let one of a store's properties be changed, or the store be dropped. */
export function changeStore(app, store) {
  const choose = (run) => () => {
    close();
    run(app, store);
  };
  const body = h(
    "div",
    { class: "stack" },
    h(
      "dl",
      { class: "facts" },
      ["key", "shards", "replicas"].map((name) =>
        h("div", {}, h("dt", {}, name), h("dd", {}, String(store[name]))),
      ),
    ),
    button("Rename…", choose(rename)),
    button("Change the key…", choose(rekey)),
    button("Drop…", choose(drop), { class: "danger" }),
  );
  const close = open(`Store ${store.name}`, body);
}

function rename(app, store) {
  const name = h("input", { ...NAME, value: store.name });
  const run = async () => {
    await app.server.post("session/rename", { store: store.name, name: name.value });
    await app.loadStores();
    if (app.state.get().view.store === store.name) app.go({ store: name.value });
    app.say(`${store.name} is called ${name.value} now.`);
  };
  open(`Rename ${store.name}`, field("New name", name), [["Rename", run]]);
  name.select();
}

function rekey(app, store) {
  const key = h("input", { required: true, value: store.key, spellcheck: "false" });
  const run = async () => {
    await app.server.post("session/key", { store: store.name, key: key.value });
    await app.loadStores();
    app.run({});
    app.say(`The key of ${store.name} is ${key.value} now.`);
  };
  const hint =
    "Every item that is stored needs a value there, each its own. Updates wait while it changes.";
  open(`Key of ${store.name}`, field("Key", key, hint), [["Change the key", run]]);
}

function drop(app, store) {
  const name = h("input", { required: true, autocomplete: "off", spellcheck: "false" });
  const run = async () => {
    if (name.value !== store.name)
      throw new Error("The name is not the same: nothing was dropped.");
    await app.server.post("session/drop", { store: store.name });
    await app.loadStores();
    if (app.state.get().view.store === store.name)
      app.goToStore(app.state.get().stores[0]?.name ?? "");
    app.say(`The store ${store.name} was dropped.`);
  };
  const body = h(
    "div",
    { class: "stack" },
    h(
      "p",
      {},
      "This removes the store and every item in it for good. There is no way back but a backup.",
    ),
    field(`Type ${store.name} to drop it`, name),
  );
  open(`Drop ${store.name}?`, body, [["Drop", run, "danger"]]);
}
