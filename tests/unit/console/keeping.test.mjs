// What a worker's page keeps: a stretch of history without gaps, and messages that the log does not have yet.
import assert from "node:assert/strict";
import { test } from "node:test";
import { History } from "./static/history.js";
import { Outbox } from "./static/outbox.js";

const PAGE = 300;

/** A log of `count` events above `floor`, read as the edge serves it; `asked` are the queries. */
function logOf(count, floor = 0) {
  const log = { count, floor, asked: [] };
  const row = (seq) => ({ seq, event_type: "worker.custom", payload: { seq }, occurred_at: null });
  log.fetch = async (query) => {
    log.asked.push(query);
    const { after, before, limit } = Object.fromEntries(new URLSearchParams(query));
    if (after !== undefined && Number(after) < log.floor) throw Object.assign(new Error("too old"), { status: 410 });
    const seqs = Array.from({ length: log.count - log.floor }, (_, index) => log.floor + index + 1);
    const wanted = after === undefined ? seqs.filter((seq) => seq < Number(before ?? Infinity)).slice(-limit) : seqs.filter((seq) => seq > Number(after)).slice(0, limit);
    return { events: wanted.map(row), floor: log.floor, latestSeq: log.count };
  };
  log.row = (seq) => ({ workerId: "w", seq, eventType: "worker.custom", payload: { seq }, occurredAt: null });
  return log;
}

function checkWhole(history) {
  const seqs = history.events.map(({ seq }) => seq);
  assert.deepEqual(seqs, Array.from({ length: seqs.length }, (_, index) => history.first + index));
  assert.deepEqual(history.transcript.blocks.flatMap((block) => block.seqs), seqs);
}

test("a history begins at its end and grows to its beginning", async () => {
  const history = new History(logOf(700).fetch);
  await history.newest();
  assert.deepEqual([history.first, history.last, history.hasOlder, history.isCurrent], [401, 700, true, true]);
  await history.older();
  await history.older();
  checkWhole(history);
  assert.deepEqual([history.first, history.hasOlder], [1, false]);
});

test("a history may begin anywhere, and grows both ways", async () => {
  const history = new History(logOf(2000).fetch);
  await history.around(1000);
  assert.deepEqual([history.first, history.last, history.isCurrent], [701, 1300, false]);
  await history.newer();
  await history.older();
  checkWhole(history);
  assert.deepEqual([history.first, history.last], [401, 1600]);
});

test("rows that arrive are added once, in order, and a hole is filled", async () => {
  const log = logOf(10);
  const history = new History(log.fetch);
  await history.newest();
  log.count = 20;
  await history.take(log.row(11));
  await history.take(log.row(11));
  assert.equal(history.last, 11);
  await history.take(log.row(15));
  assert.equal(history.last, 20);
  await history.take(log.row(13));
  checkWhole(history);
});

test("what arrives while a page is read is there once", async () => {
  const log = logOf(10);
  const history = new History(log.fetch);
  await history.newest();
  log.count = 12;
  const reading = history.newer();
  await history.take(log.row(11));
  await reading;
  checkWhole(history);
  assert.equal(history.last, 12);
});

test("who reads in the middle is not pulled to the end", async () => {
  const log = logOf(2000);
  const history = new History(log.fetch);
  await history.around(1000);
  const asked = log.asked.length;
  await history.take(log.row(2001));
  assert.deepEqual([history.last, history.latestSeq, history.isCurrent, log.asked.length], [1300, 2001, false, asked]);
});

test("what is too much to catch up with, or not kept any more, begins anew", async () => {
  for (const change of [{ count: 9000 }, { count: 900, floor: 500 }]) {
    const log = logOf(50);
    const history = new History(log.fetch);
    await history.newest();
    Object.assign(log, change);
    await history.catchUp();
    checkWhole(history);
    assert.deepEqual([history.last, history.events.length], [change.count, PAGE]);
  }
});

test("history that is not kept any more has an end", async () => {
  const history = new History(logOf(400, 90).fetch);
  await history.newest();
  await history.older();
  assert.deepEqual([history.first, history.floor, history.hasOlder], [91, 90, false]);
});

// --- the outbox ------------------------------------------------------------------------------------------------------

class Storage extends Map {
  getItem = (key) => this.get(key) ?? null;
  setItem = (key, text) => this.set(key, text);
  removeItem = (key) => this.delete(key);
}

/** An outbox whose server answers each attempt as `answers` say: a seq, or a status that it fails with. */
function outboxTo(answers, storage = new Storage()) {
  const sent = [];
  const post = async (events) => {
    sent.push(...events);
    const answer = answers.shift();
    if (answer.status !== undefined) throw Object.assign(new Error(`failed with ${answer.status}`), answer);
    return [answer.seq];
  };
  return { outbox: new Outbox({ storage, key: "outbox", post }), sent, storage };
}

async function settled(outbox) {
  while (outbox.messages.some(({ seq, error }) => seq === null && !error)) {
    await outbox.run();
    await new Promise((resume) => setImmediate(resume));
  }
}

test("a message keeps its identity until the server has taken it", async () => {
  const { outbox, sent, storage } = outboxTo([{ status: 0 }, { status: 503 }, { seq: 7 }]);
  outbox.send({ text: "hi", mode: "steer", expiresAt: "2026-02-25T12:00:00Z" });
  assert.equal(JSON.parse(storage.get("outbox")).length, 1);
  await settled(outbox);
  assert.equal(sent.length, 3);
  assert.equal(new Set(sent.map((event) => JSON.stringify(event))).size, 1);
  const [{ event_id: eventId, payload }] = sent;
  const { message_id: messageId, ...params } = payload.params;
  assert.deepEqual([eventId, payload.message_id], [`message:${messageId}`, messageId]);
  assert.deepEqual(params, { text: "hi", sent_from: "console", mode: "steer", expires_at: "2026-02-25T12:00:00Z" });
  assert.equal(outbox.messages[0].seq, 7);
  outbox.remove(messageId);
  assert.equal(storage.size, 0);
});

test("a message that is refused says why, and what comes after it is sent", async () => {
  const { outbox, sent } = outboxTo([{ status: 409 }, { seq: 8 }]);
  outbox.send({ text: "one" });
  outbox.send({ text: "two" });
  await settled(outbox);
  assert.deepEqual(outbox.messages.map(({ text, seq, error }) => [text, seq, error]), [["one", null, "failed with 409"], ["two", 8, ""]]);
  assert.equal(sent.length, 2);
});

test("what was not answered is sent by the next page, as the same message", async () => {
  const { outbox, sent, storage } = outboxTo([{ status: 0 }]);
  outbox.send({ text: "hi" });
  await new Promise((resume) => setImmediate(resume));
  const next = outboxTo([{ seq: 3 }], storage);
  await settled(next.outbox);
  assert.deepEqual(next.sent, sent);
});

test("storage that holds nonsense is an empty outbox", () => {
  const storage = new Storage([["outbox", "{"]]);
  assert.deepEqual(outboxTo([], storage).outbox.messages, []);
});
