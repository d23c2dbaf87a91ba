// Why a call was refused, in plain words: of a budget's `denials`, or of a run's `policy.decision` (runtime §3.1–3.6).

import { el } from "./dom.js";
import { sats } from "./sats.js";

const REFUSALS = new Map(Object.entries({
  over_budget: ["More than what is left of $budget.", "max_total_sats"],
  per_call: ["More than $budget allows in one call.", "max_per_call_sats"],
  per_day: ["More than $budget allows in one day (UTC).", "max_per_day_sats"],
  approval_missing: ["$Budget asks somebody to approve this call, and nobody had.", "approval"],
  other_scope: ["$Budget pays for another run or thread.", "scope"],
  authorization_revoked: ["$Budget was revoked.", "revoked"],
  authorization_expired: ["$Budget had expired.", "expires_at"],
  explicit_deny: ["$Budget allows no spending at all.", "mode"],
  reconcile_required: ["What became of the first try is not known; that has to be settled first.", "reconcile first"],
  already_finalized: ["This call was settled before; it does not happen twice.", "settled once"],
  idempotency_conflict: ["This call was held before with another amount.", "same amount"],
  authorization_not_found: ["No such budget.", "authorization"],
  authorization_missing: ["No budget was named.", "authorization"],
  invalid_amount: ["The amount is not one that can be held.", "amount"],
  invalid_retry_class: ["The request does not say what a second try would do.", "retry class"],
}));
const FAMILIES = new Map(Object.entries({
  ssrf_block: "The address is one that nobody may reach.",
  loop_detected: "The run was going in circles.",
  manifest_validation: "The tool's description is not valid.",
}));

/** One sentence; `here` is the budget on whose page it stands. */
export function why(denial, here = null) {
  if (denial.rule) return `Your rule “${denial.rule.rule}” refuses it${because(denial)}.`;
  const known = REFUSALS.get(denial.detail);
  if (known) return named(known[0], denial, here);
  return FAMILIES.get(String(denial.reason_code).split(".")[0]) ?? "It was refused.";
}

/** Which rule fired: a rule of a policy set, or what the ledger itself looks at. */
export function firedRule(denial) {
  const { rule, detail, inputs } = denial;
  if (rule) return `${rule.set} v${rule.version} › ${rule.rule}`;
  if (REFUSALS.has(detail)) return `ledger › ${REFUSALS.get(detail)[1]}`;
  return inputs?.step ? `policy › step ${inputs.step}` : "policy";
}

/** Rule, codes and inputs, as they were written. */
export function evidence(denial) {
  const facts = [
    ["Rule", el("span", { class: "mono" }, firedRule(denial))],
    ["Reason", el("span", { class: "mono" }, denial.reason_code)],
    ["Detail", denial.detail],
    ["Decided by", refuser(denial)?.authorization_id],
    ["Decision", el("span", { class: "mono clip" }, denial.policy_decision_id)],
    ["Again today", again(denial.same_again)],
  ];
  const shown = facts.filter(([, value]) => value !== undefined && value !== null);
  return [
    el("dl", { class: "facts" }, shown.map(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
    denial.rule_text && written("The rule, as it was written", denial.rule_text),
    denial.inputs && written("What it was decided on", denial.inputs),
  ];
}

/** "30 sats for tool call tc_2". */
export function asked(denial) {
  const call = `tool call ${denial.tool_call_id}`;
  return typeof denial.amount_sats === "number" ? `${sats(denial.amount_sats)} for ${call}` : call;
}

function named(sentence, denial, here) {
  const by = refuser(denial)?.authorization_id ?? denial.authorization_id;
  const other = by === denial.authorization_id ? "the budget" : `the budget ${by} above it`;
  const budget = by === here ? "this budget" : other;
  return sentence.replace("$budget", budget).replace("$Budget", budget[0].toUpperCase() + budget.slice(1));
}

/** A rule's own words stand behind its name. */
function because({ detail }) {
  const words = String(detail ?? "").split(/rule [^:]*: /)[1];
  return words ? `: ${words}` : "";
}

function refuser(denial) {
  return denial.inputs?.refused_by;
}

function again(same) {
  if (same === undefined || same === null) return null;
  return same ? "comes out the same from these inputs" : "comes out differently from these inputs";
}

function written(title, value) {
  return el("figure", { class: "written" }, el("figcaption", { class: "faint small" }, title), el("pre", { class: "code", tabindex: 0 }, JSON.stringify(value, null, 2)));
}
