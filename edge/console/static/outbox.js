/**
 * What people wrote and the log does not have yet: kept in storage and sent again until the server takes it or refuses it.
 *
 * Each message has an identity of its own before it is first sent, so it counts once however often it is sent (runtime DEC-46, DEC-47).
 */

const FIRST_PAUSE_MS = 500;
const LONGEST_PAUSE_MS = 15_000;
const WORTH_REPEATING = new Set([0, 429, 502, 503, 504]);
const SENT_FROM = "console";

/** Tells of each change by "change". */
export class Outbox extends EventTarget {
  #storage;
  #key;
  #post;
  #messages;
  #hurry = () => {};
  #running = false;

  /** `post(events)` sends a batch and gives their seqs; it rejects with `status`, 0 when nobody answered. */
  constructor({ storage, key, post }) {
    super();
    this.#storage = storage;
    this.#key = key;
    this.#post = post;
    this.#messages = read(storage, key);
  }

  /** In the order they were written: {messageId, text, mode, expiresAt, at, seq, error}; `seq` says that the log has it, and one with an error is not sent again. */
  get messages() {
    return this.#messages;
  }

  send({ text, mode = null, expiresAt = null, at }) {
    this.#keep([...this.#messages, { messageId: newId(), text, mode, expiresAt, at, seq: null, error: "" }]);
    this.run();
  }

  /** Its event has arrived, or nobody wants it any more. */
  remove(messageId) {
    const message = this.#messages.find((known) => known.messageId === messageId);
    if (message) this.#keep(this.#messages.filter((known) => known !== message));
    return message;
  }

  /** Sends what is open, one after the other; now, if it waited for another attempt. */
  async run() {
    this.#hurry();
    if (this.#running) return;
    this.#running = true;
    let failures = 0;
    for (let message; (message = this.#messages.find(({ seq, error }) => seq === null && !error)); ) {
      failures = (await this.#sent(message)) ? 0 : failures + 1;
      if (failures) await this.#pause(failures);
    }
    this.#running = false;
  }

  async #sent(message) {
    try {
      const [seq] = await this.#post([eventOf(message)]);
      this.#change(message, { seq });
    } catch (error) {
      if (WORTH_REPEATING.has(error.status)) return false;
      this.#change(message, { error: error.message || "The message was refused." });
    }
    return true;
  }

  #pause(failures) {
    return new Promise((resume) => {
      this.#hurry = resume;
      setTimeout(resume, Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS));
    });
  }

  #change({ messageId }, fields) {
    this.#keep(this.#messages.map((known) => (known.messageId === messageId ? { ...known, ...fields } : known)));
  }

  #keep(messages) {
    this.#messages = messages;
    if (messages.length) this.#storage.setItem(this.#key, JSON.stringify(messages));
    else this.#storage.removeItem(this.#key);
    this.dispatchEvent(new Event("change"));
  }
}

function read(storage, key) {
  try {
    const messages = JSON.parse(storage.getItem(key) ?? "[]");
    return messages.filter(({ messageId, text }) => messageId && text);
  } catch {
    return [];
  }
}

/** As phones write it (edge §2.12). */
function eventOf({ messageId, text, mode, expiresAt }) {
  const params = { message_id: messageId, text, sent_from: SENT_FROM, ...(mode && { mode }), ...(expiresAt && { expires_at: expiresAt }) };
  const payload = { source: SENT_FROM, method: "ios/user_message", message_id: messageId, params };
  return { event_id: `message:${messageId}`, event_type: "worker.event", payload };
}

/** Where a page is not served securely there is no `randomUUID`. */
export function newId(prefix = "consolemsg") {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `${prefix}-${[...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}
