/**
 * Folds a worker's events into what a person reads: blocks, in the order in which they began (runtime §7, ADR 13).
 *
 *     const transcript = folded(events);        // [{seq, type, payload, at, erased}], ascending
 *     transcript.add(event);                    // one more: the same blocks as if it had been among them
 *     transcript.blocks;                        // [{key, kind, seq, at, seqs, revision, …}]
 *
 * Nothing is dropped: each event is among the `seqs` of one block, and what nobody here knows becomes a raw line. A block's
 * `revision` is the seq of the last event that changed it. No clock, no chance, no page: the same events give the same blocks.
 */
import { objectOf, textOf } from "./shapes.js";
import { CODEX } from "./transcript_codex.js";
import { gist } from "./transcript_raw.js";
import { STEERING, TYPES } from "./transcript_steering.js";

const LINES_IN_A_BLOCK = 50;

/** An event as HTTP pages and sync rows write it, in one spelling. */
export function eventOf(row) {
  return {
    seq: row.seq,
    type: String(row.event_type ?? row.eventType ?? ""),
    payload: objectOf(row.payload),
    at: row.occurred_at ?? row.occurredAt ?? null,
    erased: row.erased === true,
  };
}

export class Transcript {
  blocks = [];
  /** What the worker's own words say of it: `daemon` "on", "off" or null, `session`, `busy`, `codexVersion`, `beats` (its block). */
  worker = { daemon: null, session: null, busy: null, codexVersion: null, beats: null };
  /** By turn id: {turnId, threadId, status, startedAt, endedAt, durationMs, usage, tokens, error, isReported, items, messages}. */
  turns = new Map();
  runningTurns = new Set();
  /** Messages that no turn took up yet. */
  waiting = new Set();
  #byKey = new Map();
  #bySeq = new Map();

  /** Events come in ascending order; one that is known already changes nothing. */
  add(event) {
    if (this.#bySeq.has(event.seq)) return;
    const fold = event.erased ? null : handlerOf(event);
    const block = fold?.(this, event) ?? this.#line(event);
    block.seqs.push(event.seq);
    block.revision = event.seq;
    this.#bySeq.set(event.seq, block);
  }

  /** The block that the event is in, or undefined. */
  blockAt(seq) {
    return this.#bySeq.get(seq);
  }

  block(key) {
    return this.#byKey.get(key);
  }

  /** The block of this key; a new one at the end, with these fields, if there is none. */
  open(key, kind, event, fields = {}) {
    const known = this.#byKey.get(key);
    if (known) return known;
    const block = { key, kind, seq: event.seq, at: event.at, seqs: [], revision: event.seq, ...fields };
    this.blocks.push(block);
    this.#byKey.set(key, block);
    return block;
  }

  /** Another key for the same block; a key that is taken stays as it is. */
  alias(key, block) {
    if (!this.#byKey.has(key)) this.#byKey.set(key, block);
  }

  /** Changes a block of another event. */
  change(block, event, fields) {
    Object.assign(block, fields, { revision: event.seq });
  }

  /** A sentence of its own. */
  note(event, text, { detail = "", tone = "plain" } = {}) {
    return this.open(`note:${event.seq}`, "note", event, { text, detail, tone });
  }

  /** The turn that runs and began last, or undefined. */
  get running() {
    return [...this.runningTurns].at(-1);
  }

  /** Neighbouring lines share a block, so that many of them take little room. */
  #line(event) {
    const kind = event.erased ? "erased" : "raw";
    const last = this.blocks.at(-1);
    const isNeighbour = last?.kind === kind && last.lines.length < LINES_IN_A_BLOCK;
    const block = isNeighbour ? last : this.open(`${kind}:${event.seq}`, kind, event, { lines: [] });
    block.lines.push({ seq: event.seq, at: event.at, name: nameOf(event), gist: gist(event) });
    return block;
  }
}

/** The transcript of these events. */
export function folded(events) {
  const transcript = new Transcript();
  for (const event of events) transcript.add(event);
  return transcript;
}

/** What an event is called: its method, if it has one. */
export function nameOf(event) {
  return textOf(event.payload.method) || event.type;
}

function handlerOf(event) {
  const method = textOf(event.payload.method);
  return own(STEERING, method) ?? (event.payload.source === "autopilot-desktop" ? own(CODEX, method) : null) ?? own(TYPES, event.type);
}

function own(handlers, name) {
  return Object.hasOwn(handlers, name) ? handlers[name] : null;
}
