// The server's side of `sync:v1`, played by a test: sockets that open, answer and break when they are told to.

const CHANNEL = "sync:v1";

/** One connection that a page opened; stands in for the browser's WebSocket. */
export class Wire {
  static opened = [];
  readyState = 0;
  bufferedAmount = 0;
  sent = [];

  constructor(url) {
    this.url = new URL(url);
    Wire.opened.push(this);
  }

  get token() {
    return this.url.searchParams.get("token");
  }

  send(text) {
    this.sent.push(JSON.parse(text));
  }

  close() {
    this.drop(1000);
  }

  /** The handshake succeeds. */
  open() {
    this.readyState = 1;
    this.onopen();
  }

  /** The connection ends, or was never made. */
  drop(code = 1006) {
    if (this.readyState === 3) return;
    this.readyState = 3;
    this.onclose({ code });
  }

  push(event, payload) {
    this.onmessage({ data: JSON.stringify([this.#joinRef, null, CHANNEL, event, payload]) });
  }

  /** Rows of a topic, by watermark. */
  rows(topic, ...watermarks) {
    const updates = watermarks.map((watermark) => ({ topic, watermark, doc_key: `doc:${watermark}`, payload: { watermark } }));
    this.push("sync:update_batch", { updates, replay_complete: true, head_watermarks: [] });
  }

  /** The newest request of this name that was not answered yet. */
  asked(event) {
    return this.sent.findLast((frame) => frame[3] === event)?.[4];
  }

  count(event) {
    return this.sent.filter((frame) => frame[3] === event).length;
  }

  answer(event, status = "ok", response = {}) {
    const [joinRef, ref] = this.sent.findLast((frame) => frame[3] === event);
    this.onmessage({ data: JSON.stringify([joinRef, ref, CHANNEL, "phx_reply", { status, response }]) });
  }

  /** Handshake, join and subscription succeed, and nothing was missed. */
  accept() {
    this.open();
    this.answer("phx_join");
    this.answer("sync:subscribe");
  }

  get #joinRef() {
    return this.sent.findLast((frame) => frame[3] === "phx_join")[0];
  }
}

/** A browser's storage. */
export class Shelf {
  kept = new Map();

  getItem(key) {
    return this.kept.get(key) ?? null;
  }

  setItem(key, text) {
    this.kept.set(key, text);
  }
}

/** Something that is finished by hand, and how often it was begun. */
export function gate() {
  const waiting = [];
  const begin = (...given) => new Promise((resolve, reject) => waiting.push({ given, resolve, reject }));
  Object.defineProperty(begin, "begun", { get: () => waiting.length });
  begin.given = (which = waiting.length - 1) => waiting[which].given;
  begin.finish = (value, which = waiting.length - 1) => waiting[which].resolve(value);
  begin.fail = (error, which = waiting.length - 1) => waiting[which].reject(error);
  return begin;
}
