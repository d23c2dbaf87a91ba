// What `edge/console/static/sync.js` promises to pages, whatever the connection does (sync §8–12, §15, §18).
import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";

import { Shelf, Wire, gate } from "./server.mjs";

globalThis.WebSocket = Wire;
const { Sync } = await import("./static/sync.js");

const EVENTS = "runtime.codex_worker_events";
const SUMMARIES = "runtime.codex_worker_summaries";
const settled = () => new Promise(setImmediate);

let shelf, clock;

beforeEach((context) => {
  context.mock.method(console, "warn", () => {});
  context.mock.method(console, "error", () => {});
  context.mock.method(Math, "random", () => 1); // pauses are as long as they get
  context.mock.timers.enable({ apis: ["setTimeout", "Date"], now: 1_000_000_000_000 });
  clock = context.mock.timers;
  shelf = new Shelf();
  Wire.opened = [];
});

/** A page: `mint` and the `load` of each topic are finished by hand, `rows` is what `change` got. */
class Page {
  mint = gate();
  rows = [];
  loads = {};
  stops = {};

  constructor(user = 41, storage = shelf) {
    this.sync = new Sync({ user, url: "ws://edge.test/sync/socket", storage, token: this.mint });
  }

  follow(topic = EVENTS, change = () => {}) {
    const load = (this.loads[topic] = gate());
    const told = async (row) => {
      this.rows.push(row.watermark);
      await change(row);
    };
    this.stops[topic] = this.sync.follow(topic, { load, change: told });
    return load;
  }

  get wire() {
    return Wire.opened.at(-1);
  }

  /** A token that was minted when its topics were at these watermarks. */
  async granted(heads, token = `token ${this.mint.begun}`) {
    await settled();
    this.mint.finish({ token, resume_after: heads });
    await settled();
  }

  /** Live, from the first watermark on. */
  async live(head = 10, topic = EVENTS) {
    const load = this.follow(topic);
    await this.granted({ [topic]: head });
    this.wire.accept();
    load.finish();
    await this.calm();
    return load;
  }

  /** After everything that needs no time, and after what is told a moment later. */
  async calm() {
    await settled();
    clock.tick(0);
    await settled();
  }

  get phase() {
    return this.sync.state.phase;
  }

  get kept() {
    return JSON.parse(shelf.getItem(`sync:41:${EVENTS}`))?.watermark;
  }
}

function keep(watermark, topic = EVENTS, at = Date.now()) {
  shelf.setItem(`sync:41:${topic}`, JSON.stringify({ watermark, at }));
}

test("a first visit waits for a token, loads, and subscribes from where the topic was before", async () => {
  const page = new Page();
  const load = page.follow();
  await settled();
  assert.deepEqual([page.mint.given(), load.begun], [[[EVENTS]], 0]);
  await page.granted({ [EVENTS]: 10 });
  assert.equal(load.begun, 1);
  assert.equal(page.wire.url.pathname, "/sync/socket/websocket");
  assert.deepEqual([page.wire.token, page.wire.url.searchParams.get("vsn")], ["token 1", "2.0.0"]);
  page.wire.open();
  page.wire.answer("phx_join");
  assert.deepEqual(page.wire.asked("sync:subscribe"), { topics: [EVENTS], resume_after: { [EVENTS]: 10 } });
  page.wire.answer("sync:subscribe");
  assert.equal(page.phase, "catching-up");
  load.finish();
  await page.calm();
  assert.equal(page.phase, "live");
});

test("rows that arrive while a page loads wait for it, and come in order", async () => {
  const page = new Page();
  const load = page.follow();
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  page.wire.rows(EVENTS, 11, 12);
  page.wire.rows(EVENTS, 15);
  await settled();
  assert.deepEqual([page.rows, page.sync.state.behind], [[], 3]);
  load.finish();
  await settled();
  assert.deepEqual([page.rows, page.sync.state.behind], [[11, 12, 15], 0]);
});

test("rows wait for the one before them to be shown", async () => {
  const page = new Page();
  const shown = gate();
  page.follow(EVENTS, shown);
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  page.loads[EVENTS].finish();
  await settled();
  page.wire.rows(EVENTS, 11, 12);
  await settled();
  assert.deepEqual([page.rows, page.kept], [[11], 10]);
  shown.finish();
  await settled();
  assert.deepEqual([page.rows, page.kept], [[11, 12], 10]);
  shown.finish();
  await settled();
  assert.equal(page.kept, 12);
});

test("what comes again or out of order is dropped", async () => {
  const page = new Page();
  await page.live();
  page.wire.rows(EVENTS, 9, 10, 11, 11, 14);
  page.wire.rows(EVENTS, 12, 14, 15);
  await settled();
  assert.deepEqual([page.rows, page.kept], [[11, 14, 15], 15]);
});

test("a recent cursor lets a page load before it has a token", async () => {
  keep(20);
  const page = new Page();
  const load = page.follow();
  assert.equal(load.begun, 1);
  await page.granted({ [EVENTS]: 25 });
  page.wire.open();
  page.wire.answer("phx_join");
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 20 });
  assert.equal(load.begun, 1);
});

for (const [why, prepare] of [
  ["of another user", () => shelf.setItem(`sync:42:${EVENTS}`, JSON.stringify({ watermark: 20, at: Date.now() }))],
  ["from long ago", () => keep(20, EVENTS, Date.now() - 600_000)],
  ["that is damaged", () => shelf.setItem(`sync:41:${EVENTS}`, "{")],
  ["that cannot be read", () => shelf.getItem = () => { throw new Error("forbidden"); }],
]) {
  test(`a cursor ${why} is none`, async () => {
    prepare();
    const page = new Page();
    assert.equal(page.follow().begun, 0);
  });
}

test("a cursor of another history costs a load", async () => {
  keep(20);
  const page = new Page();
  const load = page.follow();
  load.finish();
  await page.granted({ [EVENTS]: 3 });
  assert.equal(load.begun, 2);
  load.finish();
  page.wire.accept();
  page.wire.rows(EVENTS, 4);
  await settled();
  assert.deepEqual([page.wire.asked("sync:subscribe").resume_after, page.rows], [{ [EVENTS]: 3 }, [4]]);
});

test("storage that is full or forbidden changes nothing else", async () => {
  shelf.setItem = () => { throw new Error("full"); };
  const page = new Page();
  await page.live();
  page.wire.rows(EVENTS, 11);
  await page.calm();
  assert.deepEqual([page.rows, page.phase], [[11], "live"]);
});

test("tabs share a cursor, whoever wrote it", async () => {
  const first = new Page();
  await first.live(10);
  first.wire.rows(EVENTS, 11);
  await settled();
  const second = new Page();
  assert.equal(second.follow().begun, 1);
  await second.granted({ [EVENTS]: 11 });
  second.wire.accept();
  assert.deepEqual(second.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 11 });
});

test("a lost connection opens again with a new token and goes on where it was, without loading", async () => {
  const page = new Page();
  const load = await page.live();
  page.wire.rows(EVENTS, 11, 12);
  await settled();
  page.wire.drop(1012);
  assert.deepEqual(page.sync.state, { phase: "offline", behind: 0, since: Date.now(), retryAt: Date.now() + 250 });
  clock.tick(250);
  await page.granted({ [EVENTS]: 14 });
  assert.equal(page.phase, "offline");
  page.wire.open();
  page.wire.answer("phx_join");
  assert.deepEqual([page.phase, page.sync.state.behind], ["catching-up", 2]);
  assert.deepEqual([page.wire.token, page.wire.asked("sync:subscribe").resume_after], ["token 2", { [EVENTS]: 12 }]);
  page.wire.rows(EVENTS, 13);
  assert.equal(page.sync.state.behind, 1);
  page.wire.rows(EVENTS, 14);
  page.wire.answer("sync:subscribe");
  await page.calm();
  assert.deepEqual([page.rows, page.phase, load.begun], [[11, 12, 13, 14], "live", 1]);
});

test("what was shown is not shown again when it comes once more after a reconnection", async () => {
  const page = new Page();
  const shown = gate();
  page.follow(EVENTS, shown);
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  page.loads[EVENTS].finish();
  await settled();
  page.wire.rows(EVENTS, 11, 12);
  await settled();
  page.wire.drop();
  clock.tick(250);
  await page.granted({ [EVENTS]: 12 });
  page.wire.accept();
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 10 });
  page.wire.rows(EVENTS, 11, 12);
  for (let row = 0; row < 2; row += 1) {
    shown.finish();
    await settled();
  }
  assert.deepEqual(page.rows, [11, 12]);
});

test("attempts that fail come less and less often, each with its own token, and at once after a success", async () => {
  const page = new Page();
  await page.live();
  page.wire.drop();
  const pauses = [];
  for (let attempt = 0; attempt < 9; attempt += 1) {
    pauses.push(page.sync.state.retryAt - Date.now());
    clock.tick(pauses.at(-1));
    await page.granted({});
    page.wire.drop(); // a handshake that is refused with 403
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000, 4000, 8000, 16000, 30000, 30000]);
  assert.equal(new Set(Wire.opened.map((wire) => wire.token)).size, 10);
  clock.tick(30000);
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  page.wire.drop();
  assert.equal(page.sync.state.retryAt - Date.now(), 250);
});

test("since when it is offline does not change with each attempt", async () => {
  const page = new Page();
  await page.live();
  const lost = Date.now();
  page.wire.drop();
  await page.calm();
  clock.tick(250);
  await settled();
  page.mint.fail(new Error("nobody answered"));
  await page.calm();
  assert.deepEqual([page.sync.state.since, page.phase], [lost, "offline"]);
});

test("a mint, a handshake or a join that hangs is given up", async () => {
  const page = new Page();
  page.follow();
  await settled();
  clock.tick(8000);
  assert.equal(page.phase, "offline");
  page.mint.finish({ token: "late" });
  await settled();
  assert.equal(Wire.opened.length, 0);
  for (const hang of [() => {}, () => page.wire.open()]) {
    clock.tick(30000);
    await page.granted({});
    hang();
    clock.tick(8000);
    assert.equal(page.phase, "offline");
  }
});

test("nobody signed in ends the attempts until something wakes it", async () => {
  const page = new Page();
  await page.live();
  page.wire.drop();
  clock.tick(250);
  page.mint.fail(Object.assign(new Error("sign in"), { status: 401 }));
  await page.calm();
  assert.deepEqual([page.phase, page.sync.state.retryAt], ["offline", null]);
  clock.tick(3_600_000);
  assert.equal(page.mint.begun, 2);
  page.sync.wake();
  assert.equal(page.mint.begun, 3);
});

test("without a token a page shows what HTTP tells, and loads again when it has one", async () => {
  const page = new Page();
  const load = page.follow();
  await settled();
  page.mint.fail(Object.assign(new Error("switched off"), { status: 503 }));
  await settled();
  assert.equal(load.begun, 1);
  load.finish();
  await settled();
  clock.tick(250);
  await page.granted({ [EVENTS]: 10 });
  assert.equal(load.begun, 2);
});

test("a server that tells no watermarks with its tokens is asked for everything it keeps", async () => {
  const page = new Page();
  const load = page.follow();
  await page.granted(undefined);
  page.wire.accept();
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, {});
  load.finish();
  page.wire.rows(EVENTS, 4711);
  await settled();
  assert.deepEqual([page.rows, page.kept], [[4711], 4711]);
});

test("a cursor that is too old costs a load, of its own topic only", async () => {
  keep(5);
  keep(7, SUMMARIES);
  const page = new Page();
  const [events, summaries] = [page.follow(EVENTS), page.follow(SUMMARIES)];
  events.finish();
  summaries.finish();
  await page.granted({ [EVENTS]: 90, [SUMMARIES]: 80 });
  page.wire.open();
  page.wire.answer("phx_join");
  const stale = { code: "stale_cursor", stale_topics: [{ topic: EVENTS, resume_after: 5, retention_floor: 60 }] };
  page.wire.push("sync:error", stale);
  page.wire.answer("sync:subscribe", "error", stale);
  await settled();
  assert.deepEqual([events.begun, summaries.begun], [2, 1]);
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 90, [SUMMARIES]: 7 });
  events.finish();
  page.wire.answer("sync:subscribe");
  page.wire.rows(EVENTS, 91);
  await page.calm();
  assert.deepEqual([page.rows, page.phase], [[91], "live"]);
});

test("any other refusal is a lost connection", async () => {
  const page = new Page();
  page.follow();
  await page.granted({});
  page.wire.open();
  page.wire.answer("phx_join");
  page.wire.answer("sync:subscribe", "error", { code: "forbidden_topic", forbidden_topics: [EVENTS] });
  assert.equal(page.phase, "offline");
});

test("who was away for long loads anew instead of replaying", async () => {
  const page = new Page();
  const load = await page.live();
  page.wire.drop();
  for (let attempt = 0; attempt < 30; attempt += 1) {
    clock.tick(30000);
    await settled();
    if (page.mint.begun > attempt + 1) page.mint.fail(new Error("away"));
    await settled();
  }
  page.sync.wake();
  await page.granted({ [EVENTS]: 9000 });
  page.wire.accept();
  assert.deepEqual([load.begun, page.wire.asked("sync:subscribe").resume_after], [2, { [EVENTS]: 9000 }]);
});

test("a heartbeat is sent now and then, and keeps the cursor recent", async () => {
  const page = new Page();
  await page.live();
  for (let beat = 1; beat <= 40; beat += 1) {
    clock.tick(20000);
    assert.equal(page.wire.count("sync:heartbeat"), beat);
    page.wire.answer("sync:heartbeat");
  }
  assert.equal(new Page().follow().begun, 1);
  assert.equal(Wire.opened.length, 1);
});

test("a connection on which nothing is heard is given up", async () => {
  const page = new Page();
  await page.live();
  clock.tick(20000);
  clock.tick(8000);
  assert.deepEqual([page.phase, page.wire.readyState], ["offline", 3]);
});

test("an answer may take as long as a replay before it", async () => {
  const page = new Page();
  page.follow();
  await page.granted({ [EVENTS]: 10 });
  page.wire.open();
  page.wire.answer("phx_join");
  for (let watermark = 11; watermark < 20; watermark += 1) {
    clock.tick(7000);
    page.wire.rows(EVENTS, watermark);
  }
  assert.equal(page.wire.readyState, 1);
});

test("woken up, a page asks at once whether its connection lives", async () => {
  const page = new Page();
  await page.live();
  page.sync.wake();
  assert.equal(page.wire.count("sync:heartbeat"), 1);
  page.wire.answer("sync:heartbeat");
  clock.tick(8000);
  await page.calm();
  assert.equal(page.phase, "live");
});

test("woken up while it waits to connect, a page connects at once, once", async () => {
  const page = new Page();
  await page.live();
  page.wire.drop();
  for (let event = 0; event < 3; event += 1) page.sync.wake();
  assert.deepEqual([page.mint.begun, page.sync.state.retryAt], [2, null]);
});

test("a snapshot that fails is loaded again, later or when woken up", async () => {
  const page = new Page();
  const load = page.follow();
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  load.fail(new Error("502"));
  await page.calm();
  assert.deepEqual([load.begun, page.phase], [1, "catching-up"]);
  clock.tick(250);
  await settled();
  assert.equal(load.begun, 2);
  load.fail(new Error("502"));
  await settled();
  page.sync.wake();
  await settled();
  assert.equal(load.begun, 3);
  load.finish();
  await page.calm();
  assert.equal(page.phase, "live");
});

test("a row that cannot be shown costs a load, and is not tried again", async () => {
  const page = new Page();
  const load = page.follow(EVENTS, ({ watermark }) => {
    if (watermark === 11) throw new Error("unexpected");
  });
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  load.finish();
  page.wire.rows(EVENTS, 11, 12);
  await settled();
  assert.deepEqual([page.rows, load.begun], [[11], 2]);
  load.finish();
  await settled();
  assert.deepEqual([page.rows, page.kept], [[11, 12], 12]);
});

test("a row that is being shown while the cursor is set anew does not set it back", async () => {
  const page = new Page();
  const shown = gate();
  const load = page.follow(EVENTS, shown);
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  load.finish();
  await settled();
  page.wire.rows(EVENTS, 11, 12);
  await settled();
  page.wire.drop();
  clock.tick(250);
  await page.granted({ [EVENTS]: 3 }); // restored from a backup
  shown.finish();
  load.finish();
  await settled();
  load.finish();
  await settled();
  assert.deepEqual([page.rows, load.begun], [[11], 2]);
  page.wire.open();
  page.wire.answer("phx_join");
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 3 });
});

test("topics that are followed together share one token and one connection", async () => {
  const page = new Page();
  page.follow(EVENTS);
  page.follow(SUMMARIES);
  await settled();
  assert.deepEqual([page.mint.begun, page.mint.given()], [1, [[EVENTS, SUMMARIES]]]);
});

test("a topic that is followed later gets a new token, and the others go on where they are", async () => {
  const page = new Page();
  const load = await page.live();
  page.wire.rows(EVENTS, 11);
  await settled();
  page.follow(SUMMARIES);
  await page.granted({ [EVENTS]: 12, [SUMMARIES]: 50 });
  page.wire.accept();
  assert.deepEqual(page.mint.given(), [[EVENTS, SUMMARIES]]);
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 11, [SUMMARIES]: 50 });
  assert.equal(load.begun, 1);
});

test("two parts of a page follow one topic, each from its own snapshot", async () => {
  const page = new Page();
  const first = await page.live();
  page.wire.rows(EVENTS, 11);
  await settled();
  const rows = [];
  const second = gate();
  shelf.kept.clear();
  page.sync.follow(EVENTS, { load: second, change: ({ watermark }) => rows.push(watermark) });
  page.wire.rows(EVENTS, 12);
  second.finish();
  await settled();
  assert.deepEqual([page.rows, rows, first.begun, second.begun], [[11, 12], [12], 1, 1]);
  assert.equal(Wire.opened.length, 1);
});

test("of parts that follow one topic, a reconnection goes on from the one that is behind", async () => {
  const page = new Page();
  await page.live();
  page.sync.follow(EVENTS, { load: async () => {}, change: gate() });
  page.sync.follow(EVENTS, { load: async () => {}, change: () => {} });
  await settled();
  page.wire.rows(EVENTS, 11, 12);
  await settled();
  page.wire.drop();
  clock.tick(250);
  await page.granted({ [EVENTS]: 12 });
  page.wire.accept();
  assert.deepEqual(page.wire.asked("sync:subscribe").resume_after, { [EVENTS]: 10 });
});

test("who stops following gets nothing more, and the last one of a topic unsubscribes", async () => {
  const page = new Page();
  await page.live();
  const stop = page.sync.follow(EVENTS, { load: async () => {}, change: () => {} });
  page.stops[EVENTS]();
  page.wire.rows(EVENTS, 11);
  await settled();
  assert.deepEqual([page.rows, page.wire.count("sync:unsubscribe")], [[], 0]);
  stop();
  assert.deepEqual(page.wire.asked("sync:unsubscribe"), { topics: [EVENTS] });
});

test("who stops while a page loads gets nothing more", async () => {
  const page = new Page();
  const load = page.follow();
  await page.granted({ [EVENTS]: 10 });
  page.wire.accept();
  page.wire.rows(EVENTS, 11);
  page.stops[EVENTS]();
  load.finish();
  await settled();
  assert.deepEqual([page.rows, page.kept], [[], undefined]);
});

test("a channel that the server ends is a lost connection, and one that failed is joined again", async () => {
  const page = new Page();
  await page.live();
  page.wire.push("phx_error", {});
  clock.tick(1000);
  page.wire.answer("phx_join");
  page.wire.answer("sync:subscribe");
  await page.calm();
  assert.deepEqual([page.phase, Wire.opened.length], ["live", 1]);
  page.wire.push("phx_close", {});
  assert.deepEqual([page.phase, page.wire.readyState], ["offline", 3]);
});

test("its state is told when it changes, and not for a moment", async () => {
  const page = new Page();
  const told = [];
  page.sync.addEventListener("state", () => told.push(page.phase));
  await page.live();
  page.wire.rows(EVENTS, 11, 12, 13);
  await page.calm();
  assert.deepEqual(told, ["live"]);
  page.wire.drop();
  await page.calm();
  assert.deepEqual(told, ["live", "offline"]);
});
