/**
 * What Codex says of its turns: notifications of its app-server (v2), as our daemon mirrors them.
 *
 * Each function takes the transcript and an event and returns the block that the event belongs to, or undefined when it
 * does not know what to make of it. What is told piece by piece and what is told at the end agree; where they do not, the end is right.
 */
import { numberOf, objectOf, textOf } from "./shapes.js";
import { messageStarted } from "./transcript_messages.js";
import { FIELDS, changesOf, endBlock, endTurn, endTurns, itemBlock, itemKey, turnBlock } from "./transcript_turns.js";

const DONE = new Set(["completed", "failed", "declined", "interrupted"]);

const KINDS = { agentMessage: "assistant", reasoning: "reasoning", commandExecution: "command", fileChange: "changes", plan: "plan" };

/** What an item says of itself; `null` says nothing. */
const ITEMS = {
  assistant: (item) => ({ text: item.text }),
  reasoning: (item) => ({ summary: listed(item.summary), content: listed(item.content) }),
  command: ({ command, cwd, aggregatedOutput: output, exitCode, durationMs, status }) => ({ command, cwd, output, exitCode, durationMs, status }),
  changes: (item) => ({ changes: changesOf(item.changes), status: item.status }),
  plan: (item) => ({ text: item.text }),
  tool: ({ type, server, tool, query, path, arguments: input, prompt, result, error, status }) => ({
    name: textOf(type),
    title: [server, tool ?? query ?? path].filter((part) => typeof part === "string" && part).join(" · "),
    input: input ?? prompt,
    result,
    error: textOf(error) || objectOf(error).message,
    status,
  }),
};

function listed(parts) {
  return Array.isArray(parts) && parts.length ? parts.map((part) => textOf(part) || textOf(objectOf(part).text)) : null;
}

function item(transcript, event) {
  const { item: told, turnId, threadId } = objectOf(event.payload.params);
  const { type, id, ...rest } = objectOf(told);
  if (!textOf(type) || !textOf(id)) return undefined;
  const place = { turnId: textOf(turnId), threadId: textOf(threadId), itemId: id };
  if (type === "userMessage") return messageStarted(transcript, event, place, rest);
  const block = itemBlock(transcript, event, place, KINDS[type] ?? "tool");
  const ended = event.payload.method === "item/completed" || DONE.has(rest.status);
  const said = Object.entries(ITEMS[block.kind]({ type, ...rest }));
  const kept = said.filter(([name, value]) => value !== null && value !== undefined && !(value === "" && !ended && block[name]));
  return Object.assign(block, Object.fromEntries(kept), { running: block.running && !ended });
}

/** A piece of what an item will say. After its end nothing is added. */
function piece(kind, put) {
  return (transcript, event) => {
    const params = objectOf(event.payload.params);
    if (!textOf(params.itemId)) return undefined;
    const isFirst = !transcript.block(itemKey(params.turnId, params.itemId));
    const block = itemBlock(transcript, event, params, kind, isFirst ? { partial: true } : {});
    if (block.kind === kind && block.running) put(block, params);
    return block;
  };
}

function putAt(parts, place, delta) {
  const index = Number.isSafeInteger(place) && place >= 0 && place < 1000 ? place : Math.max(parts.length - 1, 0);
  while (parts.length <= index) parts.push("");
  parts[index] += textOf(delta);
}

function turnStarted(transcript, event) {
  const { turn, threadId } = objectOf(event.payload.params);
  const block = turnBlock(transcript, event, textOf(objectOf(turn).id), textOf(threadId));
  return block && Object.assign(block, { turn: Object.assign(block.turn, { startedAt: event.at }) });
}

function turnCompleted(transcript, event) {
  const { turn: told, threadId } = objectOf(event.payload.params);
  const { id, status, error, durationMs } = objectOf(told);
  if (!textOf(id)) return undefined;
  const block = endBlock(transcript, event, id, textOf(threadId));
  block.turn.durationMs = numberOf(durationMs) || null;
  endTurn(transcript, event, block.turn, textOf(status) || "completed", textOf(objectOf(error).message));
  return block;
}

/** Something about a turn that its line tells, or nobody needs to read. */
function ofTurn(put = () => {}) {
  return (transcript, event) => {
    const params = objectOf(event.payload.params);
    const running = transcript.running;
    const block = turnBlock(transcript, event, textOf(params.turnId) || running?.turnId, textOf(params.threadId) || running?.threadId);
    if (block) put(block, params);
    return block;
  };
}

function planUpdated(transcript, event) {
  const { turnId, plan, explanation } = objectOf(event.payload.params);
  if (!textOf(turnId) || !Array.isArray(plan)) return undefined;
  const block = transcript.open(`plan:${turnId}`, "plan", event, { turnId, approvals: [], running: true, ...FIELDS.plan() });
  const steps = plan.map((step) => ({ text: textOf(objectOf(step).step), status: textOf(objectOf(step).status) }));
  return Object.assign(block, { steps, text: textOf(explanation) });
}

function error(transcript, event) {
  const { error: told, willRetry, turnId, threadId } = objectOf(event.payload.params);
  const line = turnBlock(transcript, event, textOf(turnId), textOf(threadId));
  const { message, additionalDetails } = objectOf(told);
  if (line && willRetry !== true) line.turn.isReported = true;
  const text = textOf(message) || "Codex reported an error";
  return transcript.open(`error:${event.seq}`, "error", event, { text, detail: textOf(additionalDetails), willRetry: willRetry === true });
}

function exited(transcript, event) {
  const text = textOf(objectOf(objectOf(event.payload.params).error).message) || "Codex ended";
  endTurns(transcript, event, "lost", text);
  return transcript.open(`error:${event.seq}`, "error", event, { text, detail: "", willRetry: true });
}

/** Once a thread, however often Codex says the same. */
function warning(transcript, event) {
  const { threadId, message, summary, details, msg } = objectOf(event.payload.params);
  const text = textOf(message) || textOf(summary) || textOf(objectOf(msg).message);
  if (!text) return undefined;
  const key = `warning:${textOf(threadId)}:${text}`;
  const block = transcript.block(key) ?? transcript.note(event, text, { detail: textOf(details), tone: "warn" });
  transcript.alias(key, block);
  return block;
}

function threadStarted(transcript, event) {
  const { id, cwd, model, cliVersion } = objectOf(objectOf(event.payload.params).thread);
  const detail = [cwd, model, cliVersion && `Codex ${cliVersion}`].filter((part) => typeof part === "string" && part).join(" · ");
  return textOf(id) ? transcript.note(event, "New thread", { detail }) : undefined;
}

function told(text, detail = () => "") {
  return (transcript, event) => transcript.note(event, text, { detail: textOf(detail(objectOf(event.payload.params))) });
}

/** What Codex asks before it acts stands with the item that it is about. */
function asksFirst(kind) {
  return (transcript, event) => {
    const { turnId, threadId, itemId, command, cwd } = objectOf(event.payload.params);
    if (!textOf(itemId) || !textOf(turnId)) return undefined;
    const fields = kind === "command" ? { command: textOf(command), cwd: textOf(cwd) } : {};
    return itemBlock(transcript, event, { turnId, threadId, itemId }, kind, fields);
  };
}

function append(name) {
  return (block, params) => {
    block[name] += textOf(params.delta);
  };
}

/** By method. */
export const CODEX = {
  "turn/started": turnStarted,
  "turn/completed": turnCompleted,
  "item/started": item,
  "item/completed": item,
  "item/agentMessage/delta": piece("assistant", append("text")),
  "item/reasoning/summaryTextDelta": piece("reasoning", (block, params) => putAt(block.summary, params.summaryIndex, params.delta)),
  "item/reasoning/summaryPartAdded": piece("reasoning", (block, params) => putAt(block.summary, params.summaryIndex, "")),
  "item/reasoning/textDelta": piece("reasoning", (block, params) => putAt(block.content, params.contentIndex, params.delta)),
  "item/commandExecution/outputDelta": piece("command", append("output")),
  "item/commandExecution/terminalInteraction": piece("command", (block, params) => {
    block.output += textOf(params.stdin);
  }),
  "item/fileChange/outputDelta": piece("changes", append("output")),
  "item/plan/delta": piece("plan", append("text")),
  "item/mcpToolCall/progress": piece("tool", (block, params) => {
    block.progress = textOf(params.message);
  }),
  "item/commandExecution/requestApproval": asksFirst("command"),
  "item/fileChange/requestApproval": asksFirst("changes"),
  "turn/plan/updated": planUpdated,
  "turn/diff/updated": ofTurn((block, params) => {
    block.diff = textOf(params.diff);
  }),
  "thread/tokenUsage/updated": ofTurn((block, params) => {
    const { last, total } = objectOf(params.tokenUsage);
    block.turn.tokens = objectOf(total).totalTokens ?? objectOf(last).totalTokens ?? block.turn.tokens;
  }),
  "thread/status/changed": ofTurn(),
  "account/rateLimits/updated": ofTurn(),
  "thread/started": threadStarted,
  "thread/compacted": told("The context was compacted"),
  "thread/name/updated": told("The thread was named", (params) => params.threadName ?? params.name),
  "model/rerouted": told("Another model answers", (params) => params.toModel ?? params.model),
  error,
  "codex/exited": exited,
  warning,
  configWarning: warning,
  deprecationNotice: warning,
  "codex/event/warning": warning,
};
