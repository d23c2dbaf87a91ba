/**
 * Follows topics of `sync:v1` and comes back by itself: a snapshot over HTTP first, then each row once and in order.
 *
 *     const sync = new Sync({ user: 41, url: "/sync/socket", storage: localStorage, token: (topics) => mint(topics) });
 *     const stop = sync.follow("runtime.codex_worker_summaries", {
 *       load: async () => show(await fetchWorkers()), // replaces what the page shows
 *       change: (row) => update(row.payload), // topic, doc_key, doc_version, watermark, payload (sync §13)
 *     });
 *
 * **What a page may rely on.** `load` runs at first, and again when rows were missed that are no longer kept, or so many
 * that a snapshot is cheaper. `change` gets each row above the snapshot's watermark once, ascending, never while `load`
 * runs: rows that arrive meanwhile wait. A `load` that rejects is repeated; a `change` that throws costs a `load`. The
 * snapshot may be newer than its watermark, so a row may tell what is shown already: compare `doc_version`.
 *
 * **Which watermark a snapshot has.** What a page shows is gone with the page, so a stored cursor does not say what is
 * shown. It says what was committed: whatever is asked for later includes each row up to there, and a subscription may
 * begin with the next. So do the watermarks that come with a token (`resume_after`); a page without a recent cursor waits
 * for them before it loads. Any watermark told before the snapshot was asked for will do, hence all tabs share one.
 *
 * **The connection.** A token is checked at the handshake only, so each attempt has one of its own (sync §18) and none
 * has to be renewed. The official Phoenix client frames, joins and matches replies; when to connect is decided here.
 */
import { Cursors, WORTH_REPLAYING_MS } from "./cursors.js";
import { Follower, pause } from "./follower.js";
import { Socket } from "./vendor/phoenix/phoenix.mjs";

const CHANNEL = "sync:v1";
const HEARTBEAT_MS = 20_000; // a server may end a channel that is silent for 60 s (sync §10)
const PATIENCE_MS = 8_000; // for an answer, and for token, handshake and join together
const NEVER_MS = 2 ** 31 - 1;

/** The connection of a page. Its `state` changes with an event of that name. */
export class Sync extends EventTarget {
  #token;
  #cursors;
  #socket;
  #channel = null;
  #followers = new Set();
  #reached = new Map(); // of each subscribed topic, the newest watermark that arrived
  #stage = "idle"; // waiting → minting → opening → joined → subscribed
  #grant = {};
  #attempt = null;
  #timer = null; // one at a time: the next attempt, heartbeat, or end of patience
  #failures = 0;
  #messages = 0;
  #heardAt = Date.now();
  #offline = false;
  #retryAt = null;
  #told = { phase: "catching-up", behind: 0, since: Date.now(), retryAt: null };
  #telling = null;

  /**
   * @param {object} options
   * @param {string|number} options.user whose cursors they are
   * @param {string} options.url of the socket, without its last part "/websocket"
   * @param {Storage} options.storage
   * @param {function(string[]): Promise<{token: string, resume_after?: Object<string, number>}>} options.token mints
   *   for these topics; a rejection with `status` 401 ends the attempts
   */
  constructor({ user, url, storage, token }) {
    super();
    this.#token = token;
    this.#cursors = new Cursors(storage, user);
    this.#socket = new Socket(url, { params: () => ({ token: this.#grant.token }), heartbeatIntervalMs: NEVER_MS });
    this.#socket.onOpen(() => this.#join());
    this.#socket.onMessage(() => this.#heard());
    this.#socket.onClose(() => this.#isOpen() && this.#lose());
  }

  /**
   * `phase` is "live" (the page shows everything), "catching-up" (with at most `behind` rows to go) or "offline" (the
   * next attempt is at `retryAt`, null while it runs); `since` when. Times are milliseconds.
   */
  get state() {
    const phase = this.#phase();
    const since = phase === this.#told.phase ? this.#told.since : Date.now();
    return { phase, behind: phase === "catching-up" ? this.#behind() : 0, since, retryAt: this.#retryAt };
  }

  /** Follow a topic until the returned function is called. */
  follow(topic, { load, change }) {
    const follower = new Follower(topic, { load, change }, () => this.#keep(follower));
    const cursor = this.#reached.get(topic) ?? this.#cursors.recent(topic);
    this.#followers.add(follower);
    if (cursor !== undefined) follower.reload(cursor);
    if (!this.#reached.has(topic)) this.#connectSoon();
    return () => this.#leave(follower);
  }

  /** Something happened that kills or mends connections (wake-up, another network): find out at once. */
  wake() {
    if (this.#channel) this.#probe();
    else if (this.#stage === "waiting") this.#connect();
    for (const follower of this.#followers) follower.hurry();
  }

  /** A token is for the topics that are followed; those of one page are one connection. */
  #connectSoon() {
    const soon = (this.#attempt = {});
    queueMicrotask(() => soon === this.#attempt && this.#connect());
  }

  async #connect() {
    const attempt = (this.#attempt = {});
    this.#hangUp("minting");
    this.#after(PATIENCE_MS, () => this.#lose());
    try {
      const grant = await this.#token([...new Set([...this.#followers].map(({ topic }) => topic))]);
      if (attempt === this.#attempt) this.#open(grant);
    } catch (error) {
      if (attempt === this.#attempt) this.#lose(error);
    }
  }

  #open(grant) {
    const away = Date.now() - this.#heardAt > WORTH_REPLAYING_MS;
    this.#grant = grant;
    for (const follower of this.#followers) {
      const head = this.#head(follower.topic);
      const resumes = !(away && head) && follower.cursor <= (head || Infinity); // above: of another history
      if (!resumes) follower.reload(head);
    }
    this.#stage = "opening";
    this.#socket.connect();
  }

  #join() {
    const channel = (this.#channel = this.#socket.channel(CHANNEL, {}));
    this.#stage = "joined";
    channel.on("sync:update_batch", ({ updates }) => this.#take(updates));
    channel.onClose(() => channel === this.#channel && this.#lose());
    channel
      .join(PATIENCE_MS)
      .receive("ok", () => this.#subscribe())
      .receive("error", () => this.#lose());
  }

  #subscribe() {
    const starts = new Map();
    for (const { topic, cursor } of this.#followers) starts.set(topic, Math.min(cursor, starts.get(topic) ?? cursor));
    const cursors = [...starts].filter(([, cursor]) => cursor > 0); // an explicit 0 may be too old (sync §20)
    this.#reached = starts;
    this.#offline = false;
    this.#waitForAnswer();
    this.#channel
      .push("sync:subscribe", { topics: [...starts.keys()], resume_after: Object.fromEntries(cursors) }, NEVER_MS)
      .receive("ok", () => this.#subscribed())
      .receive("error", ({ stale_topics: stale }) => (stale ? this.#loadAnew(stale) : this.#lose()));
    this.#tell();
  }

  #subscribed() {
    this.#stage = "subscribed";
    this.#failures = 0;
    this.#rest();
  }

  #loadAnew(stale) {
    const topics = stale.map(({ topic }) => topic);
    for (const follower of this.#followers) {
      if (topics.includes(follower.topic)) follower.reload(this.#head(follower.topic));
    }
    this.#subscribe();
  }

  #take(updates) {
    for (const { topic, watermark } of updates) {
      this.#reached.set(topic, Math.max(watermark, this.#reached.get(topic) ?? 0));
    }
    for (const follower of this.#followers) follower.offer(updates.filter(({ topic }) => topic === follower.topic));
    this.#tell();
  }

  #keep(follower) {
    if (follower.cursor) this.#cursors.keep(follower.topic, follower.cursor);
    this.#tell();
  }

  #leave(follower) {
    const { topic } = follower;
    follower.stop();
    this.#followers.delete(follower);
    if ([...this.#followers].some((other) => other.topic === topic) || !this.#reached.delete(topic)) return;
    this.#channel?.push("sync:unsubscribe", { topics: [topic] });
  }

  #heard() {
    this.#messages += 1;
    this.#heardAt = Date.now();
  }

  #rest() {
    this.#after(HEARTBEAT_MS, () => this.#probe());
    this.#tell();
  }

  /** The answer also says that nothing is missing so far: kept cursors are as recent as it. */
  #probe() {
    this.#waitForAnswer();
    this.#channel.push("sync:heartbeat", {}).receive("ok", () => {
      for (const follower of this.#followers) if (follower.settled) this.#keep(follower);
      this.#rest();
    });
  }

  /** As long as anything is heard: answers come after what is being replayed. */
  #waitForAnswer() {
    const before = this.#messages;
    this.#after(PATIENCE_MS, () => (this.#messages > before ? this.#waitForAnswer() : this.#lose()));
  }

  /** Without any token so far, pages show what HTTP alone can tell. */
  #lose(error) {
    const delay = error?.status === 401 ? NEVER_MS : pause(this.#failures++);
    this.#attempt = null;
    this.#hangUp("waiting");
    this.#offline = true;
    this.#after(delay, () => this.#connect());
    this.#retryAt = delay === NEVER_MS ? null : Date.now() + delay;
    for (const follower of this.#followers) if (follower.cursor === undefined && follower.settled) follower.reload();
    this.#tell();
  }

  /** Told to disconnect, Phoenix does not connect again by itself, with a token that is over. */
  #hangUp(stage) {
    const channel = this.#channel;
    this.#stage = stage;
    this.#channel = this.#retryAt = null;
    this.#reached = new Map();
    channel?.leave();
    this.#socket.disconnect();
  }

  #after(delay, then) {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(then, delay);
  }

  #isOpen() {
    return !["idle", "waiting", "minting"].includes(this.#stage);
  }

  /** Where the token's topic was when it was minted; 0 from a server that does not tell. */
  #head(topic) {
    return this.#grant.resume_after?.[topic] ?? 0;
  }

  #phase() {
    if (this.#offline) return "offline";
    const settled = [...this.#followers].every((follower) => follower.settled);
    return this.#stage === "subscribed" && settled ? "live" : "catching-up";
  }

  #behind() {
    let rows = 0;
    for (const follower of this.#followers) rows += follower.waiting;
    if (this.#stage === "subscribed") return rows;
    for (const [topic, watermark] of this.#reached) rows += Math.max(0, this.#head(topic) - watermark);
    return rows;
  }

  /** Later, so that what is over within a moment is not told. */
  #tell() {
    this.#telling ??= setTimeout(() => {
      const state = this.state;
      this.#telling = null;
      if (JSON.stringify(state) === JSON.stringify(this.#told)) return;
      this.#told = state;
      this.dispatchEvent(new Event("state"));
    }, 0);
  }
}
