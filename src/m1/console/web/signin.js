/** Signing in, and why one has to. */

import { byId, field, h, sentence } from "./dom.js";

const NO_USER =
  "This server has no user yet. Make the first one on its own machine: " +
  "curl URL/init -d 'username=admin&password=...'";

/** Show the form; `onDone()` is called once there is a token. */
export function showSignIn(app, reason, onDone) {
  const username = h("input", {
    name: "username",
    autocomplete: "username",
    required: true,
    autocapitalize: "none",
    spellcheck: "false",
  });
  const password = h("input", {
    name: "password",
    type: "password",
    autocomplete: "current-password",
    required: true,
  });
  const problem = h("p", { class: "problem", role: "alert", hidden: reason === "" }, reason);
  const submit = h("button", { type: "submit", class: "primary" }, "Sign in");

  async function signIn(event) {
    event.preventDefault();
    submit.disabled = true;
    try {
      await app.server.signIn(username.value, password.value);
      byId("sign-in").replaceChildren();
      onDone();
    } catch (error) {
      tell(error.message);
      password.select();
    } finally {
      submit.disabled = false;
    }
  }

  const tell = (text) => {
    problem.textContent = sentence(text);
    problem.hidden = false;
  };

  byId("sign-in").replaceChildren(
    h(
      "form",
      { class: "card stack", onsubmit: signIn },
      h("h1", {}, "Sign in"),
      h("p", { class: "muted" }, "To the session stores of ", h("b", {}, location.host)),
      field("User", username),
      field("Password", password),
      problem,
      submit,
    ),
  );
  username.focus();
  app.server.get("init").then(
    (isMade) => isMade || tell(NO_USER.replace("URL", location.origin)),
    (error) => tell(error.message),
  );
}
