/** One part of a page that follows a topic: loads and changes take turns, and nothing overtakes. */

const FIRST_PAUSE_MS = 250;
const LONGEST_PAUSE_MS = 30_000;

export class Follower {
  cursor; // what is shown includes every row up to here; undefined: not known
  #page;
  #done;
  #rows = [];
  #stale = false;
  #running = false;
  #stopped = false;
  #failures = 0;
  #hurry = () => {};

  constructor(topic, page, done) {
    this.topic = topic;
    this.#page = page;
    this.#done = done;
  }

  get waiting() {
    return this.#rows.length;
  }

  get settled() {
    return !this.#running;
  }

  /** Have the page load what includes `cursor`, as that was told before; rows above it will be offered again. */
  reload(cursor) {
    this.cursor = cursor;
    this.#rows = [];
    this.#stale = true;
    this.hurry();
    this.#run();
  }

  offer(rows) {
    this.#rows.push(...rows);
    this.#run();
  }

  /** Do not wait any longer to load again. */
  hurry() {
    this.#hurry();
  }

  stop() {
    this.#stopped = true;
    this.hurry();
  }

  async #run() {
    if (this.#running) return;
    this.#running = true;
    while (!this.#stopped && (this.#stale || this.#rows.length)) {
      await (this.#stale ? this.#load() : this.#change(this.#rows.shift()));
    }
    this.#running = false;
    if (!this.#stopped) this.#done();
  }

  async #load() {
    this.#stale = false;
    try {
      await this.#page.load();
      this.#failures = 0;
    } catch (error) {
      console.warn(`the snapshot for ${this.topic} failed`, error);
      this.#stale = true;
      await new Promise((resume) => {
        this.#hurry = resume;
        setTimeout(resume, pause(this.#failures++));
      });
    }
  }

  async #change(row) {
    const before = this.cursor;
    if (row.watermark <= before) return;
    try {
      await this.#page.change(row);
    } catch (error) {
      console.error(`a row of ${this.topic} could not be shown`, error);
      this.#stale = true;
    }
    if (this.cursor === before) this.cursor = row.watermark; // else it was set anew meanwhile
  }
}

/** Twice as long after each failure, and never in step with others. */
export function pause(failures) {
  return Math.min(LONGEST_PAUSE_MS, FIRST_PAUSE_MS * 2 ** failures) * (0.5 + Math.random() / 2);
}
