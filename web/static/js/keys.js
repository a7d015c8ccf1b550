// @ts-check
// Keyboard shortcuts: one registry, listed by `?`, silent inside fields, and with an off switch (WCAG 2.1.4).

/** @typedef {{keys: string, label: string, run: () => void}} Shortcut */

/** @type {Map<string, Shortcut>} */
const shortcuts = new Map();
const SEQUENCE_MS = 900;
const OFF = "keys-off";
let pending = "";
let pendingAt = 0;

/**
 * Register a shortcut: one key such as `n`, or two in a row such as `g b`.
 * @param {string} keys
 * @param {string} label what it does, for the list
 * @param {() => void} run
 */
export function add(keys, label, run) {
  shortcuts.set(keys, { keys, label, run });
}

export function areOff() {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
}

/** @param {EventTarget | null} target */
function takesText(target) {
  return target instanceof HTMLElement && (target.isContentEditable || target.matches("input:not([type=checkbox]), textarea, select"));
}

/** @param {KeyboardEvent} event */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
  if (takesText(event.target)) {
    if (event.key === "Escape" && event.target instanceof HTMLElement) event.target.blur();
    return;
  }
  if (document.querySelector("dialog[open]") || (areOff() && event.key !== "?")) return;
  const sequence = `${pending} ${event.key}`;
  const isFresh = performance.now() - pendingAt < SEQUENCE_MS;
  const found = (pending && isFresh && shortcuts.get(sequence)) || shortcuts.get(event.key);
  pending = [...shortcuts.keys()].some((keys) => keys.startsWith(`${event.key} `)) ? event.key : "";
  pendingAt = performance.now();
  if (!found) return;
  event.preventDefault();
  pending = "";
  found.run();
}

/** Show the list. */
export function help() {
  document.getElementById("keys-help")?.remove();
  const dialog = document.createElement("dialog");
  dialog.id = "keys-help";
  dialog.setAttribute("aria-labelledby", "keys-title");
  const head = document.createElement("header");
  const title = Object.assign(document.createElement("h2"), { id: "keys-title", textContent: "Keyboard shortcuts" });
  const close = Object.assign(document.createElement("button"), { className: "button small", textContent: "Close" });
  close.addEventListener("click", () => dialog.close());
  head.append(title, close);
  const list = Object.assign(document.createElement("dl"), { className: "keys-list" });
  for (const { keys, label } of shortcuts.values()) list.append(row(keys, label));
  list.append(row("Ctrl Enter", "Send what you typed"), row("Esc", "Leave a field or dialog"));
  dialog.append(head, list, offSwitch());
  dialog.addEventListener("close", () => dialog.remove());
  document.body.append(dialog);
  dialog.showModal();
}

/**
 * @param {string} keys
 * @param {string} label
 */
function row(keys, label) {
  const line = document.createElement("div");
  const term = Object.assign(document.createElement("dt"), { textContent: label });
  const detail = document.createElement("dd");
  keys.split(" ").forEach((key, place) => {
    if (place) detail.append(" ");
    detail.append(Object.assign(document.createElement("kbd"), { textContent: key }));
  });
  line.append(term, detail);
  return line;
}

function offSwitch() {
  const label = Object.assign(document.createElement("label"), { className: "keys-off" });
  const box = Object.assign(document.createElement("input"), { type: "checkbox", checked: !areOff() });
  box.addEventListener("change", () => localStorage.setItem(OFF, box.checked ? "0" : "1"));
  label.append(box, "Use single-key shortcuts");
  return label;
}

/** Listen; called once per page. */
export function start() {
  addEventListener("keydown", onKey);
  add("?", "This list", help);
  for (const link of document.querySelectorAll("nav.places a[data-keys]")) {
    if (link instanceof HTMLAnchorElement) {
      add(link.dataset.keys ?? "", `Go to ${link.textContent?.trim()}`, () => location.assign(link.href));
    }
  }
}
