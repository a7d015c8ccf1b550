// @ts-check
// Comments on lines: the form opens in its file, by its link, by a key, or by a click on a line's number.

import { path } from "./task.js";
import { currentFile } from "./marks.js";
import * as keys from "./keys.js";

const pattern = document.querySelector("#comment-form form");

/** The file's form, opened where there is none. @param {HTMLElement} file */
function open(file) {
  const known = file.querySelector("form.comment-form");
  if (known instanceof HTMLFormElement) return known;
  const form = pattern?.cloneNode(true);
  if (!(form instanceof HTMLFormElement)) return null;
  const key = file.dataset.file ?? "";
  fill(form, "file", key);
  fill(form, "back", `${path}/changes?comment=${key}`);
  file.insertBefore(form, file.querySelector(".table"));
  return form;
}

/** @param {HTMLFormElement} form @param {string} name @param {string} value */
function fill(form, name, value) {
  const field = form.elements.namedItem(name);
  if (field instanceof HTMLInputElement || field instanceof HTMLSelectElement) field.value = value;
}

/** @param {HTMLFormElement | null} form @param {string} name */
function focus(form, name) {
  const field = form?.elements.namedItem(name);
  if (field instanceof HTMLElement) field.focus();
}

/** With the shift key the lines reach from those that were chosen to this one. @param {HTMLTableCellElement} cell @param {boolean} isMore */
function choose(cell, isMore) {
  const file = cell.closest("section.file");
  const number = cell.textContent?.trim();
  if (!number || !(file instanceof HTMLElement)) return;
  const form = open(file);
  if (!form) return;
  const side = cell.cellIndex === 0 ? "old" : "new";
  const data = new FormData(form);
  const first = isMore && data.get("side") === side ? parseInt(String(data.get("lines")), 10) : NaN;
  fill(form, "side", side);
  fill(form, "lines", first < Number(number) ? `${first}-${number}` : number);
  focus(form, "body");
}

document.addEventListener("click", (event) => {
  const target = event.target instanceof Element ? event.target : null;
  const cell = target?.closest("table.diff td.number");
  if (cell instanceof HTMLTableCellElement) choose(cell, event.shiftKey);
  const all = document.getElementById("comments");
  if (target?.closest("[data-open-comments]") && all instanceof HTMLDetailsElement) all.open = true;
  const file = target?.closest("[data-comment]")?.closest("section.file");
  if (file instanceof HTMLElement) {
    event.preventDefault();
    focus(open(file), "lines");
  }
  if (target?.closest("[data-cancel]")) {
    event.preventDefault();
    target.closest("form")?.remove();
  }
});

keys.add("c", "Comment on the file", () => {
  const file = currentFile();
  if (file) focus(open(file), "lines");
});
