// @ts-check
// The board: cards follow their tasks one by one, the composer helps with its choices, filters apply as one types.

import { onBoard, onLoss } from "./page.js";
import { setClock, throttled } from "./frame.js";
import * as keys from "./keys.js";

/** @typedef {{swap: (context: object) => Promise<void>, process: (root: Element) => void, trigger: (on: Element, name: string) => void}} Htmx */
const htmx = () => /** @type {{htmx: Htmx}} */ (/** @type {unknown} */ (window)).htmx;
const CARD_PAUSE = 250;
const MOVED_MS = 900;
const TYPING_MS = 250;
const LOOK_AGAIN_MS = 1_000;

/** One reader for each card that stands alone; the tasks of a group share theirs. @type {Map<string, {refresh: () => void, id: string}>} */
const readers = new Map();

/** @param {string} id of a task @param {string} [group] */
function refreshCard(id, group) {
  const key = group ?? groupOf(id) ?? id;
  let reader = readers.get(key);
  if (!reader) {
    /** @type {{refresh: () => void, id: string}} */
    const fresh = { id, refresh: throttled(() => readCard(fresh.id), CARD_PAUSE) };
    reader = fresh;
    readers.set(key, fresh);
  }
  reader.id = id;
  reader.refresh();
}

/** @param {string} id of a task */
function groupOf(id) {
  const whole = document.getElementById(`card-${id}`)?.closest("[data-group]");
  return whole instanceof HTMLElement ? whole.dataset.group : undefined;
}

/** Cards that stand in a column by themselves, not within their group's. @param {string} [which] */
const standing = (which = "") => [...document.querySelectorAll(`#board > .column > ul > .card${which}`)];

/** @param {string} id */
async function readCard(id) {
  const answer = await fetch(`/ui/cards/${id}${location.search}`, { headers: { "HX-Request": "true" } });
  setClock(answer);
  if (answer.status === 204 || answer.status === 404) {
    drop(id);
    return;
  }
  if (!answer.ok) return;
  await place(await answer.text());
}

/** A task leaves the board; what its group's card says without it is read anew. @param {string} id */
function drop(id) {
  const group = groupOf(id);
  readers.delete(group ?? id);
  document.getElementById(`card-${id}`)?.remove();
  if (group) refreshAll();
  count();
}

/**
 * Put a card's new text where it belongs: morphed in place, or moved to its new column first.
 * @param {string} text of a task's card, or of a group's
 */
async function place(text) {
  const root = new DOMParser().parseFromString(text, "text/html");
  const fresh = root.querySelector(".card");
  if (!(fresh instanceof HTMLElement)) return;
  const list = document.querySelector(`#column-${fresh.dataset.column} > ul`);
  if (!list) return;
  let card = document.getElementById(fresh.id);
  const hasMoved = card?.parentElement !== list;
  if (card === null) {
    card = document.createElement("li");
    card.id = fresh.id;
    card.className = "card";
  }
  if (hasMoved) insert(list, card, Number(fresh.dataset.order));
  // A group is one card, or what is left of it is.
  if (fresh.dataset.group) for (const other of standing(`[data-group="${fresh.dataset.group}"]`)) if (other !== card) other.remove();
  keepUnfolded(root);
  await htmx().swap({ target: card, text: fresh.outerHTML, swap: "outerMorph", sourceElement: card });
  if (hasMoved) point(fresh.id);
  document.getElementById("first-run")?.remove();
  for (const id of ["filters", "board"]) document.getElementById(id)?.removeAttribute("hidden");
  count();
}

/** Groups that a person has unfolded stay so. @param {Document} fresh */
function keepUnfolded(fresh) {
  for (const shown of document.querySelectorAll("details.folded[open]")) fresh.getElementById(shown.id)?.setAttribute("open", "");
}

/**
 * @param {Element} list
 * @param {HTMLElement} card
 * @param {number} order
 */
function insert(list, card, order) {
  const after = [...list.children].find((other) => other !== card && other instanceof HTMLElement && Number(other.dataset.order) > order);
  // Moving keeps the focus and what is half typed, where the browser can.
  if (card.isConnected && "moveBefore" in list) {
    /** @type {any} */ (list).moveBefore(card, after ?? null);
  } else {
    list.insertBefore(card, after ?? null);
  }
}

/** Show for a moment that a card has come. @param {string} id of the element */
function point(id) {
  const card = document.getElementById(id);
  card?.classList.add("moved");
  setTimeout(() => card?.classList.remove("moved"), MOVED_MS);
}

function count() {
  for (const column of document.querySelectorAll(".column")) {
    const shown = column.querySelector("[data-count]");
    const number = column.querySelectorAll(":scope > ul > .card").length;
    if (shown && !column.querySelector(":scope > p.hint")) shown.textContent = String(number);
  }
}

const refreshAll = throttled(async () => {
  const answer = await fetch(`/ui/columns${location.search}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  setClock(answer);
  const target = document.getElementById("columns");
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  keepUnfolded(fresh);
  if (target) await htmx().swap({ target, text: fresh.body.innerHTML, swap: "innerMorph", sourceElement: target });
  if (document.querySelector("#columns .card")) document.getElementById("first-run")?.remove();
  else if (document.getElementById("first-run")) document.getElementById("board")?.setAttribute("hidden", "");
}, 500);

/** @returns {HTMLTextAreaElement | null} */
const goal = () => /** @type {HTMLTextAreaElement | null} */ (document.getElementById("goal"));

/** The runner decides how the goal is written, the policy what it means. */
function tendComposer() {
  const runner = document.getElementById("runner");
  const preset = document.getElementById("preset");
  const hint = document.getElementById("preset-hint");
  const text = goal();
  if (runner instanceof HTMLSelectElement && text) {
    const isShell = runner.value === "shell";
    text.classList.toggle("mono", isShell);
    text.spellcheck = !isShell;
    text.placeholder = (isShell ? text.dataset.shell : text.dataset.agent) ?? "";
  }
  if (preset instanceof HTMLSelectElement && hint) hint.textContent = preset.selectedOptions[0]?.dataset.hint ?? "";
}

let looking = 0;

/** A busy worker may need more time to look at the folder than one answer waits. */
function tendBranch() {
  clearTimeout(looking);
  const branch = document.getElementById("branch");
  if (branch?.dataset.unseen === undefined) return;
  looking = window.setTimeout(() => htmx().trigger(branch, "refresh"), LOOK_AGAIN_MS);
}

/** @param {Event} event */
function onChange(event) {
  if (event.target instanceof HTMLElement && event.target.closest("#composer")) tendComposer();
  if (event.target instanceof HTMLSelectElement) event.target.closest("form#filters")?.dispatchEvent(new Event("input"));
}

/** @param {MouseEvent} event */
function onExample(event) {
  const example = event.target instanceof Element ? event.target.closest(".example") : null;
  const runner = document.getElementById("runner");
  const text = goal();
  if (!(example instanceof HTMLElement) || !text || !(runner instanceof HTMLSelectElement)) return;
  event.preventDefault();
  text.value = example.dataset.goal ?? "";
  runner.value = example.dataset.runner ?? runner.value;
  tendComposer();
  text.focus();
}

let typing = 0;

/** The address carries the filters, so a reload and a shared link show the same. */
function applyFilters() {
  clearTimeout(typing);
  typing = window.setTimeout(() => {
    const form = document.getElementById("filters");
    if (!(form instanceof HTMLFormElement)) return;
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) if (value) query.set(name, String(value));
    history.replaceState(null, "", query.size ? `/?${query}` : "/");
    refreshAll();
  }, TYPING_MS);
}

const focused = () => /** @type {HTMLElement | null} */ (document.activeElement?.closest(".card") ?? null);

function move(/** @type {number} */ step) {
  const cards = [...document.querySelectorAll("#board .card")].filter((card) => card.checkVisibility());
  const now = cards.indexOf(/** @type {HTMLElement} */ (focused()));
  const next = cards[Math.max(0, Math.min(cards.length - 1, now + step))];
  const focus = next?.querySelector("a, button, input") ?? next;
  if (focus instanceof HTMLElement) focus.focus();
}

/** On a group's card a key means its one task that asks; among several, the task's own card must be focused. @param {string} act */
function press(act) {
  const [button, ...others] = focused()?.querySelectorAll(`[data-act=${act}]`) ?? [];
  if (button instanceof HTMLElement && !others.length) button.click();
}

function fold() {
  const part = focused()?.closest(".card.group")?.querySelector("details.folded");
  if (!(part instanceof HTMLDetailsElement)) return;
  part.open = !part.open;
  part.querySelector("summary")?.focus();
}

document.addEventListener("change", onChange);
document.addEventListener("click", onExample);
document.getElementById("filters")?.addEventListener("input", applyFilters);
document.getElementById("filters")?.addEventListener("submit", (event) => {
  event.preventDefault();
  applyFilters();
});
document.addEventListener("openruntime:task", (event) => {
  const { id } = /** @type {CustomEvent} */ (event).detail;
  refreshCard(id);
  tendComposer();
  const branch = document.getElementById("branch");
  if (branch) htmx().trigger(branch, "refresh");
});
document.addEventListener("htmx:after:swap", () => {
  tendComposer();
  tendBranch();
});
keys.add("n", "New task", () => goal()?.focus());
keys.add("/", "Search tasks", () => document.getElementById("q")?.focus());
keys.add("j", "Next card", () => move(1));
keys.add("k", "Previous card", () => move(-1));
keys.add("o", "Unfold or fold the focused group", fold);
keys.add("a", "Allow, on the focused card", () => press("allow"));
keys.add("d", "Deny, on the focused card", () => press("deny"));
onBoard((task) => refreshCard(task.id, task.group_id ?? undefined), refreshAll);
onLoss(drop);
// Read once: a reload must not say again what was done long ago.
if (new URLSearchParams(location.search).has("notice")) history.replaceState(null, "", "/");
tendComposer();
addEventListener("DOMContentLoaded", () => {
  const branch = document.getElementById("branch");
  if (branch) htmx().trigger(branch, "refresh");
  if (document.getElementById("first-run") && matchMedia("(pointer: fine)").matches) goal()?.focus();
});
