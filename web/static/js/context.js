// @ts-check
// The unchanged lines around hunks, added in place; without scripts the same links draw the page with them.

const STEP = 20;
// A long gap comes in pieces, so many of them for one click.
const PIECE = 1000;
const PIECES = 5;

/** @param {HTMLElement} gap @param {number} skipped @param {number} count @returns {Promise<Element[]>} */
async function rows(gap, skipped, count) {
  const table = /** @type {HTMLTableElement} */ (gap.closest("table"));
  const query = new URLSearchParams({
    view: table.classList.contains("split") ? "split" : "unified",
    old: String(Number(gap.dataset.old) + skipped),
    new: String(Number(gap.dataset.new) + skipped),
    count: String(count),
  });
  const answer = await fetch(`${table.dataset.lines}&${query}`, { headers: { "HX-Request": "true" } });
  if (answer.status === 401) location.assign("/login");
  if (!answer.ok) throw new Error((await answer.json()).detail);
  const template = document.createElement("template");
  template.innerHTML = await answer.text();
  return [...template.content.children];
}

/** A folded hunk is unfolded when lines come to it. @param {Element} hunk */
function unfold(hunk) {
  const box = hunk.querySelector(".peek input");
  if (box instanceof HTMLInputElement && hunk.classList.contains("is-viewed")) box.checked = true;
}

/** One piece of a gap, from its beginning or its end; whether more is left. @param {HTMLElement} gap @param {number} most @param {boolean} isFromEnd */
async function piece(gap, most, isFromEnd) {
  const count = gap.dataset.count ? Number(gap.dataset.count) : Infinity;
  const wanted = Math.min(count, most);
  const found = await rows(gap, isFromEnd ? count - wanted : 0, wanted);
  const lines = found.filter((row) => !row.classList.contains("cut")).length;
  const hunk = /** @type {Element} */ (gap.closest("tbody"));
  if (isFromEnd) hunk.querySelector("tr")?.after(...found);
  else hunk.previousElementSibling?.append(...found);
  unfold(isFromEnd ? hunk : (hunk.previousElementSibling ?? hunk));
  if (!isFromEnd) {
    gap.dataset.old = String(Number(gap.dataset.old) + lines);
    gap.dataset.new = String(Number(gap.dataset.new) + lines);
  }
  if (count !== Infinity) gap.dataset.count = String(count - lines);
  return lines === wanted && lines < count;
}

/** What can still be asked for. @param {HTMLElement} gap @param {boolean} isLeft */
function redraw(gap, isLeft) {
  const hunk = /** @type {Element} */ (gap.closest("tbody"));
  const last = hunk.previousElementSibling;
  const hadFocus = gap.contains(document.activeElement);
  const left = Number(gap.dataset.count);
  if (!isLeft) (hunk.querySelector("tr.behind") ? hunk : gap).remove();
  else if (gap.dataset.count) {
    const all = gap.querySelector("[data-more=all]");
    if (all) all.textContent = left === 1 ? "1 line" : `all ${left.toLocaleString("en")} lines`;
    if (left <= STEP) for (const link of gap.querySelectorAll("[data-more=up], [data-more=down]")) link.remove();
  }
  if (!hadFocus || gap.contains(document.activeElement)) return;
  const place = gap.isConnected ? gap.querySelector("a") : (hunk.isConnected ? hunk : last)?.querySelector("th");
  place?.focus({ preventScroll: true });
}

/** @param {HTMLElement} gap @param {string} which */
async function show(gap, which) {
  if (gap.dataset.busy !== undefined) return;
  gap.dataset.busy = "";
  gap.querySelector(".problem")?.remove();
  const isFirst = !gap.closest("tbody")?.previousElementSibling?.matches("tbody");
  const isAll = which === "all";
  try {
    let isLeft = true;
    for (let times = isAll ? PIECES : 1; isLeft && times; times -= 1) {
      isLeft = await piece(gap, isAll ? PIECE : STEP, which === "up" || isFirst);
    }
    redraw(gap, isLeft);
  } catch (error) {
    const said = error instanceof Error && error.message ? error.message : "The lines could not be read. Try again.";
    gap.append(Object.assign(document.createElement("span"), { className: "problem", role: "status", textContent: said }));
  } finally {
    delete gap.dataset.busy;
  }
}

document.addEventListener("click", (event) => {
  const link = event.target instanceof Element ? event.target.closest("a[data-more]") : null;
  const gap = link?.closest(".gap");
  if (!(link instanceof HTMLElement) || !(gap instanceof HTMLElement) || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  void show(gap, link.dataset.more ?? "all");
});
