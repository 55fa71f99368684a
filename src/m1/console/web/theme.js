/* Light or dark, as the system has it or as was chosen; runs before anything is drawn. */
"use strict";
{
  const KEY = "m1.theme";
  const THEMES = ["system", "light", "dark"];
  const root = document.documentElement;

  const show = (theme) => {
    if (theme === "system") root.removeAttribute("data-theme");
    else root.setAttribute("data-theme", theme);
  };

  const kept = () => {
    const theme = localStorage.getItem(KEY);
    return THEMES.includes(theme) ? theme : "system";
  };

  show(kept());

  document.addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    const label = () => {
      const name = { system: "Auto", light: "Light", dark: "Dark" }[kept()];
      button.textContent = `◐ ${name}`;
      button.setAttribute("aria-label", `Theme: ${name}`);
      button.title = "Theme: as the system has it, light, or dark";
    };
    button.addEventListener("click", () => {
      localStorage.setItem(KEY, THEMES[(THEMES.indexOf(kept()) + 1) % THEMES.length]);
      show(kept());
      label();
    });
    label();
  });
}
