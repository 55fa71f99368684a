/** Calls to the server that this page came from; the token is kept until the tab is closed. */

import { parse } from "./json.js";

const TOKEN = "m1.token";
const USER = "m1.user";
const PUBLIC = /^(?:auth|init)\b/;
const LINES = "application/x-ndjson";

/** A call that was refused, or that never arrived (status 0); the message is one sentence. */
export class Refusal extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

/** Whether an error only says that the answer is no longer wanted. */
export const isGivenUp = (error) => error.name === "AbortError";

export class Server {
  /** `onExpired` is called when the token is no longer taken. */
  constructor(storage, onExpired) {
    this.storage = storage;
    this.onExpired = onExpired;
    this.visit = new AbortController(); // ends with signing out, and all calls under way with it
  }

  get user() {
    return this.storage.getItem(TOKEN) === null ? null : this.storage.getItem(USER);
  }

  /** Get a token for a user; throws Refusal. */
  async signIn(username, password) {
    const token = await (await this.send("auth", { username, password })).text();
    this.storage.setItem(TOKEN, token);
    this.storage.setItem(USER, username);
  }

  signOut() {
    this.visit.abort();
    this.visit = new AbortController();
    this.storage.removeItem(TOKEN);
    this.storage.removeItem(USER);
  }

  /** Read by GET; throws Refusal. */
  async get(endpoint, parameters = {}) {
    const form = new URLSearchParams(parameters);
    return (await this.send(`${endpoint}?${form}`, null)).json();
  }

  /** Change something; throws Refusal. */
  async post(endpoint, parameters, signal) {
    await this.send(endpoint, parameters, { signal });
  }

  /** Count the items that match; throws Refusal. */
  async count(store, q, signal) {
    const response = await this.send("session/query", { store, q, rows: 0 }, { signal });
    return (await response.json()).count;
  }

  /** Give the most frequent values of a path, or the paths; throws Refusal. */
  async facets(parameters, signal) {
    return (await this.send("session/facets", parameters, { signal })).json();
  }

  /** Query, and read on as the items come: {count, items}, of which `items` yields batches. */
  async query(parameters, signal) {
    const response = await this.send("session/query", parameters, { signal, accept: LINES });
    return { count: Number(response.headers.get("m1-count")), items: itemsOf(response) };
  }

  async send(endpoint, parameters, { signal, accept } = {}) {
    const { visit } = this;
    const token = PUBLIC.test(endpoint) ? null : this.#token();
    const response = await reached(
      fetch(endpoint, {
        ...(parameters !== null && { method: "POST", body: new URLSearchParams(parameters) }),
        headers: { ...(token && { "m1-auth-token": token }), ...(accept && { accept }) },
        signal: AbortSignal.any([visit.signal, ...(signal ? [signal] : [])]),
        credentials: "omit",
      }),
    );
    if (response.ok) return response;
    const refusal = new Refusal(response.status, await said(response));
    if (refusal.status === 401 && token !== null && visit === this.visit) this.onExpired();
    throw refusal;
  }

  #token() {
    const token = this.storage.getItem(TOKEN);
    if (token === null) throw new DOMException("nobody is signed in any more", "AbortError");
    return token;
  }
}

async function reached(fetched) {
  try {
    return await fetched;
  } catch (error) {
    if (isGivenUp(error)) throw error;
    throw new Refusal(0, "The server cannot be reached: look whether it runs, then try again.");
  }
}

async function said(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).message;
  } catch {
    return `The server, or something before it, answered ${response.status}.`;
  }
}

/** Yield the items of an answer, a list for each piece that comes. */
async function* itemsOf(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const { done, value } = await read(reader);
    if (done) return;
    const lines = (rest + value).split("\n");
    rest = lines.pop();
    if (lines.length > 0) yield lines.map(parse);
  }
}

async function read(reader) {
  try {
    return await reader.read();
  } catch (error) {
    if (isGivenUp(error)) throw error;
    throw new Refusal(0, "The answer broke off: run the query again.");
  }
}
