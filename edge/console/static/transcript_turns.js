/** Turns and the items in them: where their blocks begin, what they are before anything is known of them, how they end. */
import { objectOf, textOf } from "./shapes.js";
import { turnEnded } from "./transcript_messages.js";

const UNKNOWN = { endedAt: null, durationMs: null, usage: null, tokens: null, isReported: false };

/** By kind of block: what there is of an item before it says anything. */
export const FIELDS = {
  assistant: () => ({ text: "" }),
  reasoning: () => ({ summary: [], content: [] }),
  command: () => ({ command: "", cwd: "", output: "", exitCode: null, durationMs: null, status: "inProgress" }),
  changes: () => ({ changes: [], output: "", status: "inProgress" }),
  plan: () => ({ text: "", steps: [] }),
  tool: () => ({ name: "", title: "", input: null, result: null, error: "", progress: "", status: "inProgress" }),
};

/** A turn's line where it began; of a turn whose beginning is not known, where it is first heard of. */
export function turnBlock(transcript, event, turnId, threadId) {
  if (!turnId) return undefined;
  if (!transcript.turns.has(turnId)) {
    const turn = { turnId, threadId, status: "running", startedAt: event.at, error: "", items: [], messages: [], ...UNKNOWN };
    transcript.turns.set(turnId, turn);
    transcript.runningTurns.add(turn);
    transcript.open(`turn:${turnId}`, "turn", event, { turn, prompt: "", diff: "" });
  }
  return transcript.block(`turn:${turnId}`);
}

/** The block of an item of Codex; `kind` and `fields` count when it is first heard of. */
export function itemBlock(transcript, event, { turnId, threadId, itemId }, kind, fields) {
  turnBlock(transcript, event, textOf(turnId), textOf(threadId));
  const key = itemKey(turnId, itemId);
  if (transcript.block(key)) return transcript.block(key);
  const block = transcript.open(key, kind, event, { turnId, approvals: [], running: true, ...FIELDS[kind](), ...fields });
  transcript.turns.get(turnId)?.items.push(block);
  return block;
}

export function itemKey(turnId, itemId) {
  return `item:${turnId}/${itemId}`;
}

/** Every turn that runs has ended like this. */
export function endTurns(transcript, event, status, error) {
  for (const turn of transcript.runningTurns) endTurn(transcript, event, turn, status, error);
}

/** The turn, and with it whatever of it still ran, and the messages that it answered. */
export function endTurn(transcript, event, turn, status, error) {
  transcript.runningTurns.delete(turn);
  Object.assign(turn, { status, error, endedAt: event.at });
  transcript.change(transcript.block(`turn:${turn.turnId}`), event, {});
  for (const block of turn.items.filter(({ running }) => running)) transcript.change(block, event, { running: false });
  turnEnded(transcript, event, turn);
}

/** Where a turn ended: its outcome and what it used. */
export function endBlock(transcript, event, turnId, threadId) {
  turnBlock(transcript, event, turnId, threadId);
  return transcript.open(`end:${turnId}`, "end", event, { turn: transcript.turns.get(turnId) });
}

/** Files that an item or an approval changes. */
export function changesOf(changes) {
  if (!Array.isArray(changes)) return null;
  return changes.map((change) => {
    const { path, kind, diff } = objectOf(change);
    const moved = objectOf(kind).move_path;
    return { path: textOf(path), kind: textOf(kind) || textOf(objectOf(kind).type), diff: textOf(diff), movedTo: textOf(moved) };
  });
}
