/** The reference: what does not have the words that are typed is hidden. */

const search = document.getElementById("search");
const sections = [...document.querySelectorAll("main > section")];
const links = new Map(
  [...document.querySelectorAll("nav a")].map((link) => [link.getAttribute("href").slice(1), link]),
);

function show() {
  const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const section of sections) {
    const text = section.textContent.toLowerCase();
    const has = words.every((word) => text.includes(word));
    section.hidden = !has;
    links.get(section.id).hidden = !has;
    found += has ? 1 : 0;
  }
  document.getElementById("nothing").hidden = found > 0;
}

search.addEventListener("input", show);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && document.activeElement !== search && !event.ctrlKey && !event.metaKey) {
    event.preventDefault();
    search.focus();
  } else if (event.key === "Escape" && document.activeElement === search) {
    search.value = "";
    show();
  }
});
