/** Writing an item as JSON: checked as it is typed, and saved whole. */

import { debounced, h } from "./dom.js";
import { open } from "./dialog.js";
import { itemOf } from "./items.js";
import { format, NotJson, parse, textOf } from "./json.js";
import { identity, leavesOf, valueAt, without } from "./paths.js";
import { LAST_UPDATED, storeOf } from "./route.js";

/** Edit an item, or write a new one where it is null. */
export function editItem(app, item) {
  const store = storeOf(app.state.get());
  const id = item === null ? null : identity(item, store.key);
  const begun = item === null ? null : lastUpdated(item);
  const text = h("textarea", {
    class: "json",
    rows: "18",
    spellcheck: "false",
    "aria-label": "The item as JSON",
    "aria-describedby": "json-said",
  });
  text.value = format(
    item === null ? example(store.key) : without(item, LAST_UPDATED.split(".")),
    2,
  );
  const said = h("p", { id: "json-said", role: "status" });
  let overwrite = false;

  const look = () => {
    const { problem, note } = judged(text.value, store.key, id);
    said.className = problem ? "problem" : "muted";
    said.textContent = problem ?? note;
    text.toggleAttribute("aria-invalid", Boolean(problem));
    return problem;
  };

  async function save() {
    const problem = look();
    if (problem) throw new Error("This cannot be saved yet: see above.");
    const value = parse(text.value);
    const now = identity(value, store.key);
    if (id !== null && now === id && !overwrite) {
      const stored = await itemOf(app, store, id);
      if (stored === null || lastUpdated(stored) !== begun) {
        overwrite = true;
        throw new Error(
          "The item was changed by somebody else meanwhile. Save again to overwrite that.",
        );
      }
    }
    await app.server.post("session/update", {
      store: store.name,
      ops: `[{"upsert": [${text.value}]}]`,
    });
    app.run({ item: now });
    app.say(`${now} was saved.`);
  }

  text.addEventListener("input", debounced(look, 150));
  text.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) text.form.requestSubmit();
  });
  const whole = item === null ? "" : "The whole item is replaced. ";
  const hint = h("p", { class: "muted" }, `${whole}${LAST_UPDATED} is written by the server.`);
  open(
    item === null ? `New item in ${store.name}` : `Edit ${id}`,
    h("div", { class: "stack" }, hint, text, said),
    [["Save", save]],
    { class: "wide" },
  );
  text.focus();
  text.setSelectionRange(0, 0);
  text.scrollTop = 0;
  look();
}

/** Say what keeps a text from being an item of a store, or what saving it does. */
function judged(text, key, id) {
  let value;
  try {
    value = parse(text);
  } catch (error) {
    if (!(error instanceof NotJson)) throw error;
    return { problem: `Line ${lineOf(text, error.at)}: ${error.message}.` };
  }
  if (!(value instanceof Map)) return { problem: "An item is a map: { … }." };
  const keys = leavesOf(value).get(key) ?? [];
  const now = keys.length === 0 ? null : textOf(valueAt(value, key));
  if (!now) return { problem: `The item needs a text or a whole number at ${key}, its key.` };
  if (id === null)
    return { note: `Saving writes the item ${now}, in place of one of that name if there is one.` };
  if (now !== id)
    return { note: `The key is another one: saving writes the item ${now}, and ${id} stays.` };
  return { note: "This is JSON, and has its key." };
}

function lineOf(text, at) {
  const before = text.slice(0, at).split("\n");
  return `${before.length}, column ${before.at(-1).length + 1}`;
}

const lastUpdated = (item) => valueAt(item, LAST_UPDATED)?.text;

/** The least that an item needs: a value at its key. */
function example(key) {
  return key
    .split(".")
    .reduceRight((value, part) => new Map([[part, value]]), `new-${Date.now().toString(36)}`);
}
