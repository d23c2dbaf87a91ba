/** What the pages of a user were told last, by topic; storage that fails costs a snapshot and nothing else. */

/** Whoever was away for longer is better off with a snapshot. */
export const WORTH_REPLAYING_MS = 600_000;

export class Cursors {
  #storage;
  #prefix;

  constructor(storage, user) {
    this.#storage = storage;
    this.#prefix = `sync:${user}:`;
  }

  /** Undefined when there is none that is worth resuming from. */
  recent(topic) {
    try {
      const { watermark, at } = JSON.parse(this.#storage.getItem(this.#prefix + topic));
      return Date.now() - at < WORTH_REPLAYING_MS ? watermark : undefined;
    } catch {
      return undefined;
    }
  }

  keep(topic, watermark) {
    try {
      this.#storage.setItem(this.#prefix + topic, JSON.stringify({ watermark, at: Date.now() }));
    } catch {
      // full or forbidden
    }
  }
}
