// @ts-check
// Two states that are compared: keys lead from file to file, and a choice of tasks applies at once.

import * as keys from "./keys.js";

const NARROW = matchMedia("(max-width: 720px)");
const files = [...document.querySelectorAll("section.file")];
const room = /** @type {HTMLElement} */ (document.getElementById("review"));

// A narrow screen shows one column whatever was chosen, and changes no choice.
if (NARROW.matches && room.dataset.look === "split") {
  const query = new URLSearchParams(location.search);
  query.set("view", "unified");
  query.set("once", "1");
  location.replace(`?${query}${location.hash}`);
}

/** @param {number} step */
function move(step) {
  const top = room.getBoundingClientRect().top;
  const below = files.findIndex((file) => file.getBoundingClientRect().top > top + 16);
  const place = step > 0 ? below : (below < 0 ? files.length : below) - 2;
  files[place]?.scrollIntoView({ block: "start" });
}

keys.add("j", "Next file", () => move(1));
keys.add("k", "Previous file", () => move(-1));
document.querySelector("form.two")?.addEventListener("change", (event) => {
  const form = event.currentTarget;
  if (form instanceof HTMLFormElement) form.requestSubmit();
});
document.getElementById("files")?.addEventListener("click", (event) => {
  if (NARROW.matches && event.target instanceof Element && event.target.closest("a")) document.getElementById("files")?.hidePopover();
});
