// @ts-check
// What every page runs: the frame, forms, keys, and the stream that feeds them.

import { stream } from "./stream.js";
import * as frame from "./frame.js";
import * as forms from "./forms.js";
import * as keys from "./keys.js";

/** @type {Set<(task: import("./stream.js").LiveTask) => void>} */
const readers = new Set();
/** @type {Set<() => void>} */
const resyncs = new Set();
/** @type {Set<(id: string) => void>} */
const losers = new Set();

/** Hear of every task that is deleted. @param {(id: string) => void} onDeleted */
export function onLoss(onDeleted) {
  losers.add(onDeleted);
}

/**
 * Hear of every task that changes, and when all should be read again.
 * @param {(task: import("./stream.js").LiveTask) => void} onTask
 * @param {() => void} onResync
 */
export function onBoard(onTask, onResync) {
  readers.add(onTask);
  resyncs.add(onResync);
}

forms.start();
keys.start();
frame.start();
document.getElementById("show-keys")?.addEventListener("click", keys.help);
stream.subscribe("board", {
  onTask: (task) => {
    frame.refreshNeeds();
    for (const read of readers) read(task);
  },
  onDeleted: (id) => {
    frame.refreshNeeds();
    for (const lose of losers) lose(id);
  },
  onResync: () => {
    frame.refreshNeeds();
    for (const resync of resyncs) resync();
  },
});
// Modules that subscribe on load do so before the first connection.
queueMicrotask(() => stream.open());
