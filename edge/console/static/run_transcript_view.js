// What a run's blocks look like; a block that did not change keeps its element, and what was unfolded stays so.

import { asked, evidence, why } from "./denials.js";
import { el, icon, keyed } from "./dom.js";
import { sats } from "./sats.js";
import { clock, full } from "./times.js";

const SPENDING = { reserve: "Hold", commit: "Pay", release: "Give back", reconcile_required: "Settle later" };
const GIST = 200;
const STATES = { reserved: "held", committed: "paid", released: "given back", reconcile_required: "to be settled" };

/** Shows blocks as children of `list`. */
export function showBlocks(list, blocks) {
  keyed(list, blocks.map((block) => ({ block })), ({ block }) => block.key, ({ block }, before) => element(block, before));
}

/** Shows events one by one, with their seq, as the log has them. */
export function showEvents(list, events) {
  keyed(list, events, (event) => event.seq, rawEvent);
}

function element(block, before) {
  if (before?.dataset.revision === String(block.revision)) return before;
  const item = el("li", { class: `block ${block.kind}`, id: `at-${block.seq}`, "data-revision": block.revision }, el("div", { class: "block-body" }, BODIES[block.kind](block)), stamp(block));
  if (before?.querySelector("details")?.open) item.querySelector("details").open = true;
  return item;
}

function stamp({ at }) {
  return el("time", { class: "block-time faint small", datetime: at, title: full(at) }, clock(at));
}

const BODIES = {
  words: ({ text }) => el("p", { class: "prose" }, text),
  said: ({ text }) => [el("span", { class: "speaker" }, "You"), el("p", { class: "prose" }, text)],
  note: ({ text, detail, tone }) => el("p", { class: `line ${tone}` }, el("span", { class: `dot ${tone}` }), el("span", {}, text, detail ? el("span", { class: "faint" }, ` · ${detail}`) : null)),
  erased: ({ count }) => el("p", { class: "line faint" }, count === 1 ? "An event that was erased" : `${count} events that were erased`),
  raw: ({ name, payload }) => folder("code", [name], written(payload)),
  tool,
  spend,
  denial: ({ told }) => folder("warning", refusal(told), [el("p", { class: "soft" }, asked(told), forBudget(told)), evidence(told)]),
};

function tool({ name, input, progress, result }) {
  const status = result ? result.status : "running";
  const tone = { succeeded: "good", running: "info" }[status] ?? "bad";
  const head = [el("span", { class: "mono" }, name), " ", el("span", { class: `badge ${tone}` }, String(status).replace("_", " "))];
  const parts = [
    part("Input", input),
    part("Progress", progress),
    part("Output", result?.output),
    result?.error_message && el("p", { class: "line bad" }, result.error_message),
  ];
  return folder("tool", head, parts);
}

function spend({ operation, toolCallId, asked: request, answer, told }) {
  const title = [SPENDING[operation] ?? "Spend request", amount(request, answer), " for ", el("span", { class: "mono" }, toolCallId), " "];
  const parts = [told && evidence(told), part("Request", request), part("Answer", answer)];
  return folder("budgets", [title, outcome(answer), forBudget(request ?? answer?.reservation ?? {}), told && el("br"), told && refusal(told)], parts);
}

function refusal(told) {
  return el("span", { class: "refusal" }, "Refused: ", why(told));
}

/** What was paid may be less than what was held for it. */
function amount(request, answer) {
  const { spent_sats: spent, amount_sats: held } = answer?.reservation ?? {};
  const whole = spent ?? held ?? request?.amount_sats;
  return Number.isInteger(whole) ? ` ${sats(whole)}` : "";
}

function outcome(answer) {
  if (!answer) return el("span", { class: "badge info" }, "asked");
  if (!answer.ok) return el("span", { class: "badge bad" }, String(answer.reason_code ?? "refused").replaceAll("_", " "));
  return el("span", { class: "badge good" }, STATES[answer.reservation?.state] ?? "done");
}

function forBudget({ authorization_id: authorizationId }) {
  return authorizationId ? el("span", {}, " from ", el("a", { href: `/budgets/${encodeURIComponent(authorizationId)}` }, authorizationId)) : null;
}

function folder(symbol, head, content) {
  return el("details", { class: "details" }, el("summary", {}, icon(symbol), el("span", { class: "summary-text" }, head)), el("div", { class: "stack folded" }, content));
}

function part(title, value) {
  if (value === undefined || value === null) return null;
  return el("figure", { class: "written" }, el("figcaption", { class: "faint small" }, title), typeof value === "string" ? el("pre", { class: "code", tabindex: 0 }, value) : written(value));
}

function written(value) {
  return el("pre", { class: "code", tabindex: 0 }, JSON.stringify(value, null, 2));
}

function rawEvent(event, before) {
  const gist = event.erased ? "erased" : JSON.stringify(event.payload).slice(0, GIST);
  const head = [el("span", { class: "num faint" }, `#${event.seq}`), " ", el("span", { class: "mono" }, event.event_type), el("span", { class: "gist mono clip" }, gist)];
  return before ?? el("li", { class: "block raw", id: `at-${event.seq}` }, el("div", { class: "block-body" }, folder("code", head, written(event.erased ? "erased" : event.payload))), stamp({ at: event.occurred_at }));
}
