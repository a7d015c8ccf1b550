// @ts-check
// The inbox is read again whenever a task changes; what is half typed in it stays.

import { onBoard, onLoss } from "./page.js";
import { throttled } from "./frame.js";

const PAUSE = 500;

const refresh = throttled(async () => {
  const inbox = document.getElementById("inbox");
  if (!inbox?.dataset.refresh) return;
  const answer = await fetch(inbox.dataset.refresh);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("inbox");
  const htmx = /** @type {any} */ (window).htmx;
  if (fresh) await htmx.swap({ target: inbox, text: fresh.innerHTML, swap: "innerMorph", sourceElement: inbox });
}, PAUSE);

onBoard(refresh, refresh);
onLoss(refresh);
