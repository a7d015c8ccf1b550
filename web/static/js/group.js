// @ts-check
// The tasks of a group side by side: the lines follow their tasks.

import { onBoard, onLoss } from "./page.js";
import { setClock, throttled } from "./frame.js";

const PAUSE = 400;
const compared = /** @type {HTMLElement} */ (document.getElementById("compared"));

const refresh = throttled(async () => {
  const answer = await fetch(location.href, { headers: { "HX-Request": "true" } });
  if (!answer.ok) return;
  setClock(answer);
  const text = await answer.text();
  await /** @type {any} */ (window).htmx.swap({ target: compared, text, swap: "innerMorph", sourceElement: compared });
}, PAUSE);

onBoard((task) => task.group_id === compared.dataset.group && refresh(), refresh);
onLoss(refresh);
