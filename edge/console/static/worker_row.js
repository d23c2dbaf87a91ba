// One worker in the list: its name, how it is, its last words, and what can be done with it.

import { el, icon, replace } from "./dom.js";
import { liveness } from "./liveness.js";
import { groupOf } from "./roster.js";
import { time } from "./times.js";

/** A new row, or `row` changed. `act(action, worker)` is called for "stop" and "start". */
export function workerRow(worker, row, act) {
  const fresh = row ?? emptyRow(act);
  fresh.worker = worker;
  const { link, name, badges, words, side, action } = fresh.parts;
  link.href = address(worker.worker_id);
  name.textContent = worker.worker_id;
  replace(badges, approvals(worker), lag(worker));
  replace(words, quoted(worker.last_words));
  words.hidden = !worker.last_words;
  replace(side, worker.updated_at && time(worker.updated_at));
  describe(action, worker);
  refresh(fresh);
  return fresh;
}

/** Says again how the worker is: time passes for the silent ones too. */
export function refresh(row) {
  const { tone, text, beats } = liveness(row.worker);
  const { dot, how } = row.parts;
  const folder = row.worker.workspace_ref ? ` · ${row.worker.workspace_ref}` : "";
  const said = text + folder;
  dot.className = `dot ${tone}${beats ? " live" : ""}`;
  if (how.textContent !== said) how.textContent = said;
}

export function address(id) {
  return `/workers/${encodeURIComponent(id)}`;
}

function emptyRow(act) {
  const dot = el("span", { class: "dot" });
  const name = el("span", { class: "clip" });
  const badges = el("span", { class: "worker-badges" });
  const how = el("span", { class: "row-sub clip" });
  const words = el("span", { class: "row-sub clip worker-words" });
  const link = el("a", { class: "row-main" }, el("span", { class: "row-title" }, name, badges), how, words);
  const side = el("span", { class: "worker-time num" });
  const action = el("button", { class: "button quiet icon-only small", type: "button" });
  const row = el("li", { class: "row worker" }, dot, link, el("div", { class: "row-side" }, side, action));
  action.addEventListener("click", () => act(action.value, row.worker, action));
  row.parts = { dot, link, name, badges, how, words, side, action };
  return row;
}

function approvals({ status, open_approvals: open = [] }) {
  const text = open.length === 1 ? "Asks for your approval" : `${open.length} approvals`;
  return status === "running" && open.length > 0 && el("span", { class: "badge warn" }, icon("warning"), text);
}

function lag({ behind }) {
  const title = "Events that this list does not tell of yet";
  return behind > 0 && el("span", { class: "badge", title }, `${behind} behind`);
}

function quoted(words) {
  return words && [words.by === "person" && el("span", { class: "faint" }, "You: "), words.text];
}

function describe(action, worker) {
  const stopped = groupOf(worker) === "stopped";
  const [value, symbol, verb] = stopped ? ["start", "refresh", "Start again"] : ["stop", "stop", "Stop"];
  action.removeAttribute("aria-busy");
  if (action.value !== value) replace(action, icon(symbol));
  action.value = value;
  action.title = verb;
  action.ariaLabel = `${verb}: ${worker.worker_id}`;
}
