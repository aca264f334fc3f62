"use strict";
(() => {
  const $ = (id) => document.getElementById(id);
  // The token stands behind the #, so that it never reaches a log on its way here.
  if (location.hash.length > 1) {
    $("token").value = decodeURIComponent(location.hash.slice(1)).replace(/^token=/, "");
    history.replaceState(null, "", location.pathname);
    $("name").focus();
  }
  $("setup").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("setup").querySelector("button");
    button.disabled = true;
    $("error").hidden = true;
    let text = "";
    try {
      const answer = await fetch("/setup", {
        method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" },
        body: JSON.stringify({ token: $("token").value.trim(), user: $("name").value, password: $("password").value }),
      });
      if (answer.ok) {
        $("setup").hidden = true;
        $("done").hidden = false;
        return;
      }
      const doc = await answer.json().catch(() => ({}));
      text = [doc.detail || doc.title || "Status " + answer.status, doc.hint].filter(Boolean).join(" ");
    } catch {
      text = "The node does not answer.";
    }
    $("error").textContent = text;
    $("error").hidden = false;
    button.disabled = false;
  });
})();
