(() => {
  const invitation = fromLink.get("invitation") || "";
  const fill = async () => {
    let text = "";
    try {
      const answer = await fetch("/api/v1/invitation", {
        method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ invitation }),
      });
      const doc = await answer.json().catch(() => ({}));
      if (answer.ok) {
        $("title").textContent = "Join " + doc.customer;
        $("key").value = doc.customer_key;
        if (!$("email").value) $("email").value = doc.email;
        return;
      }
      text = [doc.detail || doc.title || "Status " + answer.status, doc.hint].filter(Boolean).join(" ");
    } catch {
      text = "The node does not answer.";
    }
    $("error").textContent = text;
    $("error").hidden = false;
  };
  $("key").value = fromLink.get("key") || "";
  if (invitation) {
    $("key").readOnly = true;
    fill();
  }
  $("name").focus();
  sendForm("join", "/api/v1/accounts", () => {
    const out = { user: $("name").value, password: $("password").value, email: $("email").value.trim(), first_name: $("first").value, last_name: $("last").value };
    if (invitation) out.invitation = invitation;
    else out.customer_key = $("key").value.trim();
    return out;
  });
})();
