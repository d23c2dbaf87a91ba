// One budget: its meter and terms, what is held on it and for what, what it refused and why, what was settled.

import { api } from "./api.js";
import { followBudgets } from "./budget_news.js";
import { ending, link, modeOf, pathOf, standing } from "./budget_terms.js";
import { asked, evidence, firedRule, why } from "./denials.js";
import { confirmed } from "./dialogs.js";
import { el, icon, keyed, replace } from "./dom.js";
import { bar, meter } from "./meter.js";
import { limit, sats } from "./sats.js";
import { time } from "./times.js";
import { toast } from "./toast.js";

const GONE = [403, 404];
const STATES = { reserved: ["held", "info"], reconcile_required: ["to be settled", "warn"], committed: ["paid", "good"], released: ["given back", ""] };
const REASONS = { stale_reservation: "nothing was heard of it for a minute", unknown_settlement_outcome: "nobody knows whether it happened", history_lost: "its history was lost" };
const ABOUT = ["tool", "host", "url", "project"];

const authorizationId = decodeURIComponent(location.pathname.split("/")[2]);
const path = `/api/runtime/spend/authorizations/${encodeURIComponent(authorizationId)}`;
const place = document.getElementById("budget");
const revokeButton = document.getElementById("revoke");
const lists = Object.fromEntries(["holds", "denials", "below", "settled"].map((name) => [name, el("ul", { class: "rows" })]));

let budget = null;

async function load() {
  try {
    const asking = ["", "/holds", "/denials", "/holds?state=settled"].map((suffix) => api.get(path + suffix));
    const [{ data }, holds, denials, settled] = await Promise.all(asking);
    budget = data;
    show(holds.data, denials.data, settled.data);
  } catch (error) {
    if (GONE.includes(error.status)) return gone(error);
    if (!budget) replace(place, el("p", { class: "notice bad", role: "alert" }, icon("warning"), error.message));
    throw error;
  } finally {
    place.ariaBusy = "false";
  }
}

function show(holds, denials, settled) {
  document.title = `${authorizationId} · OpenAgents`;
  replace(document.getElementById("title"), authorizationId);
  replace(document.getElementById("status"), standing(budget, budget.above));
  revokeButton.hidden = budget.status !== "active";
  replace(place, el("div", { class: "card" }, meter(budget), today()), terms());
  section("holds", holds, (hold) => `${hold.run_id}/${hold.tool_call_id}`, openHold, "Nothing is held.");
  section("denials", denials, (denial) => `${denial.run_id}/${denial.seq}`, denied, "Nothing was refused.");
  section("below", budget.below, (one) => one.authorization_id, below, "");
  section("settled", settled, (hold) => `${hold.run_id}/${hold.tool_call_id}`, settledHold, "Nothing was spent or given back yet.");
}

/** A section without anything says so, or is left out. */
function section(name, items, key, render, nothing) {
  document.getElementById(`${name}-section`).hidden = !items.length && !nothing;
  const inside = document.getElementById(name);
  if (!items.length) return replace(inside, el("p", { class: "faint" }, nothing));
  keyed(lists[name], items, key, (item, before) => unchanged(item, before) ?? remember(item, render(item)));
  if (!lists[name].isConnected) replace(inside, lists[name]);
}

/** What says the same keeps its element, so that what is unfolded stays so. */
const texts = new WeakMap();
function unchanged(item, before) {
  return before && texts.get(before) === JSON.stringify(item) ? before : null;
}
function remember(item, element) {
  texts.set(element, JSON.stringify(item));
  return element;
}

function today() {
  const { max_per_day_sats: granted, today_sats: used } = budget;
  if (granted === null) return null;
  const words = el("p", { class: "small soft num" }, `Today (UTC) ${sats(used)} of ${sats(granted)}`);
  return el("div", { class: "today" }, bar(granted, { spent: used, held: 0 }), words);
}

function terms() {
  const facts = [
    ["Path", budget.path.length > 1 && pathOf(budget)],
    ["Each call", modeOf(budget)],
    ["In one call", limit(budget.max_per_call_sats)],
    ["In one day", limit(budget.max_per_day_sats)],
    ["Only for run", budget.run_id && el("a", { href: `/runs/${encodeURIComponent(budget.run_id)}` }, budget.run_id)],
    ["Only for thread", budget.thread_id],
    ["Autopilot", budget.autopilot_id],
    ["Made", time(budget.issued_at)],
    ["Ends", ending(budget)],
    ["Metadata", Object.keys(budget.metadata).length > 0 && el("code", {}, JSON.stringify(budget.metadata))],
  ];
  return el("dl", { class: "facts terms" }, facts.filter(([, value]) => value).map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)]));
}

function openHold(hold) {
  const [word, tone] = STATES[hold.state];
  const used = hold.charged_sats ? `, ${sats(hold.charged_sats)} used so far` : "";
  return row(
    [el("span", { class: "num" }, sats(hold.amount_sats)), el("span", { class: `badge ${tone}` }, word)],
    [purpose(hold), used, hold.failure_reason && ` · ${REASONS[hold.failure_reason] ?? hold.failure_reason}`],
    time(hold.reserved_at),
  );
}

function settledHold(hold) {
  const [word, tone] = STATES[hold.state];
  const amount = hold.spent_sats === null ? hold.amount_sats : hold.spent_sats;
  return row([el("span", { class: "num" }, sats(amount)), el("span", { class: `badge ${tone}` }, word)], [purpose(hold), hold.failure_reason && ` · ${hold.failure_reason}`], time(hold.committed_at ?? hold.released_at));
}

/** For which call of which run, by which budget below, and what its metadata say. */
function purpose(hold) {
  const about = ABOUT.filter((name) => typeof hold.metadata[name] === "string").map((name) => `${hold.metadata[name]} `);
  const elsewhere = hold.authorization_id !== authorizationId && [" through ", link(hold.authorization_id)];
  return [about, "call ", el("span", { class: "mono" }, hold.tool_call_id), " of ", runLink(hold.run_id), elsewhere];
}

function denied(denial) {
  const elsewhere = denial.authorization_id !== authorizationId && [" through ", link(denial.authorization_id)];
  return el(
    "li",
    { class: "denial" },
    el(
      "details",
      { class: "details" },
      el("summary", { class: "row" }, el("span", { class: "row-main" }, el("span", { class: "row-title" }, why(denial, authorizationId)), el("span", { class: "row-sub" }, asked(denial), " · ", firedRule(denial))), el("span", { class: "row-side" }, time(denial.decided_at))),
      el("div", { class: "stack denial-body" }, el("p", {}, "In ", runLink(denial.run_id, denial.seq), elsewhere), evidence(denial)),
    ),
  );
}

function below(one) {
  return el("li", { class: "row" }, el("div", { class: "row-main" }, el("span", { class: "row-title" }, link(one.authorization_id), standing(one)), meter(one)));
}

function row(title, sub, side) {
  return el("li", { class: "row" }, el("div", { class: "row-main" }, el("span", { class: "row-title" }, title), el("span", { class: "row-sub" }, sub)), el("span", { class: "row-side" }, side));
}

function runLink(runId, seq) {
  return el("a", { href: `/runs/${encodeURIComponent(runId)}${seq ? `?at=${seq}` : ""}` }, runId);
}

function gone(error) {
  const text = error.status === 403 ? "This budget belongs to somebody else." : "There is no such budget.";
  replace(place, el("div", { class: "empty", role: "alert" }, icon("warning"), el("h2", {}, text), el("a", { class: "button", href: "/budgets" }, "All budgets")));
}

async function revoke() {
  const rest = budget.below.length ? " Nothing is held on the budgets below it either." : "";
  const text = `Nothing more is held on ${authorizationId} from now on, and that cannot be undone. What is held may still be settled.${rest}`;
  if (!(await confirmed({ title: "Revoke this budget?", text, action: "Revoke", kind: "danger" }))) return;
  try {
    await api.post(`${path}/revoke`, { reason: "revoked in the console" });
    toast(`Revoked ${authorizationId}.`, { kind: "good" });
    await load();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

revokeButton.addEventListener("click", revoke);

followBudgets(load);
