// @ts-check
// Going through the changes: from file to file and hunk to hunk, and marking them as viewed on the way.

import { files, load, review, want } from "./diff.js";
import * as keys from "./keys.js";

// Where a hunk stands that was gone to: below its file's header, which stays in view.
const FOCUS_PX = 90;
const form = /** @type {HTMLFormElement | null} */ (document.getElementById("marks"));
let told = Promise.resolve();
/** Marks of each file that the server has not answered yet. @type {Map<HTMLElement, number>} */
const untold = new Map();

const markOf = (/** @type {Element} */ file) => /** @type {HTMLButtonElement} */ (file.querySelector(":scope > header .viewed"));
const buttonOf = (/** @type {Element} */ hunk) => /** @type {HTMLButtonElement | null} */ (hunk.querySelector(".hunk .viewed"));
const isPressed = (/** @type {Element | null} */ button) => button?.getAttribute("aria-pressed") === "true";
const isViewed = (/** @type {HTMLElement} */ file) => isPressed(markOf(file));
const isShown = (/** @type {Element} */ found) => found instanceof HTMLElement && found.offsetParent !== null;
/** @param {ParentNode} place @returns {HTMLElement[]} */
const hunksIn = (place) => [...place.querySelectorAll("tbody[data-hunk]")].flatMap((hunk) => (hunk instanceof HTMLElement ? [hunk] : []));

/** @param {HTMLElement} file @param {boolean} isSeen */
function showFile(file, isSeen) {
  const button = markOf(file);
  button.setAttribute("aria-pressed", String(isSeen));
  button.name = isSeen ? "open" : "viewed";
  file.classList.toggle("is-viewed", isSeen);
  document.querySelector(`#files a[data-file="${file.dataset.file}"]`)?.classList.toggle("is-viewed", isSeen);
  file.querySelector(":scope > header .by")?.remove();
  if (!isSeen) want(file);
}

/** @param {HTMLElement} hunk @param {boolean} isSeen */
function showHunk(hunk, isSeen) {
  const button = buttonOf(hunk);
  if (!button || isPressed(button) === isSeen) return;
  button.setAttribute("aria-pressed", String(isSeen));
  button.name = isSeen ? "open-hunk" : "hunk";
  hunk.classList.toggle("is-viewed", isSeen);
  hunk.querySelector(".by")?.remove();
  for (const box of hunk.querySelectorAll("input")) box.checked = false;
}

/** A mark shows at once; the server is told of one after the other. @param {HTMLElement} file @param {HTMLButtonElement} button @param {() => void} change */
function tell(file, button, change) {
  if (!form) return;
  const body = new FormData(form);
  body.set(button.name, button.value);
  const before = [isViewed(file), ...hunksIn(file).map((hunk) => isPressed(buttonOf(hunk)))];
  change();
  untold.set(file, (untold.get(file) ?? 0) + 1);
  told = told.then(() => send(form, body, file, before));
}

/** What the server does not keep is taken back. @param {HTMLFormElement} form @param {FormData} body @param {HTMLElement} file @param {boolean[]} before */
async function send(form, body, file, before) {
  const problem = /** @type {HTMLElement} */ (form.querySelector(".problem"));
  try {
    const answer = await fetch(form.action, { method: "POST", body, headers: { "HX-Request": "true" } });
    if (answer.status === 401) location.assign("/login");
    if (!answer.ok) throw new Error(String(answer.status));
    apply(file, await answer.json());
    problem.hidden = true;
  } catch {
    const [wasSeen, ...hunks] = before;
    if (wasSeen !== isViewed(file)) showFile(file, wasSeen ?? false);
    hunksIn(file).forEach((hunk, place) => showHunk(hunk, hunks[place] ?? false));
    problem.textContent = "The mark was not kept. Try again.";
    problem.hidden = false;
  } finally {
    untold.set(file, (untold.get(file) ?? 1) - 1);
  }
}

/** @param {HTMLElement} file @param {{progress: string, viewed: boolean, hunks: string}} said */
function apply(file, said) {
  const progress = document.getElementById("progress");
  if (progress) progress.textContent = said.progress;
  if (untold.get(file) !== 1) return; // a later mark of the file is on its way
  const part = file.querySelector(":scope > header .in-part");
  if (part) part.textContent = said.hunks;
  if (said.viewed !== isViewed(file)) showFile(file, said.viewed);
  if (said.viewed) file.querySelector(".again")?.remove();
}

/** @param {HTMLElement} file */
function toggleFile(file) {
  const isSeen = !isViewed(file);
  tell(file, markOf(file), () => {
    showFile(file, isSeen);
    for (const hunk of hunksIn(file)) showHunk(hunk, isSeen);
  });
}

/** @param {HTMLElement} hunk */
function toggleHunk(hunk) {
  const file = hunk.closest("section.file");
  const button = buttonOf(hunk);
  if (!(file instanceof HTMLElement) || !button) return;
  const isSeen = !isPressed(button);
  tell(file, button, () => {
    showHunk(hunk, isSeen);
    if (!isSeen && isViewed(file)) showFile(file, false);
  });
}

const top = () => review.getBoundingClientRect().top;

/** What has the focus, as long as it can be seen; a person who scrolled on is elsewhere. @param {string} kind */
function focused(kind) {
  const found = document.activeElement?.closest(kind);
  if (!(found instanceof HTMLElement) || !isShown(found)) return null;
  const { top: begin, bottom: end } = found.getBoundingClientRect();
  return end > top() && begin < review.getBoundingClientRect().bottom ? found : null;
}

export function currentFile() {
  const at = files.find((file) => file.getBoundingClientRect().bottom > top() + FOCUS_PX);
  return focused("section.file") ?? at ?? files.at(-1);
}

/** @param {HTMLElement | undefined} file */
function goToFile(file) {
  file?.scrollIntoView({ block: "start" });
  file?.focus({ preventScroll: true });
}

/** @param {number} step */
function moveFile(step) {
  const now = currentFile();
  if (!now) return;
  const isAbove = step < 0 && now !== document.activeElement && now.getBoundingClientRect().top < top() - 4;
  const place = files.indexOf(now) + (isAbove ? 0 : step);
  goToFile(files[Math.max(0, Math.min(files.length - 1, place))]);
}

/** The next file that is not viewed, round the end. @param {number} step */
function moveOpen(step, now = currentFile()) {
  const place = now ? files.indexOf(now) : 0;
  const round = files.map((_, offset) => files[(place + step * (offset + 1) + files.length * 2) % files.length]);
  goToFile(round.find((file) => file && !isViewed(file)) ?? now);
}

function currentHunk() {
  const focusedFile = focused("section.file");
  const shown = hunksIn(focusedFile ?? review).filter((hunk) => isShown(hunk) && buttonOf(hunk));
  return focused("tbody[data-hunk]") ?? shown.find((hunk) => hunk.getBoundingClientRect().bottom > top() + FOCUS_PX + 2);
}

/** @param {HTMLElement} hunk */
function goToHunk(hunk) {
  review.scrollTop += hunk.getBoundingClientRect().top - top() - FOCUS_PX;
  const place = /** @type {HTMLElement} */ (buttonOf(hunk) ?? hunk.querySelector("th"));
  place.focus({ preventScroll: true });
}

/** @param {number} step */
function moveHunk(step) {
  const shown = hunksIn(review).filter(isShown);
  const now = focused("tbody[data-hunk]");
  const line = top() + FOCUS_PX;
  const below = shown.findIndex((hunk) => hunk.getBoundingClientRect().top > line + 2);
  const rest = below < 0 ? shown.length : below;
  const above = shown.findLastIndex((hunk) => hunk.getBoundingClientRect().top < line - 2);
  const place = now ? shown.indexOf(now) + step : step > 0 ? rest : above;
  const hunk = shown[place];
  if (hunk) goToHunk(hunk);
}

/** Mark what is here, and go on to what is open next; a file whose lines are not drawn yet is opened first. */
function markAndGoOn() {
  const file = currentFile();
  const hunk = currentHunk();
  if (!file) return;
  if (!hunk || !file.contains(hunk)) {
    if (file.querySelector("[data-load]:not(.unfold)")) void load(file);
    else markFile(file);
    return;
  }
  const wasSeen = isPressed(buttonOf(hunk));
  toggleHunk(hunk);
  if (wasSeen) return;
  const left = hunksIn(file).filter((other) => isShown(other) && other !== hunk && !isPressed(buttonOf(other)));
  const next = left.find((other) => hunk.compareDocumentPosition(other) & Node.DOCUMENT_POSITION_FOLLOWING) ?? left[0];
  if (next) goToHunk(next);
  else moveOpen(1, file);
}

/** @param {HTMLElement} file */
function markFile(file) {
  const wasSeen = isViewed(file);
  toggleFile(file);
  if (!wasSeen) moveOpen(1, file);
}

document.addEventListener("click", (event) => {
  const button = event.target instanceof Element ? event.target.closest("button.viewed") : null;
  if (!(button instanceof HTMLButtonElement)) return;
  event.preventDefault();
  const hunk = button.closest("tbody[data-hunk]");
  const file = button.closest("section.file");
  if (hunk instanceof HTMLElement) toggleHunk(hunk);
  else if (file instanceof HTMLElement) toggleFile(file);
});

keys.add("j", "Next file", () => moveFile(1));
keys.add("k", "Previous file", () => moveFile(-1));
keys.add("n", "Next file that is not viewed", () => moveOpen(1));
keys.add("N", "Previous file that is not viewed", () => moveOpen(-1));
keys.add("]", "Next hunk", () => moveHunk(1));
keys.add("[", "Previous hunk", () => moveHunk(-1));
keys.add("x", "Mark the hunk as viewed, and go on", markAndGoOn);
keys.add("V", "Mark the file as viewed, and go on", () => {
  const file = currentFile();
  if (file) markFile(file);
});
