// The sign-in link carries its token in the fragment, which no server and no log ever sees.
"use strict";
const match = /^#token=(.+)$/.exec(location.hash);
if (match) {
  history.replaceState(null, "", "/login");
  const form = document.getElementById("sign-in");
  form.elements.token.value = decodeURIComponent(match[1]);
  form.submit();
}
