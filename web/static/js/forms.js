// @ts-check
// Forms: what the server refuses is said at the form, what was typed stays, and Ctrl+Enter sends.

/** @param {Element | null | undefined} source */
export function slotOf(source) {
  const near = source?.closest("form, .card, main");
  const slot = near?.querySelector(".problem") ?? near?.closest(".card")?.querySelector(".problem");
  return slot instanceof HTMLElement ? slot : null;
}

/**
 * Say a sentence at the form; empty takes it away.
 * @param {Element | null | undefined} source
 * @param {string} text
 */
export function say(source, text) {
  const slot = slotOf(source);
  if (slot) {
    slot.textContent = text;
    slot.hidden = !text;
  } else if (text) {
    toast(text);
  }
}

/** A short message that goes by itself. @param {string} text */
export function toast(text) {
  const shown = Object.assign(document.createElement("p"), { className: "toast", textContent: text });
  document.getElementById("toasts")?.append(shown);
  setTimeout(() => shown.remove(), 5_000);
}

/** @param {any} ctx the request htmx is making */
async function explain(ctx) {
  const response = ctx.response.raw;
  if (response.status === 401) return location.assign("/login");
  let text = `The server answered ${response.status}.`;
  try {
    text = (await response.clone().json()).detail ?? text;
  } catch {
    // Not a problem document: the status has to do.
  }
  say(ctx.sourceElement, text);
}

/** @param {KeyboardEvent} event */
function sendOnControlEnter(event) {
  if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
  const form = event.target instanceof HTMLElement ? event.target.closest("form") : null;
  if (!form) return;
  event.preventDefault();
  form.requestSubmit();
}

/** Listen; called once per page. */
export function start() {
  document.addEventListener("htmx:before:request", (event) => {
    const ctx = /** @type {CustomEvent} */ (event).detail.ctx;
    if (ctx.request.method !== "GET") say(ctx.sourceElement, "");
  });
  document.addEventListener("htmx:before:response", (event) => {
    const ctx = /** @type {CustomEvent} */ (event).detail.ctx;
    if (ctx.response.status < 400) return;
    event.preventDefault();
    void explain(ctx);
  });
  document.addEventListener("htmx:error", (event) => {
    const { ctx } = /** @type {CustomEvent} */ (event).detail;
    say(ctx?.sourceElement, "The server could not be reached; nothing was changed. Try again in a moment.");
  });
  document.addEventListener("keydown", sendOnControlEnter);
}
