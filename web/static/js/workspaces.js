// @ts-check
// The folder one has browsed to is the folder that is added.

document.addEventListener("htmx:after:swap", () => {
  const browser = document.getElementById("browser");
  const field = document.getElementById("path");
  const path = browser?.dataset.path;
  if (path && field instanceof HTMLInputElement) field.value = path;
});
