"use strict";
// sendForm sends what a form holds and shows what comes back; the secrets of a link stand behind the #, so that they reach no log.
const $ = (id) => document.getElementById(id);
const fromLink = new URLSearchParams(location.hash.slice(1));
if (location.hash.length > 1) history.replaceState(null, "", location.pathname);
const sendForm = (form, path, body) => $(form).addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = $(form).querySelector("button");
  button.disabled = true;
  $("error").hidden = true;
  let text = "";
  try {
    const answer = await fetch(path, {
      method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body()),
    });
    const doc = await answer.json().catch(() => ({}));
    if (answer.ok) {
      $(form).hidden = true;
      $("done").hidden = false;
      if ($("waiting")) $("waiting").hidden = doc.state !== "pending";
      return;
    }
    text = [doc.detail || doc.title || "Status " + answer.status, doc.hint].filter(Boolean).join(" ");
  } catch {
    text = "The node does not answer.";
  }
  $("error").textContent = text;
  $("error").hidden = false;
  button.disabled = false;
});
