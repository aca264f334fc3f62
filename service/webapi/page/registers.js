// registerViews shows the raw registers of a meter, and makes a profile of what is picked from them.
const registerViews = ({ el, count, time, call, names }) => {
  const $ = (id) => document.getElementById(id);
  const rpc = async (name, args) => (await call("POST", "/api/v1/rpc/" + name, args || {})).result;
  const words = (e) => (e.status ? [e.message, e.hint].filter(Boolean).join(" ") : "The node does not answer.");
  const orders = ["ABCD", "CDAB", "BADC", "DCBA"];
  const every = 2000, afterError = 10000;
  const picks = new Map(); // by register, type and order
  const cells = []; // buttons of the table with the value that each of them shows
  let listed = [], asked = null, seen = null, drawn = "", turn = 0, timer = 0, own = "", replace = "";

  const at = (addr) => "0x" + addr.toString(16).toUpperCase().padStart(4, "0");
  const minus = (text) => text.replaceAll("-", "\u2212");
  const plain = (address) => (/^(tcp:\/\/)?[^:/]+$/.test(address) ? address + ":502" : address).replace(/^tcp:\/\//, "");
  const meterOf = (a) => listed.find((m) => m.name === a.meter || m.meter_uid === a.meter || m.serial && m.serial === a.meter || plain(m.address) === plain(a.meter) && m.unit === a.unit);

  // valueOf is what a register, with those that follow it, holds when it is taken as a type in an order.
  function valueOf(addr, type, order) {
    const r = seen && seen.byAddr.get(addr);
    if (!r) return undefined;
    return order ? (r[type] || {})[order] : r[type];
  }

  function print(type, v) {
    if (v === undefined || v === null) return "\u2013";
    if (type.startsWith("f")) return minus(String(Number(v.toPrecision(type === "f32" ? 7 : 10))));
    return minus(Number.isSafeInteger(v) ? String(v) : v.toExponential(3));
  }

  // odd says of a number that no meter means it: far too large or too small, or what stands for "none".
  function odd(type, v) {
    const a = Math.abs(v);
    if (type.startsWith("f")) return a !== 0 && (a < 1e-6 || a > 1e12);
    return { u16: v === 0xFFFF, s16: v === -0x8000, u32: v === 0xFFFFFFFF, s32: v === -0x80000000, u64: v > 1e15 }[type];
  }

  // cell is a number of the table; pressing it picks it, pressing it again drops it.
  function cell(addr, type, order) {
    const b = el("button", { type: "button", class: "cell" });
    b.addEventListener("click", () => pick(addr, type, order));
    cells.push({ b, addr, type, order });
    return el("td", { class: "num" }, b);
  }

  function refresh() {
    for (const { b, addr, type, order } of cells) {
      const v = valueOf(addr, type, order), text = print(type, v);
      if (b.textContent !== text) b.textContent = text;
      b.disabled = v === undefined;
      b.classList.toggle("odd", odd(type, v) || false);
      b.setAttribute("aria-pressed", String(picks.has([addr, type, order].join(" "))));
      b.setAttribute("aria-label", "Register " + addr + " as " + [type, order].filter(Boolean).join(" ") + ": " + text);
    }
    for (const k of picks.values()) {
      const v = valueOf(k.addr, k.type, k.order), scale = number(k.scale.value);
      k.now.textContent = v === undefined || !Number.isFinite(scale) ? "" : print("f64", v * scale);
    }
  }

  // draw makes the table anew only where its rows are others: somebody may be about to press a button of it.
  function draw() {
    const as = $("regs-as").value, list = seen.registers;
    const shape = JSON.stringify([seen.meter, seen.unit, seen.fc, as, list.map((r) => [r.addr, r.refused || ""])]);
    if (shape !== drawn) {
      drawn = shape;
      cells.length = 0;
      const head = (text, right) => el("th", { scope: "col", class: right ? "num" : "" }, text);
      $("regs-head").replaceChildren(el("tr", {}, head("Register"), head("Word"), head("u16", true), head("s16", true), head("Text"), ...orders.map((o) => head(as + " " + o, true))));
      const rows = [];
      for (let i = 0; i < list.length; i++) {
        const r = list[i], first = i;
        if (!r.refused) {
          rows.push(el("tr", {}, el("td", { class: "when" }, String(r.addr), " ", el("span", { class: "quiet" }, at(r.addr))), el("td", {}, el("code")), cell(r.addr, "u16", ""), cell(r.addr, "s16", ""), el("td", {}, el("code")),
            ...orders.map((o) => cell(r.addr, as, o))));
          continue;
        }
        while (i + 1 < list.length && list[i + 1].refused === r.refused) i++;
        rows.push(el("tr", {}, el("td", { class: "when" }, i > first ? r.addr + " to " + list[i].addr : String(r.addr), " ", el("span", { class: "quiet" }, at(r.addr))),
          el("td", { colspan: String(4 + orders.length), class: "quiet" }, "Refused: " + r.refused)));
      }
      $("regs-rows").replaceChildren(...rows);
    }
    const codes = $("regs-rows").querySelectorAll("code");
    list.filter((r) => !r.refused).forEach((r, i) => {
      codes[2 * i].textContent = r.hex.toUpperCase();
      codes[2 * i + 1].textContent = r.text || "";
    });
    $("regs-table").hidden = false;
    refresh();
  }

  // read asks for the registers of the form, or, when it comes again by itself, for those that were asked for last.
  async function read(again) {
    clearTimeout(timer);
    const mine = ++turn;
    let wait = every;
    if (!again) {
      const m = meterOf({ meter: $("regs-meter").value.trim() });
      asked = { meter: $("regs-meter").value.trim(), addr: $("regs-from").value.trim(), count: Number($("regs-count").value), fc: Number($("regs-fc").value), unit: m ? m.unit : Number($("regs-unit").value) };
      $("regs-go").disabled = true;
      $("regs-error").textContent = "";
    }
    try {
      const d = await rpc("meter.registers", asked);
      if (mine !== turn) return;
      if (seen && (seen.meter !== asked.meter || seen.unit !== asked.unit)) adding();
      seen = { ...asked, registers: d.registers, byAddr: new Map(d.registers.map((r) => [r.addr, r])) };
      $("regs-error").textContent = "";
      $("regs-note").textContent = "Read " + time(Date.now(), Intl.DateTimeFormat().resolvedOptions().timeZone) + ". Press the number that the meter's display shows: it is picked for a profile.";
      draw();
    } catch (e) {
      if (mine !== turn) return;
      $("regs-error").textContent = words(e);
      if (!again) { $("regs-table").hidden = true; $("regs-note").textContent = ""; }
      if (e.status === 401) $("regs-again").checked = false;
      wait = afterError;
    }
    $("regs-go").disabled = false;
    later(wait);
  }

  // later reads again after a while, as long as somebody looks.
  function later(ms) {
    clearTimeout(timer);
    if (asked && $("regs-again").checked && $("regs").open && !document.hidden && !$("node").hidden) timer = setTimeout(() => read(true), ms);
  }

  const number = (text) => (text.trim() ? Number(text.trim().replace(",", ".")) : 1);

  function pick(addr, type, order) {
    const key = [addr, type, order].join(" "), others = [...picks.values()];
    $("pick-error").textContent = "";
    if (picks.has(key)) drop(key);
    else if (others.length && others[0].fc !== seen.fc) $("pick-error").textContent = "What is picked already was read with function " + others[0].fc + ", and a profile that is made here reads with one. Remove those first.";
    else {
      const channel = el("input", { list: "regs-channels", "aria-label": "Channel of register " + addr, placeholder: "readings.voltage.an", autocapitalize: "none", spellcheck: "false" });
      channel.addEventListener("change", () => { channel.value = keyOf(channel.value); });
      const scale = el("input", { "aria-label": "Scale of register " + addr, value: "1", inputmode: "decimal", size: "6" });
      scale.addEventListener("input", refresh);
      const remove = el("button", { type: "button", class: "plain", "aria-label": "Remove register " + addr }, "Remove");
      remove.addEventListener("click", () => drop(key));
      const now = el("td", { class: "num" });
      const row = el("tr", {}, el("td", { class: "wide" }, channel), el("td", { class: "when" }, String(addr), " ", el("span", { class: "quiet" }, at(addr))), el("td", {}, type), el("td", {}, order || "\u2013"), el("td", { class: "scale" }, scale), now, el("td", {}, remove));
      picks.set(key, { addr, type, order, fc: seen.fc, channel, scale, now, row });
      $("pick-rows").append(row);
    }
    listPicks();
  }

  function drop(key) {
    picks.get(key).row.remove();
    picks.delete(key);
    listPicks();
  }

  function listPicks() {
    $("pick-box").hidden = !picks.size && !$("pick-error").textContent;
    $("pick-title").textContent = picks.size ? "Picked \u00b7 " + count(picks.size) : "Picked";
    refresh();
  }

  // keyOf takes also the name of a channel, as the lists of values show it: Volts A-N, volts an.
  function keyOf(text) {
    const bare = (t) => t.toLowerCase().replace(/[^a-z0-9]+/g, "");
    return Object.keys(names).find((k) => bare(names[k]) === bare(text)) || text.trim();
  }

  // draft is the text of a profile of what is picked.
  async function draft() {
    const list = [];
    for (const k of picks.values()) {
      const refuse = (input, text) => { input.focus(); throw Object.assign(new Error(text), { status: 400 }); };
      const channel = keyOf(k.channel.value), scale = number(k.scale.value);
      if (!/^[a-z0-9_.-]+$/.test(channel)) refuse(k.channel, (channel ? "\u201c" + channel + "\u201d is no channel: for" : "Say which channel it is: for") + " register " + k.addr + " choose one of the list, or write a key such as readings.voltage.an.");
      if (!Number.isFinite(scale) || !scale) refuse(k.scale, "The scale of register " + k.addr + " is a number such as 0.1 or 1000.");
      list.push(channel + "=" + [k.addr, k.type, k.order].filter((x) => x !== "").join(":") + "*" + scale);
    }
    if (!list.length) throw Object.assign(new Error("Pick a number of the table first."), { status: 400 });
    return (await rpc("meter.profile.draft", { id: $("pick-id").value.trim(), picks: list.join(","), vendor: $("pick-vendor").value.trim(), model: $("pick-model").value.trim(), fc: [...picks.values()][0].fc })).profile;
  }

  // keep adds the profile to the node. One of others that has the id is replaced only when that was asked for.
  async function keep() {
    const id = $("pick-id").value.trim();
    const text = await draft();
    if (id !== own && id !== replace) {
      const other = (await rpc("meter.profiles")).find((p) => p.id === id);
      if (other) {
        replace = id;
        $("pick-add").textContent = "Replace the profile " + id;
        throw Object.assign(new Error("This node knows a profile " + id + " already, of " + other.vendor + " " + other.model + ". Choose another id, or press the button again to replace it."), { status: 409 });
      }
    }
    const p = await rpc("meter.profile.put", { profile: text });
    own = id;
    $("pick-add").textContent = "Add profile to this node";
    $("pick-note").textContent = "This node knows the profile " + p.id + " now, with " + count(p.readings) + (p.readings === 1 ? " reading." : " readings.") + " All of it is marked as unverified.";
    adding(p.id);
  }

  // adding offers the one step that adds the meter that was looked at.
  function adding(profile) {
    $("pick-meter").hidden = !profile;
    if (!profile) return;
    const to = { ...seen }, m = meterOf(to);
    const onList = (name, text) => $("pick-meter").replaceChildren(el("span", { class: "state good" }, el("span", { class: "dot", "aria-hidden": "true" }), "On the list: " + name), text ? el("div", { class: "quiet small" }, text) : "");
    if (m) {
      onList(m.name, m.profile === profile ? "It goes on with the profile " + profile + "." : "It is read with the profile " + m.profile + ". For the new one take it off the list and add it again.");
      return;
    }
    const name = el("input", { id: "pick-name", value: (($("pick-model").value.trim() || profile) + "-" + to.unit).toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, ""), required: true });
    const zone = el("input", { id: "pick-zone", value: $("find-zone").value.trim(), placeholder: "UTC", spellcheck: "false" });
    const button = el("button", { type: "submit" }, "Add the meter"), error = el("div", { class: "error small", role: "alert" });
    const form = el("form", { class: "fields" }, el("div", {}, el("label", { for: "pick-name" }, "Name of the meter"), name), el("div", {}, el("label", { for: "pick-zone" }, "Its zone"), zone), el("div", { class: "row" }, button));
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      button.disabled = true;
      error.textContent = "";
      try {
        const args = { name: name.value.trim(), address: to.meter, unit: to.unit, profile };
        if (zone.value.trim()) args.zone = zone.value.trim();
        await rpc("meter.add", args);
        await meters();
        onList(args.name, "Read with the profile " + profile + ".");
      } catch (e) {
        error.textContent = words(e);
        button.disabled = false;
      }
    });
    $("pick-meter").replaceChildren(el("div", { class: "small" }, "Read " + to.meter + ", unit " + to.unit + ", with it:"), form, error);
  }

  // acting carries out what a button asks for, once at a time, and says what went wrong.
  function acting(button, act) {
    return async (event) => {
      event.preventDefault();
      button.disabled = true;
      $("pick-error").textContent = $("pick-note").textContent = "";
      try { await act(); } catch (e) { $("pick-error").textContent = words(e); }
      button.disabled = false;
    };
  }

  async function save() {
    const text = await draft();
    el("a", { href: "data:application/json;charset=utf-8," + encodeURIComponent(text), download: $("pick-id").value.trim() + ".json" }).click();
  }

  async function meters() {
    try { listed = (await rpc("meter.list")).meters.filter((m) => m.address); } catch { /* an address can be written all the same */ }
    $("regs-meters").replaceChildren(...listed.map((m) => el("option", { value: m.name }, m.address + ", unit " + m.unit)));
    unit();
  }

  // unit is that of the list where a meter of it is named.
  function unit() {
    const m = meterOf({ meter: $("regs-meter").value.trim() });
    $("regs-unit").disabled = Boolean(m);
    if (m) $("regs-unit").value = m.unit;
  }

  function opened() {
    if (!$("regs").open) { clearTimeout(timer); return; }
    if (!$("regs-channels").childElementCount) $("regs-channels").replaceChildren(...Object.entries(names).map(([key, name]) => el("option", { value: key }, name)));
    meters();
    later(0);
  }

  $("regs-form").addEventListener("submit", (event) => { event.preventDefault(); read(false); });
  $("regs-meter").addEventListener("input", unit);
  $("regs-as").addEventListener("change", () => { if (seen) draw(); });
  $("regs-again").addEventListener("change", () => later(0));
  $("regs").addEventListener("toggle", opened);
  document.addEventListener("visibilitychange", () => later(0));
  $("pick-id").addEventListener("input", () => { replace = ""; $("pick-add").textContent = "Add profile to this node"; });
  $("pick-form").addEventListener("submit", acting($("pick-add"), keep));
  $("pick-save").addEventListener("click", (event) => { if ($("pick-form").reportValidity()) acting($("pick-save"), save)(event); });

  // look opens the view for a device that was found.
  function look(address, unitOf) {
    $("regs").open = true;
    $("regs-meter").value = address;
    $("regs-unit").value = unitOf;
    unit();
    $("regs").scrollIntoView({ block: "start" });
    $("regs-from").focus({ preventScroll: true });
    read(false);
  }

  return { look };
};
