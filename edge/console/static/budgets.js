// All budgets, each below the one it is taken from; make one.

import { api } from "./api.js";
import { followBudgets } from "./budget_news.js";
import { ending, link, modeOf, standing } from "./budget_terms.js";
import { el, icon, keyed, replace } from "./dom.js";
import { complain, formDialog, onSubmit } from "./forms.js";
import { meter } from "./meter.js";
import { shortcut } from "./shortcuts.js";
import { toast } from "./toast.js";

const BUDGETS = "/api/runtime/spend/authorizations";
const AT_MOST = 200;
const DAY_MS = 86_400_000;
const AMOUNTS = ["max_total_sats", "max_per_day_sats", "max_per_call_sats", "threshold_sats"];
const FIELDS = ["authorization_id", "parent_authorization_id", "mode", ...AMOUNTS];

const place = document.getElementById("budgets");
const list = el("ul", { class: "budget-list" });
const [maker, form] = formDialog("maker");

let budgets = [];

async function load() {
  try {
    budgets = inTrees((await api.get(`${BUDGETS}?limit=${AT_MOST}`)).data);
    show();
  } catch (error) {
    if (!budgets.length) replace(place, failed(error));
    throw error;
  } finally {
    place.ariaBusy = "false";
  }
}

/** Parents before what is below them, else as they came; one whose parent is not listed stands by itself. */
function inTrees(found) {
  const listed = new Map(found.map((budget) => [budget.authorization_id, budget]));
  const roots = found.filter((budget) => !listed.has(budget.parent_authorization_id));
  const placed = (budget, above) => {
    const below = found.filter((one) => one.parent_authorization_id === budget.authorization_id);
    return [{ ...budget, above }, ...below.flatMap((one) => placed(one, [...above, budget]))];
  };
  return roots.flatMap((budget) => placed(budget, []));
}

function show() {
  if (!budgets.length) return replace(place, nothing());
  keyed(list, budgets, (budget) => budget.authorization_id, card);
  if (!list.isConnected) replace(place, list);
}

function card(budget) {
  return el(
    "li",
    { class: `card budget depth-${Math.min(budget.above.length, 4)}` },
    el("div", { class: "card-head" }, el("h2", { class: "clip" }, link(budget.authorization_id)), standing(budget, budget.above)),
    meter(budget),
    el("p", { class: "terms faint small" }, modeOf(budget), " · ", ending(budget)),
  );
}

function nothing() {
  const make = el("button", { class: "button", type: "button", onclick: open }, "New budget");
  return el("div", { class: "empty" }, icon("budgets"), el("h2", {}, "No budgets"), el("p", {}, "An agent that is to pay for something needs one: who pays, for what, and how much."), make);
}

function failed(error) {
  return el("div", { class: "empty", role: "alert" }, icon("warning"), el("h2", {}, "The budgets cannot be read"), el("p", {}, error.message));
}

// --- making one -----------------------------------------------------------------------------------------------------

function open() {
  form.reset();
  say({});
  const parents = budgets.filter((budget) => budget.status === "active").map(({ authorization_id: name }) => el("option", { value: name }, name));
  replace(form.elements.parent_authorization_id, el("option", { value: "" }, "nothing: a budget of its own"), parents);
  askThreshold();
  maker.showModal();
  form.elements.authorization_id.focus();
}

function askThreshold() {
  document.getElementById("threshold").hidden = form.elements.mode.value !== "delegated_budget_with_threshold";
}

/** Broken rules by field, and beneath the form what is no field's. */
function say(errors, rest = "") {
  for (const name of FIELDS) {
    complain(form.elements[name], errors[name]?.[0] ?? "");
  }
  document.getElementById("form-error").textContent = rest;
}

async function make() {
  try {
    const { data } = await api.post(BUDGETS, terms());
    maker.close();
    toast(data.idempotent_replay ? `${data.authorization_id} was there already.` : `Created ${data.authorization_id}.`, { kind: "good" });
    await load();
  } catch (error) {
    say(error.errors ?? {}, Object.keys(error.errors ?? {}).length ? "" : error.message);
  }
}

/** Amounts may be written with any separators; what is empty has no limit. */
function terms() {
  const { elements } = form;
  const told = { authorization_id: elements.authorization_id.value, parent_authorization_id: elements.parent_authorization_id.value, mode: elements.mode.value };
  for (const name of AMOUNTS) {
    const text = elements[name].value.replace(/[\s\u202f.,'_]/g, "");
    if (text && elements[name].offsetParent) told[name] = text;
  }
  if (elements.days.value) told.expires_at = new Date(Date.now() + Number(elements.days.value) * DAY_MS).toISOString();
  return told;
}

document.getElementById("new").addEventListener("click", open);
onSubmit(form, make);
form.elements.mode.addEventListener("change", askThreshold);
shortcut("n", "New budget", open);

followBudgets(load);
