// Histories that chance makes: people, daemons and Codex doing what they do, now and then in shapes nobody promised.

const DESK = "autopilot-desktop";
const WORDS = ["one", "two", "run: ls", "äöü", ""];
const SHAPES = [null, 5, "text", [], {}, { item: 5 }, { item: { type: "agentMessage" } }, { turn: [] }, { error: "x" }, { itemId: "i", delta: 7 }];
const METHODS = [
  ...["turn/started", "turn/completed", "item/started", "item/completed", "item/agentMessage/delta", "item/reasoning/summaryTextDelta"],
  ...["item/commandExecution/outputDelta", "turn/plan/updated", "thread/tokenUsage/updated", "error", "codex/exited", "warning", "toString", "__proto__"],
  ...["ios/user_message", "ios/handshake", "worker/turn_lost", "account/rateLimits/updated", "thread/started", "turn/interrupt", "x/unknown"],
];
const TYPES = [
  ...["worker.event", "worker.started", "worker.stopped", "worker.heartbeat", "worker.request.received", "worker.response", "worker.error", "worker.custom"],
  ...["worker.message.claimed", "worker.message.expired", "worker.approval.requested", "worker.approval.answered", "worker.turn.usage", "worker.limits.set"],
];

/** Rows of a history, the same for the same seed. */
export function generated(seed) {
  const chance = chances(seed);
  const pick = (values) => values[Math.floor(chance() * values.length)];
  const acts = { message, turn: turn, noise, garbage, beat, approval };
  const told = [];
  while (told.length < 60) told.push(...acts[pick(Object.keys(acts))](pick, chance));
  return told.map(([type, payload], index) => frozen({ seq: index + 1, event_type: type, payload, occurred_at: "2026-02-25T12:00:00Z" }));
}

function chances(seed) {
  let state = seed * 2654435761;
  return () => {
    state = (Math.imul(state ^ (state >>> 15), 2246822519) + 374761393) >>> 0;
    return state / 2 ** 32;
  };
}

function frozen(value) {
  if (value !== null && typeof value === "object") Object.values(Object.freeze(value)).forEach(frozen);
  return value;
}

const codex = (method, params) => ["worker.event", { source: DESK, method, params }];

function message(pick) {
  const id = `m${pick([1, 2, 3, 4])}`;
  const text = pick(WORDS);
  const sent = ["worker.event", { source: "phone", method: "ios/user_message", message_id: id, params: { message_id: id, text, sent_from: "phone" } }];
  return [sent, ...pick([[], [["worker.message.claimed", { message_id: id, seq: 1 }]], [["worker.message.expired", { message_id: id }]]])];
}

function turn(pick, chance) {
  const [turnId, itemId] = [`u${pick([1, 2, 3])}`, `i${pick([1, 2, 3])}`];
  const place = { threadId: "t", turnId };
  const said = codex("item/completed", { ...place, item: { type: "userMessage", id: `w${turnId}`, content: [{ type: "text", text: pick(WORDS) }] } });
  const pieces = ["a", "b", "c"].map((delta) => codex("item/agentMessage/delta", { ...place, itemId, delta }));
  const whole = codex("item/completed", { ...place, item: { type: "agentMessage", id: itemId, text: pick(["abc", "other", ""]) } });
  const end = codex("turn/completed", { threadId: "t", turn: { id: turnId, status: pick(["completed", "interrupted", "failed"]) } });
  const all = [codex("turn/started", { threadId: "t", turn: { id: turnId } }), said, ...pieces, whole, end];
  return all.filter(() => chance() > 0.15);
}

function noise(pick) {
  return [codex(pick(["account/rateLimits/updated", "thread/tokenUsage/updated", "thread/status/changed", "x/unknown"]), { turnId: pick(["u1", undefined]) })];
}

function garbage(pick) {
  return [[pick(TYPES), pick([{}, { source: DESK, method: pick(METHODS), params: pick(SHAPES) }, { method: pick(METHODS), params: pick(SHAPES) }, { request_id: pick(SHAPES), approval_id: "a", kind: pick(SHAPES) }])]];
}

function beat(pick) {
  return [["worker.heartbeat", { source: DESK, desktop_session_id: pick(["s1", "s2"]), daemon: pick(["on", "off"]), busy: pick([null, { what: "x" }]) }]];
}

function approval(pick) {
  const approvalId = `a${pick([1, 2])}`;
  const asked = { approval_id: approvalId, kind: pick(["command", "file_change"]), turn_id: "u1", thread_id: "t", item_id: pick(["i1", "unknown"]), choices: ["accept", "deny"], changes: pick(SHAPES) };
  return [["worker.approval.requested", asked], ...pick([[], [["worker.approval.answered", { approval_id: approvalId, decision: "deny", cause: "silence" }]]])];
}
