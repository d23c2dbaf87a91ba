/** The page of one worker: its transcript, live, and what its people may do with it. */
import { api } from "./api.js";
import { Composer } from "./composer.js";
import { confirmed } from "./dialogs.js";
import { el, replace } from "./dom.js";
import { History } from "./history.js";
import { live } from "./live.js";
import { Outbox, newId } from "./outbox.js";
import { shortcut } from "./shortcuts.js";
import { toast } from "./toast.js";
import { TranscriptView, skeleton } from "./transcript_view.js";
import { ofWorker } from "./worker_state.js";

const EVENTS = "runtime.codex_worker_events";
const TURNING_POINTS = /^worker\.(started|stopped|heartbeat|turn\.usage|approval\.)/;
const FIRST_APPROVAL_WITHIN_PAGES = 10;
const SILENT_CHECK_MS = 5000;

const workerId = decodeURIComponent(location.pathname.split("/")[2]);
const path = `/api/runtime/codex/workers/${encodeURIComponent(workerId)}`;
const owner = `${document.body.dataset.user}:${workerId}`;
const part = (id) => document.getElementById(id);
document.title = document.title.replace(part("worker-id").textContent, workerId);
part("worker-id").textContent = workerId;

const history = new History(async (query) => (await api.get(`${path}/events?${query}`)).data);
const outbox = new Outbox({ storage: localStorage, key: `outbox:${owner}`, post });
const composer = new Composer(part("composer"), { storage: localStorage, key: `draft:${owner}`, send });
const view = new TranscriptView({ list: part("transcript"), older: part("older"), newer: part("newer") }, history, {
  answer,
  again: (messageId) => composer.edit(outbox.remove(messageId)?.text ?? ""),
  discard: (messageId) => outbox.remove(messageId),
  drawn: hint,
});

let worker = null;
let sync = null;
let missing = false;
let waiting = [];
let telling = null;

// --- what is shown ---------------------------------------------------------------------------------------------------

async function load() {
  if (history.events.length) await history.catchUp();
  else await begin();
  await lookUp();
  shown();
}

async function begin() {
  replace(part("transcript"), skeleton());
  const at = Number(new URLSearchParams(location.search).get("at"));
  try {
    await (at ? history.around(at) : history.newest());
  } catch (error) {
    if (error.status !== 403 && error.status !== 404) throw error;
    missing = true;
    part("missing").hidden = false;
  }
  replace(part("transcript"));
  if (at && !missing) await view.goTo(at);
}

async function change({ payload }) {
  if (payload?.workerId !== workerId) return;
  if (payload.eventType === "worker.erased") await history.newest();
  else await history.take(payload);
  if (TURNING_POINTS.test(payload.eventType)) await lookUp();
  shown();
}

async function lookUp() {
  if (!missing) worker = (await api.get(path)).data;
}

function shown() {
  for (const { seq, messageId } of outbox.messages) if (seq !== null && seq <= history.last) outbox.remove(messageId);
  view.update(outbox.messages.map((message) => ({ ...message, kind: "pending", key: `pending:${message.messageId}`, seq: Infinity, revision: message.error })));
  told();
}

/** Once a frame, however much arrives. */
function told() {
  if (telling) return;
  telling = requestAnimationFrame(tell);
}

function tell() {
  telling = null;
  const state = ofWorker(worker, history.transcript, sync?.state, Date.now());
  part("empty").hidden = missing || !worker || history.events.length === 0 || history.hasOlder || history.transcript.blocks.some(({ kind }) => kind === "user") || outbox.messages.length > 0;
  part("controls").hidden = !worker;
  part("composer").hidden = missing;
  replace(part("status"), el("span", { class: `dot ${state.tone}${state.beats ? " live" : ""}` }), el("span", {}, state.text));
  replace(part("about"), worker?.workspace_ref && el("code", { class: "clip" }, worker.workspace_ref), state.usage && el("span", { class: "num" }, state.usage));
  part("interrupt").hidden = !state.turn;
  part("stop").hidden = worker?.status !== "running";
  part("reattach").hidden = !["stopped", "failed"].includes(worker?.status);
  waiting = state.approvals;
  hint();
  replace(part("waiting").querySelector("span"), state.approvals.length === 1 ? "Codex waits for your answer" : `${state.approvals.length} questions wait for your answer`);
  composer.show(state.composer);
  if (part("announced").textContent !== state.announced) part("announced").textContent = state.announced;
}

/** Nobody has to be sent to what stands before them. */
function hint() {
  const isSeen = waiting.length === 1 && view.sees(history.transcript.block(`approval:${waiting[0]}`)?.key);
  part("waiting").hidden = waiting.length === 0 || isSeen;
}

// --- what people do --------------------------------------------------------------------------------------------------

async function post(events) {
  const { data } = await api.post(`${path}/events/batch`, { events });
  return data.events.map(({ seq }) => seq);
}

function send(message) {
  outbox.send({ ...message, at: new Date().toISOString() });
  view.toEnd();
}

/** The worker's result; what it answers with an error is said, and rejects. */
async function asked(method, params) {
  const body = { request: { request_id: newId("console"), method, params } };
  const { ok, response } = (await api.post(`${path}/requests`, body)).data;
  if (!ok) throw new Error(response?.error?.message ?? "The worker did not do it.");
}

async function doing(button, action) {
  button?.setAttribute("aria-busy", "true");
  try {
    await action();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  button?.removeAttribute("aria-busy");
}

function answer(approval, decision, button) {
  return doing(button, () => asked("approval/answer", { approval_id: approval.approvalId, decision }));
}

function interrupt() {
  const turn = history.transcript.running;
  if (!turn) return undefined;
  return doing(part("interrupt"), () => asked("turn/interrupt", { ...(turn.threadId && { threadId: turn.threadId }), turnId: turn.turnId }));
}

async function stop() {
  const text = "Its desktop program ends, and with it what runs. Messages that wait stay until somebody reattaches it.";
  if (!(await confirmed({ title: "Stop this worker?", text, action: "Stop worker", kind: "danger" }))) return;
  await doing(part("stop"), () => api.post(`${path}/stop`, { reason: "stopped from the console" }));
  await lookUp();
  told();
}

async function reattach() {
  await doing(part("reattach"), () => api.post("/api/runtime/codex/workers", { worker_id: workerId }));
  await lookUp();
  told();
}

function openApproval() {
  return history.transcript.blocks.flatMap(({ approvals = [] }) => approvals).find(({ decision }) => decision === null);
}

function answerFirst(decision) {
  const approval = openApproval();
  if (approval) answer(approval, decision);
}

/** What was asked long ago may lie above what is loaded. */
async function toApproval() {
  for (let page = 0; page < FIRST_APPROVAL_WITHIN_PAGES && !openApproval() && history.hasOlder; page += 1) await history.older();
  const approval = openApproval();
  const block = approval && history.transcript.block(`approval:${approval.approvalId}`);
  if (block) await view.goTo(block.seq);
}

function toggleRaw() {
  const pressed = part("raw").getAttribute("aria-pressed") !== "true";
  part("raw").setAttribute("aria-pressed", String(pressed));
  view.showRaw(pressed);
}

/** A block's own address: shown without loading the page anew, and kept in the address bar. */
function followed(event) {
  const link = event.target.closest?.('a[href^="?at="]');
  if (!link || event.metaKey || event.ctrlKey || event.shiftKey) return;
  event.preventDefault();
  window.history.pushState(null, "", link.getAttribute("href"));
  arrived();
}

function arrived() {
  const address = new URLSearchParams(location.search);
  if (address.has("raw") && !view.raw) toggleRaw();
  const at = Number(address.get("at"));
  if (at) doing(null, () => view.goTo(at));
}

// --- together --------------------------------------------------------------------------------------------------------

part("interrupt").addEventListener("click", interrupt);
part("stop").addEventListener("click", stop);
part("reattach").addEventListener("click", reattach);
part("raw").addEventListener("click", toggleRaw);
part("waiting").querySelector("button").addEventListener("click", toApproval);
part("transcript").addEventListener("click", followed);
addEventListener("popstate", arrived);
addEventListener("online", () => outbox.run());
outbox.addEventListener("change", shown);

shortcut("mod+enter", "Send the message", () => part("composer").requestSubmit());
shortcut("c", "Write a message", () => composer.focus());
shortcut("escape escape", "Interrupt the turn", interrupt);
shortcut("a a", "Approve once what is asked", () => answerFirst("accept"));
shortcut("d d", "Deny what is asked", () => answerFirst("deny"));
shortcut("j", "Next block", () => view.step(1));
shortcut("k", "Block before", () => view.step(-1));
shortcut("e", "To the end", () => view.toEnd());
shortcut("r", "Raw events or transcript", toggleRaw);

sync = live();
sync.addEventListener("state", told);
sync.follow(EVENTS, { load, change });
if (new URLSearchParams(location.search).has("raw")) toggleRaw();
setInterval(told, SILENT_CHECK_MS);
outbox.run();
