/**
 * Folds a run's events into what a person reads: blocks, in the order in which they began (runtime §1.5, docs/runs.md).
 *
 *     const transcript = folded(events);        // [{seq, event_type, payload, occurred_at, erased?}], ascending
 *     transcript.add(event);                    // one more
 *     transcript.blocks;                        // [{key, kind, seq, at, revision, …}]
 *
 * Each event is in one block: words are joined, a tool call has its progress and result, a spend request its answer and why
 * it was refused. What nobody here knows stays as it is. A block's `revision` is the seq of the last event that changed it.
 */

/** How the console names its own frames, so that what a person said here is told from what the run says. */
export const OWN_FRAMES = "console:";

const ENDS = new Map([
  ["succeeded", { text: "The run succeeded", tone: "good" }],
  ["failed", { text: "The run failed", tone: "bad" }],
  ["canceled", { text: "The run was canceled", tone: "plain" }],
]);

export class RunTranscript {
  blocks = [];
  /** Spend requests without an answer, by tool call. */
  asked = new Map();
  #byKey = new Map();
  #bySeq = new Map();

  /** Events come in ascending order; one that is known already changes nothing. */
  add(event) {
    if (this.#bySeq.has(event.seq)) return;
    const fold = event.erased ? erased : Object.hasOwn(FOLDS, event.event_type) ? FOLDS[event.event_type] : raw;
    const block = fold(this, event);
    block.revision = event.seq;
    this.#bySeq.set(event.seq, block);
  }

  /** The block that the event is in, or undefined. */
  blockAt(seq) {
    return this.#bySeq.get(seq);
  }

  /** The block of this key; a new one at the end if there is none. */
  open(key, kind, event, fields = {}) {
    const known = this.#byKey.get(key);
    if (known) return known;
    const block = { key, kind, seq: event.seq, at: event.occurred_at, revision: event.seq, ...fields };
    this.blocks.push(block);
    this.#byKey.set(key, block);
    return block;
  }
}

/** The transcript of these events. */
export function folded(events) {
  const transcript = new RunTranscript();
  for (const event of events) transcript.add(event);
  return transcript;
}

const FOLDS = {
  "run.delta": words,
  "text.delta": words,
  "tool.call": (transcript, event) => Object.assign(tool(transcript, event), { name: event.payload.tool_name, input: event.payload.input }),
  "tool.progress": (transcript, event) => Object.assign(tool(transcript, event), { progress: event.payload.progress }),
  "tool.result": (transcript, event) => Object.assign(tool(transcript, event), { result: event.payload }),
  "run.frame_consumed": frame,
  "spend.answered": answered,
  "policy.decision": denied,
  "policy.budget_exhausted": exhausted,
  "run.started": (transcript, event) => note(transcript, event, "The run started"),
  "run.cancel_requested": (transcript, event) => note(transcript, event, "Asked to stop", event.payload.reason),
  "run.executor_lost": (transcript, event) => note(transcript, event, "Its executor was lost; another one went on", event.payload.lease_owner, "warn"),
  "run.loop_detected": (transcript, event) => note(transcript, event, "The run was going in circles", event.payload.message, "warn"),
  "run.finished": finished,
};

/** Words that follow one another are one text; what a person said in the console stands by itself. */
function words(transcript, event) {
  const text = [event.payload.delta, event.payload.text].find((told) => typeof told === "string") ?? "";
  if (String(event.payload.frame_id ?? "").startsWith(OWN_FRAMES)) return transcript.open(`said:${event.seq}`, "said", event, { text });
  const last = transcript.blocks.at(-1);
  const block = last?.kind === "words" ? last : transcript.open(`words:${event.seq}`, "words", event, { text: "" });
  block.text += text;
  return block;
}

function tool(transcript, event) {
  return transcript.open(`tool:${event.payload.tool_call_id}`, "tool", event, { toolCallId: event.payload.tool_call_id, name: "tool" });
}

function frame(transcript, event) {
  const { frame_type: type, payload } = event.payload;
  if (type !== "spend_request") return raw(transcript, event);
  const block = Object.assign(spend(transcript, event, payload ?? {}), { asked: payload ?? {} });
  transcript.asked.set(block.toolCallId, block);
  return block;
}

function answered(transcript, event) {
  const block = Object.assign(spend(transcript, event, event.payload), { answer: event.payload });
  transcript.asked.delete(block.toolCallId);
  return block;
}

function spend(transcript, event, { operation, tool_call_id: toolCallId }) {
  return transcript.open(`spend:${event.payload.frame_id}`, "spend", event, { operation, toolCallId });
}

/** Of a request in this run, or of a call that somebody else asked for on its behalf. */
function denied(transcript, event) {
  const told = event.payload;
  const block = transcript.asked.get(told.tool_call_id) ?? transcript.open(`denial:${told.policy_decision_id}`, "denial", event);
  return Object.assign(block, { told });
}

/** It repeats the decision before it (runtime §1.5). */
function exhausted(transcript, event) {
  const { tool_call_id: toolCallId, policy_decision_id: decisionId } = event.payload;
  return transcript.asked.get(toolCallId) ?? transcript.open(`denial:${decisionId}`, "denial", event, { told: event.payload });
}

function finished(transcript, event) {
  const { status, reason } = event.payload;
  const end = ENDS.get(status) ?? { text: "The run ended", tone: "bad" };
  return note(transcript, event, end.text, reason, end.tone);
}

function note(transcript, event, text, detail = "", tone = "plain") {
  return transcript.open(`note:${event.seq}`, "note", event, { text, detail, tone });
}

function raw(transcript, event) {
  return transcript.open(`raw:${event.seq}`, "raw", event, { name: event.event_type, payload: event.payload });
}

/** Neighbours share a line. */
function erased(transcript, event) {
  const last = transcript.blocks.at(-1);
  const block = last?.kind === "erased" ? last : transcript.open(`erased:${event.seq}`, "erased", event, { count: 0 });
  block.count += 1;
  return block;
}
