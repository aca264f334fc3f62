(() => {
  const invitation = fromLink.get("invitation") || "";
  $("key").value = fromLink.get("key") || "";
  if (invitation) $("key").readOnly = true;
  $("name").focus();
  sendForm("join", "/api/v1/accounts", () => {
    const out = { user: $("name").value, password: $("password").value, email: $("email").value.trim(), first_name: $("first").value, last_name: $("last").value };
    if (invitation) out.invitation = invitation;
    else out.customer_key = $("key").value.trim();
    return out;
  });
})();
