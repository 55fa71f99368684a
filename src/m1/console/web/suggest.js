/** What can stand at a place of a query: stored paths and values, and what was run before. */

import { isAll, pathText, placeAt, valueText } from "./query.js";
import { Refusal } from "./server.js";

const ROWS = 10;

/** Give {from, to, options: [{label, insert, count}]} for a place, null where there is nothing. */
export async function suggestions(app, text, caret, isAsked, signal) {
  if (isAll(text) && isAsked) return queriesBefore(app, text);
  const place = placeAt(text, caret);
  if (place === null || (place.path === null && place.prefix === "" && !isAsked)) return null;
  const { facets } = await asked(app, place, signal);
  const after = text[place.to] === ":" ? "" : ":";
  const options = facets.map(({ value, count }) => {
    const insert = place.path === null ? pathText(value) + after : valueText(value);
    return { label: value, insert, count };
  });
  const isOnlyItself =
    options.length === 1 && options[0].insert === text.slice(place.from, place.to);
  return options.length === 0 || isOnlyItself ? null : { ...place, options };
}

/** Give the queries that were run, each in place of the whole text. */
export function queriesBefore(app, text) {
  const options = app.memory
    .queries()
    .slice(0, ROWS)
    .map((q) => ({ label: q, insert: q, isQuery: true }));
  return options.length === 0 ? null : { path: null, from: 0, to: text.length, options };
}

async function asked(app, { path, prefix }, signal) {
  const { store } = app.state.get().view;
  try {
    return await app.server.facets(
      { store, prefix, rows: ROWS, ...(path !== null && { path }) },
      signal,
    );
  } catch (error) {
    if (error instanceof Refusal) return { facets: [] }; // to run it will tell
    throw error;
  }
}
