"use strict";
// logViews draws how far logs have come: at the meter, here, at each cloud.
const logViews = ({ el, count, time, when, ago, span, kindNames }) => {
  const cloudStates = {
    off: "switched off", not_registered: "not registered", not_compared: "not yet compared", up_to_date: "up to date", behind: "behind", parked: "parked",
  };
  const name = (l) => (kindNames[l.kind] || l.kind) + (l.log ? " " + (l.log + 1) : "");
  const lag = (ms) => (ms > 0 ? span(Math.round(ms / 1000)) : "");

  function atMeter(l, zone, now) {
    const m = l.at_meter;
    if (!m) return el("span", { class: "quiet small" }, "no memory there");
    return [m.last_ms ? time(m.last_ms, zone) : "empty", m.behind ? el("div", { class: "mark-warn small" }, count(m.behind) + " not here yet" + (l.lag_ms ? ", " + lag(l.lag_ms) : "")) : "",
      el("div", { class: "quiet small" }, m.looked_ms ? "looked at " + ago(m.looked_ms, now) : "not looked at yet")];
  }

  function atCloud(c, several, zone) {
    const parts = [several ? el("span", { class: "small" }, c.cloud + " ") : "", cloudStates[c.state] || c.state];
    if (c.state === "behind") parts.push(el("div", { class: "small" }, count(c.pending) + " waiting, the oldest " + (lag(c.lag_ms) || "0 s") + " old"));
    if (c.last_ms) parts.push(el("div", { class: "quiet small" }, "newest " + time(c.last_ms, zone)));
    if (c.skipped) parts.push(el("div", { class: "mark-warn small" }, "! " + count(c.skipped) + " skipped by limits"));
    if (c.reduced) parts.push(el("div", { class: "quiet small" }, count(c.reduced) + " combined into minutes"));
    if (c.conflicts) parts.push(el("div", { class: "bad-text small" }, count(c.conflicts) + " refused as contradictions"));
    return el("div", {}, ...parts);
  }

  function notes(l, zone) {
    const out = [];
    if (l.skipped) out.push(el("div", { class: "mark-warn" }, "! " + count(l.skipped) + " records skipped by limits"));
    if (l.alternatives) out.push(el("div", { class: "quiet small" }, l.alternatives.length + (l.alternatives.length === 1 ? " other journal" : " other journals") + " about this log"));
    if (l.conflicts) out.push(el("div", { class: "bad-text small" }, count(l.conflicts.count) + " pages refused here as contradictions"));
    if (l.gaps) {
      out.push(el("div", { class: "small" }, count(l.gaps.count) + (l.gaps.count === 1 ? " gap" : " gaps") + " in 30 days"));
      for (const g of l.gaps.newest) out.push(el("div", { class: "quiet small", title: g.detail || "" }, time(g.from_ms, zone) + " for " + (lag(g.to_ms - g.from_ms) || "a moment") + ": " + g.cause));
    }
    return out;
  }

  function trouble(t, where, zone, now) {
    if (!t) return "";
    return el("div", { class: "error" }, (where ? where + ": " : "") + t.text,
      t.since_ms ? el("span", { class: "quiet" }, " since " + time(t.since_ms, zone) + (t.next_try_ms ? ", next try " + (t.next_try_ms <= now ? "now" : "in " + span(Math.round((t.next_try_ms - now) / 1000))) : "")) : "",
      t.what_to_do ? el("div", { class: "small" }, t.what_to_do) : "");
  }

  // troubles are the errors of a meter's logs; one that several share stands once.
  function troubles(m, zone, now) {
    const seen = new Set([m.trouble && m.trouble.text]), out = [trouble(m.trouble, "", zone, now)];
    const add = (t, where) => { if (t && !seen.has(t.text)) { seen.add(t.text); out.push(trouble(t, where, zone, now)); } };
    for (const l of m.logs || []) add(l.trouble, name(l));
    for (const l of m.logs || []) for (const c of l.clouds || []) if (c.state !== "up_to_date") add(c.trouble, c.cloud);
    return out;
  }

  function table(m, zone, now) {
    const logs = m.logs || [];
    if (!logs.length) return el("p", { class: "quiet" }, "No records yet.");
    const memory = logs.some((l) => l.at_meter), clouds = logs.some((l) => (l.clouds || []).length);
    const heads = [["Log"], ["Records", "num"], ["First", "first"], ["Last here"], memory && ["At the meter"], clouds && ["At the cloud"], [""]].filter((h) => h);
    const rows = logs.map((l, i) => el("tr", {},
      el("td", {}, name(l)), el("td", { class: "num" }, count(l.records || 0)),
      el("td", { class: "when first" }, l.first_ms ? time(l.first_ms, zone) : ""),
      el("td", { class: "when" }, l.last_ms ? when(l.last_ms, zone, now) : ""),
      memory ? el("td", { class: "when" }, atMeter(l, zone, now)) : "",
      clouds ? el("td", {}, i && logs[i - 1].kind === l.kind ? el("span", { class: "quiet small" }, "with the one above") : (l.clouds || []).map((c) => atCloud(c, l.clouds.length > 1, zone))) : "",
      el("td", {}, ...notes(l, zone))));
    return el("div", { class: "scroll" }, el("table", {},
      el("thead", {}, el("tr", {}, ...heads.map(([t, c]) => el("th", { class: c, scope: "col" }, t)))), el("tbody", {}, ...rows)));
  }

  // programLog shows the last lines of the program's log to whoever may see them, when opened.
  function programLog(box, call) {
    box.addEventListener("toggle", async () => {
      if (!box.open) return;
      const pre = box.querySelector("pre");
      try {
        const doc = await call("GET", "/api/v1/log");
        pre.textContent = doc.lines.length ? doc.lines.join("\n") : "No lines yet.";
        pre.scrollTop = pre.scrollHeight;
      } catch (e) {
        pre.textContent = e.status === 403 ? "Only the owner of the node may see its log." : "The log cannot be read now: " + e.message;
      }
    });
  }

  return { table, troubles, programLog };
};
