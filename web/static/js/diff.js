// @ts-check
// The changes page: each file's diff is read when it comes near, in one of two layouts, and the merge dialog.

import { path } from "./task.js";
import * as keys from "./keys.js";

const LOADS = 4;
const MARGIN = "1200px 0px";
const NARROW = matchMedia("(max-width: 720px)");
// Beyond this many drawn lines, files far away are emptied again (web.md 2.1).
const MOST_LINES = 10_000;

export const review = /** @type {HTMLElement} */ (document.getElementById("review"));
const capture = review.dataset.capture ?? "";
export const files = /** @type {HTMLElement[]} */ ([...review.querySelectorAll("section.file")]);
/** @type {HTMLElement[]} */
const waiting = [];
let loads = 0;
let drawn = 0;
let look = review.dataset.look ?? "split";
// A narrow screen shows one column whatever was chosen, and changes no choice.
let isForced = NARROW.matches;

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const file = /** @type {HTMLElement} */ (entry.target);
      if (entry.isIntersecting) want(file);
      else if (drawn > MOST_LINES) drain(file);
    }
  },
  { root: review, rootMargin: MARGIN },
);

const tableOf = (/** @type {HTMLElement} */ file) => /** @type {HTMLElement} */ (file.querySelector(".table"));

/** @param {HTMLElement} file */
export function want(file) {
  const isLazy = tableOf(file).querySelector("[data-lazy]") || tableOf(file).dataset.drained !== undefined;
  if (!isLazy || file.classList.contains("is-viewed") || waiting.includes(file)) return;
  waiting.push(file);
  next();
}

function next() {
  while (loads < LOADS && waiting.length) void load(/** @type {HTMLElement} */ (waiting.shift()));
}

/** @param {HTMLElement} file */
export async function load(file) {
  const place = tableOf(file);
  if (place.dataset.busy !== undefined) return;
  place.dataset.busy = "";
  loads += 1;
  const asked = look;
  const query = new URLSearchParams({ key: file.dataset.file ?? "", capture, view: look, space: review.dataset.space ?? "" });
  if (isForced) query.set("once", "1");
  try {
    const answer = await fetch(`${path}/changes/file?${query}`, { headers: { "HX-Request": "true" } });
    if (answer.status === 401) location.assign("/login");
    if (!answer.ok) throw new Error(String(answer.status));
    place.innerHTML = await answer.text();
    place.style.height = "";
    delete place.dataset.drained;
    drawn += place.querySelectorAll("tr").length;
  } catch {
    const note = Object.assign(document.createElement("p"), { className: "note" });
    const again = Object.assign(document.createElement("button"), { className: "button small", textContent: "This file could not be read. Try again" });
    again.addEventListener("click", () => void load(file));
    note.append(again);
    place.replaceChildren(note);
  } finally {
    delete place.dataset.busy;
    loads -= 1;
    if (look !== asked) void load(file); // the layout was changed meanwhile
    next();
  }
}

/** @param {HTMLElement} file */
function drain(file) {
  const place = tableOf(file);
  const rows = place.querySelectorAll("tr").length;
  const selection = getSelection();
  if (!rows || place.contains(document.activeElement) || (selection && place.contains(selection.anchorNode))) return;
  place.style.height = `${place.offsetHeight}px`;
  place.dataset.drained = "";
  place.replaceChildren();
  drawn -= rows;
}

/** Draw everything that is drawn in the other layout. @param {string} wish */
function show(wish) {
  if (look === wish) return;
  look = wish;
  for (const link of document.querySelectorAll("[data-look][href]")) {
    if (link instanceof HTMLElement) link.toggleAttribute("aria-current", link.dataset.look === wish);
    if (link.hasAttribute("aria-current")) link.setAttribute("aria-current", "true");
  }
  for (const file of files) if (tableOf(file).querySelector("table")) void load(file);
}

const dialog = /** @type {HTMLDialogElement} */ (document.getElementById("merge-dialog"));
const body = /** @type {HTMLElement} */ (document.getElementById("merge-body"));

/** @param {Record<string, string>} [chosen] */
async function lookAtMerge(chosen = {}) {
  const query = new URLSearchParams({ head: review.dataset.head ?? "", ...chosen });
  body.setAttribute("aria-busy", "true");
  body.querySelector("[data-merge]")?.setAttribute("disabled", "");
  const answer = await fetch(`${path}/merge?${query}`, { headers: { "HX-Request": "true" } });
  body.removeAttribute("aria-busy");
  if (!answer.ok) {
    body.textContent = `The server answered ${answer.status}. Close this and try again.`;
    return;
  }
  const message = body.querySelector("textarea");
  const kept = message instanceof HTMLTextAreaElement && message.value !== message.defaultValue ? message.value : null;
  body.innerHTML = await answer.text();
  for (const field of body.querySelectorAll("input[name=back]")) if (field instanceof HTMLInputElement) field.value = `${path}/changes`;
  const fresh = body.querySelector("textarea");
  if (kept !== null && fresh) fresh.value = kept;
  /** @type {any} */ (window).htmx.process(body);
  const button = body.querySelector("[data-merge]");
  if (button instanceof HTMLButtonElement && !button.disabled) button.focus();
}

function openMerge() {
  if (!document.querySelector("[data-open-merge]") || dialog.open) return;
  dialog.showModal();
  void lookAtMerge();
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  if (target?.closest("[data-open-merge]") && !(event.ctrlKey || event.metaKey)) {
    event.preventDefault();
    openMerge();
  }
  if (target?.closest("[data-close]")) dialog.close();
  const asked = target?.closest("[data-load]");
  const file = asked?.closest("section.file");
  if (asked && file instanceof HTMLElement) {
    event.preventDefault();
    file.classList.remove("is-viewed");
    void load(file);
  }
  if (target?.closest("#files a") && NARROW.matches) document.getElementById("files")?.hidePopover();
  const layout = target?.closest("a[data-look]");
  if (layout instanceof HTMLElement) {
    event.preventDefault();
    choose(layout.dataset.look ?? "split");
  }
});

/** The server keeps the choice for the next page. @param {string} wish */
function choose(wish) {
  isForced = false;
  show(wish);
}

dialog.addEventListener("change", (event) => {
  const field = event.target instanceof Element ? event.target.closest("[data-look-again]") : null;
  const form = field?.closest("form");
  if (!(form instanceof HTMLFormElement)) return;
  const data = new FormData(form);
  void lookAtMerge({ strategy: String(data.get("strategy")), target_branch: String(data.get("target_branch")) });
});

document.getElementById("files-filter")?.addEventListener("input", (event) => {
  const words = event.target instanceof HTMLInputElement ? event.target.value.toLowerCase() : "";
  for (const link of document.querySelectorAll("#files a[data-file]")) {
    const name = link instanceof HTMLElement ? (link.dataset.name ?? "") : "";
    link.closest("li")?.toggleAttribute("hidden", !name.toLowerCase().includes(words));
  }
  for (const folder of document.querySelectorAll("#files details")) {
    folder.toggleAttribute("hidden", !folder.querySelector("li:not([hidden])"));
  }
});

keys.add("u", "Unified or split", () => choose(look === "split" ? "unified" : "split"));
keys.add("m", "Merge", openMerge);
keys.add("/", "Filter files", () => document.getElementById("files-filter")?.focus());

for (const file of files) {
  drawn += tableOf(file).querySelectorAll("tr").length;
  observer.observe(file);
}
if (NARROW.matches) show("unified");
NARROW.addEventListener("change", () => {
  isForced = NARROW.matches;
  if (isForced) show("unified");
});
if (new URLSearchParams(location.search).has("merge")) {
  history.replaceState(null, "", location.pathname);
  addEventListener("load", openMerge);
}
