/**
 * A history on the page: blocks or raw events, of which only those near the viewport are in the document.
 *
 *     const view = new TranscriptView({ list, older, newer }, history, { answer, again, discard, drawn });
 *     view.update();          // after the history changed
 *     await view.goTo(4711);  // loads what is missing, scrolls there and marks it
 */
import { blockElement } from "./blocks.js";
import { el, replace } from "./dom.js";
import { rawElement, rawItems } from "./raw_events.js";
import { VirtualList } from "./virtual_list.js";

const AGAIN_MS = 4000;
const NEAR_PX = 1500;

export class TranscriptView {
  raw = false;
  #parts;
  #history;
  #page;
  #list;
  #pending = [];
  #seenSeq = 0;
  #scheduled = false;
  #loading = false;
  #failed = false;
  #marked = null;

  constructor(parts, history, page) {
    this.#parts = parts;
    this.#history = history;
    const opened = new Set();
    const toggle = (key) => (opened.delete(key) ? null : opened.add(key));
    this.#page = { ...page, opened, toggle, redraw: (item) => this.#redraw(item) };
    this.#list = new VirtualList(parts.list, (item, before) => this.#element(item, before));
    this.#list.addEventListener("drawn", () => this.#drawn());
    parts.newer.addEventListener("click", () => this.toEnd());
  }

  /** Shows what the history has by now; as often as one likes. `pending` are messages on their way. */
  update(pending = this.#pending) {
    this.#pending = pending;
    if (this.#scheduled) return;
    this.#scheduled = true;
    requestAnimationFrame(() => this.#show());
  }

  /** Raw events or blocks, at the same place. */
  showRaw(raw) {
    const [first] = this.#list.range;
    this.raw = raw;
    this.#show();
    if (first && !this.#list.atEnd) this.#list.to(this.#itemAt(first.seq) ?? this.#list.items[0]);
  }

  async goTo(seq) {
    if (seq < this.#history.first || seq > this.#history.last) await this.#history.around(seq);
    this.#show();
    const item = this.#itemAt(seq);
    if (!item) return;
    this.#mark(item);
    this.#list.to(item)?.focus({ preventScroll: true });
  }

  /** Whether the block can be seen. */
  sees(key) {
    const { top, bottom } = this.#list.element(key)?.getBoundingClientRect() ?? {};
    return bottom > 0 && top < innerHeight;
  }

  async toEnd() {
    if (!this.#history.isCurrent) await this.#history.catchUp();
    this.#show();
    this.#list.toEnd();
  }

  /** Blocks before or after the one in view, by keyboard. */
  step(by) {
    const items = this.#list.items;
    const focused = items.findIndex(({ key }) => this.#list.element(key)?.contains(document.activeElement));
    const visible = items.findIndex(({ key }) => (this.#list.element(key)?.getBoundingClientRect().bottom ?? 0) > innerHeight / 4);
    const item = items[Math.min(Math.max((focused === -1 ? visible : focused) + by, 0), items.length - 1)];
    if (item) this.#list.to(item)?.focus({ preventScroll: true });
  }

  #show() {
    this.#scheduled = false;
    const { transcript, events, isCurrent } = this.#history;
    const blocks = this.raw ? rawItems(events) : [...transcript.blocks, ...(isCurrent ? this.#pending : [])];
    this.#list.follows = isCurrent;
    this.#list.set(blocks);
  }

  #element(item, before) {
    const element = item.kind === "event" ? rawElement(item, this.#page) : blockElement(item, before, this.#page);
    element.classList.toggle("marked", item.key === this.#marked);
    return element;
  }

  #redraw(item) {
    const element = this.#list.element(item.key);
    if (element) this.#element(item, element).focus({ preventScroll: true });
  }

  #itemAt(seq) {
    const key = this.raw ? `event:${seq}` : this.#history.transcript.blockAt(seq)?.key;
    return this.#list.items.find((item) => item.key === key) ?? this.#list.items.findLast((item) => item.seq <= seq);
  }

  #mark(item) {
    this.#list.element(this.#marked)?.classList.remove("marked");
    this.#marked = item.key;
    this.#list.element(item.key)?.classList.add("marked");
  }

  // --- what lies beyond its ends -------------------------------------------------------------------------------------

  #drawn() {
    this.#tell();
    this.#page.drawn();
    const page = document.documentElement;
    const { top } = this.#parts.list.getBoundingClientRect();
    if (this.#history.hasOlder && this.#history.events.length && top > -NEAR_PX) this.#load(() => this.#history.older());
    else if (!this.#history.isCurrent && page.scrollHeight - innerHeight - scrollY < NEAR_PX) this.#load(() => this.#history.newer());
  }

  async #load(load) {
    if (this.#loading || this.#failed) return;
    this.#loading = true;
    try {
      await load();
    } catch {
      this.#failed = true;
      setTimeout(() => this.#again(), AGAIN_MS);
    }
    this.#loading = false;
    this.update();
  }

  #again() {
    this.#failed = false;
    this.#list.draw();
  }

  #tell() {
    const { older, newer } = this.#parts;
    const { events, floor, hasOlder, isCurrent, transcript } = this.#history;
    const text = hasOlder ? (this.#failed ? "Earlier history cannot be loaded just now" : "Loading earlier history …") : floor > 0 ? "Earlier history is not kept any more" : "The beginning";
    if (older.textContent !== text) older.textContent = text;
    older.hidden = events.length === 0;
    const isAtEnd = this.#list.atEnd && isCurrent;
    const newest = transcript.blocks.at(-1)?.seq ?? 0;
    if (isAtEnd) this.#seenSeq = newest;
    const count = transcript.blocks.filter(({ seq }) => seq > this.#seenSeq).length;
    newer.hidden = isAtEnd || events.length === 0;
    replace(newer.querySelector("span"), count && this.#seenSeq ? `${count} new` : "Latest");
  }
}

/** Lines in the place of a transcript that is still loading. */
export function skeleton() {
  return [72, 40, 56].map((width) => el("div", { class: `skeleton line w-${width}` }));
}
