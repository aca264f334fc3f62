(() => {
  $("token").value = fromLink.get("token") || "";
  $("password").focus();
  sendForm("reset", "/api/v1/password/reset", () => ({ token: $("token").value.trim(), password: $("password").value }));
})();
