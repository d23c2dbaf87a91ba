// All runs: who is how far, what was said last, what it cost; live by `runtime.run_summaries`.

import { api } from "./api.js";
import { el, icon, keyed, replace } from "./dom.js";
import { complain, formDialog } from "./forms.js";
import { live } from "./live.js";
import { OWN_FRAMES } from "./run_transcript.js";
import { statusBadge } from "./run_status.js";
import { sats } from "./sats.js";
import { shortcut } from "./shortcuts.js";
import { time } from "./times.js";

const RUNS = "/api/runtime/runs";
const AT_MOST = 200;
const MANY = 5;
const PATIENCE_MS = 1000;

const list = document.getElementById("runs");
const rows = el("ul", { class: "rows" });
const search = document.getElementById("search");
const status = document.getElementById("status");
const [starter, form] = formDialog("starter");

let runs = new Map(); // newest first
let stale = new Set();
let waiting = null;

async function load() {
  try {
    const { data } = await api.get(`${RUNS}?limit=${AT_MOST}`);
    runs = new Map(data.map((run) => [run.runId, run]));
    stale = new Set();
    show();
  } catch (error) {
    if (!runs.size) replace(list, failed(error));
    throw error;
  } finally {
    list.ariaBusy = "false";
  }
}

/** The summary knows status and seq at once; words and cost are asked for, at most once a second. */
function change({ payload }) {
  const known = runs.get(payload.run_id);
  stale.add(payload.run_id);
  if (known) runs.set(payload.run_id, { ...known, status: payload.status, latestSeq: payload.latest_seq, updatedAt: payload.updated_at });
  if (known) show();
  waiting ??= setTimeout(refresh, PATIENCE_MS);
}

async function refresh() {
  const wanted = [...stale];
  stale = new Set();
  waiting = null;
  try {
    if (wanted.length > MANY) return await load();
    const found = await Promise.all(wanted.map((runId) => api.get(`${RUNS}?run_id=${encodeURIComponent(runId)}`)));
    const fresh = found.flatMap(({ data }) => data);
    const made = fresh.filter((run) => !runs.has(run.runId));
    for (const run of fresh) if (runs.has(run.runId)) runs.set(run.runId, run);
    runs = new Map([...made.map((run) => [run.runId, run]), ...runs]);
    show();
  } catch {
    for (const runId of wanted) stale.add(runId);
    waiting ??= setTimeout(refresh, 5 * PATIENCE_MS);
  }
}

function show() {
  const words = search.value.trim().toLowerCase();
  const shown = [...runs.values()].filter((run) => (!status.value || run.status === status.value) && matches(run, words));
  if (!runs.size) return replace(list, nothing());
  if (!shown.length) return replace(list, el("p", { class: "empty" }, "No run matches."));
  keyed(rows, shown, (run) => run.runId, row);
  if (!rows.isConnected) replace(list, rows);
}

function matches(run, words) {
  return !words || [run.runId, run.threadId, run.lastWords].some((text) => text.toLowerCase().includes(words));
}

function row(run) {
  const title = run.lastWords.trim() || "Nothing said yet";
  return el(
    "li",
    { class: "row" },
    el(
      "a",
      { class: "row-main run", href: `/runs/${encodeURIComponent(run.runId)}` },
      el("span", { class: "row-title" }, el("span", { class: run.lastWords.trim() ? "clip" : "clip faint" }, title)),
      el("span", { class: "row-sub run-sub" }, statusBadge(run.status), el("span", { class: "clip" }, run.threadId), cost(run)),
    ),
    el("div", { class: "row-side" }, time(run.createdAt)),
  );
}

function cost({ spentSats, heldSats }) {
  if (!spentSats && !heldSats) return null;
  return el("span", { class: "num run-cost" }, sats(spentSats), heldSats ? ` + ${sats(heldSats)} held` : "");
}

function nothing() {
  const start = el("button", { class: "button", type: "button", onclick: open }, "Start a run");
  return el("div", { class: "empty" }, icon("runs"), el("h2", {}, "No runs"), el("p", {}, "A run takes messages and says what comes of them, step by step."), start);
}

function failed(error) {
  return el("div", { class: "empty", role: "alert" }, icon("warning"), el("h2", {}, "The runs cannot be read"), el("p", {}, error.message));
}

// --- starting one ---------------------------------------------------------------------------------------------------

function open() {
  form.reset();
  say({});
  starter.showModal();
  form.elements.message.focus();
}

function say({ message = "", thread = "" }) {
  for (const [name, text] of Object.entries({ message, thread })) {
    complain(form.elements[name], text);
  }
}

async function start(event) {
  event.preventDefault();
  const { message, thread } = form.elements;
  const button = form.querySelector(".primary");
  if (button.ariaBusy === "true") return;
  if (!message.value.trim()) return say({ message: "Say what the run is to begin with." });
  button.ariaBusy = "true";
  try {
    const { data: run } = await api.post(RUNS, { thread_id: thread.value });
    const frame = { frame_id: `${OWN_FRAMES}${crypto.randomUUID()}`, type: "user_message", payload: { text: message.value } };
    await api.post(`${RUNS}/${encodeURIComponent(run.runId)}/frames`, frame);
    location.assign(`/runs/${encodeURIComponent(run.runId)}`);
  } catch (error) {
    say(error.errors?.thread_id ? { thread: error.errors.thread_id[0] } : { message: error.message });
    button.ariaBusy = "false";
  }
}

document.getElementById("new").addEventListener("click", open);
document.getElementById("filters").addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("submit", start);
search.addEventListener("input", show);
status.addEventListener("change", show);
shortcut("n", "Start a run", open);
shortcut("/", "Search", () => search.focus());

live().follow("runtime.run_summaries", { load, change });
