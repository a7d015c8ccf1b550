// @ts-check
// The timeline in blocks of 100 events: only blocks near the viewport hold rows, all rows come from the server, and
// new events are appended exactly once by their seq.

import { stream } from "./stream.js";
import { id, path, refreshState, showDeleted } from "./task.js";
import { throttled } from "./frame.js";
import { holding, isHeld, localise, merge, tell } from "./rows.js";
import * as keys from "./keys.js";

const SIZE = 100;
const MARGIN = "1600px 0px";
const LOADS = 4;
const PUMP_MS = 100;
// How long after a wheel, touch or key a scroll counts as the person's own.
const INTENT_MS = 400;
const END_PX = 48;
// Browsers stop at some 33 million pixels; the sum of what is not drawn yet stays well below.
const MOST_PX = 15_000_000;
const ROW_PX = 22;

/** @typedef {{element: HTMLElement, first: number, last: number, filled: boolean, near: boolean, load: AbortController | null}} Block */

const timeline = /** @type {HTMLElement} */ (document.getElementById("timeline"));
const scroller = /** @type {HTMLElement} */ (document.getElementById("scroller"));
const jump = /** @type {HTMLButtonElement} */ (document.getElementById("jump"));
const query = timeline.dataset.query ?? "";
const isFiltered = timeline.dataset.starts !== undefined;
/** @type {Block[]} */
const blocks = [];
/** @type {WeakMap<Element, Block>} */
const blockOf = new WeakMap();
/** @type {Set<Block>} */
const wanted = new Set();
let loads = 0;
let shown = Number(timeline.dataset.last);
let latest = shown;
let follow = !/[?&](before|at)=/.test(location.search) && !location.hash;
let intentAt = -Infinity;
let unseen = 0;
let estimate = SIZE * ROW_PX;

const observer = new IntersectionObserver(
  (entries) => {
    for (const entry of entries) {
      const block = blockOf.get(entry.target);
      if (!block) continue;
      block.near = entry.isIntersecting;
      if (block.near) want(block);
      else drain(block);
    }
  },
  { root: scroller, rootMargin: MARGIN },
);

/** @param {number} first @param {number} last @param {HTMLElement} [element] */
function add(first, last, element) {
  const block = { element: element ?? document.createElement("div"), first, last, filled: Boolean(element), near: false, load: null };
  block.element.className = "block";
  block.element.dataset.first = String(first);
  if (!element) block.element.style.height = `${estimate}px`;
  blocks.push(block);
  blockOf.set(block.element, block);
  return block;
}

function setUp() {
  /** @type {Map<number, HTMLElement>} */
  const drawn = new Map();
  for (const element of timeline.children) {
    if (element instanceof HTMLElement) drawn.set(Number(element.dataset.first), element);
  }
  const whole = [...drawn.values()].slice(0, -1).map((element) => element.offsetHeight);
  if (whole.length) estimate = whole.reduce((sum, height) => sum + height, 0) / whole.length;
  const starts = isFiltered ? (timeline.dataset.starts ?? "").split(" ").filter(Boolean).map(Number) : regular(shown);
  estimate = Math.max(40, Math.min(estimate, MOST_PX / Math.max(1, starts.length)));
  if (!starts.length) starts.push(1);
  starts.forEach((first, place) => add(first, (starts[place + 1] ?? Infinity) - 1, drawn.get(first)));
  timeline.replaceChildren(...blocks.map((block) => block.element));
  document.querySelectorAll("[data-turn]").forEach((turn) => turn.remove());
  localise(timeline);
  for (const block of blocks) observer.observe(block.element);
}

/** @param {number} last */
function regular(last) {
  return Array.from({ length: Math.ceil(last / SIZE) }, (_, place) => place * SIZE + 1);
}

const tail = () => /** @type {Block} */ (blocks.at(-1));
/** Where a block's events end: without a filter every block holds the same number. @param {Block} block */
const endOf = (block) => (Number.isFinite(block.last) ? block.last : isFiltered ? Infinity : block.first + SIZE - 1);

/** @param {Block} block */
function want(block) {
  if (block.filled || block.load) return;
  wanted.add(block);
  next();
}

function next() {
  while (loads < LOADS && wanted.size) {
    const block = /** @type {Block} */ (wanted.values().next().value);
    wanted.delete(block);
    if (block.near && !block.filled && !block.load) void fill(block);
  }
}

/** @param {number} from @param {number} to @param {AbortSignal} [signal] */
async function read(from, to, signal) {
  const range = `from=${from}${Number.isFinite(to) ? `&to=${to}` : ""}${query ? `&${query}` : ""}`;
  const answer = await fetch(`${path}/rows?${range}`, { signal, headers: { "HX-Request": "true" } });
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error(String(answer.status));
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  localise(template.content);
  return { content: template.content, last: Number(answer.headers.get("X-Last")) };
}

/** @param {Block} block */
async function fill(block) {
  loads += 1;
  block.load = new AbortController();
  block.element.classList.add("loading");
  try {
    const { content, last } = await read(block.first, endOf(block), block.load.signal);
    block.element.replaceChildren(content);
    block.element.style.height = "";
    block.filled = true;
    if (block === tail()) shown = Math.max(shown, last);
  } catch (error) {
    if (!block.load?.signal.aborted) offerRetry(block);
  } finally {
    block.element.classList.remove("loading");
    block.load = null;
    loads -= 1;
    next();
    pump();
  }
}

/** @param {Block} block */
function offerRetry(block) {
  const button = Object.assign(document.createElement("button"), { className: "button small", textContent: "These events could not be read. Try again" });
  button.addEventListener("click", () => void fill(block));
  block.element.replaceChildren(button);
}

/** @param {Block} block */
function drain(block) {
  wanted.delete(block);
  if (block.load) return block.load.abort();
  if (!block.filled || block === tail() || isHeld(block.element)) return;
  block.element.style.height = `${block.element.offsetHeight}px`;
  block.element.replaceChildren();
  block.filled = false;
}

const pump = throttled(async () => {
  while (shown < latest) {
    if (!isFiltered) extend();
    const block = tail();
    if (!follow && !block.near) {
      // Nobody looks: the rows are read when somebody does.
      block.filled = false;
      shown = latest;
      return;
    }
    if (!block.filled) {
      block.near = true;
      await fill(block);
      continue;
    }
    await append(block);
  }
}, PUMP_MS);

/** Blocks up to the newest event; those between are read when they come near. */
function extend() {
  let block = tail();
  while (block.first + SIZE <= latest) {
    block.last = block.first + SIZE - 1;
    if (shown < block.last) {
      block.filled = false;
      if (block.near) want(block);
    }
    const following = add(block.last + 1, Infinity);
    if (following.first + SIZE > latest) following.element.style.height = "";
    timeline.append(following.element);
    observer.observe(following.element);
    shown = Math.max(shown, block.last);
    block = following;
    block.filled = true;
  }
  if (shown < block.first - 1) shown = block.first - 1;
}

/** @param {Block} block */
async function append(block) {
  const rows = block.element.querySelectorAll(":scope > .event");
  const open = rows.length ? Number(rows[rows.length - 1]?.id.slice(1)) : Math.max(block.first, isFiltered ? shown + 1 : 0);
  const { content, last } = await read(open, Math.min(endOf(block), latest));
  merge(block.element, content, timeline);
  tellDecisions();
  shown = Math.max(shown, last);
  if (isFiltered && block.element.querySelectorAll(".event, .line").length > 2 * SIZE) {
    block.last = shown;
    const following = add(shown + 1, Infinity, document.createElement("div"));
    timeline.append(following.element);
    observer.observe(following.element);
  }
  if (follow) pin();
}

/** A decision changes the row of what was asked. */
function tellDecisions() {
  for (const decided of timeline.querySelectorAll("[data-decided]:not([data-told])")) {
    if (!(decided instanceof HTMLElement)) continue;
    decided.dataset.told = "";
    const row = timeline.querySelector(`[data-approval="${CSS.escape(decided.dataset.decided ?? "")}"]`)?.closest(".event");
    if (row) void again(row);
  }
}

/** @param {Element} row */
async function again(row) {
  const seq = Number(row.id.slice(1));
  const { content } = await read(seq, seq);
  if (row.isConnected && content.firstElementChild) row.replaceWith(content.firstElementChild);
}

function pin() {
  scroller.scrollTop = scroller.scrollHeight;
}

/** @param {boolean} wish */
function setFollow(wish) {
  follow = wish;
  if (follow) unseen = 0;
  showJump();
  if (follow) {
    pin();
    pump();
  }
}

function showJump() {
  jump.hidden = follow;
  const label = jump.querySelector("span");
  const text = unseen ? `${unseen.toLocaleString("en")} new` : "Jump to latest";
  if (label && label.textContent !== text) label.textContent = text;
}

/** Go to one event, wherever it is. @param {number} seq */
async function seek(seq) {
  const block = blocks.find((each) => seq >= each.first && seq <= each.last) ?? tail();
  setFollow(false);
  if (!block.filled) {
    block.element.scrollIntoView({ block: "center" });
    await fill(block);
  }
  const target = document.getElementById(`e${seq}`) ?? holding(block.element, seq);
  if (!target) {
    if (isFiltered) location.assign(`${path}#e${seq}`);
    return;
  }
  timeline.querySelectorAll(".sought").forEach((old) => old.classList.remove("sought"));
  target.classList.add("sought");
  target.scrollIntoView({ block: "center" });
  // Blocks around it may still be taking their real height.
  setTimeout(() => target.scrollIntoView({ block: "center" }), 120);
}

function seekHash() {
  const found = /^#e(\d+)$/.exec(location.hash);
  if (found) void seek(Number(found[1]));
}

/** @param {number} step */
function move(step) {
  const rows = [...timeline.querySelectorAll(".event")];
  const now = rows.findIndex((row) => row.contains(document.activeElement));
  const top = scroller.getBoundingClientRect().top;
  const from = now >= 0 ? now : rows.findIndex((row) => row.getBoundingClientRect().bottom > top) - (step > 0 ? 1 : 0);
  const row = rows[Math.max(0, Math.min(rows.length - 1, from + step))];
  if (!(row instanceof HTMLElement)) return;
  intentAt = performance.now();
  row.focus({ preventScroll: true });
  row.scrollIntoView({ block: "nearest" });
}

for (const kind of ["wheel", "touchmove", "keydown"]) {
  scroller.addEventListener(kind, () => (intentAt = performance.now()), { passive: true });
}
scroller.addEventListener("pointerdown", (event) => {
  // A drag of the scroll bar sends nothing more until it ends.
  const isBar = event.target === scroller && event.offsetX >= scroller.clientWidth;
  intentAt = performance.now() + (isBar ? 10_000 : 0);
});
scroller.addEventListener(
  "scroll",
  () => {
    const atEnd = scroller.scrollHeight - scroller.scrollTop - scroller.clientHeight < END_PX;
    const isMeant = performance.now() - intentAt < INTENT_MS;
    if (isMeant && atEnd !== follow) setFollow(atEnd);
  },
  { passive: true },
);
const settle = new ResizeObserver(() => follow && pin());
settle.observe(timeline);
settle.observe(scroller);
jump.addEventListener("click", () => setFollow(true));
addEventListener("hashchange", seekHash);

const filter = /** @type {HTMLFormElement} */ (document.getElementById("filter"));
filter.addEventListener("change", (event) => {
  if (event.target instanceof HTMLInputElement && event.target.type === "checkbox") filter.requestSubmit();
});
document.getElementById("find")?.addEventListener("search", () => filter.requestSubmit());

keys.add("/", "Search the timeline", () => document.getElementById("find")?.focus());
keys.add("e", "To the end, and follow", () => setFollow(true));
keys.add("j", "Next row", () => move(1));
keys.add("k", "Previous row", () => move(-1));

setUp();
if (follow) pin();
showJump();
seekHash();
stream.subscribe(
  `task:${id}`,
  {
    onEvents: (events) => {
      latest = Math.max(latest, events.at(-1)?.seq ?? 0);
      if (!follow) unseen += events.length;
      showCount();
      showJump();
      tell(events.length);
      pump();
    },
    onTask: refreshState,
    onResync: refreshState, onDeleted: showDeleted,
  },
  shown,
);

function showCount() {
  const count = document.querySelector("[data-events]");
  if (count) count.textContent = latest.toLocaleString("en");
}
