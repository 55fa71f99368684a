/** What this browser remembers for this server: queries and columns, never an item or a token. */

const MOST_QUERIES = 50;

export class Memory {
  constructor(storage) {
    this.storage = storage;
  }

  /** Columns that were picked for a store, null where none were. */
  columns(store) {
    return this.#read(`columns.${store}`, null);
  }

  setColumns(store, columns) {
    this.#write(`columns.${store}`, columns);
  }

  /** Queries that were run, the newest first. */
  queries() {
    return this.#read("queries", []);
  }

  addQuery(q) {
    if (q.length > 2000) return;
    this.#write(
      "queries",
      [q, ...this.queries().filter((each) => each !== q)].slice(0, MOST_QUERIES),
    );
  }

  #read(name, otherwise) {
    try {
      return JSON.parse(this.storage.getItem(`m1.${name}`)) ?? otherwise;
    } catch {
      return otherwise; // somebody else wrote it
    }
  }

  #write(name, value) {
    try {
      this.storage.setItem(`m1.${name}`, JSON.stringify(value));
    } catch {
      // the browser's room is full, or it keeps nothing: the page works without
    }
  }
}
