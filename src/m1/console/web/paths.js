/** Dotted paths into an item: arrays add nothing, and a key with a dot is the same as nesting. */

import { textOf } from "./json.js";

/** All values of an item by their paths: Map of path -> values, maps and lists left out. */
export function leavesOf(item) {
  const leaves = new Map();
  collect(item, "", leaves);
  return leaves;
}

function collect(value, path, leaves) {
  if (Array.isArray(value)) {
    for (const each of value) collect(each, path, leaves);
  } else if (value instanceof Map) {
    for (const [key, each] of value) collect(each, under(path, key), leaves);
  } else if (value !== null) {
    if (!leaves.has(path)) leaves.set(path, []);
    leaves.get(path).push(value);
  }
}

/** Of paths with their counts, leave out those that others lie below; what we add comes last. */
export function leafPaths(facets) {
  const inner = new Set();
  for (const { value } of facets) {
    for (let dot = value.indexOf("."); dot >= 0; dot = value.indexOf(".", dot + 1))
      inner.add(value.slice(0, dot));
  }
  const leaves = facets.filter(({ value }) => !inner.has(value));
  const isOurs = ({ value }) => value.startsWith("_m1.");
  return [...leaves.filter((facet) => !isOurs(facet)), ...leaves.filter(isOurs)];
}

export const under = (path, key) => (path === "" ? key : `${path}.${key}`);

/** The identity of an item: the text at the key of its store, "" where there is none. */
export function identity(item, key) {
  const [value] = leavesOf(item).get(key) ?? [];
  return value === undefined ? "" : textOf(value);
}

/** The value itself at a path, as the item brings it; undefined where there is none. */
export const valueAt = (item, path) => leavesOf(item).get(path)?.[0];

/** Take out what lies at a path of keys; maps that are left empty go too. */
export function without(item, keys) {
  const [key, ...rest] = keys;
  if (!(item instanceof Map) || !item.has(key)) return item;
  const copy = new Map(item);
  if (rest.length === 0) copy.delete(key);
  else copy.set(key, without(copy.get(key), rest));
  if (copy.get(key) instanceof Map && copy.get(key).size === 0) copy.delete(key);
  return copy;
}
