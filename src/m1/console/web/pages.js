/** The rows of a query by their numbers, read a page at a time where they are looked at. */

import { isGivenUp } from "./server.js";

const SIZE = 100;
const MOST_KEPT = 30;

export class Pages {
  /**
   * `fetch(start, rows, signal)` gives {count, items}; `onChange(pages)` is called when rows have
   * come, `onError(error)` when they cannot.
   */
  constructor(fetch, onChange, onError) {
    this.fetch = fetch;
    this.onChange = onChange;
    this.onError = onError;
    this.count = null;
    this.pages = new Map();
    this.wanted = [0, 0];
  }

  /** The row of a number, undefined while it is not there. */
  row(index) {
    return this.pages.get(Math.floor(index / SIZE))?.rows[index % SIZE];
  }

  /** All rows that are there, in order. */
  *rows() {
    for (const number of [...this.pages.keys()].sort((a, b) => a - b))
      yield* this.pages.get(number).rows;
  }

  /** Have the rows from `first` to `last` read, and give up reading those that are far from it. */
  want(first, last) {
    this.wanted = [Math.floor(first / SIZE), Math.floor(last / SIZE)];
    for (const [number, page] of this.pages)
      if (!page.done && !this.#isNear(number)) this.#drop(number);
    for (let number = this.wanted[0]; number <= this.wanted[1]; number += 1) {
      if (!this.pages.has(number)) this.pages.set(number, this.#load(number, []));
    }
    this.#forgetFarthest();
  }

  /** Read what is looked at once more; the rows of before are shown until then. */
  async refresh() {
    for (const number of [...this.pages.keys()]) if (!this.#isNear(number)) this.#drop(number);
    const loading = [...this.pages].map(([number, old]) => {
      old.controller.abort();
      const page = this.#load(number, old.rows);
      this.pages.set(number, page);
      return page.ended;
    });
    await Promise.all(loading);
  }

  /** Give up whatever is being read. */
  close() {
    for (const number of [...this.pages.keys()]) this.#drop(number);
  }

  #isNear(number) {
    return number >= this.wanted[0] - 1 && number <= this.wanted[1] + 1;
  }

  #drop(number) {
    this.pages.get(number).controller.abort();
    this.pages.delete(number);
  }

  #forgetFarthest() {
    const far = (number) => Math.max(this.wanted[0] - number, number - this.wanted[1]);
    const numbers = [...this.pages.keys()].sort((a, b) => far(a) - far(b));
    for (const number of numbers.slice(MOST_KEPT)) this.#drop(number);
  }

  #load(number, shown) {
    const page = { rows: shown, done: false, controller: new AbortController() };
    page.ended = this.#read(number, page).catch((error) => {
      if (isGivenUp(error)) return;
      this.pages.delete(number);
      this.onError(error);
    });
    return page;
  }

  async #read(number, page) {
    const { count, items } = await this.fetch(number * SIZE, SIZE, page.controller.signal);
    const isNew = page.rows.length === 0;
    const rows = isNew ? page.rows : [];
    for await (const batch of items) {
      rows.push(...batch);
      this.count = count;
      if (isNew) this.onChange(this);
    }
    page.rows = rows;
    page.done = true;
    this.count = count;
    this.onChange(this);
  }
}
