/**
 * JSON as it is: maps keep their order, numbers their digits.
 *
 *   map -> Map, list -> Array, number -> Num, text, true, false, null as in JavaScript
 *
 * JSON.parse would make 9007199254740993 another number, which saving an item would then write.
 */

// oxlint-disable-next-line no-control-regex -- JSON allows none within a text
const TEXT = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/;
const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?(?![\w.])/;
const WORD = /(?:true|false|null)(?!\w)/;
const TOKEN = new RegExp(
  `[ \\t\\n\\r]*(?:([{}[\\]:,])|(${TEXT.source})|(${NUMBER.source})|(${WORD.source}))`,
  "y",
);
const MAX_LEVELS = 200;

/** A number, by its digits. */
export class Num {
  constructor(text) {
    this.text = text;
  }
  toString() {
    return this.text;
  }
}

/** A text that is not JSON; `at` is the offending character, from 0. */
export class NotJson extends Error {
  constructor(message, at) {
    super(message);
    this.at = at;
  }
}

/** Read a text; throws NotJson. */
export function parse(text) {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

class Reader {
  constructor(text) {
    this.text = text;
    this.at = 0;
  }

  /** Read a token: [all, mark, text, number, word]. */
  next() {
    TOKEN.lastIndex = this.at;
    const token = TOKEN.exec(this.text);
    if (token === null) throw this.problem();
    this.start = TOKEN.lastIndex - token[0].trimStart().length;
    this.at = TOKEN.lastIndex;
    return token;
  }

  problem() {
    const rest = this.text.slice(this.at);
    const at = this.at + rest.length - rest.trimStart().length;
    if (at >= this.text.length) return new NotJson("the text ends too early", at);
    const said = {
      '"': "this text is not closed, or has a bad escape",
      "'": 'texts stand in double quotes (")',
    };
    return new NotJson(said[this.text[at]] ?? "a value was expected here", at);
  }

  end() {
    const rest = this.text.slice(this.at);
    if (rest.trim() !== "")
      throw new NotJson(
        "there is more behind the end",
        this.at + rest.length - rest.trimStart().length,
      );
  }

  value(level) {
    if (level > MAX_LEVELS) throw new NotJson(`there are more than ${MAX_LEVELS} levels`, this.at);
    return this.valueOf(this.next(), level);
  }

  valueOf([, mark, string, number, word], level) {
    if (string !== undefined) return JSON.parse(string);
    if (number !== undefined) return new Num(number);
    if (word !== undefined) return word === "null" ? null : word === "true";
    if (mark === "{") return this.map(level);
    if (mark === "[") return this.list(level);
    throw new NotJson(`a value was expected, not ${mark}`, this.start);
  }

  map(level) {
    const map = new Map();
    let [, mark, key] = this.next();
    if (mark === "}") return map;
    for (;;) {
      if (key === undefined) throw new NotJson("a key in quotes was expected", this.start);
      const name = JSON.parse(key);
      if (map.has(name)) throw new NotJson(`the key ${key} is there twice`, this.start);
      this.expect(":");
      map.set(name, this.value(level + 1));
      if (this.expect(",", "}") === "}") return map;
      [, mark, key] = this.next();
    }
  }

  list(level) {
    const list = [];
    let token = this.next();
    if (token[1] === "]") return list;
    for (;;) {
      list.push(this.valueOf(token, level + 1));
      if (this.expect(",", "]") === "]") return list;
      token = this.next();
    }
  }

  expect(...marks) {
    const [, mark] = this.next();
    if (!marks.includes(mark))
      throw new NotJson(`${marks.join(" or ")} was expected here`, this.start);
    return mark;
  }
}

/** Write a value: on one line, or with `indent` blanks a level. */
export function format(value, indent = 0, level = 0) {
  if (value instanceof Num) return value.text;
  if (!(value instanceof Map) && !Array.isArray(value)) return JSON.stringify(value);
  const isMap = value instanceof Map;
  const parts = isMap
    ? [...value].map(([key, each]) => `${JSON.stringify(key)}: ${format(each, indent, level + 1)}`)
    : value.map((each) => format(each, indent, level + 1));
  const [open, close] = isMap ? "{}" : "[]";
  if (parts.length === 0) return open + close;
  if (!indent) return open + parts.join(", ") + close;
  const line = "\n" + " ".repeat(indent * (level + 1));
  return open + line + parts.join("," + line) + "\n" + " ".repeat(indent * level) + close;
}

/** The text that a value is found by, null where it is a map, a list or null. */
export function textOf(value) {
  if (typeof value === "string") return value;
  if (typeof value === "boolean") return String(value);
  return value instanceof Num ? canonical(value.text) : null;
}

/** A number's text: whole ones by their digits, others as JavaScript writes a double. */
function canonical(text) {
  if (/^-?\d+$/.test(text)) return text === "-0" ? "0" : text;
  return String(Number(text));
}
