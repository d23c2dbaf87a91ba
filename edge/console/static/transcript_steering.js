/** What a worker's people, its daemon and the server say: messages, requests, approvals, heartbeats, limits (ADR 13). */
import { numberOf, objectOf, textOf } from "./shapes.js";
import { ended, expired, sent, taken } from "./transcript_messages.js";
import { changesOf, endBlock, endTurns, itemBlock, turnBlock } from "./transcript_turns.js";

const KINDS = { command: "command", file_change: "changes" };

// --- requests --------------------------------------------------------------------------------------------------------

/** An answer to an approval stands with what was asked, so it is no block of its own. */
function asked(transcript, event) {
  const { request_id: requestId, method, params, requested_by: by } = event.payload;
  if (!textOf(requestId) || !textOf(method)) return undefined;
  const block =
    transcript.block(`approval:${objectOf(params).approval_id}`) ??
    transcript.open(`request:${event.seq}`, "request", event, { requestId, method, params, by: whoOf(by), state: "sent", response: null, error: "" });
  transcript.alias(`request:${requestId}`, block);
  return block;
}

function claimed(transcript, event) {
  return answer(transcript, event, "taken");
}

function answered(transcript, event) {
  return answer(transcript, event, "answered");
}

function answer(transcript, event, state) {
  const block = textOf(event.payload.request_id) && transcript.block(`request:${event.payload.request_id}`);
  if (!block) return undefined;
  if (block.kind !== "request") return block;
  const response = objectOf(event.payload.response);
  const { message } = objectOf(response.error);
  return Object.assign(block, { state: message ? "failed" : state, response: response.result ?? block.response, error: textOf(message) });
}

/** Who asked: the device's own name for itself. */
function whoOf(by) {
  return textOf(objectOf(by).client) || (objectOf(by).token ? `token ${by.token}` : textOf(objectOf(by).owner));
}

/** An answer that is an error, something that the daemon could not do, or only a message. */
function failed(transcript, event) {
  const found = answer(transcript, event, "failed");
  if (found) return found;
  const { method, params, response, message } = event.payload;
  const told = objectOf(objectOf(params).error).message ?? objectOf(objectOf(response).error).message ?? objectOf(params).message ?? message;
  return textOf(told) ? transcript.open(`error:${event.seq}`, "error", event, { text: told, detail: textOf(method), willRetry: false }) : undefined;
}

// --- approvals -------------------------------------------------------------------------------------------------------

/** With the item that it is about, which tells the same command or diff; one without an item is a block of its own. */
function approvalRequested(transcript, event) {
  const { approval_id: approvalId, kind, turn_id: turnId, thread_id: threadId, item_id: itemId, choices, reason, expires_at: expiresAt } = event.payload;
  if (!textOf(approvalId) || !Object.hasOwn(KINDS, kind)) return undefined;
  const place = { turnId, threadId, itemId: itemId === "unknown" ? approvalId : itemId };
  const block = itemBlock(transcript, event, place, KINDS[kind]);
  const told = { command: textOf(event.payload.command), cwd: textOf(event.payload.cwd), changes: changesOf(event.payload.changes) };
  const approval = { approvalId, kind, reason: textOf(reason), choices: Array.isArray(choices) ? choices : [], expiresAt, ...told, decision: null, cause: "", by: "" };
  block.approvals.push(approval);
  for (const [name, value] of Object.entries(told)) if (name in block && value && !block[name].length) block[name] = value;
  transcript.alias(`approval:${approvalId}`, block);
  return block;
}

function approvalAnswered(transcript, event) {
  const { approval_id: approvalId, decision, cause, answered_by: by } = event.payload;
  const block = transcript.block(`approval:${approvalId}`);
  const approval = block?.approvals.find((known) => known.approvalId === approvalId);
  if (approval) Object.assign(approval, { decision: textOf(decision) || "deny", cause: textOf(cause), by: whoOf(by) });
  return block;
}

/** Nobody will answer any more. */
function closeApprovals(transcript, event, cause) {
  for (const block of transcript.blocks) {
    const open = (block.approvals ?? []).filter(({ decision }) => decision === null);
    for (const approval of open) Object.assign(approval, { decision: "deny", cause });
    if (open.length) transcript.change(block, event, {});
  }
}

// --- the worker and its daemon ---------------------------------------------------------------------------------------

function started(transcript, event) {
  const { status, reason, adapter, workspace_ref: folder } = event.payload;
  if (!textOf(status)) return undefined;
  const detail = [folder, adapter].filter((part) => typeof part === "string" && part).join(" · ");
  return transcript.note(event, reason === "reattach" ? "Worker reattached" : "Worker created", { detail });
}

function stopped(transcript, event) {
  endTurns(transcript, event, "lost", "The worker was stopped");
  closeApprovals(transcript, event, "stopped");
  return transcript.note(event, "Worker stopped", { detail: textOf(event.payload.reason), tone: "warn" });
}

/** Only what changes is told: that the desktop came, that it is another one, that it went. */
function heartbeat(transcript, event) {
  const { source, daemon, desktop_session_id: session, busy, codex_version: codexVersion } = event.payload;
  if (source !== "autopilot-desktop") return undefined;
  const before = transcript.worker;
  const told = { daemon: daemon === "off" ? "off" : "on", session: textOf(session), busy: objectOf(busy).what ? busy : null };
  const isSame = before.beats && before.daemon === told.daemon && before.session === told.session;
  if (before.session && before.session !== told.session) endTurns(transcript, event, "lost", "The desktop started anew");
  const text = told.daemon === "off" ? "Desktop went offline" : "Desktop is online";
  const detail = textOf(codexVersion) && `Codex ${codexVersion}`;
  const beats = isSame ? before.beats : transcript.note(event, text, { detail });
  Object.assign(before, told, { beats, codexVersion: textOf(codexVersion) || before.codexVersion });
  return beats;
}

function usage(transcript, event) {
  const { turn_id: turnId, thread_id: threadId } = event.payload;
  const block = textOf(turnId) ? endBlock(transcript, event, turnId, textOf(threadId)) : undefined;
  if (block) block.turn.usage = event.payload;
  return block;
}

function metered(transcript, event) {
  const { turn_id: turnId, thread_id: threadId, total_tokens: tokens } = event.payload;
  const block = textOf(turnId) ? turnBlock(transcript, event, turnId, textOf(threadId)) : undefined;
  if (block) block.turn.tokens = numberOf(tokens) ?? block.turn.tokens;
  return block;
}

function limited(transcript, event) {
  const { turn_tokens: turn, day_tokens: day, set_by: by } = event.payload;
  const caps = [numberOf(turn) !== null && `${turn} tokens a turn`, numberOf(day) !== null && `${day} a day`].filter(Boolean);
  return transcript.note(event, "Limits were set", { detail: [caps.join(", ") || "no cap", whoOf(by)].filter(Boolean).join(" · ") });
}

function handshake(transcript, event) {
  const { handshake_id: id, source } = event.payload;
  if (!textOf(id)) return undefined;
  const block = transcript.open(`handshake:${id}`, "note", event, { text: `${textOf(source) || "A device"} connected`, detail: "", tone: "plain" });
  if (event.payload.method === "desktop/handshake_ack") block.detail = "acknowledged";
  return block;
}

function gap(transcript, event) {
  const { from, to } = objectOf(event.payload.params);
  return transcript.note(event, "The desktop missed what was sent while it was away", { detail: `events ${from} to ${to}`, tone: "warn" });
}

function overLimit(transcript, event) {
  const { turn_id: turnId, error } = objectOf(event.payload.params);
  turnBlock(transcript, event, textOf(turnId), "");
  const text = textOf(objectOf(error).message) || "The turn was ended";
  return transcript.open(`error:${event.seq}`, "error", event, { text, detail: "", willRetry: false });
}

function saying(text, tone = "plain") {
  return (transcript, event) => transcript.note(event, text, { tone });
}

/** By method, whoever wrote it. */
export const STEERING = {
  "ios/user_message": sent,
  "ios/handshake": handshake,
  "desktop/handshake_ack": handshake,
  "worker/turn_lost": ended("lost"),
  "worker/stream_gap": gap,
};

/** By the event's type, where no method is known. */
export const TYPES = {
  "worker.started": started,
  "worker.stopped": stopped,
  "worker.heartbeat": heartbeat,
  "worker.request.received": asked,
  "worker.request.claimed": claimed,
  "worker.response": answered,
  "worker.error": failing,
  "worker.message.claimed": taken,
  "worker.message.expired": expired,
  "worker.approval.requested": approvalRequested,
  "worker.approval.answered": approvalAnswered,
  "worker.turn.usage": usage,
  "worker.turn.metered": metered,
  "worker.limits.set": limited,
  "worker.charging.set": saying("A budget pays for this worker's turns"),
  "worker.erased": saying("What was written before was erased", "warn"),
  "worker.lost": saying("An event was lost in a recovery", "warn"),
};

/** Of a message, of a turn that went over its limit, of a request, or for itself. */
function failing(transcript, event) {
  if (event.payload.method === "turn/interrupt") return overLimit(transcript, event);
  return ended("failed")(transcript, event) ?? failed(transcript, event);
}
