// fieldViews shows how well meters and their connections answer, and finds meters.
const fieldViews = ({ el, count, time, when, ago, span, call, look }) => {
  const $ = (id) => document.getElementById(id);
  const rpc = async (name, args) => (await call("POST", "/api/v1/rpc/" + name, args || {})).result;
  const faults = {
    unreachable: "Unreachable", one_master: "Taken by another program", transport: "Wrong transport", unit: "Wrong unit", silent: "Silent", gateway: "Gateway", line: "Bad line",
    mixed_up_answers: "Mixed up answers", refused: "Refuses", off_by_one: "Addresses off by one", word_order: "Wrong byte order", profile: "Wrong profile", slow: "Slow", busy: "Busy",
  };
  const examined = new Map(); // by meter: what asking it has shown
  const shown = new Map(); // by address and unit: the row of a device that was found
  let scan = null, timer = 0;

  const words = (e) => [e.message, e.hint].filter(Boolean).join(" ");
  const sum = (map) => Object.values(map || {}).reduce((n, v) => n + v, 0);
  const took = (ms) => (ms >= 1000 ? (ms / 1000).toFixed(1) + "\u00a0s" : ms + "\u00a0ms");

  // histogram draws how long answers took: a bar for each class.
  function histogram(t) {
    const classes = t.latencies || [], most = Math.max(1, ...classes.map((c) => c.count));
    if (!t.ok && !sum(t.exceptions)) return el("span", { class: "quiet small" }, "no answer yet");
    let below = 0;
    const said = classes.map((c) => {
      const text = (c.up_to_ms ? "up to " + took(c.up_to_ms) : "more than " + took(below)) + ": " + count(c.count);
      below = c.up_to_ms || below;
      return text;
    });
    const bars = classes.map((c, i) => {
      const bar = el("i", { title: said[i] });
      bar.style.height = (c.count ? Math.max(8, 100 * c.count / most) : 0) + "%";
      return bar;
    });
    return el("div", {}, el("div", { class: "bars", role: "img", "aria-label": "Answers " + said.filter((_, i) => classes[i].count).join("; ") }, ...bars),
      el("div", { class: "quiet small" }, "mean " + took(t.mean_ms) + ", longest " + took(t.max_ms)));
  }

  function finding(f) {
    if (!f) return "";
    return el("div", { class: f.fault === "none" ? "small" : "error small" }, f.text, f.try ? el("div", {}, f.try) : "");
  }

  // examine asks a meter until it is known why it does not answer.
  function examine(u) {
    const b = el("button", { type: "button", class: "plain" }, "Examine");
    b.addEventListener("click", async () => {
      b.disabled = true;
      b.textContent = "Asking \u2026";
      try { examined.set(u.meter_uid, (await rpc("meter.doctor", { meter: u.meter_uid, examine: true })).examined); }
      catch (e) { examined.set(u.meter_uid, { fault: "failed", text: words(e) }); }
      b.blur();
      await lines();
    });
    return b;
  }

  function unit(u, now) {
    const t = u.traffic, due = u.kept + u.missed, well = u.finding.fault === "none";
    const number = (n) => el("td", { class: "num" + (n ? " bad-text" : "") }, count(n));
    const seen = examined.get(u.meter_uid);
    const row = el("tr", { class: well && !seen ? "" : "joined" },
      el("td", {}, el("span", { class: "state " + (well ? "good" : "bad") }, el("span", { class: "dot", "aria-hidden": "true" }), u.name),
        el("div", { class: "quiet small" }, "unit " + u.unit + " \u00b7 " + (well ? "answers well" : faults[u.finding.fault] || u.finding.fault)),
        examine(u)),
      el("td", {}, histogram(t)),
      el("td", { class: "num" }, count(t.ok)), number(t.timeouts + t.unreachable), number(sum(t.exceptions)), number(t.crc_errors + t.desyncs), number(t.foreign || 0),
      el("td", { class: "num" }, due ? Math.floor(100 * u.kept / due) + "\u00a0%" : "", u.missed ? el("div", { class: "quiet small" }, count(u.missed) + " missed") : ""),
      el("td", { class: "when" }, when(u.last_ok_ms, "UTC", now)));
    if (well && !seen) return [row];
    return [row, el("tr", {}, el("td", { colspan: "9" }, well ? "" : finding(u.finding),
      u.silent_since_ms ? el("div", { class: "quiet small" }, "Silent since " + time(u.silent_since_ms, "UTC") + ", so it is asked once in a while only, for the sake of the others.") : "",
      seen ? el("div", { class: "small" }, el("strong", {}, "Examined"), finding(seen)) : ""))];
  }

  function line(l, now) {
    const t = l.traffic;
    const state = l.next_attempt_ms ? ["bad", "Cannot be reached, tried again " + (l.next_attempt_ms > now ? "in " + span(Math.ceil((l.next_attempt_ms - now) / 1000)) : "now")]
      : l.connected ? ["good", "Connected"] : ["off", "Not connected"];
    const heads = [["Meter"], ["Time of an answer"], ["Answered", "num"], ["No answer", "num"], ["Refused", "num"], ["Spoiled", "num"], ["Of others, late", "num"], ["In time", "num"], ["Last answer"]];
    const refusals = Object.entries(t.exceptions || {}).map(([text, n]) => text + ": " + count(n));
    return el("div", { class: "card" },
      el("div", { class: "head" }, el("strong", {}, l.address), el("span", { class: "state " + state[0] }, el("span", { class: "dot", "aria-hidden": "true" }), state[1]),
        el("span", { class: "quiet small" }, [count(t.requests) + " requests", l.waiting ? count(l.waiting) + " waiting" : "", ...refusals].filter(Boolean).join(", "))),
      el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, ...heads.map(([text, c]) => el("th", { class: c, scope: "col" }, text)))),
        el("tbody", {}, ...l.units.flatMap((u) => unit(u, now))))));
  }

  // lines asks how well everything answers and draws it, but not under the hands of somebody.
  async function lines() {
    if (!$("lines-box").open || $("lines").contains(document.activeElement)) return;
    try {
      const d = await rpc("meter.doctor");
      const bad = d.lines.flatMap((l) => l.units).filter((u) => u.finding.fault !== "none").length;
      $("lines-note").textContent = bad ? bad + (bad === 1 ? " meter does not answer as it should" : " meters do not answer as they should") : d.lines.length ? "all answer as they should" : "";
      $("lines").replaceChildren(...(d.lines.length ? d.lines.map((l) => line(l, Date.now())) : [el("p", { class: "quiet" }, "No meter is read here yet.")]));
    } catch (e) {
      $("lines").replaceChildren(el("p", { class: "error" }, words(e)));
    }
  }

  // device is the row of one that was found, with the one step that adds it.
  function device(f) {
    const say = el("td", {});
    const row = el("tr", {}, el("td", {}, f.address, el("div", { class: "quiet small" }, "unit " + f.unit + ", after " + took(f.took_ms))),
      el("td", {}, [f.make, f.model].filter(Boolean).join(" ") || "Unknown", el("div", { class: "quiet small" }, [f.serial ? "serial " + f.serial : "", f.name].filter(Boolean).join(" \u00b7 "))), say);
    const listed = (name) => say.replaceChildren(el("span", { class: "state good" }, el("span", { class: "dot", "aria-hidden": "true" }), "On the list: " + name));
    const registers = () => {
      const b = el("button", { type: "button", class: "plain" }, "Look at its registers");
      b.addEventListener("click", () => look(f.address, f.unit));
      return b;
    };
    const choices = f.profiles || (f.profile ? [f.profile] : []);
    if (f.listed) listed(f.listed);
    else if (!choices.length) say.replaceChildren(el("div", {}, f.note || "No profile fits it."), registers());
    else {
      const name = el("input", { "aria-label": "Name of the new meter", value: (f.serial || f.model || "meter").toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "") + (f.serial ? "" : "-" + f.unit), required: true });
      const profile = choices.length > 1 ? el("select", { "aria-label": "Profile" }, ...choices.map((p) => el("option", { value: p }, p))) : null;
      const button = el("button", { type: "submit" }, "Add"), error = el("div", { class: "error small", role: "alert" });
      const form = el("form", { class: "row" }, name, profile || el("span", { class: "quiet small" }, choices[0]), button);
      form.addEventListener("submit", async (event) => {
        event.preventDefault();
        button.disabled = true;
        error.textContent = "";
        try {
          const args = { name: name.value.trim(), address: f.address, unit: f.unit, profile: profile ? profile.value : choices[0] };
          if ($("find-zone").value.trim()) args.zone = $("find-zone").value.trim();
          await rpc("meter.add", args);
          listed(args.name);
        } catch (e) {
          error.textContent = words(e);
          button.disabled = false;
        }
      });
      say.replaceChildren(form, f.note ? el("div", { class: "quiet small" }, f.note) : "", choices.length > 1 ? registers() : "", error);
    }
    return row;
  }

  // found draws a scan; a row that stands is left alone, since somebody may be typing in it.
  function found(d) {
    const began = d.started_ms || 0;
    if (!scan || (scan.started_ms || 0) !== began) {
      shown.clear();
      $("find-rows").replaceChildren();
    }
    scan = d;
    const running = d.state === "running";
    $("find-stop").hidden = !running;
    $("find-go").disabled = running;
    for (const f of d.found) {
      const key = f.address + " " + f.unit;
      if (shown.has(key)) continue;
      shown.set(key, device(f));
      $("find-rows").append(shown.get(key));
    }
    $("find-table").hidden = !d.found.length;
    $("find-track").hidden = !running;
    $("find-track").firstElementChild.style.width = (d.addresses ? 100 * d.done / d.addresses : 0) + "%";
    const left = running && d.at_most_ms > 5000 ? ", at most " + span(Math.round(d.at_most_ms / 1000)) + " in all" : "";
    const tried = count(d.done) + " of " + count(d.addresses) + " addresses tried, " + count(d.open) + " open, " + count(d.asked) + " units asked, " + count(d.found.length) + (d.found.length === 1 ? " device" : " devices");
    $("find-note").textContent = d.state === "none" ? "" : tried + (d.skipped ? ", " + count(d.skipped) + " of the list left out" : "") + left +
      (running ? "" : " \u00b7 " + ({ done: "ended ", cancelled: "was ended ", failed: "failed: " + (d.error || "") + " " }[d.state] || "") + (d.ended_ms ? ago(d.ended_ms, Date.now()) : ""));
  }

  async function follow() {
    clearTimeout(timer);
    try { found(await rpc("meter.discovered")); }
    catch (e) { $("find-error").textContent = words(e); return; }
    if (scan.state === "running") timer = setTimeout(follow, 1000);
  }

  $("find-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    $("find-error").textContent = "";
    try {
      found(await rpc("meter.discover", { ranges: $("find-ranges").value, lines: $("find-lines").value, ports: $("find-ports").value, units: $("find-units").value }));
      timer = setTimeout(follow, 300);
    } catch (e) { $("find-error").textContent = words(e); }
  });
  $("find-stop").addEventListener("click", async () => {
    try { found(await rpc("meter.discover.stop")); } catch (e) { $("find-error").textContent = words(e); }
    follow();
  });
  $("find-zone").value = Intl.DateTimeFormat().resolvedOptions().timeZone || "";
  $("find").addEventListener("toggle", () => { if ($("find").open) follow(); });
  $("lines-box").addEventListener("toggle", lines);

  return { lines };
};
