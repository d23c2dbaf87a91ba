// How much of a budget is spent, held and free: as a bar, and the same in words.

import { el } from "./dom.js";
import { grouped, limit } from "./sats.js";

const PARTS = [
  ["spent", "Spent"],
  ["held", "Held"],
  ["free", "Free"],
];

/** The meter of a budget as `/api/runtime/spend/authorizations` tells of it. */
export function meter(budget) {
  const amounts = { spent: budget.spent_sats, held: budget.reserved_sats, free: budget.remaining_sats };
  const granted = budget.max_total_sats;
  return el("div", { class: "budget-meter" }, granted !== null && bar(granted, amounts), words(granted, amounts));
}

/** `used` of `granted` as a bar alone; whoever shows it says it in words as well. */
export function bar(granted, { spent, held }) {
  const whole = Math.max(granted, spent + held, 1);
  return el("div", { class: "meter", "aria-hidden": "true" }, filled("spent", spent / whole), filled("held", held / whole));
}

/** Set by the object model: a style attribute would be inline style, which the page's policy forbids. */
function filled(name, share) {
  const part = el("div", { class: `meter-bar ${name}` });
  part.style.width = `${share * 100}%`;
  return part;
}

function words(granted, amounts) {
  const parts = PARTS.map(([name, label]) => figure(label, name === "free" ? limit(amounts.free) : grouped(amounts[name]), name));
  return el("dl", { class: "figures" }, figure("Granted", limit(granted)), parts);
}

function figure(label, text, name) {
  return el("div", { class: "figure" }, el("dt", {}, name && el("span", { class: `swatch ${name}` }), label), el("dd", { class: "num" }, text));
}
