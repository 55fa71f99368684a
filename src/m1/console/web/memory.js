/**
 * What this browser remembers for this server: columns as long as it likes, queries (in which
 * values of items stand) until somebody signs out or the tab is closed; never an item.
 */

const MOST_QUERIES = 50;

export class Memory {
  constructor(lasting, passing) {
    this.lasting = lasting;
    this.passing = passing;
  }

  /** Columns that were picked for a store, null where none were. */
  columns(store) {
    return read(this.lasting, `columns.${store}`, null);
  }

  setColumns(store, columns) {
    write(this.lasting, `columns.${store}`, columns);
  }

  /** Queries that were run, the newest first. */
  queries() {
    return read(this.passing, "queries", []);
  }

  addQuery(q) {
    if (q.length > 2000) return;
    write(
      this.passing,
      "queries",
      [q, ...this.queries().filter((each) => each !== q)].slice(0, MOST_QUERIES),
    );
  }

  forgetQueries() {
    this.passing.removeItem("m1.queries");
  }
}

function read(storage, name, otherwise) {
  try {
    return JSON.parse(storage.getItem(`m1.${name}`)) ?? otherwise;
  } catch {
    return otherwise; // somebody else wrote it
  }
}

function write(storage, name, value) {
  try {
    storage.setItem(`m1.${name}`, JSON.stringify(value));
  } catch {
    // the browser's room is full, or it keeps nothing: the page works without
  }
}
