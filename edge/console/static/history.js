/**
 * A stretch of a worker's events without gaps, read in pages from either end and grown by what arrives live (edge §2.6).
 *
 * `transcript` is of exactly these events. Older ones come before what is there, so they have it folded anew.
 */
import { Transcript, eventOf, folded } from "./transcript.js";

const PAGE = 300;
const WORTH_CATCHING_UP = 3000;

export class History {
  events = [];
  transcript = new Transcript();
  /** Nothing up to here is kept any more. */
  floor = 0;
  /** The newest event that there is, as far as it is known. */
  latestSeq = 0;
  #fetch;

  /** `fetch(query)` → {events, floor, latestSeq}. Rejects with `status` 410 when what is asked for is not kept any more. */
  constructor(fetch) {
    this.#fetch = fetch;
  }

  get first() {
    return this.events[0]?.seq ?? this.latestSeq + 1;
  }

  get last() {
    return this.events.at(-1)?.seq ?? this.latestSeq;
  }

  get hasOlder() {
    return this.first > this.floor + 1;
  }

  /** Whether it reaches to what is newest. */
  get isCurrent() {
    return this.last >= this.latestSeq;
  }

  /** Starts anew at the end. */
  async newest() {
    this.#begin(await this.#page({ limit: PAGE }));
  }

  /** Starts anew around an event. */
  async around(seq) {
    const before = await this.#page({ before: seq + 1, limit: PAGE });
    const after = await this.#page({ after: Math.max(seq, before.floor), limit: PAGE });
    this.#begin({ ...after, events: [...before.events, ...after.events] });
  }

  async older() {
    const { events, floor } = await this.#page({ before: this.first, limit: PAGE });
    this.floor = events.length ? floor : this.first - 1;
    this.#begin({ events: [...events, ...this.events], floor: this.floor, latestSeq: this.latestSeq });
  }

  async newer() {
    const page = await this.#page({ after: this.last, limit: PAGE });
    this.latestSeq = Math.max(this.latestSeq, page.latestSeq);
    page.events.forEach((event) => this.#append(event));
  }

  /** Whatever is missing at the end; from the newest when that is too much, or not kept any more. */
  async catchUp() {
    try {
      await this.newer();
      if (this.latestSeq - this.last > WORTH_CATCHING_UP) return await this.newest();
      while (!this.isCurrent) await this.newer();
    } catch (error) {
      if (error.status !== 410) throw error;
      await this.newest();
    }
  }

  /** A row that arrived live. Resolves when it is part of the history, or known to be beyond its end. */
  async take(row) {
    const event = eventOf(row);
    const wasCurrent = this.isCurrent;
    this.latestSeq = Math.max(this.latestSeq, event.seq);
    if (event.seq === this.last + 1) this.#append(event);
    else if (wasCurrent && event.seq > this.last) await this.catchUp();
  }

  async #page(query) {
    const page = await this.#fetch(new URLSearchParams(query).toString());
    return { ...page, events: page.events.map(eventOf) };
  }

  #begin({ events, floor, latestSeq }) {
    Object.assign(this, { events, floor, latestSeq: Math.max(latestSeq, events.at(-1)?.seq ?? 0), transcript: folded(events) });
  }

  #append(event) {
    if (event.seq !== this.last + 1) return;
    this.events.push(event);
    this.transcript.add(event);
  }
}
