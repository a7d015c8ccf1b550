// @ts-check
// Every page of a task: its header, details, pinned requests and reply box follow the task; keys; drafts.

import { onBoard, onLoss } from "./page.js";
import { stream } from "./stream.js";
import { setClock, throttled } from "./frame.js";
import * as keys from "./keys.js";

const root = /** @type {HTMLElement} */ (document.getElementById("task"));
export const id = root.dataset.task ?? "";
export const path = `/ui/tasks/${id}`;
const STATE_PAUSE = 100;
const SIBLINGS_PAUSE = 2_000;
// A key pressed as a request appears was meant for something else.
const SETTLED_MS = 500;
const PARTS = ["task-head", "details", "pinned", "reply"];
const htmx = () => /** @type {any} */ (window).htmx;

/** @param {string} text @returns {Document} */
const parsed = (text) => new DOMParser().parseFromString(text, "text/html");

/** @param {Element} target @param {Element} fresh */
async function morph(target, fresh) {
  if (target.outerHTML === fresh.outerHTML) return;
  await htmx().swap({ target, text: fresh.outerHTML, swap: "outerMorph", sourceElement: target });
}

let isGone = false;

/** The task was deleted, here or elsewhere: say so once, and offer nothing that could only fail. */
export function showDeleted() {
  if (isGone) return;
  isGone = true;
  root.dataset.gone = "";
  sessionStorage.removeItem(draftKey);
  const said = Object.assign(document.createElement("p"), { className: "notice warn gone", textContent: "This task was deleted. " });
  said.setAttribute("role", "alert");
  said.append(Object.assign(document.createElement("a"), { href: "/", textContent: "To the board" }));
  document.querySelector("#task .centre")?.prepend(said);
}

export const refreshState = throttled(async () => {
  if (isGone) return;
  const answer = await fetch(`${path}/state?tab=${root.dataset.tab}`, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  setClock(answer);
  const fresh = parsed(await answer.text());
  for (const name of PARTS) {
    const shown = document.getElementById(name);
    const next = fresh.getElementById(name);
    if (!shown || !next) continue;
    if (name === "reply" && shown.dataset.kind === next.dataset.kind) continue;
    keepOrigin(next);
    keepOpen(shown, next);
    await morph(shown, next);
  }
  turnTo(0);
  noteAsked();
  restoreDraft();
}, STATE_PAUSE);

/** Forms lead back to this page, not to the partial that brought them. @param {Element} part */
function keepOrigin(part) {
  for (const field of part.querySelectorAll("input[name=back]")) {
    if (field instanceof HTMLInputElement) field.setAttribute("value", location.pathname + location.search);
  }
}

/** What was opened to be written into stays open. @param {Element} shown @param {Element} next */
function keepOpen(shown, next) {
  for (const pin of shown.querySelectorAll("[data-ask]")) {
    const fresh = next.querySelector(`#${CSS.escape(pin.id)}`)?.querySelectorAll("details") ?? [];
    pin.querySelectorAll("details").forEach((part, place) => fresh[place]?.toggleAttribute("open", part.open));
  }
}

const refreshSiblings = throttled(async () => {
  const shown = document.getElementById("siblings");
  if (!shown || isGone) return;
  const answer = await fetch(`${path}/siblings`, { headers: { "HX-Request": "true" } });
  const fresh = answer.ok ? parsed(await answer.text()).getElementById("siblings") : null;
  if (fresh) await morph(shown, fresh);
}, SIBLINGS_PAUSE);

/** @type {Map<string, number>} */
const askedAt = new Map();

/** Remember since when each request can be seen, and say once that it came. */
function noteAsked() {
  for (const pin of document.querySelectorAll("[data-ask]")) {
    const name = pin instanceof HTMLElement ? (pin.dataset.ask ?? "") : "";
    if (askedAt.has(name)) continue;
    askedAt.set(name, performance.now());
    const announce = document.getElementById("announce");
    if (announce) announce.textContent = pin.querySelector("h2")?.textContent ?? "";
  }
}

let turned = 0;

/** Show one request of several. @param {number} step */
function turnTo(step) {
  const pins = [...document.querySelectorAll("[data-ask]")];
  turned = pins.length ? (turned + step + pins.length) % pins.length : 0;
  pins.forEach((pin, place) => pin.toggleAttribute("hidden", place !== turned));
}

/** @param {string} act */
function press(act) {
  const pin = document.querySelector("#pinned .pin:not([hidden])");
  const button = pin?.querySelector(`[data-act="${act}"]`);
  const since = pin instanceof HTMLElement && pin.dataset.ask ? (askedAt.get(pin.dataset.ask) ?? 0) : 0;
  if (!(button instanceof HTMLElement) || performance.now() - since < SETTLED_MS) return;
  button.click();
  const note = pin?.querySelector("details[open] input.field");
  if (act === "deny" && note instanceof HTMLElement) note.focus();
}

const message = () => /** @type {HTMLTextAreaElement | null} */ (document.getElementById("message"));
const draftKey = `draft:${id}`;

function restoreDraft() {
  const field = message();
  if (field && !field.value && document.activeElement !== field) field.value = sessionStorage.getItem(draftKey) ?? "";
}

document.addEventListener("input", (event) => {
  if (event.target === message()) sessionStorage.setItem(draftKey, message()?.value ?? "");
});

document.addEventListener("htmx:after:request", (event) => {
  const ctx = /** @type {CustomEvent} */ (event).detail.ctx;
  const form = ctx?.sourceElement instanceof Element ? ctx.sourceElement.closest("form") : null;
  if (!form || (ctx.response?.status ?? 0) >= 400) return;
  if (form.id === "reply") {
    sessionStorage.removeItem(draftKey);
    const field = message();
    if (field) field.value = "";
  }
  refreshState();
});

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("[data-turn-to]") : null;
  if (button instanceof HTMLElement) turnTo(Number(button.dataset.turnTo));
});

keys.add("t", "Timeline", () => location.assign(path));
keys.add("v", "Changes", () => location.assign(`${path}/changes`));
keys.add(".", "Stop the task", () => {
  const button = document.querySelector('[data-verb="stop"]');
  if (button instanceof HTMLElement && confirm("Stop this task?")) button.click();
});

if (root.dataset.tab !== "changes") {
  keys.add("m", "Merge", () => document.querySelector("[data-review]") && location.assign(`${path}/changes?merge`));
}
if (root.dataset.tab === "timeline") {
  keys.add("a", "Allow once", () => press("allow"));
  keys.add("A", "Allow for this task", () => press("allow-task"));
  keys.add("d", "Deny", () => press("deny"));
  keys.add("r", "Write a reply", () => message()?.focus());
} else {
  // The timeline reads its own topic, with its events.
  stream.subscribe(`task:${id}`, { onTask: refreshState, onResync: refreshState, onDeleted: showDeleted });
}

onBoard(refreshSiblings, refreshSiblings);
onLoss(refreshSiblings);
turnTo(0);
noteAsked();
restoreDraft();
