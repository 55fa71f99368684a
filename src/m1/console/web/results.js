/** What a query finds: how many, as a table or on the map. */

import { button, h, sentence } from "./dom.js";
import { firstChoice, pickColumns } from "./columns.js";
import { editItem } from "./editor.js";
import { timePathsOf } from "./histogram.js";
import { WorldMap } from "./map.js";
import { Pages } from "./pages.js";
import { identity, leavesOf } from "./paths.js";
import { errorIn } from "./query.js";
import { sortOf, sortText, storeOf } from "./route.js";
import { noStore } from "./stores.js";
import { Table } from "./table.js";
import { counted, looksLikeTime, number } from "./time.js";

const TABS = { table: "Table", map: "Map" };

export class Results {
  constructor(app) {
    this.app = app;
    this.pages = null;
    this.table = new Table({
      onSort: (path) => this.#sort(path),
      onOpen: (id) => app.go({ item: id }),
    });
    this.map = new WorldMap(app);
    this.count = h("h2", { id: "count", "aria-live": "polite" });
    this.note = h("span", { class: "muted note" });
    this.tabs = h("div", { class: "segments", role: "group", "aria-label": "View" });
    this.columns = button("Columns", () => this.#pickColumns());
    this.add = button("+ Item", () => editItem(app, null), { title: "New item (n)" });
    this.empty = h("p", { class: "empty", hidden: true });
    this.element = h(
      "section",
      { class: "found", "aria-labelledby": "count" },
      h(
        "div",
        { class: "row" },
        this.count,
        this.note,
        h("span", { class: "gap" }),
        this.tabs,
        this.columns,
        this.add,
      ),
      this.empty,
      this.table.element,
      this.map.element,
    );
    const asked = ({ view, stores, rights, run }) => [
      view.store,
      view.q,
      view.sort,
      stores,
      rights,
      run,
    ];
    app.state.watch(asked, () => this.#ask());
    app.state.watch(
      (state) => [state.tick],
      ({ tick }) => tick > 0 && this.pages?.refresh(),
    );
    app.state.watch(
      (state) => [state.view.tab, state.rights, state.found, state.problem],
      (state) => this.#layOut(state),
    );
    app.state.watch(
      (state) => [state.view.item],
      () => this.#show(),
    );
  }

  focus() {
    this.table.focus();
  }

  get store() {
    return storeOf(this.app.state.get());
  }

  /** Begin a query anew. */
  #ask() {
    this.pages?.close();
    const { view, rights } = this.app.state.get();
    const { store } = this;
    if (!store || rights === null || !rights.query) return this.#none(rights);
    this.count.textContent = "…";
    this.element.setAttribute("aria-busy", "true");
    const row = (item) => ({ item, leaves: leavesOf(item), id: identity(item, store.key) });
    const began = performance.now();
    const fetch = async (start, rows, signal) => {
      const parameters = {
        store: store.name,
        q: view.q,
        start,
        rows,
        ...(view.sort && { sort: view.sort }),
      };
      const { count, items } = await this.app.server.query(parameters, signal);
      return { count, items: mapped(items, row) };
    };
    const onChange = (pages) => pages === this.pages && this.#onRows(view, began);
    const onError = (error) => {
      this.element.removeAttribute("aria-busy");
      this.count.textContent = "";
      this.note.textContent = "";
      this.app.state.set({ problem: error.message, found: null });
    };
    this.pages = new Pages(fetch, onChange, onError);
    this.app.state.set({ problem: null });
    this.pages.want(0, 0);
    return null;
  }

  #none(rights) {
    this.pages = null;
    this.count.textContent = "";
    this.app.state.set({ found: null });
    if (rights !== null && !rights.query)
      this.app.state.set({
        problem: "You may not query: ask an administrator for the right sessionQuery.",
      });
  }

  #onRows(view, began) {
    const { count } = this.pages;
    this.element.removeAttribute("aria-busy");
    this.count.textContent = counted(count, "item");
    const { found } = this.app.state.get();
    const isFirst = found?.pages !== this.pages;
    if (isFirst) {
      this.note.textContent = `in ${Math.max(Math.round(performance.now() - began), 1)} ms`;
      this.app.state.set({ timePaths: timePathsOf([...this.pages.rows()]) });
    }
    if (isFirst || found.count !== count || this.app.state.get().tick !== found.tick) {
      this.app.state.set({
        found: {
          store: view.store,
          q: view.q,
          count,
          pages: this.pages,
          tick: this.app.state.get().tick,
        },
        problem: null, // rows that came after a failure end it
      });
    }
    this.#show();
  }

  #show() {
    const { view } = this.app.state.get();
    if (this.pages === null || this.pages.count === null) return;
    const columns = this.#chosen();
    this.table.show({
      pages: this.pages,
      columns,
      sort: sortOf(view.sort),
      key: this.store.key,
      selected: view.item,
    });
    if (this.table.isCut) {
      const first = number(this.table.rowCount);
      this.note.textContent = `the first ${first} can be scrolled: narrow the query to see others`;
    }
  }

  #layOut({ view, rights, found, problem }) {
    const isMap = view.tab === "map";
    const isEmpty = found !== null && found.count === 0;
    this.tabs.replaceChildren(
      ...Object.entries(TABS).map(([name, label]) =>
        button(label, () => this.app.go({ tab: name }), {
          "aria-pressed": String(name === view.tab),
        }),
      ),
    );
    this.columns.hidden = isMap || found === null;
    this.add.hidden = !rights?.update || !this.store;
    this.table.element.hidden = isMap || found === null || isEmpty;
    this.map.element.hidden = !isMap || found === null || isEmpty;
    this.empty.hidden = !isEmpty && (found !== null || this.store || rights === null) && !problem;
    this.empty.replaceChildren(
      ...(problem ? [afterProblem(view, problem, rights)] : this.#nothing(view, rights)),
    );
  }

  #nothing(view, rights) {
    if (!this.store)
      return [
        this.app.state.get().stores.length > 0 ? "Choose a store." : noStore(rights),
      ];
    const all = button("Show all items", () => this.app.run({ q: "*" }), { class: "link" });
    if (view.q !== "*") return ["Nothing matches this query. ", all];
    const add = button("add one here", () => editItem(this.app, null), { class: "link" });
    return [
      "This store is empty. Send it items by /session/update",
      rights?.update ? [", or ", add] : "",
      ".",
    ].flat();
  }

  #sort(path) {
    const [sorted, direction] = sortOf(this.app.state.get().view.sort) ?? [];
    const isTime = looksLikeTime(path); // of times the newest matter
    const [first, second] = isTime ? ["desc", "asc"] : ["asc", "desc"];
    const next = sorted !== path ? first : { [first]: second, [second]: null }[direction];
    this.app.go({ sort: next ? sortText(path, next) : "" });
  }

  // --- columns ---

  #chosen() {
    const { store } = this;
    const picked = this.app.memory.columns(store.name);
    if (picked !== null) return picked.includes(store.key) ? picked : [store.key, ...picked];
    if (this.firstOf !== this.pages && [...this.pages.rows()].length > 0) {
      this.firstOf = this.pages;
      this.first =
        this.first?.store === store.name
          ? this.first
          : { store: store.name, columns: firstChoice(store.key, [...this.pages.rows()]) };
    }
    return this.first?.store === store.name ? this.first.columns : [store.key];
  }

  /** Whether a path is a column, null where that is not for the user to say. */
  isColumn(path) {
    return !this.pages?.count || path === this.store.key ? null : this.#chosen().includes(path);
  }

  toggleColumn(path) {
    const chosen = this.#chosen();
    const next = chosen.includes(path) ? chosen.filter((each) => each !== path) : [...chosen, path];
    this.app.memory.setColumns(this.store.name, next);
    this.#show();
  }

  async #pickColumns() {
    const { store } = this;
    const onPick = (columns) => {
      this.app.memory.setColumns(store.name, columns);
      this.#show();
    };
    try {
      await pickColumns(this.app, {
        store: store.name,
        key: store.key,
        columns: this.#chosen(),
        onPick,
      });
    } catch (error) {
      this.app.say(sentence(error.message));
    }
  }
}

function afterProblem({ q }, problem, rights) {
  if (!rights?.query) return "";
  const isOfQuery = errorIn(q, problem) !== null;
  return isOfQuery ? "Mend the query above, then press Enter." : "Press Run to try again.";
}

async function* mapped(batches, each) {
  for await (const batch of batches) yield batch.map(each);
}
