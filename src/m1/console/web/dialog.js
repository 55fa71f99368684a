/** A question before all else: a modal dialog with its buttons. */

import { button, h, sentence } from "./dom.js";

let count = 0;

/**
 * Open a dialog; gives `close`. `actions` are [label, run, class]: the dialog closes when `run` is
 * done, and shows in one sentence why where it fails.
 */
export function open(title, body, actions = [], more = {}) {
  const id = `dialog-${(count += 1)}`;
  const problem = h("p", { class: "problem", role: "alert", hidden: true });
  const dialog = h("dialog", { "aria-labelledby": id, ...more });
  const close = () => dialog.close();

  const form = h(
    "form",
    { method: "dialog" },
    h(
      "header",
      {},
      h("h2", { id }, title),
      button("✕", close, { class: "quiet icon", "aria-label": "Close" }),
    ),
    h("div", { class: "dialog-body" }, body, problem),
    actions.length > 0 &&
      h(
        "footer",
        {},
        button("Cancel", close),
        actions.map((action, i) => submit(action, i)),
      ),
  );

  function submit([label, run, kind], i) {
    return h(
      "button",
      {
        type: i === 0 ? "submit" : "button",
        class: kind ?? "primary",
        ...(i > 0 && { onclick: () => tried(run) }),
      },
      label,
    );
  }

  async function tried(run) {
    const buttons = form.querySelectorAll("footer button");
    for (const each of buttons) each.disabled = true;
    problem.hidden = true;
    try {
      if ((await run()) !== false) close();
    } catch (error) {
      problem.textContent = sentence(error.message);
      problem.hidden = false;
    } finally {
      for (const each of buttons) each.disabled = false;
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (actions.length > 0) tried(actions[0][1]);
  });
  dialog.append(form);
  dialog.addEventListener("close", () => dialog.remove());
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  document.body.append(dialog);
  dialog.showModal();
  return close;
}
