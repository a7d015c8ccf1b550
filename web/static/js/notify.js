// @ts-check
// How a tab in the background tells that it is needed: title, favicon, and notifications for those who asked for them.

/** @typedef {{id: string, title: string, attention: string | null}} Needing */

const WANTED = "notify";
/** @type {Record<string, string>} */
const SAID = {
  approval: "asks for your approval",
  question: "waits for your answer",
  policy: "asks for your approval",
  review: "is ready for review",
  failed: "failed",
};
/** @type {Map<string, string> | null} */
let known = null;

export function isWanted() {
  try {
    return localStorage.getItem(WANTED) === "1" && "Notification" in window && Notification.permission === "granted";
  } catch {
    return false;
  }
}

/** Turn notifications on or off; resolves to whether they are on. @param {boolean} wanted */
export async function choose(wanted) {
  if (!("Notification" in window)) return false;
  if (wanted && Notification.permission === "default") await Notification.requestPermission();
  localStorage.setItem(WANTED, wanted ? "1" : "0");
  return isWanted();
}

/** @param {number} waiting how many tasks wait for a person */
export function mark(waiting) {
  const bare = document.title.replace(/^\(\d+\) /, "");
  document.title = waiting ? `(${waiting}) ${bare}` : bare;
  const icon = document.querySelector("link[rel=icon]");
  if (!(icon instanceof HTMLLinkElement)) return;
  icon.dataset.plain ??= icon.href;
  const wanted = waiting ? (icon.dataset.waiting ?? "") : icon.dataset.plain;
  if (icon.getAttribute("href") !== wanted) icon.setAttribute("href", wanted);
}

/** Tell of tasks that began to need someone since the last call. @param {Needing[]} tasks */
export function tell(tasks) {
  const before = known;
  known = new Map(tasks.map((task) => [task.id, task.attention ?? ""]));
  if (before === null || document.visibilityState === "visible" || !isWanted()) return;
  for (const task of tasks) {
    if (!task.attention || before.get(task.id) === task.attention) continue;
    // One per task, replaced by its tag; never any output of the agent.
    const shown = new Notification(task.title, { body: `This task ${SAID[task.attention] ?? "needs you"}.`, tag: task.id });
    shown.onclick = () => {
      window.focus();
      location.assign(`/ui/inbox#card-${task.id}`);
    };
  }
}
