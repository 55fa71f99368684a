/** One item as a tree, by keyboard as the field has it: arrows move, open and close. */

import { h, style } from "./dom.js";
import { Num, textOf } from "./json.js";
import { under } from "./paths.js";
import { instant, isTime } from "./time.js";

const OPEN_LEVELS = 3;
const MOST_CHILDREN = 200;

/**
 * Make the tree of an item; `onSelect({path, value})` is called for the node that is moved to.
 * `kept` is {open, chosen}: what somebody opened and chose in the tree of before.
 */
export function treeOf(item, kept, onSelect) {
  const nodes = new WeakMap();
  const root = h("ul", { role: "tree", class: "tree", "aria-label": "Values of the item" });
  root.append(...children(item, "", "", 1));
  root.addEventListener("click", (event) => clicked(event));
  root.addEventListener("keydown", (event) => pressed(event));
  const all = [...root.querySelectorAll("[role=treeitem]")];
  const first = all.find((each) => nodes.get(each).place === kept.chosen) ?? all[0];
  if (first !== undefined) select(first, false);
  return root;

  function children(value, path, place, level) {
    const isList = Array.isArray(value);
    const entries = isList ? value.map((each, i) => [String(i), each]) : [...value];
    const made = entries
      .slice(0, MOST_CHILDREN)
      .map(([key, each]) =>
        node(key, each, isList ? path : under(path, key), `${place}\0${key}`, level),
      );
    const left = entries.length - made.length;
    return left > 0
      ? [...made, h("li", { role: "none", class: "muted" }, `and ${left} more`)]
      : made;
  }

  function node(key, value, path, place, level) {
    const isInner = value instanceof Map || Array.isArray(value);
    const line = h(
      "div",
      { class: "line" },
      h("span", { class: "key" }, key),
      isInner ? summary(value) : leaf(value, path),
    );
    style(line, { "--level": String(level - 1) });
    const element = h(
      "li",
      { role: "treeitem", "aria-level": level, tabindex: "-1", "aria-selected": "false" },
      line,
    );
    nodes.set(element, { path, value, place });
    if (isInner) {
      const isShown = kept.open.get(place) ?? level < OPEN_LEVELS;
      element.setAttribute("aria-expanded", String(isShown));
      element.append(
        h("ul", { role: "group", hidden: !isShown }, children(value, path, place, level + 1)),
      );
    }
    return element;
  }

  function select(element, isFocused = true) {
    for (const each of root.querySelectorAll('[aria-selected="true"]')) {
      each.setAttribute("aria-selected", "false");
      each.tabIndex = -1;
    }
    element.setAttribute("aria-selected", "true");
    element.tabIndex = 0;
    if (isFocused) element.focus();
    kept.chosen = nodes.get(element).place;
    onSelect(nodes.get(element));
  }

  function expand(element, isOpen) {
    if (!element.hasAttribute("aria-expanded")) return;
    kept.open.set(nodes.get(element).place, isOpen);
    element.setAttribute("aria-expanded", String(isOpen));
    element.querySelector("[role=group]").hidden = !isOpen;
  }

  function clicked(event) {
    const element = event.target.closest("[role=treeitem]");
    if (element === null) return;
    if (getSelection().isCollapsed) expand(element, !isOpen(element));
    select(element);
  }

  function pressed(event) {
    const element = event.target.closest("[role=treeitem]");
    if (element === null || event.ctrlKey || event.metaKey || event.altKey) return;
    const shown = [...root.querySelectorAll("[role=treeitem]")].filter(
      (each) => each.offsetParent !== null,
    );
    const at = shown.indexOf(element);
    const parent = element.parentElement.closest("[role=treeitem]");
    const moves = {
      ArrowDown: () => shown[at + 1],
      ArrowUp: () => shown[at - 1],
      Home: () => shown[0],
      End: () => shown.at(-1),
      ArrowRight: () => (isOpen(element) ? shown[at + 1] : expand(element, true)),
      ArrowLeft: () => (isOpen(element) ? expand(element, false) : parent),
      Enter: () => expand(element, !isOpen(element)),
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    event.stopPropagation();
    const next = moves[event.key]();
    if (next) select(next);
  }
}

const isOpen = (element) => element.getAttribute("aria-expanded") === "true";

function summary(value) {
  const [count, what] = value instanceof Map ? [value.size, "key"] : [value.length, "element"];
  return h("span", { class: "muted" }, `${count} ${what}${count === 1 ? "" : "s"}`);
}

function leaf(value, path) {
  if (value === null) return h("span", { class: "value none" }, "null");
  const text = value instanceof Num ? value.text : textOf(value);
  const kind = value instanceof Num ? "number" : typeof value === "boolean" ? "boolean" : "text";
  const time =
    kind === "number" &&
    isTime(path, Number(text)) &&
    h("span", { class: "muted" }, ` ${instant(Number(text))}`);
  return h("span", { class: `value ${kind}` }, text === "" ? '""' : text, time);
}
