// @ts-check
// The frame of every page: connection pill, how many need you, ages that stay right, theme, menu, copy buttons.

import { stream } from "./stream.js";
import * as notify from "./notify.js";
import { toast } from "./forms.js";

const REFRESH_MS = 400;
const SETTLED = 10_000;

/** @param {number} seconds */
export function span(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m`;
  const minutes = Math.floor((whole % 3600) / 60);
  if (whole < 86400) return `${Math.floor(whole / 3600)}h${minutes ? ` ${minutes}m` : ""}`;
  return `${Math.floor(whole / 86400)}d`;
}

/**
 * Run at once, then at most once in a while, and again if asked meanwhile.
 * @param {() => Promise<void> | void} run
 * @param {number} pause in milliseconds
 */
export function throttled(run, pause) {
  let isBusy = false;
  let isAsked = false;
  const go = async () => {
    if (isBusy) {
      isAsked = true;
      return;
    }
    isBusy = true;
    try {
      await run();
    } catch {
      // The next change tries again; the connection pill says what is wrong.
    }
    setTimeout(() => {
      isBusy = false;
      if (isAsked) {
        isAsked = false;
        void go();
      }
    }, pause);
  };
  return () => void go();
}

/** @param {import("./stream.js").State} state @param {number} heardAt @param {number} retryAt */
function showConnection(state, heardAt, retryAt) {
  const pill = document.getElementById("connection");
  const text = pill?.querySelector("[data-text]");
  if (!pill || !text) return;
  pill.dataset.state = state;
  const clock = new Date(heardAt).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  const wait = Math.max(0, Math.ceil((retryAt - Date.now()) / 1000));
  const said = { live: "Live", connecting: wait > 1 ? `Reconnecting ${wait} s` : "Connecting", polling: "Polling", offline: `Offline: showing ${clock}` };
  if (text.textContent !== said[state]) text.textContent = said[state];
}

async function readNeeds() {
  const answer = await fetch(document.body.dataset.needs ?? "/ui/needs");
  if (!answer.ok) return;
  const { waiting, tasks } = await answer.json();
  showWaiting(waiting);
  notify.mark(waiting);
  notify.tell(tasks);
}

/** @param {number} waiting */
function showWaiting(waiting) {
  const button = document.getElementById("waiting");
  const count = button?.querySelector("[data-count]");
  const word = button?.querySelector("[data-word]");
  if (!button || !count || !word) return;
  if (waiting > Number(count.textContent) || (waiting && button.hidden)) {
    const announce = document.getElementById("announce");
    if (announce) announce.textContent = `${waiting} ${waiting === 1 ? "task needs" : "tasks need"} you`;
  }
  count.textContent = String(waiting);
  word.textContent = waiting === 1 ? "needs" : "need";
  button.hidden = waiting === 0;
}

/** Read the count again soon. */
export const refreshNeeds = throttled(readNeeds, REFRESH_MS);

// The server's clock less ours: ages are counted from the server's times.
let offset = 0;

function showAges() {
  const at = Date.now() + offset;
  for (const time of document.querySelectorAll("time[data-since], time[data-ago]")) {
    if (!(time instanceof HTMLTimeElement)) continue;
    const seconds = (at - Date.parse(time.dateTime)) / 1000;
    const text = time.dataset.since !== undefined ? span(seconds) : seconds < 10 ? "just now" : `${span(seconds)} ago`;
    if (time.textContent !== text) time.textContent = text;
  }
}

function tendTheme() {
  const root = document.documentElement;
  for (const choice of document.querySelectorAll("input[name=theme]")) {
    if (!(choice instanceof HTMLInputElement)) continue;
    choice.checked = choice.value === (root.dataset.theme ?? "auto");
    choice.addEventListener("change", () => {
      if (choice.value === "auto") delete root.dataset.theme;
      else root.dataset.theme = choice.value;
      localStorage.setItem("theme", choice.value);
    });
  }
}

function tendNotifications() {
  const box = document.getElementById("notify");
  const hint = document.getElementById("notify-hint");
  if (!(box instanceof HTMLInputElement)) return;
  box.checked = notify.isWanted();
  box.addEventListener("change", async () => {
    const wanted = box.checked;
    box.checked = await notify.choose(wanted);
    if (wanted && !box.checked && hint) hint.textContent = "Your browser does not allow notifications for this page.";
  });
}

/** @param {MouseEvent} event */
async function onClick(event) {
  const target = event.target instanceof Element ? event.target : null;
  for (const open of document.querySelectorAll("details.menu[open], .fold details[open]")) {
    if (!open.contains(target)) open.removeAttribute("open");
  }
  const button = target?.closest("[data-copy]");
  if (button instanceof HTMLElement) {
    await navigator.clipboard.writeText(button.dataset.copy ?? "");
    const label = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => (button.textContent = label), 1_500);
    toast("Copied");
  }
}

/** @param {Response} answer */
export function setClock(answer) {
  const date = Date.parse(answer.headers.get("Date") ?? "");
  if (date && Math.abs(date - Date.now()) > 2_000) offset = date - Date.now();
}

/** Bring the frame to life; called once per page. */
export function start() {
  tendTheme();
  tendNotifications();
  document.addEventListener("click", (event) => void onClick(event));
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of document.querySelectorAll("details.menu[open], .fold details[open]")) open.removeAttribute("open");
  });
  stream.watch(showConnection);
  setInterval(showAges, 1_000);
  setInterval(refreshNeeds, SETTLED * 3);
  refreshNeeds();
}
