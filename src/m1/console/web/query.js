/** The text of a query: what stands where in it, and how conditions join it. Pure. */

const SPACE = " \t\n\r\u3000";
const SPECIAL = /[ \t\n\r\u3000+\-!():^[\]"{}~*?\\/]/g;
const TAKEN = /^(?:AND|OR|NOT|&&|\|\||_query_|_val_)$|^[<>]/;
const PLAIN = /^[A-Za-z0-9_][A-Za-z0-9_.@,;=%-]*$/;
const ENDS_WORD = SPACE + '():^[]"{}~';
const AND = ["AND", "&&"];
const OR = ["OR", "||"];
const NOT = ["NOT"];

/** Write a path as it stands in a query. */
export function pathText(path) {
  const word = path.replace(SPECIAL, "\\$&");
  return TAKEN.test(path) ? "\\" + word : word;
}

/** Write a value: bare where nothing in it could mislead, else in quotes. */
export function valueText(value) {
  if (PLAIN.test(value) && !TAKEN.test(value) && value !== "TO") return value;
  return `"${value.replace(/[\\"]/g, "\\$&")}"`;
}

/** The condition that a path has a value. */
export const equals = (path, value) => `${pathText(path)}:${valueText(value)}`;

/** The condition that a path has a time in [low, high), in epoch ms. */
export const during = (path, low, high) => `${pathText(path)}:[${iso(low)} TO ${iso(high)}}`;

const iso = (ms) => new Date(ms).toISOString();

/** Whether a query finds everything. */
export const isAll = (q) => ["", "*", "*:*"].includes(q.trim());

/**
 * Cut a text into tokens: {kind, start, end}, which kinds are
 * ( ) : word quoted range regex sign suffix comment; `open` where one is not closed.
 */
export function scan(text) {
  const tokens = [];
  let at = 0;
  while (at < text.length) {
    if (SPACE.includes(text[at])) {
      at += 1;
      continue;
    }
    const token = tokenAt(text, at);
    tokens.push(token);
    at = token.end;
  }
  return tokens;
}

function tokenAt(text, start) {
  const first = text[start];
  const token = (kind, end, open = false) => ({
    kind,
    start,
    end: Math.min(end, text.length),
    open,
  });
  if ("():".includes(first)) return token(first, start + 1);
  if (text.startsWith("/*", start))
    return closed(token, "comment", text.indexOf("*/", start + 2), 2, text);
  if (first === '"') return closed(token, "quoted", find(text, start + 1, '"'), 1, text);
  if (first === "/") return closed(token, "regex", find(text, start + 1, "/"), 1, text);
  if ("[{".includes(first)) return closed(token, "range", endOfRange(text, start + 1), 1, text);
  if ("+-!".includes(first)) return token("sign", start + 1);
  if ("^~".includes(first))
    return token("suffix", start + 1 + /^[-=\d.]*/.exec(text.slice(start + 1))[0].length);
  if ("]}".includes(first)) return token("word", start + 1);
  let end = start;
  while (end < text.length && !ENDS_WORD.includes(text[end])) end += text[end] === "\\" ? 2 : 1;
  return token("word", end);
}

const closed = (token, kind, end, length, text) =>
  end < 0 ? token(kind, text.length, true) : token(kind, end + length);

/** Find an unescaped character, -1 where there is none. */
function find(text, from, sought) {
  for (let at = from; at < text.length; at += text[at] === "\\" ? 2 : 1)
    if (text[at] === sought) return at;
  return -1;
}

function endOfRange(text, from) {
  let quoted = false;
  for (let at = from; at < text.length; at += text[at] === "\\" ? 2 : 1) {
    if (text[at] === '"') quoted = !quoted;
    else if (!quoted && "]}".includes(text[at])) return at;
  }
  return -1;
}

/** Give the conditions of a query that are joined by AND alone, null where they are not. */
export function conjuncts(q) {
  const tokens = scan(q);
  const parts = [];
  let begin = null;
  let depth = 0;
  let operands = 0;
  for (const [i, token] of tokens.entries()) {
    const said = q.slice(token.start, token.end);
    if (token.open || token.kind === "comment") return null;
    if (token.kind === "(") depth += 1;
    if (token.kind === ")") depth -= 1;
    if (depth < 0) return null;
    const isTop = depth === 0 || (token.kind === "(" && depth === 1);
    if (isTop && token.kind === "word" && OR.includes(said)) return null;
    if (isTop && token.kind === "word" && AND.includes(said)) {
      if (operands !== 1) return null;
      parts.push(q.slice(begin, tokens[i - 1].end));
      [begin, operands] = [null, 0];
      continue;
    }
    begin ??= token.start;
    if (isTop && isOperand(token, said, tokens[i + 1])) operands += 1;
  }
  if (depth !== 0 || operands !== 1) return null;
  parts.push(q.slice(begin, tokens.at(-1).end));
  return parts;
}

function isOperand(token, said, next) {
  if (["quoted", "range", "regex", "("].includes(token.kind)) return true;
  return token.kind === "word" && next?.kind !== ":" && !NOT.includes(said);
}

/** Join a condition to a query, which then finds less. */
export function narrowed(q, condition) {
  if (isAll(q)) return condition;
  const parts = conjuncts(q);
  if (parts === null) return `(${q.trim()}) AND ${condition}`;
  return parts.includes(condition) ? q : [...parts, condition].join(" AND ");
}

/** Join a condition of time, in place of one of before on the same path. */
export function narrowedInTime(q, path, low, high) {
  const begin = `${pathText(path)}:[`;
  const others = isAll(q) ? [] : conjuncts(q)?.filter((part) => !part.startsWith(begin));
  if (others === undefined) return narrowed(q, during(path, low, high));
  return [...others, during(path, low, high)].join(" AND ");
}

/**
 * Say what is being written at a place: {path, prefix, from, to}, or null where nothing can be
 * offered. `path` is null where a path is being written, else that of the value.
 */
export function placeAt(text, caret) {
  const groups = [null];
  let path = null;
  const tokens = scan(text);
  for (const [i, token] of tokens.entries()) {
    if (token.start >= caret) break;
    const isHere = caret <= token.end && (token.open || caret < token.end || token.kind === "word");
    const of = path ?? groups.at(-1);
    if (token.kind === "(") groups.push(of);
    else if (token.kind === ")" && groups.length > 1) groups.pop();
    else if (isHere && token.kind === "word") return place(text, caret, token, of);
    else if (isHere && token.kind === "quoted" && of !== null) {
      return {
        path: of,
        prefix: unescaped(text.slice(token.start + 1, caret)),
        from: token.start,
        to: token.end,
      };
    } else if (isHere && ["quoted", "range", "regex", "comment", "suffix"].includes(token.kind))
      return null;
    if (token.kind === "word" && tokens[i + 1]?.kind === ":")
      path = unescaped(text.slice(token.start, token.end));
    else if (token.kind !== ":") path = null;
  }
  return { path: path ?? groups.at(-1), prefix: "", from: caret, to: caret };
}

function place(text, caret, token, path) {
  const begin = text.slice(token.start, caret);
  if (path !== null && /^[<>]/.test(begin)) return null;
  return { path, prefix: unescaped(begin), from: token.start, to: token.end };
}

const unescaped = (text) =>
  text.replace(/\\(?:u([0-9a-fA-F]{4})|([^]))/g, (_, hex, other) =>
    hex ? String.fromCharCode(parseInt(hex, 16)) : other,
  );

/** Read a refusal: {at, message}, `at` in UTF-16 units of `q`; null where it names no place. */
export function errorIn(q, message) {
  const found = /^cannot parse q at character (\d+): ([^]*)$/.exec(message);
  if (found === null) return null;
  const at = [...q].slice(0, Number(found[1]) - 1).join("").length;
  return { at, message: found[2] };
}
