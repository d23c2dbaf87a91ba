/**
 * One run: its transcript live, what it cost, its hash chain; a message to it, and its end.
 *
 * A run's events are on no topic: its summary says how far it is, and what is missing is read from the log by seq. So a row
 * that comes late, twice or never costs nothing, and a reconnect needs no cursor besides the last seq that is shown. The
 * run's event stream would be a second connection, with its own way of failing, that the indicator knows nothing of.
 */

import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { el, icon, replace } from "./dom.js";
import { busily, onSubmit } from "./forms.js";
import { live } from "./live.js";
import { ended, isOver, statusBadge, statusWord } from "./run_status.js";
import { folded, OWN_FRAMES, RunTranscript } from "./run_transcript.js";
import { showBlocks, showEvents } from "./run_transcript_view.js";
import { grouped, sats } from "./sats.js";
import { shortcut } from "./shortcuts.js";
import { time } from "./times.js";
import { toast } from "./toast.js";

const PAGE = 200;
const LONGEST_PAGE = 500;
const NEAR_PX = 96;
const SIGHT_MS = 250;
const COST_AFTER_MS = 1000;
const GONE = [403, 404];

const runId = decodeURIComponent(location.pathname.split("/")[2]);
const path = `/api/runtime/runs/${encodeURIComponent(runId)}`;
const draftKey = `draft:${document.body.dataset.user}:${runId}`;
const wantedSeq = Number(new URLSearchParams(location.search).get("at")) || null;

const [facts, transcript, earlier, newest, composer, message] = ["facts", "transcript", "earlier", "newest", "composer", "message"].map((id) => document.getElementById(id));
const list = el("ol", { class: "blocks" });
const rawSwitch = document.getElementById("raw");

let run = null;
let events = []; // ascending, without a gap
let story = new RunTranscript(); // the same, as blocks
let floor = 0;
let chain = null;
let showsRaw = false;
let asking = null;

// --- reading --------------------------------------------------------------------------------------------------------

async function load() {
  try {
    run = (await api.get(path)).data;
    if (!events.length) await begin();
    await catchUp();
    transcript.ariaBusy = "false";
  } catch (error) {
    if (GONE.includes(error.status)) return gone(error);
    if (error.status === 410) return beginAnew();
    if (!events.length) replace(transcript, notice(error.message));
    throw error;
  }
}

/** At the end, or around the seq that the address names. */
async function begin() {
  const query = wantedSeq ? `after=${Math.max(wantedSeq - PAGE / 2, run.anchor.seq)}&limit=${LONGEST_PAGE}` : `limit=${PAGE}`;
  const { data } = await api.get(`${path}/events?${query}`);
  have(data.events);
  floor = data.floor;
  show();
  if (wantedSeq) reveal(wantedSeq);
  else toEnd();
}

/** What is below the run's floor is kept no more, so what is shown may have a gap: from the start again. */
async function beginAnew() {
  have([]);
  await load();
}

/** Everything behind the last event that is shown. */
async function catchUp() {
  for (;;) {
    const { data } = await api.get(`${path}/events?after=${events.at(-1)?.seq ?? floor}&limit=${LONGEST_PAGE}`);
    if (data.events.length) append(data.events);
    if (data.events.length < LONGEST_PAGE) return show();
  }
}

async function change({ payload }) {
  if (payload.run_id !== runId || !run) return;
  run = { ...run, status: payload.status, latestSeq: Math.max(run.latestSeq, payload.latest_seq), updatedAt: payload.updated_at };
  if (payload.latest_seq > (events.at(-1)?.seq ?? 0)) await catchUp();
  else show();
  asking ??= setTimeout(askAgain, COST_AFTER_MS);
}

/** What the summary does not know: cost, reason, chain. */
async function askAgain() {
  asking = null;
  try {
    run = (await api.get(path)).data;
    show();
  } catch {
    asking ??= setTimeout(askAgain, 5 * COST_AFTER_MS);
  }
}

function have(all) {
  events = all;
  story = folded(all);
}

function append(fresh) {
  const follows = isNearEnd();
  events.push(...fresh);
  for (const event of fresh) story.add(event);
  show();
  if (follows) toEnd();
  else newest.hidden = false;
}

/** Whether there were any. */
async function showEarlier() {
  return events.length ? busily(earlier, loadEarlier) : false;
}

async function loadEarlier() {
  try {
    const { data } = await api.get(`${path}/events?before=${events[0].seq}&limit=${PAGE}`);
    const height = document.documentElement.scrollHeight;
    floor = data.floor;
    have([...data.events, ...events]);
    show();
    scrollBy(0, document.documentElement.scrollHeight - height);
    return true;
  } catch (error) {
    toast(error.message, { kind: "bad" });
    return false;
  }
}

/** As long as the beginning of what is shown is in sight: watching anew tells whether it still is. */
const sight = new IntersectionObserver(async ([{ isIntersecting }]) => {
  if (!isIntersecting || !(await showEarlier())) return;
  sight.unobserve(earlier);
  if (!earlier.hidden) setTimeout(() => sight.observe(earlier), SIGHT_MS);
});

// --- showing --------------------------------------------------------------------------------------------------------

function show() {
  document.title = `${runId} · OpenAgents`;
  replace(document.getElementById("title"), runId);
  replace(document.getElementById("status"), statusBadge(run.status));
  document.getElementById("news").textContent = `The run is ${statusWord(run.status)}`;
  document.getElementById("cancel").hidden = isOver(run.status) || run.status === "canceling";
  composer.hidden = isOver(run.status);
  replace(facts, summary());
  earlier.hidden = !events.length || events[0].seq <= floor + 1;
  showTranscript();
}

function showTranscript() {
  if (!events.length) return replace(transcript, el("div", { class: "empty" }, icon("runs"), el("p", {}, "Nothing has happened yet.")));
  if (showsRaw) showEvents(list, events);
  else showBlocks(list, story.blocks);
  if (!list.isConnected) replace(transcript, list);
}

function summary() {
  return [
    run.reason && el("p", { class: `notice ${run.status === "failed" ? "bad" : ""}` }, icon("info"), el("span", {}, `The run ${ended(run.status)}: ${run.reason}`)),
    el(
      "dl",
      { class: "tiles" },
      tile("Thread", el("span", { class: "clip" }, run.threadId)),
      tile("Started", time(run.createdAt)),
      tile("Events", el("span", { class: "num" }, grouped(run.latestSeq))),
      tile("Cost", el("span", { class: "num" }, sats(run.spentSats), run.heldSats ? ` + ${sats(run.heldSats)} held` : "")),
      tile("Hash chain", chained()),
    ),
    floor > 0 && el("p", { class: "notice" }, icon("info"), `Events up to #${grouped(floor)} were pruned; the chain goes on from there.`),
  ];
}

function tile(label, value) {
  return el("div", { class: "tile" }, el("dt", { class: "tile-label" }, label), el("dd", { class: "tile-value" }, value));
}

/** What was verified holds for as many events as there were then. */
function chained() {
  const verify = el("button", { class: "button small", type: "button", onclick: verifyChain }, chain ? "Verify again" : "Verify");
  if (!chain) return ["not verified ", verify];
  if (!chain.intact) return [el("span", { class: "badge bad" }, `broken at #${chain.brokenAt}`), verify];
  return [el("span", { class: "badge good", title: chain.head.hash ?? "" }, icon("check"), ` intact to #${chain.head.seq}`), verify];
}

async function verifyChain() {
  try {
    chain = (await api.get(`${path}/chain`)).data;
    const anchor = chain.anchor.seq ? ` behind the anchor #${chain.anchor.seq}` : "";
    toast(chain.intact ? `${grouped(chain.events)} events${anchor} are what was written.` : `Event #${chain.brokenAt}: ${chain.cause.replaceAll("_", " ")}.`, { kind: chain.intact ? "good" : "bad" });
    show();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

function gone(error) {
  const text = error.status === 403 ? "This run belongs to somebody else." : "There is no such run.";
  composer.hidden = earlier.hidden = true;
  transcript.ariaBusy = "false";
  replace(transcript, el("div", { class: "empty", role: "alert" }, icon("warning"), el("h2", {}, text), el("a", { class: "button", href: "/runs" }, "All runs")));
}

function notice(text) {
  return el("p", { class: "notice bad", role: "alert" }, icon("warning"), text);
}

// --- where the reader is --------------------------------------------------------------------------------------------

function isNearEnd() {
  return document.documentElement.scrollHeight - innerHeight - scrollY < NEAR_PX;
}

function toEnd() {
  scrollTo(0, document.documentElement.scrollHeight);
  newest.hidden = true;
}

function reveal(seq) {
  const shown = document.getElementById(`at-${showsRaw ? seq : story.blockAt(seq)?.seq}`);
  shown?.scrollIntoView({ block: "center" });
  shown?.classList.add("wanted");
  const folder = shown?.querySelector("details");
  if (folder) folder.open = true;
}

function switchRaw() {
  const follows = isNearEnd();
  showsRaw = !showsRaw;
  rawSwitch.setAttribute("aria-pressed", String(showsRaw));
  replace(list);
  if (run) showTranscript();
  if (follows) toEnd();
}

// --- steering -------------------------------------------------------------------------------------------------------

async function send() {
  const text = message.value.trim();
  if (!text) return;
  try {
    await api.post(`${path}/frames`, { frame_id: frameFor(text), type: "user_message", payload: { text } });
    sent();
  } catch (error) {
    document.getElementById("message-error").textContent = error.message;
  }
}

/** The same message sent again, because no answer came, is the same frame. */
let unanswered = null;
function frameFor(text) {
  if (unanswered?.text !== text) unanswered = { text, frameId: `${OWN_FRAMES}${crypto.randomUUID()}` };
  return unanswered.frameId;
}

function sent() {
  unanswered = null;
  message.value = "";
  localStorage.removeItem(draftKey);
  document.getElementById("message-error").textContent = "";
  toEnd();
}

async function cancel() {
  const text = "What it has done stays done; what waits is not begun.";
  if (!(await confirmed({ title: "Cancel this run?", text, action: "Cancel run", kind: "danger" }))) return;
  try {
    const { data } = await api.post(`${path}/cancel`, { reason: "by hand, in the console" });
    run = { ...run, status: data.status };
    show();
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
}

message.value = localStorage.getItem(draftKey) ?? "";
message.addEventListener("input", () => localStorage.setItem(draftKey, message.value));
onSubmit(composer, send);
earlier.addEventListener("click", showEarlier);
newest.addEventListener("click", toEnd);
rawSwitch.addEventListener("click", switchRaw);
document.getElementById("cancel").addEventListener("click", cancel);
addEventListener("scroll", () => isNearEnd() && (newest.hidden = true), { passive: true });
sight.observe(earlier);
shortcut("mod+enter", "Send the message", () => composer.requestSubmit());
shortcut("r", "Raw events", switchRaw);
shortcut("e", "To the newest event", toEnd);

live().follow("runtime.run_summaries", { load, change });
