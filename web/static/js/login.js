// @ts-check
// The sign-in link carries its token in the fragment, which no server and no log ever sees.
(() => {
  const match = /^#token=(.+)$/.exec(location.hash);
  const form = document.getElementById("sign-in");
  if (!match || !(form instanceof HTMLFormElement)) return;
  history.replaceState(null, "", "/login");
  const field = form.elements.namedItem("token");
  if (!(field instanceof HTMLInputElement)) return;
  field.value = decodeURIComponent(match[1] ?? "");
  form.submit();
})();
