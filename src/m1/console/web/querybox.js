/** The query: written with help, run by Enter, its error marked at the character. */

import { button, debounced, h, sentence, style } from "./dom.js";
import { errorIn } from "./query.js";
import { isGivenUp } from "./server.js";
import { queriesBefore, suggestions } from "./suggest.js";
import { number } from "./time.js";

export class QueryBox {
  constructor(app) {
    this.app = app;
    this.asked = new AbortController();
    this.offered = null;
    this.chosen = -1;
    this.input = h("textarea", {
      id: "q",
      rows: "1",
      spellcheck: "false",
      autocomplete: "off",
      autocapitalize: "none",
      "aria-label": "Query",
      "aria-autocomplete": "list",
      "aria-haspopup": "listbox",
      "aria-controls": "offers",
      "aria-describedby": "q-problem",
      placeholder: "* for all, or path:value",
    });
    this.mirror = h("div", { class: "mirror", "aria-hidden": "true" });
    this.offers = h("ul", {
      id: "offers",
      role: "listbox",
      "aria-label": "What is stored",
      hidden: true,
    });
    this.problem = h("p", { id: "q-problem", class: "problem", role: "alert", hidden: true });
    this.live = h("input", {
      type: "checkbox",
      id: "live",
      onchange: () => app.state.set({ live: this.live.checked }),
    });
    this.element = h(
      "div",
      { class: "query" },
      h(
        "div",
        { class: "row" },
        h("div", { class: "box" }, this.mirror, this.input, this.offers),
        button("Run", () => this.run(), { class: "primary", title: "Run (Enter)" }),
        button("History", () => this.showHistory(), { title: "Queries that were run (h)" }),
        h(
          "label",
          { class: "switch", title: "Ask again every 5 seconds (l)" },
          this.live,
          h("span", {}, "Live"),
        ),
      ),
      this.problem,
    );
    this.#listen();
    app.state.watch(
      (state) => [state.view.q, state.run],
      ({ view }) => this.#write(view.q),
    );
    app.state.watch(
      (state) => [state.problem],
      ({ problem }) => this.#tell(problem),
    );
    app.state.watch(
      (state) => [state.live],
      ({ live }) => (this.live.checked = live),
    );
  }

  focus() {
    this.input.focus();
    this.input.select();
  }

  run() {
    this.#close();
    const q = this.input.value.trim() || "*";
    this.app.run({ q });
  }

  showHistory() {
    const found = queriesBefore(this.app, this.input.value);
    this.input.focus();
    this.#offer(found);
    if (found === null) this.app.say("No query was run yet.");
  }

  #listen() {
    const soon = debounced(() => this.isWriting && this.#ask(false), 80);
    this.input.addEventListener("input", () => {
      this.isWriting = true;
      this.#tell(null);
      this.#fit();
      soon();
    });
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
    this.input.addEventListener("blur", () => this.#close());
    this.input.addEventListener("scroll", () => (this.mirror.scrollTop = this.input.scrollTop));
    // a click would take the focus, and close the list before it is done
    this.offers.addEventListener("pointerdown", (event) => event.preventDefault());
    new ResizeObserver(() => this.#fit()).observe(this.element);
  }

  #write(q) {
    if (q === this.input.value) return;
    this.input.value = q;
    this.#tell(null);
    this.#fit();
  }

  /** Make the box as high as its text. */
  #fit() {
    style(this.input, { height: "auto" });
    style(this.input, { height: `${this.input.scrollHeight + 2}px` });
  }

  #tell(problem) {
    const q = this.input.value;
    const place = problem === null ? null : errorIn(q, problem);
    this.mirror.replaceChildren();
    this.input.toggleAttribute("aria-invalid", problem !== null);
    this.problem.hidden = problem === null;
    if (problem === null) return;
    if (place === null) {
      this.problem.replaceChildren(sentence(problem));
      return;
    }
    const mark = h("mark", {}, q.slice(place.at, place.at + 1) || " ");
    this.mirror.replaceChildren(q.slice(0, place.at), mark, q.slice(place.at + 1));
    const go = button(
      `Character ${[...q.slice(0, place.at)].length + 1}`,
      () => this.#moveTo(place.at),
      { class: "link" },
    );
    this.problem.replaceChildren(go, `: ${place.message}`);
    if (document.activeElement === this.input) this.#moveTo(place.at);
  }

  #moveTo(at) {
    this.input.focus();
    this.input.setSelectionRange(at, at);
  }

  // --- what is offered ---

  async #ask(isAsked) {
    this.asked.abort();
    this.asked = new AbortController();
    const { value, selectionStart } = this.input;
    try {
      const found = await suggestions(this.app, value, selectionStart, isAsked, this.asked.signal);
      if (this.input.value === value && document.activeElement === this.input) this.#offer(found);
    } catch (error) {
      if (!isGivenUp(error)) throw error;
    }
  }

  #offer(found) {
    this.offered = found;
    this.#choose(-1);
    this.offers.hidden = found === null;
    const options = (found?.options ?? []).map((option, i) =>
      h(
        "li",
        {
          role: "option",
          id: `offer-${i}`,
          "aria-selected": "false",
          onclick: () => this.#take(i),
        },
        h("span", {}, option.label === "" ? '""' : option.label),
        option.count !== undefined && h("span", { class: "muted" }, number(option.count)),
      ),
    );
    this.offers.replaceChildren(...options);
  }

  #choose(i) {
    this.offers.children[this.chosen]?.setAttribute("aria-selected", "false");
    this.chosen = i;
    if (i < 0) return this.input.removeAttribute("aria-activedescendant");
    this.offers.children[i].setAttribute("aria-selected", "true");
    this.offers.children[i].scrollIntoView({ block: "nearest" });
    return this.input.setAttribute("aria-activedescendant", `offer-${i}`);
  }

  #take(i) {
    const { from, to, path, options } = this.offered;
    const { insert, isQuery } = options[i];
    this.#close();
    this.input.setRangeText(insert, from, to, "end");
    this.#fit();
    if (isQuery) this.run();
    else if (path === null) this.#ask(false);
  }

  #close() {
    this.isWriting = false;
    this.asked.abort();
    this.#offer(null);
  }

  #onKey(event) {
    const many = this.offered?.options.length ?? 0;
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      if (this.chosen >= 0) this.#take(this.chosen);
      else this.run();
    } else if (event.key === "Tab" && many > 0 && !event.shiftKey) {
      event.preventDefault();
      this.#take(Math.max(this.chosen, 0));
    } else if (event.key === "Escape" && many > 0) {
      event.stopPropagation();
      this.#close();
    } else if (step && many > 0) {
      event.preventDefault();
      this.#choose((this.chosen + step + (this.chosen < 0 && step < 0 ? 1 : 0) + many) % many);
    } else if (event.key === "ArrowDown" && this.input.selectionStart === this.input.value.length) {
      event.preventDefault();
      this.#ask(true);
    }
  }
}
