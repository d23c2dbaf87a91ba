// What the system page shows of a look: only what has changed is touched, so that nobody loses their place.

import { lag, number, span } from "./amounts.js";
import { el, icon, keyed, replace } from "./dom.js";
import { ago, clock, full, time } from "./times.js";

/** Shows all of a look (`GET /api/system`); `act(name, parked)` is called for "retry" and "drop". */
export function show(seen, act) {
  put(byId("as-of"), `as of ${clock(seen.at)}`);
  verdict(seen.attention);
  flow(seen);
  parked(seen.quarantine, act);
  rows("processes", seen.processes, (one) => one.kind + one.host + one.pid + one.age_s, process);
  rows("followers", seen.followers, (one) => one.name, follower);
  rows("topics", seen.topics.flatMap(partitions), (one) => `${one.topic} ${one.partition}`, partition);
  rows("journals", seen.journal, (one) => one.topic, journal);
  rows("epochs", seen.log.epochs, (one) => one.epoch, epoch);
  audit(seen.audit);
}

function verdict(attention) {
  const told = attention.length ? attention.map(alarm) : [calm()];
  const place = byId("verdict");
  if (place.textContent !== told.map((one) => one.textContent).join("")) replace(place, told);
  place.ariaBusy = "false";
}

function calm() {
  return el("p", { class: "notice good" }, icon("check"), el("span", {}, "Nothing needs you."));
}

function alarm({ alert, text }) {
  return el("p", { class: "notice bad" }, icon("warning"), el("span", {}, el("strong", {}, alert), " ", text));
}

// --- the flow ---------------------------------------------------------------------------------------------------------

function flow({ log, relay, followers, tail, journal, attention, quarantine }) {
  const ofKind = (kind) => followers.filter((one) => one.kind === kind);
  const reactions = quarantine.filter((one) => one.version === null).length;
  hop("log", number(log.position), wrote(log));
  hop("relay", number(relay.position), relay);
  hop("views", number(ofKind("view").length), worst(ofKind("view")), quarantine.length - reactions);
  hop("reactions", number(ofKind("reaction").length), worst(ofKind("reaction")), reactions);
  hop("edge", number(tail.position), worst([tail, ...journal]));
  const alarmed = new Set(attention.map((one) => one.hop));
  for (const place of document.querySelectorAll("[data-hop]")) place.classList.toggle("bad", alarmed.has(place.dataset.hop));
}

function hop(name, value, behind, stopped = 0) {
  const place = document.querySelector(`[data-hop="${name}"]`);
  put(place.querySelector(".hop-value"), value);
  const told = typeof behind === "string" ? behind : lag(behind);
  put(place.querySelector(".hop-lag"), stopped ? `${number(stopped)} parked · ${told}` : told);
  place.classList.toggle("behind", behind.lag_positions > 0);
}

function wrote({ suspended, recorded_at: recordedAt }) {
  if (suspended) return "suspended";
  return recordedAt ? `wrote ${ago(recordedAt)}` : "empty";
}

function worst(some) {
  const none = { lag_positions: 0, lag_seconds: 0 };
  return some.reduce((before, one) => (one.lag_positions && one.lag_seconds >= before.lag_seconds ? one : before), none);
}

// --- tables -----------------------------------------------------------------------------------------------------------

function rows(id, items, key, cells) {
  const table = byId(id);
  const labels = [...table.closest("table").querySelectorAll("th")];
  keyed(table, items, key, (item, before) => {
    const row = before ?? el("tr", {}, labels.map(cell));
    cells(item).forEach((value, place) => fill(row.children[place], value));
    return row;
  });
}

function cell(label, place) {
  return el("td", { class: label.className || null, "data-label": place ? label.textContent : null });
}

/** A value is a text, or `{text, dot, tone}`. */
function fill(place, value) {
  const { text, dot, tone = "" } = typeof value === "object" ? value : { text: value };
  const wanted = `${text}|${dot}|${tone}`;
  if (place.dataset.shown === wanted) return;
  place.dataset.shown = wanted;
  const said = el("span", { class: tone || null }, text);
  replace(place, dot ? el("span", {}, el("span", { class: `dot ${dot}` }), said) : said);
}

function process({ kind, host, pid, ready, runs, state, age_s: age, silent_s: silent }) {
  const tone = runs ? "" : "past";
  const says = ready ? state || "ready" : state;
  return [
    { text: kind, dot: runs ? (ready ? "good" : "bad") : "past", tone },
    { text: `${host} · ${pid}`, tone },
    { text: runs ? says : "gone", tone: runs && !ready ? "bad" : tone },
    { text: span(age), tone },
    { text: runs ? "now" : `${span(silent)} ago`, tone },
  ];
}

function follower(one) {
  const version = one.version === null ? "" : ` v${one.version}`;
  return [one.name + version, one.topic, one.feeds ?? "–", number(one.position), ...behind(one)];
}

function behind({ lag_positions: positions, lag_seconds: seconds }) {
  return positions ? [number(positions), span(seconds)] : ["–", "–"];
}

function partitions({ topic, partitions: some }) {
  return some.map((one) => ({ topic, ...one }));
}

function partition({ topic, partition: place, last_position: last, position, epoch: of }) {
  return [topic, number(place), last ? number(last) : "–", number(position), number(of)];
}

function journal(one) {
  return [one.topic, number(one.watermark), number(one.tail), ...behind(one)];
}

function epoch(one) {
  return [number(one.epoch), number(one.kept_through), number(one.began_after), full(one.began_at)];
}

// --- audit ------------------------------------------------------------------------------------------------------------

function audit(found) {
  const list = byId("differences");
  list.hidden = !found?.differences;
  put(byId("audit"), found ? outcome(found) : "None has ended yet; the processors audit what is new once a minute.");
  keyed(list, (found?.first ?? []).map((text) => ({ text })), (one) => one.text, (one) => el("li", {}, one.text));
}

function outcome({ position, differences, found_after: after, agreed_seconds_ago: age }) {
  const through = `up to position ${number(position)}`;
  if (differences) return `${number(differences)} differences ${through}, the first after position ${number(after)}:`;
  if (age === null) return `Under way ${through}.`;
  return `Log, topics, views and journal agree ${through}, as of ${span(age)} ago.`;
}

// --- what is parked ---------------------------------------------------------------------------------------------------

const known = new Map();

function parked(items, act) {
  byId("parked-section").hidden = items.length === 0;
  keyed(byId("parked"), items.map(asKnown), (one) => one.id, (one) => parkedRow(one, act));
}

/** The very same object while nothing of it has changed, so that an open row stays open. */
function asKnown(item) {
  const text = JSON.stringify(item);
  if (known.get(item.id)?.text !== text) known.set(item.id, { text, item });
  return known.get(item.id).item;
}

function parkedRow(one, act) {
  const what = `${one.view} ${one.doc_key}`;
  return el(
    "li",
    { class: "row parked" },
    el(
      "div",
      { class: "row-main" },
      el("div", { class: "row-title" }, el("span", {}, one.doc_key), el("span", { class: "badge" }, one.view)),
      el("code", {}, one.error),
      el("div", { class: "row-sub" }, `position ${number(one.position)} · since `, time(one.since), after(one)),
      el("details", { class: "details small" }, el("summary", {}, "The event"), record(one)),
    ),
    el(
      "div",
      { class: "row-side cluster" },
      el("button", { class: "button small", type: "button", "aria-label": `Retry ${what}`, onclick: () => act("retry", one) }, "Retry"),
      el("button", { class: "button danger small", type: "button", "aria-label": `Drop ${what}`, onclick: () => act("drop", one) }, "Drop"),
    ),
  );
}

function after({ waiting }) {
  return waiting ? ` · ${number(waiting)} ${waiting === 1 ? "event waits" : "events wait"} behind it` : null;
}

function record({ record: event, owner }) {
  if (!event) return el("p", {}, "The log does not have it any more.");
  const told = [
    ["type", `${event.type} v${event.version}`],
    ["stream", `${event.stream} · seq ${event.seq}`],
    ["owner", owner],
    ["recorded", time(event.recorded_at)],
    ["digest", el("span", { class: "mono" }, event.digest)],
  ];
  return el("dl", {}, told.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function byId(id) {
  return document.getElementById(id);
}

function put(place, text) {
  if (place.textContent !== text) place.textContent = text;
}
