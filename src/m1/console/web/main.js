/** The console: puts the parts together, and gives them what they share. */

import { byId, h } from "./dom.js";
import { editItem } from "./editor.js";
import { showFacets } from "./facets.js";
import { Histogram } from "./histogram.js";
import { showItem } from "./item.js";
import { listen, showHelp } from "./keys.js";
import { Memory } from "./memory.js";
import { equals, errorIn, narrowed } from "./query.js";
import { QueryBox } from "./querybox.js";
import { Results } from "./results.js";
import { rightsOf } from "./rights.js";
import { read, write } from "./route.js";
import { Server } from "./server.js";
import { showSignIn } from "./signin.js";
import { createState } from "./state.js";
import { showStores } from "./stores.js";

const TICK = 5000;
const SAID = 5000;
const ENDED = "Your sign-in has ended: sign in again.";

const state = createState({
  user: null,
  rights: null,
  stores: [],
  figures: new Map(), // store -> {count, perSecond}
  health: null,
  view: read(location.hash),
  found: null, // {store, q, count} of the query whose answer is shown
  problem: null, // why there is none, one sentence
  timePaths: [],
  live: false,
  tick: 0, // counts how often "live" asked again
  run: 0, // counts how often a query was run though it is the same
  isColumn: () => null,
});

const app = {
  state,
  memory: new Memory(localStorage, sessionStorage),
  server: new Server(sessionStorage, () => signOut(ENDED)),

  /** Change what is looked at; the way back leads here. */
  go(changed, more = {}) {
    const [before, next] = [write(state.get().view), write({ ...state.get().view, ...changed })];
    if (next !== before) history.pushState(null, "", next);
    state.set({ view: read(next), ...more });
  },

  /** Run a query, also the same once more; one that is given is kept among those that were run. */
  run(changed) {
    if (changed.q) app.memory.addQuery(changed.q);
    app.go(changed, { run: state.get().run + 1 });
  },

  narrow(path, value) {
    app.showSide(false);
    app.run({ q: narrowed(state.get().view.q, equals(path, value)) });
  },

  exclude(path, value) {
    app.showSide(false);
    app.run({ q: narrowed(state.get().view.q, `NOT ${equals(path, value)}`) });
  },

  goToStore(store) {
    app.showSide(false);
    app.go({ store, q: "*", sort: "", item: "" });
  },

  async loadStores() {
    state.set({ stores: await storesFor(state.get().rights) });
    app.wake?.();
  },

  /** Tell something in passing. */
  say(text) {
    byId("said").textContent = text;
    clearTimeout(app.silence);
    app.silence = setTimeout(() => (byId("said").textContent = ""), SAID);
  },

  /** Show or hide the side, where there is no room for both; tells whether that changed it. */
  showSide(isShown) {
    const wasShown = byId("side").classList.contains("shown");
    byId("side").classList.toggle("shown", isShown);
    byId("menu").setAttribute("aria-expanded", String(isShown));
    return wasShown !== isShown;
  },
};

function signOut(reason) {
  app.server.signOut();
  app.memory.forgetQueries();
  state.set({
    user: null,
    rights: null,
    stores: [],
    figures: new Map(),
    health: null,
    found: null,
    problem: null,
    live: false,
  });
  for (const dialog of document.querySelectorAll("dialog")) dialog.close();
  show(false);
  showSignIn(app, reason, start);
}

async function start() {
  try {
    const rights = await rightsOf(app.server);
    const stores = await storesFor(rights);
    const { view } = state.get();
    if (view.store === "" && stores.length > 0) {
      history.replaceState(null, "", write({ ...view, store: stores[0].name }));
    }
    state.set({ user: app.server.user });
    show(true); // what is hidden has no width to draw in
    state.set({ rights, stores, view: read(location.hash) });
    app.wake?.();
  } catch (error) {
    if (error.status === undefined) throw error;
    if (error.status !== 401) signOut(error.message);
  }
}

async function storesFor(rights) {
  return rights.list ? app.server.get("session/list") : [];
}

function show(isSignedIn) {
  byId("work").hidden = !isSignedIn;
  byId("sign-in").hidden = isSignedIn;
  for (const id of ["menu", "keys", "sign-out"]) byId(id).hidden = !isSignedIn;
  byId("skip").hidden = !isSignedIn;
  byId("who").textContent = isSignedIn ? state.get().user : "";
}

function build() {
  const query = new QueryBox(app);
  const results = new Results(app);
  state.set({ isColumn: (path) => results.isColumn(path) });
  app.toggleColumn = (path) => results.toggleColumn(path);
  const title = h("h1", { class: "unseen" });
  state.watch(
    (now) => [now.view.store],
    ({ view }) => (title.textContent = view.store ? `Store ${view.store}` : "Console"),
  );
  byId("main").append(title, query.element, new Histogram(app).element, results.element);
  showStores(app);
  showFacets(app);
  showItem(app);
  listen(app, { query, results, edit: (item) => editItem(app, item) });

  byId("host").textContent = location.host;
  byId("menu").addEventListener("click", () =>
    app.showSide(!byId("side").classList.contains("shown")),
  );
  byId("keys").addEventListener("click", showHelp);
  byId("sign-out").addEventListener("click", () => signOut("You are signed out."));
  window.addEventListener("popstate", () => state.set({ view: read(location.hash) }));
  setInterval(() => {
    const { live, found, problem, view, tick, run } = state.get();
    if (!live || document.visibilityState !== "visible") return;
    if (found !== null) state.set({ tick: tick + 1 });
    else if (problem !== null && errorIn(view.q, problem) === null) state.set({ run: run + 1 });
  }, TICK);
}

build();
if (app.server.user === null) signOut("");
else start();
