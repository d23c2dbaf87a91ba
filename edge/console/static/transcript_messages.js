/** What people write to the agent: from where, and how far each message has come. */
import { numberOf, objectOf, textOf } from "./shapes.js";
import { itemKey, turnBlock } from "./transcript_turns.js";

/** A message waits ("queued"), was taken by a daemon ("delivered"), is answered ("running"), and ends as one of the others. */
export const STATES = ["queued", "delivered", "running", "done", "interrupted", "failed", "lost", "expired"];

const ENDS = { completed: "done", interrupted: "interrupted", failed: "failed", over_limit: "failed" };

export function messageKey(messageId) {
  return `message:${messageId}`;
}

/** Somebody wrote it. One that is repeated under its id is the same message. */
export function sent(transcript, event) {
  const params = objectOf(event.payload.params);
  if (!textOf(params.text)) return undefined;
  const messageId = textOf(event.payload.message_id) || textOf(params.message_id) || `seq:${event.seq}`;
  const block = transcript.open(messageKey(messageId), "user", event, {
    messageId,
    text: params.text,
    from: textOf(params.sent_from) || textOf(event.payload.source),
    steers: params.mode === "steer",
    expiresAt: textOf(params.expires_at) || null,
    turnId: null,
    state: "queued",
    error: "",
  });
  if (block.state === "queued") transcript.waiting.add(block);
  return block;
}

/** A daemon took it. */
export function taken(transcript, event) {
  const { message_id: messageId, seq } = event.payload;
  const block = blockOf(transcript, messageId, seq);
  if (block?.state === "queued") block.state = "delivered";
  return block;
}

export function expired(transcript, event) {
  return over(transcript, blockOf(transcript, event.payload.message_id, null), "expired", "");
}

/** Codex took it up: by the id that newer versions keep with it, else the oldest that reads the same. */
export function messageStarted(transcript, event, { turnId, threadId, itemId }, { content, clientId }) {
  const key = itemKey(turnId, itemId);
  if (transcript.block(key)) return transcript.block(key);
  const text = (Array.isArray(content) ? content : []).map((part) => textOf(objectOf(part).text)).join("");
  const line = turnBlock(transcript, event, turnId, threadId);
  const block = waiting(transcript, text, textOf(clientId)) ?? unsent(transcript, event, key, text);
  transcript.alias(key, block);
  transcript.waiting.delete(block);
  if (line && hasTurnBetween(transcript.blocks, block, line)) line.prompt = text;
  line?.turn.messages.push(block);
  return Object.assign(block, { turnId, state: stateIn(line?.turn) });
}

/** Whoever wrote it did so at the desk. */
function unsent(transcript, event, key, text) {
  return transcript.open(key, "user", event, { messageId: null, text, from: "", steers: false, expiresAt: null, error: "" });
}

function waiting(transcript, text, clientId) {
  const all = [...transcript.waiting];
  return all.find(({ messageId }) => messageId === clientId) ?? all.find((block) => block.text === text);
}

/** A message that waited for another turn stands far above its own. */
function hasTurnBetween(blocks, message, line) {
  const [from, to] = [blocks.indexOf(message), blocks.indexOf(line)];
  return from < to && blocks.slice(from, to).some(({ kind }) => kind === "turn" || kind === "end");
}

function stateIn(turn) {
  return !turn || turn.status === "running" ? "running" : (ENDS[turn.status] ?? "lost");
}

/** A turn has ended, and so have the messages that it answered. */
export function turnEnded(transcript, event, turn) {
  for (const block of turn.messages) transcript.change(block, event, { state: stateIn(turn), error: turn.error });
}

/** It never became a turn, or its turn was lost with the daemon. */
export function ended(state) {
  return (transcript, event) => {
    const params = objectOf(event.payload.params);
    return over(transcript, blockOf(transcript, params.message_id, null), state, textOf(objectOf(params.error).message));
  };
}

function over(transcript, block, state, error) {
  if (!block) return undefined;
  transcript.waiting.delete(block);
  return Object.assign(block, { state, error });
}

function blockOf(transcript, messageId, seq) {
  const known = transcript.block(messageKey(messageId));
  return known ?? (numberOf(seq) === null ? undefined : userBlock(transcript.blockAt(seq)));
}

function userBlock(block) {
  return block?.kind === "user" ? block : undefined;
}
