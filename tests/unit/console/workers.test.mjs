// What the list of workers says of each: how it is, where it stands, and what comes first.
import assert from "node:assert/strict";
import { test } from "node:test";

import { liveness, span } from "./static/liveness.js";
import { Roster } from "./static/roster.js";
import { ofWorker } from "./static/worker_state.js";

const NOW = Date.parse("2026-02-25T12:00:00Z");
const before = (seconds) => new Date(NOW - seconds * 1000).toISOString();
const running = (more = {}) => ({ status: "running", daemon_seen_at: before(10), busy: null, ...more });

for (const [text, tone, worker] of [
  ["Ready", "good", running()],
  ["Codex working on “run the tests” for 40 s", "accent", running({ busy: { what: "run the tests", since: before(40) } })],
  ["Codex working on a turn for 5 min", "accent", running({ busy: { what: "turn", since: before(300) } })],
  ["Codex working on “it”", "accent", running({ busy: { what: "it", since: "yesterday" } })],
  ["Desktop asleep for 4 min", "warn", running({ daemon_seen_at: before(240), busy: { what: "it", since: before(300) } })],
  ["Desktop gone for 3 d", "", running({ daemon_seen_at: before(3 * 86400) })],
  ["Desktop signed off 2 min ago", "", running({ daemon_seen_at: before(130), daemon_off: true })],
  ["No program has connected yet", "", running({ daemon_seen_at: null })],
  ["Stopped 3 h ago", "", { status: "stopped", stopped_at: before(3 * 3600 + 5), daemon_seen_at: before(10) }],
  ["Failed 2 min ago", "bad", { status: "failed", stopped_at: before(120) }],
]) {
  test(`a worker says: ${text}`, () => {
    const said = liveness(worker, NOW);
    assert.deepEqual([said.text, said.tone, said.beats], [text, tone, text.startsWith("Codex")]);
  });
}

for (const [text, hint, more] of [
  ["Ready", "", {}],
  ["Working for 40 s", "", { running: { startedAt: before(40) } }],
  ["Working", "", { running: {} }],
  ["Waits for your answer", "", { worker: { open_approvals: ["a"] } }],
  ["No program has connected yet", "", { worker: { daemon_seen_at: null } }],
  ["Working", "", { worker: { daemon_seen_at: null }, running: {} }],
  ["Desktop asleep for 3 min", "The desktop is away: the message waits for it.", { worker: { daemon_seen_at: before(180) } }],
  ["Desktop asleep for 10 s", "The desktop is away: the message waits for it.", { worker: { heartbeat_stale_after_ms: 9000 } }],
  ["Desktop signed off 10 s ago", "", { worker: { daemon_state: "off", open_approvals: ["a"] }, running: {} }],
  ["Stopped", "The worker is stopped. Reattach it to write to it.", { worker: { status: "stopped" } }],
]) {
  test(`the page of a worker says: ${text}, ${hint || "no hint"}`, () => {
    const state = ofWorker(running(more.worker), { running: more.running, blocks: [] }, null, NOW);
    assert.deepEqual([state.text, state.composer.hint], [text, hint]);
  });
}

test("a span is of the largest unit that there are two of", () => {
  const seconds = [-5, 0, 1, 119, 120, 7199, 7200, 172_799, 172_800];
  const words = ["0 s", "0 s", "1 s", "119 s", "2 min", "119 min", "2 h", "47 h", "2 d"];
  assert.deepEqual(seconds.map((one) => span(one * 1000)), words);
});

const worker = (worker_id, more = {}) => ({ worker_id, status: "running", latest_seq: 5, started_at: before(0), ...more });
const row = (worker_id, more = {}) => ({ payload: worker(worker_id, more) });
const names = (workers) => workers.map(({ worker_id: id }) => id);

test("who waits for an answer comes first, then who runs, then who is stopped; the newest first", () => {
  const roster = new Roster();
  roster.begin([
    worker("older", { started_at: before(60) }),
    worker("asks", { open_approvals: ["a"], started_at: before(90) }),
    worker("newer"),
    worker("ended", { status: "stopped", open_approvals: ["a"] }),
    worker("b-newer"),
  ]);
  const { waiting, running: others, stopped } = roster.shown();
  assert.deepEqual([names(waiting), names(others), names(stopped)], [["asks"], ["b-newer", "newer", "older"], ["ended"]]);
  assert.deepEqual(roster.counts(), { "": 5, waiting: 1, running: 3, stopped: 1 });
});

test("a search finds all its words, wherever they are", () => {
  const roster = new Roster();
  roster.begin([
    worker("desktopw:one", { workspace_ref: "~/src/Billing", last_words: { text: "All tests pass" } }),
    worker("desktopw:two", { busy: { what: "billing tests" } }),
    worker("three"),
  ]);
  const found = (text, status) => names(Object.values(roster.shown({ text, status })).flat()).sort();
  assert.deepEqual(found("BILLING tests"), ["desktopw:one", "desktopw:two"]);
  assert.deepEqual(found("billing pass"), ["desktopw:one"]);
  assert.deepEqual(found("  "), ["desktopw:one", "desktopw:two", "three"]);
  assert.deepEqual(found("three", "stopped"), []);
});

test("a summary changes what it tells of, and keeps what only the API says", () => {
  const roster = new Roster();
  roster.begin([worker("one", { workspace_ref: "~/one", last_words: { text: "Done" }, khala_projection: { lag_events: 2 } })]);
  roster.learn([worker("one")]);
  assert.deepEqual([roster.get("one").behind, roster.get("one").last_words.text], [0, "Done"]);
  roster.hear(row("one", { latest_seq: 6, status: "stopped" }));
  const { status, workspace_ref: folder, behind } = roster.get("one");
  assert.deepEqual([status, folder, behind], ["stopped", "~/one", 0]);
  roster.hear(row("new", { latest_seq: 1 }));
  assert.equal(roster.size, 2);
});

test("an older summary only says how far behind the summaries are", () => {
  const roster = new Roster();
  roster.begin([worker("one", { latest_seq: 9 })]);
  roster.hear(row("one", { latest_seq: 6, status: "stopped" }));
  assert.deepEqual([roster.get("one").status, roster.get("one").behind], ["running", 3]);
  roster.hear(row("one", { latest_seq: 9 }));
  assert.equal(roster.get("one").behind, 0);
});

test("an answer that was overtaken by a summary changes nothing", () => {
  const roster = new Roster();
  roster.begin([worker("one")]);
  roster.hear(row("one", { latest_seq: 8, status: "stopped" }));
  roster.learn([worker("one", { latest_seq: 7 })]);
  assert.equal(roster.get("one").status, "stopped");
});

test("a list begins anew with what is there", () => {
  const roster = new Roster();
  roster.begin([worker("one", { latest_seq: 9 }), worker("two")]);
  roster.begin([worker("one", { latest_seq: 3 })]);
  assert.deepEqual([roster.size, roster.get("one").latest_seq], [1, 3]);
});

test("who signed off is off until heard again", () => {
  const roster = new Roster();
  roster.begin([worker("one", { daemon_seen_at: before(60), daemon_state: "off" })]);
  assert.equal(roster.get("one").daemon_off, true);
  roster.hear(row("one", { latest_seq: 7, daemon_seen_at: before(1), daemon_off: false }));
  assert.equal(roster.get("one").daemon_off, false);
});

test("what did not change is the same object", () => {
  const roster = new Roster();
  roster.begin([worker("one"), worker("two")]);
  const one = roster.get("one");
  roster.hear(row("two", { latest_seq: 6 }));
  assert.equal(roster.get("one"), one);
});
