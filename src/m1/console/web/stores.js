/** The stores: how many items each has, how many change a second, and how they fare. */

import { button, byId, h } from "./dom.js";
import { open } from "./dialog.js";
import { addStore, changeStore } from "./admin.js";
import { isGivenUp, Refusal } from "./server.js";
import { LAST_UPDATED } from "./route.js";
import { number } from "./time.js";

const SECONDS = 10;
const PAUSE = 5000;
const rounded = (speed) => (speed < 10 ? speed : Math.round(speed));

/** Show the stores in the side, and keep their figures fresh. */
export function showStores(app) {
  const list = h("ul", { class: "stores", "aria-label": "Stores" });
  const health = h("div", { class: "health" });
  const add = button("+ Store", () => addStore(app), { class: "quiet" });
  byId("side").append(h("section", {}, h("header", {}, h("h2", {}, "Stores"), add), list, health));

  app.state.watch(
    (state) => [state.stores, state.figures, state.view.store, state.rights],
    ({ stores, figures, view, rights }) => {
      add.hidden = !rights?.admin;
      const focused = list.contains(document.activeElement)
        ? document.activeElement.dataset.store
        : null;
      list.replaceChildren(
        ...stores.map((store) => line(app, store, figures.get(store.name), view.store, rights)),
      );
      if (stores.length === 0) list.append(h("li", { class: "muted" }, noStore(rights)));
      if (focused) list.querySelector(`[data-store="${CSS.escape(focused)}"]`)?.focus();
    },
  );
  app.state.watch(
    (state) => [state.health],
    (state) => health.replaceChildren(...healthLine(state.health)),
  );
  follow(app);
}

function line(app, store, figure, chosen, rights) {
  const isChosen = store.name === chosen;
  const said = figure === undefined ? "…" : number(figure.count);
  const speed = figure?.perSecond ? `${number(rounded(figure.perSecond))}/s` : "";
  return h(
    "li",
    {},
    h(
      "button",
      {
        type: "button",
        class: "store",
        "data-store": store.name,
        "aria-current": isChosen && "true",
        onclick: () => app.goToStore(store.name),
      },
      h("span", { class: "name" }, store.name),
      h(
        "span",
        { class: "speed", title: `items that changed, a second, over the last ${SECONDS} s` },
        speed,
      ),
      h("span", { class: "count" }, said),
    ),
    rights?.admin &&
      button("⋯", () => changeStore(app, store), {
        class: "quiet icon",
        "aria-label": `Administer ${store.name}`,
      }),
  );
}

/** Say what to do where there is no store to choose. */
export function noStore(rights) {
  if (!rights?.list) return "You may not list stores: put #store=NAME behind the address.";
  const next = rights.admin
    ? "Add the first one with “+ Store”."
    : "Ask an administrator for one.";
  return `There is no store. ${next}`;
}

/** Ask for the figures again and again, one call at a time, while somebody looks. */
async function follow(app) {
  for (;;) {
    const { user, stores, rights } = app.state.get();
    if (user !== null && document.visibilityState === "visible") {
      if (rights.query) for (const store of stores) await askFigure(app, store.name);
      if (rights.admin) await askHealth(app);
    }
    await new Promise((resolve) => {
      app.wake = resolve;
      setTimeout(resolve, PAUSE);
    });
  }
}

async function askFigure(app, store) {
  try {
    const [count, changed] = [
      await app.server.count(store, "*"),
      await app.server.count(store, `${LAST_UPDATED}:[NOW-${SECONDS}SECONDS TO *]`),
    ];
    const { figures } = app.state.get();
    app.state.set({
      figures: new Map(figures).set(store, { count, perSecond: changed / SECONDS }),
    });
  } catch (error) {
    quiet(error);
  }
}

async function askHealth(app) {
  try {
    app.state.set({ health: await app.server.get("health") });
  } catch (error) {
    quiet(error);
    app.state.set({ health: { overall: { status: "FAILED", message: error.message } } });
  }
}

/** Pass over what the next round will tell as well; raise what is a fault of ours. */
function quiet(error) {
  if (!(error instanceof Refusal) && !isGivenUp(error)) throw error;
}

function healthLine(health) {
  if (health === null) return [];
  const passed = health.overall.status === "PASSED";
  const said = passed ? "All parts are well" : "Something has failed";
  return [
    button([h("span", { class: passed ? "dot ok" : "dot bad" }), said], () => showHealth(health), {
      class: "quiet",
    }),
  ];
}

function showHealth(health) {
  const parts = Object.entries(health).flatMap(([name, part]) => [
    [name, part],
    ...Object.entries(part.details ?? {}),
  ]);
  const rows = parts.map(([name, { status, message }]) =>
    h(
      "tr",
      {},
      h("td", {}, name),
      h("td", { class: status === "PASSED" ? "ok" : "bad" }, status),
      h("td", {}, message ?? ""),
    ),
  );
  open(
    "Health",
    h(
      "div",
      { class: "wide-table", tabindex: "0", role: "region", "aria-label": "Parts" },
      h("table", {}, h("tbody", {}, rows)),
    ),
    [],
    { class: "wide" },
  );
}
