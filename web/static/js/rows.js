// @ts-check
// Rows of the timeline in the page: local times, and joining what the server drew anew with what stands there.

const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const whole = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });

/** Times of the server as times of this place. @param {ParentNode} root */
export function localise(root) {
  for (const time of root.querySelectorAll("time[data-clock]")) {
    if (!(time instanceof HTMLTimeElement) || time.title) continue;
    const at = new Date(time.dateTime);
    time.textContent = clock.format(at);
    time.title = whole.format(at);
  }
}

/**
 * Append rows that begin with the last one shown: that one may have grown, the others are new.
 * @param {Element} block
 * @param {DocumentFragment} content
 * @param {Element} timeline
 */
export function merge(block, content, timeline) {
  for (const row of [...content.children]) {
    const known = row.id ? document.getElementById(row.id) : null;
    if (!known) {
      if (!joinResult(row, timeline)) block.append(row);
    } else if (known.classList.contains("event") && block.contains(known)) {
      grow(known, row);
    }
  }
}

/** @param {HTMLElement} known @param {Element} row */
function grow(known, row) {
  if (!(row instanceof HTMLElement) || known.dataset.last === row.dataset.last) return;
  const lines = known.querySelector(":scope > pre.lines");
  const fresh = row.querySelector(":scope > pre.lines");
  known.dataset.last = row.dataset.last;
  if (!lines || !fresh) {
    const wereOpen = [...known.querySelectorAll("details")].map((details) => details.open);
    row.querySelectorAll("details").forEach((details, place) => (details.open = wereOpen[place] ?? details.open));
    known.replaceWith(row);
    return;
  }
  // Lines that stand there stay: a selection in them survives.
  const last = lines.lastElementChild;
  const shown = last instanceof HTMLElement ? Number(last.dataset.last) : 0;
  for (const line of [...fresh.children]) {
    if (!(line instanceof HTMLElement)) continue;
    if (Number(line.dataset.seq) > shown) lines.append(line);
    else if (Number(line.dataset.last) > shown) last?.replaceWith(line);
  }
}

/** A result belongs to its call further up, when that is there. @param {Element} row @param {Element} timeline */
function joinResult(row, timeline) {
  const result = row.querySelector("[data-result]");
  if (!(result instanceof HTMLElement)) return false;
  const call = timeline.querySelector(`[data-call="${CSS.escape(result.dataset.result ?? "")}"]`);
  const inside = call?.querySelector(".inside");
  if (!call || !inside) return false;
  const waits = call.querySelector("[data-waits]");
  if (!waits) return true;
  const head = Object.assign(document.createElement("p"), { className: "part", textContent: "Output" });
  inside.append(head, ...(result.querySelector(".inside")?.childNodes ?? []));
  waits.textContent = result.querySelector(".state")?.textContent ?? "";
  waits.removeAttribute("data-waits");
  const failed = row.classList.contains("failed");
  call.closest(".event")?.classList.toggle("failed", failed);
  if (failed) call.setAttribute("open", "");
  return true;
}

/** The row a seq is part of. @param {Element} block @param {number} seq */
export function holding(block, seq) {
  const lines = [...block.querySelectorAll(".line, .event")].reverse();
  return lines.find((line) => line instanceof HTMLElement && Number(line.dataset.seq ?? line.id.slice(1)) <= seq && Number(line.dataset.last) >= seq);
}

/** Whether somebody works in it: the focus or a selection. @param {Element} element */
export function isHeld(element) {
  const selection = getSelection();
  return element.contains(document.activeElement) || Boolean(selection && !selection.isCollapsed && element.contains(selection.anchorNode));
}

const SUMMARY_MS = 5_000;
let summaryAt = 0;
let untold = 0;

/** One sentence now and then for those who listen. @param {number} count */
export function tell(count) {
  untold += count;
  const announce = document.getElementById("announce");
  if (!announce || performance.now() - summaryAt < SUMMARY_MS) return;
  summaryAt = performance.now();
  announce.textContent = `${untold} new ${untold === 1 ? "event" : "events"}`;
  untold = 0;
}
