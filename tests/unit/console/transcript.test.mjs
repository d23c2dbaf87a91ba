// A worker's events as blocks (runtime §7.1–7.5, DEC-45 to 48): read by Node, started by tests/unit/test_console_modules.py.
import assert from "node:assert/strict";
import { readFileSync, readdirSync } from "node:fs";
import { test } from "node:test";
import { Transcript, eventOf, folded } from "./static/transcript.js";
import { generated } from "./histories.mjs";

const DESK = "autopilot-desktop";
const AT = "2026-02-25T12:00:00.000000Z";

/** Events of these types and payloads, one second after the other. */
function history(...told) {
  return told.map(([type, payload], index) => eventOf({ seq: index + 1, event_type: type, payload, occurred_at: AT }));
}

const said = (id, text, params = {}) => [
  "worker.event",
  { source: "autopilot-ios", method: "ios/user_message", message_id: id, params: { message_id: id, text, sent_from: "autopilot-ios", ...params } },
];
const codex = (method, params, more = {}) => ["worker.event", { source: DESK, method, params, ...more }];
const began = (turnId) => codex("turn/started", { threadId: "t", turn: { id: turnId, status: "inProgress" } });
const ended = (turnId, status = "completed", error = null) => codex("turn/completed", { threadId: "t", turn: { id: turnId, status, error } });
const item = (step, turnId, told) => codex(`item/${step}`, { threadId: "t", turnId, item: told });
const delta = (name, turnId, itemId, text) => codex(`item/${name}`, { threadId: "t", turnId, itemId, delta: text });
const taken = (id, seq) => ["worker.message.claimed", { message_id: id, seq, claim_id: "c", daemon_id: "d" }];
const written = (turnId, id, text, clientId = null) => item("completed", turnId, { type: "userMessage", id, clientId, content: [{ type: "text", text }] });
const beat = (session, daemon = "on") => ["worker.heartbeat", { source: DESK, desktop_session_id: session, daemon, busy: null }];

const one = (transcript, kind) => {
  const found = transcript.blocks.filter((block) => block.kind === kind);
  assert.equal(found.length, 1, `${kind}: ${found.length}`);
  return found[0];
};
const states = (transcript) => transcript.blocks.filter(({ kind }) => kind === "user").map(({ state }) => state);

function checkNothingIsDropped(transcript, events) {
  const seqs = transcript.blocks.flatMap((block) => block.seqs).sort((a, b) => a - b);
  assert.deepEqual(seqs, events.map(({ seq }) => seq));
  for (const { seq } of events) assert.ok(transcript.blockAt(seq).seqs.includes(seq));
  for (const block of transcript.blocks.filter(({ lines }) => lines)) assert.deepEqual(block.lines.map(({ seq }) => seq), block.seqs);
}

test("a message goes through its states", () => {
  const events = history(said("m", "hi", { sent_from: "phone" }), taken("m", 1), began("u"), written("u", "i", "hi"), ended("u"));
  assert.deepEqual(events.map((_, index) => states(folded(events.slice(0, index + 1)))), [["queued"], ["delivered"], ["delivered"], ["running"], ["done"]]);
  assert.equal(one(folded(events), "user").from, "phone");
});

test("a message is failed, lost, interrupted or expired", () => {
  assert.deepEqual(states(folded(history(said("m", "hi"), ["worker.message.expired", { message_id: "m" }]))), ["expired"]);
  const refusal = ["worker.error", { source: DESK, method: "turn/start", params: { message_id: "m", error: { message: "over the cap" } } }];
  const failed = folded(history(said("m", "hi"), taken("m", 1), refusal));
  assert.deepEqual([states(failed), one(failed, "user").error], [["failed"], "over the cap"]);
  assert.deepEqual(states(folded(history(said("m", "hi"), codex("worker/turn_lost", { message_id: "m" })))), ["lost"]);
  const answered = (status) => states(folded(history(said("m", "hi"), began("u"), written("u", "i", "hi"), ended("u", status))));
  assert.deepEqual(["interrupted", "failed"].map(answered), [["interrupted"], ["failed"]]);
});

test("the same text twice is two messages, the same message twice is one", () => {
  const twice = folded(history(said("a", "hi"), said("b", "hi"), said("a", "hi"), began("u"), written("u", "i", "hi")));
  assert.deepEqual(states(twice), ["running", "queued"]);
  const both = folded(history(said("a", "hi"), said("b", "hi"), began("u"), written("u", "i", "hi"), ended("u"), began("v"), written("v", "j", "hi")));
  assert.deepEqual(states(both), ["done", "running"]);
  const named = folded(history(said("a", "hi"), said("b", "hi"), began("u"), written("u", "i", "hi", "b")));
  assert.deepEqual(states(named), ["queued", "running"]);
});

test("a message that waited for another turn is repeated where its own begins", () => {
  const events = history(said("a", "one"), began("u"), written("u", "i", "one"), said("b", "two"), ended("u"), began("v"), written("v", "j", "two"));
  assert.deepEqual(folded(events).blocks.filter(({ kind }) => kind === "turn").map(({ prompt }) => prompt), ["", "two"]);
});

test("what is written at the desk is a message from nobody else", () => {
  const { from, state, text } = one(folded(history(began("u"), written("u", "i", "hi"))), "user");
  assert.deepEqual([from, state, text], ["", "running", "hi"]);
});

test("words stream, and what is complete is right", () => {
  const start = item("started", "u", { type: "agentMessage", id: "i", text: "" });
  const pieces = [delta("agentMessage/delta", "u", "i", "Hel"), delta("agentMessage/delta", "u", "i", "lo")];
  const end = item("completed", "u", { type: "agentMessage", id: "i", text: "Hello!" });
  const streaming = one(folded(history(began("u"), start, ...pieces)), "assistant");
  assert.deepEqual([streaming.text, streaming.running], ["Hello", true]);
  const complete = one(folded(history(began("u"), start, ...pieces, end, start, ...pieces)), "assistant");
  assert.deepEqual([complete.text, complete.running, complete.seqs.length], ["Hello!", false, 7]);
  const late = one(folded(history(pieces[1])), "assistant");
  assert.deepEqual([late.text, late.partial], ["lo", true]);
});

test("a command has its output, exit code, duration and folder", () => {
  const told = { type: "commandExecution", id: "i", command: "make", cwd: "/desk", status: "inProgress", aggregatedOutput: null, exitCode: null };
  const output = (text) => delta("commandExecution/outputDelta", "u", "i", text);
  const running = one(folded(history(began("u"), item("started", "u", told), output("a\n"), output("b\n"))), "command");
  assert.deepEqual([running.output, running.running, running.exitCode], ["a\nb\n", true, null]);
  const end = item("completed", "u", { ...told, status: "failed", aggregatedOutput: "a\nb\nc\n", exitCode: 2, durationMs: 40 });
  const { output: all, exitCode, durationMs, cwd, status } = one(folded(history(began("u"), item("started", "u", told), output("a\n"), end)), "command");
  assert.deepEqual([all, exitCode, durationMs, cwd, status], ["a\nb\nc\n", 2, 40, "/desk", "failed"]);
});

test("reasoning comes in parts", () => {
  const part = (summaryIndex, text) => codex("item/reasoning/summaryTextDelta", { turnId: "u", itemId: "r", summaryIndex, delta: text });
  const { summary } = one(folded(history(began("u"), part(0, "Look"), part(0, " here"), part(1, "Then"))), "reasoning");
  assert.deepEqual(summary, ["Look here", "Then"]);
});

test("files and tools", () => {
  const change = { path: "a.txt", kind: { type: "update", move_path: "b.txt" }, diff: "@@ -1 +1 @@\n-a\n+b\n" };
  const changed = one(folded(history(began("u"), item("started", "u", { type: "fileChange", id: "i", changes: [change], status: "inProgress" }))), "changes");
  assert.deepEqual(changed.changes, [{ path: "a.txt", kind: "update", diff: change.diff, movedTo: "b.txt" }]);
  const call = { type: "mcpToolCall", id: "i", server: "docs", tool: "search", arguments: { q: 1 }, status: "failed", error: { message: "no" } };
  const tool = one(folded(history(began("u"), item("completed", "u", call))), "tool");
  assert.deepEqual([tool.title, tool.input, tool.error, tool.running], ["docs · search", { q: 1 }, "no", false]);
  assert.equal(one(folded(history(began("u"), item("completed", "u", { type: "newThing", id: "i" }))), "tool").name, "newThing");
});

const question = { approval_id: "s:approval:1", kind: "command", thread_id: "t", turn_id: "u", item_id: "i", choices: ["accept", "deny"], expires_at: AT };
const asking = ["worker.approval.requested", { ...question, command: "touch x", cwd: "/desk", reason: "why not" }];

test("an approval stands with its command, and so does its answer", () => {
  const mirrored = codex("item/commandExecution/requestApproval", { threadId: "t", turnId: "u", itemId: "i", command: "touch x", cwd: "/desk" });
  const asked = ["worker.request.received", { request_id: "r", method: "approval/answer", params: { approval_id: "s:approval:1", decision: "accept" }, requested_by: { client: "watch" } }];
  const answer = ["worker.approval.answered", { approval_id: "s:approval:1", decision: "accept", cause: "answered", answered_by: { client: "watch" } }];
  const events = history(began("u"), mirrored, asking, asked, ["worker.request.claimed", { request_id: "r" }], answer, ["worker.response", { request_id: "r", response: {} }]);
  const open = one(folded(events.slice(0, 3)), "command").approvals[0];
  assert.deepEqual([open.command, open.cwd, open.reason, open.decision], ["touch x", "/desk", "why not", null]);
  const block = one(folded(events), "command");
  assert.deepEqual([block.approvals[0].decision, block.approvals[0].by, block.seqs], ["accept", "watch", [2, 3, 4, 5, 6, 7]]);
});

test("an approval without an item is a block of its own, and ends with its worker", () => {
  const [type, payload] = asking;
  const events = history(began("u"), [type, { ...payload, item_id: "unknown", kind: "file_change", changes: [{ path: "a", kind: "add", diff: "x" }] }], ["worker.stopped", { reason: "r" }]);
  const block = one(folded(events), "changes");
  assert.deepEqual([block.changes.length, block.approvals[0].decision, block.approvals[0].cause], [1, "deny", "stopped"]);
});

test("a request tells who asked and what came of it", () => {
  const asked = ["worker.request.received", { request_id: "r", method: "thread/list", params: {}, deadline: AT, requested_by: { owner: "user:1", client: "oa", token: 4 } }];
  const refusal = ["worker.error", { request_id: "r", response: { error: { code: -32003, message: "no answer" } } }];
  const sent = one(folded(history(asked)), "request");
  assert.deepEqual([sent.by, sent.state], ["oa", "sent"]);
  const failed = one(folded(history(asked, refusal)), "request");
  assert.deepEqual([failed.state, failed.error, failed.seqs], ["failed", "no answer", [1, 2]]);
});

test("a turn has an outcome and what it used", () => {
  const usage = ["worker.turn.usage", { thread_id: "t", turn_id: "u", outcome: "completed", total_tokens: 7, input_tokens: 3, output_tokens: 4 }];
  const { turn, seqs } = one(folded(history(began("u"), usage, ended("u", "failed", { message: "no more" }))), "end");
  assert.deepEqual([turn.status, turn.error, turn.usage.total_tokens, seqs], ["failed", "no more", 7, [2, 3]]);
});

test("what runs ends with Codex, with the desktop and with the worker", () => {
  const start = item("started", "u", { type: "commandExecution", id: "i", command: "sleep 60", status: "inProgress" });
  for (const end of [["worker.error", { source: DESK, method: "codex/exited", params: { error: { message: "gone" } } }], beat("other"), ["worker.stopped", {}]]) {
    const transcript = folded(history(beat("first"), said("m", "go"), began("u"), written("u", "w", "go"), start, end));
    assert.deepEqual([states(transcript), one(transcript, "command").running, transcript.turns.get("u").status, transcript.running], [["lost"], false, "lost", undefined]);
  }
});

test("what Codex warns of again stands once a thread, with how often it was said", () => {
  const warned = (threadId, message) => codex("warning", { threadId, message });
  const { blocks } = folded(history(warned("t", "slow"), began("1"), warned("t", "slow"), warned("u", "slow"), warned("t", "late")));
  const notes = blocks.filter(({ kind }) => kind === "note").map(({ text, seqs }) => [text, seqs]);
  assert.deepEqual(notes, [["slow", [1, 3]], ["slow", [4]], ["late", [5]]]);
});

test("of heartbeats only changes are told", () => {
  const transcript = folded(history(beat("a"), beat("a"), beat("a", "off"), beat("b"), beat("b")));
  assert.deepEqual(transcript.blocks.map(({ text, seqs }) => [text, seqs]), [["Desktop is online", [1, 2]], ["Desktop went offline", [3]], ["Desktop is online", [4, 5]]]);
});

test("what nobody knows is a line, and lines that follow each other share a block", () => {
  const transcript = folded(history(["worker.custom", { n: 1 }], codex("x/new", { text: "a  b" }), beat("a"), ["worker.custom", {}]));
  assert.deepEqual(transcript.blocks.map(({ kind, lines }) => [kind, lines?.map(({ name, gist }) => [name, gist])]), [
    ["raw", [["worker.custom", ""], ["x/new", "a b"]]],
    ["note", undefined],
    ["raw", [["worker.custom", ""]]],
  ]);
});

test("what was erased says so", () => {
  const rows = [1, 2].map((seq) => ({ seq, event_type: "worker.event", payload: {}, occurred_at: AT, erased: true }));
  const [block, ...more] = folded(rows.map(eventOf)).blocks;
  assert.deepEqual([block.kind, block.seqs, more], ["erased", [1, 2], []]);
});

test("both spellings of an event are one event", () => {
  const page = { seq: 3, event_type: "worker.x", payload: { a: 1 }, occurred_at: AT };
  assert.deepEqual(eventOf({ workerId: "w", seq: 3, eventType: "worker.x", payload: { a: 1 }, occurredAt: AT }), eventOf(page));
});

const RECORDED = process.env.OA_CODEX_VECTORS;
const recordings = readdirSync(RECORDED).flatMap((version) => readdirSync(`${RECORDED}/${version}`).filter((name) => name.endsWith(".events.jsonl")).map((name) => `${version}/${name}`));

test("what both versions of Codex were recorded saying leaves nothing running and nothing out", () => {
  assert.ok(recordings.length >= 12);
  for (const name of recordings) {
    const lines = readFileSync(`${RECORDED}/${name}`, "utf8").trim().split("\n");
    const events = history(...lines.map((line) => JSON.parse(line)));
    const transcript = folded(events);
    checkNothingIsDropped(transcript, events);
    assert.equal(transcript.blocks.filter(({ running }) => running).length, 0, name);
    one(transcript, "user");
    one(transcript, "end");
  }
});

test("property: in one go or one by one, from the start or from anywhere, nothing is dropped and nothing differs", () => {
  for (let seed = 1; seed <= 150; seed += 1) {
    const events = generated(seed).map(eventOf);
    const growing = new Transcript();
    events.forEach((event, index) => {
      growing.add(event);
      growing.add(event);
      if (index % 7 === 0) assert.deepEqual(growing.blocks, folded(events.slice(0, index + 1)).blocks, `seed ${seed}, ${index + 1} events`);
    });
    assert.deepEqual(growing.blocks, folded(events).blocks, `seed ${seed}`);
    checkNothingIsDropped(growing, events);
    const window = events.slice(seed % events.length);
    checkNothingIsDropped(folded(window), window);
    checkCompletedIsRight(folded(window), window, seed);
  }
});

function checkCompletedIsRight(transcript, events, seed) {
  const last = new Map();
  for (const { payload, seq } of events) {
    const { item: told, turnId } = payload.params ?? {};
    if (payload.method === "item/completed" && told?.type === "agentMessage" && told.id) last.set(`${turnId}/${told.id}`, [told.text, seq]);
  }
  for (const [text, seq] of last.values()) {
    const block = transcript.blockAt(seq);
    if (block.kind === "assistant") assert.deepEqual([block.text, block.running], [text, false], `seed ${seed}, event ${seq}`);
  }
}
