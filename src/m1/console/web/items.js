/** Single items, read from the server. */

import { identity } from "./paths.js";
import { equals } from "./query.js";

/** Find an item by its identity, null where there is none. */
export async function itemOf(app, store, id, signal) {
  const { items } = await app.server.query(
    { store: store.name, q: equals(store.key, id), rows: 5 },
    signal,
  );
  let found = null;
  for await (const batch of items)
    found ??= batch.find((item) => identity(item, store.key) === id) ?? null;
  return found;
}
