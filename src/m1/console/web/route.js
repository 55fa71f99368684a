/** What is looked at stands in the address, behind the #: it can be linked and gone back to. */

export const LAST_UPDATED = "_m1.session.lastUpdated";

const DEFAULTS = {
  store: "",
  q: "*",
  sort: "",
  tab: "table",
  time: LAST_UPDATED,
  window: "1h",
  item: "",
};

/** Read an address's part behind the #. */
export function read(hash) {
  const said = new URLSearchParams(hash.replace(/^#/, ""));
  return Object.fromEntries(
    Object.entries(DEFAULTS).map(([name, usual]) => [name, said.get(name) || usual]),
  );
}

/** Write it; what is as usual is left out. */
export function write(view) {
  const said = Object.entries(view).filter(
    ([name, value]) => value !== DEFAULTS[name] && value !== "",
  );
  return "#" + new URLSearchParams(said);
}

/** Read the first key of an order: [path, "asc" or "desc"], or null. */
export function sortOf(text) {
  const found = /^((?:[^,\s\\]|\\[^])+) (asc|desc)$/.exec(text);
  return found && [found[1].replace(/\\([^])/g, "$1"), found[2]];
}

/** Write an order by a path. */
export const sortText = (path, direction) => `${path.replace(/[\\,\s]/g, "\\$&")} ${direction}`;

/** The store that is looked at, or null; one that may not be listed has the usual key. */
export function storeOf({ view, stores }) {
  if (view.store === "") return null;
  return stores.find((each) => each.name === view.store) ?? { name: view.store, key: "session.id" };
}
