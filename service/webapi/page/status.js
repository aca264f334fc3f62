"use strict";
(() => {
  const names = JSON.parse(document.getElementById("names").textContent);
  const kindNames = { historical: "Historical", waveform: "Waveforms", system: "System events", limits: "Limit events", pq: "PQ events" };
  const stateNames = {
    idle: ["good", "Idle"], reading: ["busy", "Reading"], retrieving: ["busy", "Retrieving"], receiving: ["good", "Receiving"],
    unreachable: ["bad", "Unreachable"], paused: ["off", "Paused"], waiting: ["off", "Waiting"], disabled: ["off", "Disabled"],
    off: ["off", "Switched off"], working: ["busy", "Working"], not_registered: ["off", "Not registered"],
    uploading: ["busy", "Uploading"], up_to_date: ["good", "Up to date"], parked: ["bad", "Parked after errors"],
    not_compared: ["busy", "Not yet compared"],
  };
  const every = 5000;
  const state = { timer: 0, last: 0, zones: new Map(), inferred: new Map(), zonesAt: 0, open: new Set(), shown: "" };
  const $ = (id) => document.getElementById(id);

  // el makes an element; text only ever enters as text.
  function el(tag, props, ...children) {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(props || {})) {
      if (v === undefined || v === null || v === false) continue;
      if (k === "class") e.className = v; else e.setAttribute(k, v === true ? "" : v);
    }
    for (const c of children.flat()) if (c !== null && c !== undefined && c !== "") e.append(c);
    return e;
  }

  function show(id) {
    for (const part of ["loading", "setup", "login", "node"]) $(part).hidden = part !== id;
    if (id === "login" && state.shown !== "login") $("name").focus();
    state.shown = id;
  }

  async function call(method, path, body) {
    const answer = await fetch(path, {
      method, credentials: "same-origin", cache: "no-store", signal: AbortSignal.timeout(20000),
      headers: body === undefined ? {} : { "Content-Type": "application/json" },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
    const text = await answer.text();
    let doc = null;
    try { doc = text ? JSON.parse(text) : null; } catch { doc = null; }
    if (!answer.ok) {
      const problem = new Error((doc && (doc.detail || doc.title)) || "The node answered with status " + answer.status + ".");
      problem.status = answer.status;
      problem.hint = (doc && doc.hint) || "";
      throw problem;
    }
    return doc;
  }

  const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
  const count = (n) => whole.format(n).replaceAll(",", "\u202f");

  function bytes(n) {
    const units = ["B", "KB", "MB", "GB", "TB"];
    let i = 0;
    while (n >= 1000 && i < units.length - 1) { n /= 1000; i++; }
    return (i === 0 ? n : n.toPrecision(3)) + "\u00a0" + units[i];
  }

  // time prints an instant in a zone, with the zone's name behind it.
  function time(ms, zone) {
    if (!ms) return "";
    const options = { timeZone: zone || "UTC", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "shortOffset" };
    let parts;
    try { parts = new Intl.DateTimeFormat("en-GB", options).formatToParts(new Date(ms)); }
    catch { options.timeZone = "UTC"; parts = new Intl.DateTimeFormat("en-GB", options).formatToParts(new Date(ms)); }
    const p = Object.fromEntries(parts.map((x) => [x.type, x.value]));
    return `${p.year}-${p.month}-${p.day} ${p.hour}:${p.minute}:${p.second} ${p.timeZoneName.replace("GMT", "UTC").replace("UTC+0", "UTC").replace("-", "\u2212")}`;
  }

  function ago(ms, now) {
    const s = Math.round((now - ms) / 1000);
    if (!ms) return "";
    if (s < -5) return "in " + span(-s);
    if (s < 5) return "just now";
    return span(s) + " ago";
  }

  function span(s) {
    if (s < 120) return s + " s";
    if (s < 7200) return Math.round(s / 60) + " min";
    if (s < 172800) return Math.round(s / 3600) + " h";
    return Math.round(s / 86400) + " days";
  }

  function when(ms, zone, now) {
    return ms ? el("span", { title: time(ms, "UTC") }, time(ms, zone), " ", el("span", { class: "quiet" }, "(" + ago(ms, now) + ")")) : el("span", { class: "quiet" }, "never");
  }

  function badge(word) {
    const [cls, text] = stateNames[word] || ["off", word || "Unknown"];
    return el("span", { class: "state " + cls }, el("span", { class: "dot", "aria-hidden": "true" }), text);
  }

  // value prints a measured value with 4 digits; ratios other than the power factor in percent.
  function value(v) {
    const x = v.value;
    if (x === null || x === undefined) return "\u2013";
    const digits = (n) => {
      const a = Math.abs(n);
      if (a === 0) return "0";
      return n.toFixed(a >= 1000 ? 0 : a >= 100 ? 1 : a >= 10 ? 2 : 3).replace("-", "\u2212");
    };
    if (!v.unit) return v.chan_key.startsWith("thd.") ? digits(100 * x) + "\u00a0%" : digits(x);
    let n = x, prefix = "";
    if (["W", "var", "VA", "Wh", "varh", "VAh"].includes(v.unit)) {
      const a = Math.abs(x);
      if (a >= 1e6) { n = x / 1e6; prefix = "M"; } else if (a >= 1e3) { n = x / 1e3; prefix = "k"; }
    }
    return digits(n) + "\u00a0" + prefix + v.unit;
  }

  // waiting is how many records a cloud may lack: those that were not compared with it may be there already.
  function waiting(x) { return (x.pending || 0) + (x.not_compared || 0); }
  function upTo(x) { return (x.not_compared ? "up to " : "") + count(waiting(x)); }

  function tiles(s) {
    const now = s.now_ms, meters = s.meters || [];
    let records = 0, bad = 0;
    for (const m of meters) {
      if (m.state === "unreachable") bad++;
      for (const l of m.logs || []) records += l.records || 0;
    }
    const tile = (label, main, sub, cls) => el("div", { class: "tile" }, el("h3", {}, label), el("b", { class: cls }, main), el("span", { class: "quiet small" }, sub));
    const out = [
      tile("Meters", count(meters.length), bad ? bad + " unreachable" : meters.length ? "all answer or upload" : "none yet", bad ? "bad-text" : ""),
      tile("Records kept", count(records), "of all five logs"),
    ];
    if (s.sync && (s.sync.enabled || s.sync.host || s.sync.clouds)) {
      for (const y of clouds(s.sync)) {
        const pending = waiting(y), who = s.sync.clouds ? "Waiting for " + y.cloud : "Waiting for the cloud";
        out.push(tile(who, y.enabled ? upTo(y) : "off", y.enabled ? (pending ? "records not yet decided there" : "everything is there") : "cloud sync is switched off"));
      }
    }
    const disk = s.disk || {};
    out.push(tile("Data on disk", bytes(disk.used_bytes || 0), disk.free_bytes ? (disk.level && disk.level !== "ok" ? "only " : "") + bytes(disk.free_bytes) + " free" : ""));
    out.push(tile("Running for", span(Math.max(0, Math.round((now - s.started_ms) / 1000))), "since " + time(s.started_ms, "UTC")));
    $("tiles").replaceChildren(...out);
  }

  function lastOf(m) {
    return Math.max(0, ...(m.logs || []).map((l) => l.last_ms || 0));
  }

  const views = logViews({ el, count, time, when, ago, span, kindNames });
  const registers = registerViews({ el, count, time, call, names });
  const field = fieldViews({ el, count, time, when, ago, span, call, look: registers.look });

  const isWarning = (l) => (l.note || "").includes("skipped");

  function values(m, zone, now) {
    const latest = m.latest;
    if (!latest || !(latest.values || []).length) return el("p", { class: "quiet" }, "No present values. They appear when the meter is read or posts them.");
    const order = Object.keys(names);
    const rank = (v) => { const i = order.indexOf(v.chan_key); return i < 0 ? 9999 : i; };
    const list = [...latest.values].sort((a, b) => rank(a) - rank(b) || (a.chan_key < b.chan_key ? -1 : 1));
    const grouped = new Map();
    for (const v of list) {
      const [title] = groupOf(v.chan_key);
      if (!grouped.has(title)) grouped.set(title, []);
      grouped.get(title).push(v);
    }
    const inferred = state.inferred.get(m.meter_uid) || new Set();
    const mark = (v) => inferred.has(v.chan_key) ? el("sup", { class: "inferred", title: "Unverified: its place or scale in the meter was inferred, not documented by the maker", "aria-label": "unverified" }, "?") : "";
    return el("div", { class: latest.stale ? "stale" : "" },
      el("p", { class: "quiet small" }, latest.stale ? "Old values, read " : "Read ", when(latest.time_ms, zone, now),
        ...(list.some((v) => inferred.has(v.chan_key)) ? [" \u00b7 ", el("b", { class: "inferred" }, "?"), " unverified: inferred, not documented by the maker"] : [])),
      el("div", { class: "values" }, ...[...grouped].map(([title, some]) => el("div", { class: "group" }, el("h4", {}, title),
        ...some.map((v) => el("div", { class: "value", title: v.chan_key }, el("span", {}, shortName(v.chan_key), mark(v)), el("span", {}, value(v))))))));
  }

  const groups = [
    ["readings.voltage.", "Voltage", "Volts "], ["readings.current.", "Current", "Amps "], ["readings.frequency", "Frequency", ""],
    ["readings.power.watts", "Active power", "Watts "], ["readings.power.vars", "Reactive power", "VARs "], ["readings.power.va", "Apparent power", "VA "],
    ["readings.power.factor", "Power factor", "Power factor "], ["energy.interval.", "Energy in the interval", " in the interval"], ["energy.total.", "Energy, total", " total"],
    ["demand.max.", "Maximum demand", " max demand"], ["thd.voltage.", "Voltage THD", "Voltage THD "], ["thd.current.", "Current THD", "Current THD "],
    ["flicker.pst.", "Flicker Pst", "Flicker Pst "], ["flicker.plt.", "Flicker Plt", "Flicker Plt "],
  ];

  function groupOf(key) {
    const g = groups.find(([prefix]) => key.startsWith(prefix));
    return g ? [g[1], g[2]] : ["Other", ""];
  }

  // shortName leaves out what the group's title says; voltages say whether they are L-N or L-L.
  function shortName(key) {
    const name = names[key] || key, [, cut] = groupOf(key);
    const text = (cut ? name.replace(cut, "") : name).trim();
    if (key.startsWith("readings.voltage.")) return text.includes("N") ? text + " (L-N)" : text === "Aux" ? text : text + " (L-L)";
    return text.charAt(0).toUpperCase() === text.charAt(0) || /^(varh?|kvar)/.test(text) ? text : text.charAt(0).toUpperCase() + text.slice(1);
  }

  function details(m, zone, now) {
    const pairs = [];
    const pair = (k, v) => { if (v) pairs.push(el("div", {}, el("dt", {}, k), el("dd", {}, v))); };
    pair("Read at", m.address ? m.address + (m.unit ? ", unit " + m.unit : "") : "");
    pair("Profile", m.profile);
    pair("Zone", zone);
    pair("Last contact", m.last_ok_ms ? when(m.last_ok_ms, zone, now) : "");
    pair("Next retrieval", m.next_ms ? when(m.next_ms, zone, now) : "");
    pair("Clock", m.clock_drift_ms === undefined ? "" : drift(m.clock_drift_ms));
    pair("Events without an end yet", m.open_events ? String(m.open_events) : "");
    pair("Cloud", m.cloud ? badge(m.cloud.state) : "");
    pair("Waiting for the cloud", m.cloud && waiting(m.cloud) ? upTo(m.cloud) + " records" : "");
    pair("Meter UID", m.meter_uid);
    return el("dl", { class: "pairs" }, ...pairs);
  }

  function drift(ms) {
    const s = Math.abs(ms) / 1000;
    return s < 1 ? "right" : span(Math.round(s)) + (ms > 0 ? " fast" : " slow");
  }

  function unverified(m) {
    const list = m.unverified || [];
    if (!list.length) return "";
    const key = m.meter_uid + " unverified";
    const d = el("details", { class: "small", open: state.open.has(key) }, el("summary", {}, el("span", { class: "mark-warn" }, "! unverified"), " " + list.length + " things that the profile took from inference, not from a document"),
      el("p", { class: "quiet" }, list.join(", ") + "."));
    remember(d, key);
    return d;
  }

  function remember(d, key) {
    d.addEventListener("toggle", () => { if (d.open) state.open.add(key); else state.open.delete(key); });
  }

  // retrieval shows how far the meter's own memory has been read.
  function retrieval(m) {
    const list = m.retrieval || [];
    if (!list.length) return "";
    return el("div", {}, el("h3", {}, "Retrieval from the meter's memory" + (m.doing ? " \u00b7 now " + m.doing : "")),
      el("div", { class: "pairs" }, ...list.map((l) => {
        const share = l.held ? Math.min(100, Math.floor(100 * l.read / l.held)) : 100;
        const bar = el("i");
        bar.style.width = share + "%";
        return el("div", {}, el("div", { class: "quiet small" }, l.log), l.held ? count(l.read) + " of " + count(l.held) + " records" : "empty",
          el("span", { class: "track", role: "img", "aria-label": share + " %" }, bar), l.last_error ? el("div", { class: "bad-text small" }, l.last_error) : "");
      })));
  }

  function meter(m, now) {
    const zone = state.zones.get(m.meter_uid) || "UTC";
    const notes = (m.logs || []).filter(isWarning).length;
    const total = (m.logs || []).reduce((n, l) => n + (l.records || 0), 0);
    const last = lastOf(m);
    const d = el("details", { class: "card meter", open: state.open.has(m.meter_uid) },
      el("summary", {},
        el("span", {}, el("span", { class: "name" }, m.name || m.serial || m.meter_uid), el("br"), el("span", { class: "quiet small" }, [m.type, m.serial].filter(Boolean).join(" \u00b7 "))),
        badge(m.state),
        el("span", { class: "when small" }, last ? el("span", {}, "Last record ", time(last, zone), el("br"), el("span", { class: "quiet" }, ago(last, now))) : el("span", { class: "quiet" }, "No records yet")),
        el("span", { class: "rest small" }, count(total) + " records ", notes ? el("span", { class: "mark-warn", title: "Open the meter to see what limits kept out" }, "!") : "")),
      el("div", { class: "inner" },
        ...views.troubles(m, zone, now),
        el("div", {}, el("h3", {}, "Present values"), values(m, zone, now)),
        retrieval(m),
        el("div", {}, el("h3", {}, "Logs kept here"), views.table(m, zone, now)),
        el("div", {}, el("h3", {}, "Meter"), details(m, zone, now), unverified(m))));
    remember(d, m.meter_uid);
    return d;
  }

  function meters(s) {
    const list = [...(s.meters || [])].sort((a, b) => (a.name || a.meter_uid).localeCompare(b.name || b.meter_uid));
    $("meters-note").textContent = list.length ? "times in each meter's zone" : "";
    if (!list.length) {
      $("meters").replaceChildren(el("div", { class: "card empty" }, el("p", {}, "No meters yet."),
        el("p", {}, "Look for some under \u201cFind meters\u201d, add one that this node reads with ", el("code", {}, "metermanager meter add"), ", or let a meter or another manager register here with a key.")));
      return;
    }
    if (!state.shownMeters && list.length <= 3 && matchMedia("(min-width: 46rem)").matches) list.forEach((m) => state.open.add(m.meter_uid));
    state.shownMeters = true;
    $("meters").replaceChildren(...list.map((m) => meter(m, s.now_ms)));
  }

  function actionText(a) {
    const word = { upload: "Upload", register: "Register", server_sync: "Compare with the cloud", refresh_scan: "Refresh scan" }[a.action] || a.action;
    return word + (a.name || a.meter_uid ? " \u00b7 " + (a.name || a.meter_uid) : "");
  }

  function history(list, now, several) {
    if (!list.length) return el("p", { class: "quiet" }, "Nothing has been done yet.");
    return el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, ...["Started", "Action", "Result", "Took", ""].map((t) => el("th", { scope: "col" }, t)))),
      el("tbody", {}, ...list.map((a) => el("tr", {},
        el("td", { class: "when" }, time(a.started_ms || a.queued_ms, "UTC")), el("td", {}, actionText(a) + (several && a.cloud ? " \u2192 " + a.cloud : "")),
        el("td", { class: a.result === "failed" ? "bad-text" : "" }, a.result || ""), el("td", { class: "when" }, a.duration_ms === undefined ? "" : a.duration_ms < 1000 ? a.duration_ms + " ms" : (a.duration_ms / 1000).toFixed(1) + " s"),
        el("td", {}, a.error || a.detail || ""))))));
  }

  // clouds lists the state of each cloud: where there is only one it stands by itself.
  function clouds(y) { return y.clouds && y.clouds.length ? y.clouds : [y]; }

  function sync(s, past) {
    $("sync").hidden = !s.sync || !s.sync.enabled && !s.sync.host && !s.sync.clouds && (s.meters || []).every((m) => !m.address);
    if ($("sync").hidden) return;
    const all = clouds(s.sync), several = all.length > 1;
    $("sync-note").textContent = several ? "to " + all.length + " clouds" : s.sync.enabled && s.sync.host ? "to " + s.sync.host : "";
    const cards = all.flatMap((y) => cloud(y, s.now_ms, several));
    $("sync-body").replaceChildren(...[...cards, past ? el("div", { class: "card" }, el("h3", {}, "History"), history(past, s.now_ms, several)) : ""].filter((x) => x !== ""));
  }

  // cloud makes the cards of one cloud.
  function cloud(y, now, several) {
    const head = several ? [el("h3", {}, y.cloud + (y.host ? " \u00b7 " + y.host : ""))] : [];
    if (!y.enabled) {
      return [el("div", { class: "card empty" }, ...head, el("p", {}, several ? "This cloud is switched off." : "Cloud sync is switched off. What meters record is kept here."),
        el("p", {}, "Switch it on with ", el("code", {}, "metermanager rpc cloud.enable USER PASSWORD" + (several ? " cloud=" + y.cloud : "")), "."))];
    }
    const pairs = [];
    const pair = (k, v) => { if (v !== "" && v !== undefined) pairs.push(el("div", {}, el("dt", {}, k), el("dd", {}, v))); };
    pair("State", badge(y.state));
    pair("Now", y.current ? actionText(y.current) : "nothing");
    pair("Queue", (y.queue || []).length ? y.queue.length + " waiting" : "empty");
    pair("Actions", `${count(y.succeeded || 0)} succeeded, ${count(y.failed || 0)} failed, ${count(y.skipped || 0)} skipped`);
    pair("Last contact", when(y.last_contact_ms, "UTC", now));
    if (y.next_try_ms) pair("Next try", when(y.next_try_ms, "UTC", now));
    const card = el("div", { class: "card" }, ...head, el("dl", { class: "pairs" }, ...pairs),
      y.last_error ? el("div", { class: "error" }, y.last_error, y.trouble ? el("div", { class: "small" }, y.trouble.what_to_do) : "") : "");
    const perMeter = (y.meters || []).map((m) => {
      const end = (m.logs || []).reduce((n, l) => n + (l.journal_end || 0), 0), decided = Math.max(0, end - waiting(m));
      const skipped = (m.logs || []).reduce((n, l) => n + (l.skipped || 0), 0), reduced = (m.logs || []).reduce((n, l) => n + (l.reduced || 0), 0);
      const share = end ? Math.min(100, Math.floor(100 * decided / end)) : 0;
      const bar = el("i");
      bar.style.width = share + "%";
      return el("tr", {}, el("td", {}, m.name || m.meter_uid), el("td", {}, badge(m.state)),
        el("td", {}, end ? el("span", {}, share + " % of " + count(end), el("span", { class: "track", "aria-hidden": "true" }, bar)) : el("span", { class: "quiet" }, "nothing to send")),
        el("td", { class: "num" }, upTo(m)),
        el("td", {}, skipped ? el("span", { class: "mark-warn" }, "! " + count(skipped) + " skipped by limits") : "", reduced ? el("span", { class: "quiet small" }, " " + count(reduced) + " combined into minutes") : "", m.last_error ? el("div", { class: "bad-text small" }, m.last_error) : ""));
    });
    const meterCard = perMeter.length ? el("div", { class: "card scroll" }, el("h3", {}, several ? "Meters \u2192 " + y.cloud : "Meters"), el("table", {},
      el("thead", {}, el("tr", {}, ...["Meter", "State", "Decided by the cloud", "Waiting", ""].map((t, i) => el("th", { class: i === 3 ? "num" : "", scope: "col" }, t)))), el("tbody", {}, ...perMeter))) : "";
    const queue = (y.queue || []).length ? el("div", { class: "card" }, el("h3", {}, "Queue"), el("ol", { class: "small" }, ...y.queue.slice(0, 20).map((a) => el("li", {}, actionText(a))))) : "";
    return [card, meterCard, queue];
  }

  function warnings(s) {
    const list = s.warnings || [];
    $("warnings").hidden = !list.length;
    $("warning-list").replaceChildren(...list.map((w) => el("li", {}, w)));
  }

  function banner(text) {
    $("banner").hidden = !text;
    $("banner").textContent = text || "";
  }

  async function zones() {
    if (Date.now() - state.zonesAt < 60000) return;
    try {
      const doc = await call("GET", "/api/v1/meters");
      for (const m of doc.meters || []) {
        state.zones.set(m.meter_uid, (m.settings || {}).time_zone || "UTC");
        state.inferred.set(m.meter_uid, new Set((m.settings || {}).unverified_channels || []));
      }
      state.zonesAt = Date.now();
    } catch { /* without the zones the times stand in UTC, and say so */ }
  }

  async function past(s) {
    if (!s.sync || !clouds(s.sync).some((y) => y.enabled)) return null;
    try { return ((await call("POST", "/api/v1/rpc/cloud.sync.history", { limit: 20 })).result || {}).actions || []; }
    catch { return null; }
  }

  async function refresh() {
    clearTimeout(state.timer);
    try {
      const s = await call("GET", "/api/v1/status");
      await zones();
      const actions = await past(s);
      state.last = Date.now();
      show("node");
      tiles(s); warnings(s); meters(s); sync(s, actions); field.lines();
      $("version").textContent = s.version || "";
      $("where").textContent = location.host;
      $("logout").hidden = false;
      banner("");
    } catch (e) {
      if (e.status === 401) { await anonymous(); return; }
      if (e.status === 403) banner("This login may not see the state of the node. " + e.message);
      else banner(state.last ? "Not up to date: the node has not answered for " + span(Math.round((Date.now() - state.last) / 1000)) + ". What you see is old." : "The node does not answer. Trying again.");
    }
    clock();
    state.timer = setTimeout(refresh, document.hidden ? 6 * every : every);
  }

  function clock() {
    $("updated").textContent = state.last ? "updated " + time(state.last, Intl.DateTimeFormat().resolvedOptions().timeZone) : "";
  }

  async function anonymous() {
    $("logout").hidden = true;
    $("user").textContent = "";
    try {
      const ready = await fetch("/readyz", { cache: "no-store" });
      const doc = await ready.json();
      if ((doc.problems || []).some((p) => p.includes("set up"))) { show("setup"); state.timer = setTimeout(refresh, every); return; }
    } catch { /* the login form says the rest */ }
    show("login");
  }

  async function who() {
    try { $("user").textContent = (await call("GET", "/api/v1/user")).user || ""; } catch { $("user").textContent = ""; }
  }

  $("login").addEventListener("submit", async (event) => {
    event.preventDefault();
    const button = $("login").querySelector("button"), error = $("login-error");
    button.disabled = true;
    error.hidden = true;
    try {
      await call("POST", "/api/v1/login", { user: $("name").value, password: $("password").value, cookie: true });
      $("password").value = "";
      await Promise.all([who(), refresh()]);
    } catch (e) {
      error.textContent = [e.status ? e.message : "The node does not answer.", e.hint].filter(Boolean).join(" ");
      error.hidden = false;
    }
    button.disabled = false;
  });
  $("logout").addEventListener("click", async () => {
    try { await call("POST", "/api/v1/logout"); } catch { /* the session ends by itself */ }
    state.last = 0;
    state.shownMeters = false;
    refresh();
  });
  document.addEventListener("visibilitychange", () => { if (!document.hidden && state.shown === "node") refresh(); });
  views.programLog($("program-log"), call);
  who();
  refresh();
})();
