// The terms of a budget in words: how it stands, its mode, its path, its end.

import { el, icon } from "./dom.js";
import { sats } from "./sats.js";
import { time } from "./times.js";

const MODES = {
  delegated_budget: "Spends by itself",
  delegated_budget_with_threshold: "Asks above a threshold",
  interactive: "Asks every time",
  deny: "Spends nothing",
};
const TONES = { active: "good", revoked: "bad", expired: "warn" };

/** "active", "revoked" or "expired"; `above` are the budgets on whose path it is: one that ended ends it too (DEC-29). */
export function standing(budget, above = []) {
  const ended = above.find((one) => one.status !== "active");
  if (budget.status === "active" && ended) return el("span", { class: "badge warn" }, `${ended.status} above`);
  return el("span", { class: `badge ${TONES[budget.status]}` }, budget.status);
}

/** "Asks above 20 sats". */
export function modeOf({ mode, threshold_sats: threshold }) {
  return threshold === null ? MODES[mode] : `Asks above ${sats(threshold)}`;
}

/** Links from the root to the budget itself, which is none. */
export function pathOf({ path }) {
  const above = path.slice(0, -1).flatMap((name) => [link(name), icon("chevron-right")]);
  return el("span", { class: "path" }, above, el("span", {}, path.at(-1)));
}

/** A link to a budget's page. */
export function link(authorizationId) {
  return el("a", { href: `/budgets/${encodeURIComponent(authorizationId)}` }, authorizationId);
}

/** When it ends, or why it has. */
export function ending({ status, revoked_at: revokedAt, expires_at: expiresAt }) {
  if (revokedAt) return ["revoked ", time(revokedAt)];
  if (!expiresAt) return "never expires";
  return [status === "expired" ? "expired " : "expires ", time(expiresAt)];
}
