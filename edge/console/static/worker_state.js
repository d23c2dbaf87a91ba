/** What a worker's page says of it in a few words, from what is known of worker, transcript and connection. */
import { seconds } from "./blocks.js";

/** {text, tone, live, turn, usage, approvals, composer, announced}; `worker` null: not known yet. */
export function ofWorker(worker, transcript, connection, now) {
  const turn = transcript.running ?? null;
  const approvals = openApprovals(transcript, worker);
  const status = statusOf(worker, turn, approvals, now);
  return { ...status, turn, approvals, usage: usageOf(worker), composer: composerOf(worker, turn, connection), announced: announcement(transcript, approvals) };
}

/** In the transcript, or so long ago that only the worker's own list has them. */
function openApprovals(transcript, worker) {
  const asked = transcript.blocks.flatMap(({ approvals = [] }) => approvals);
  const open = asked.filter(({ decision }) => decision === null).map(({ approvalId }) => approvalId);
  const known = new Set(asked.map(({ approvalId }) => approvalId));
  return [...open, ...(worker?.open_approvals ?? []).filter((id) => !known.has(id))];
}

function statusOf(worker, turn, approvals, now) {
  if (!worker) return { text: "Loading", tone: "", live: false };
  if (worker.status !== "running") return { text: worker.status === "stopped" ? "Stopped" : worker.status, tone: worker.status === "failed" ? "bad" : "", live: false };
  const silent = worker.daemon_seen_at ? now - Date.parse(worker.daemon_seen_at) : null;
  const since = silent === null ? "" : ` for ${seconds(Math.max(silent, 0))}`;
  if (worker.daemon_state === "off") return { text: `Desktop offline${since}`, tone: "", live: false };
  if (silent !== null && silent > worker.heartbeat_stale_after_ms) return { text: `Desktop asleep${since}`, tone: "warn", live: false };
  if (approvals.length) return { text: "Waits for your answer", tone: "warn", live: true };
  if (turn) return { text: `Working${turn.startedAt ? ` for ${seconds(Math.max(now - Date.parse(turn.startedAt), 0))}` : ""}`, tone: "accent", live: true };
  return worker.daemon_state === null ? { text: "No desktop yet", tone: "", live: false } : { text: "Idle", tone: "good", live: false };
}

function usageOf(worker) {
  const total = worker?.usage?.total_tokens;
  return total ? `${total.toLocaleString()} tokens in ${worker.usage.turns} turns` : "";
}

function composerOf(worker, turn, connection) {
  const busy = turn !== null;
  if (connection?.phase === "offline") return { disabled: true, busy, hint: "You are offline. The draft is kept." };
  if (worker && worker.status !== "running") return { disabled: true, busy, hint: "The worker is stopped. Reattach it to write to it." };
  if (busy) return { disabled: false, busy, hint: "" };
  if (worker?.daemon_state === "off" || worker?.daemon_state === "asleep") return { disabled: false, busy, hint: "The desktop is away: the message waits for it." };
  return { disabled: false, busy, hint: "" };
}

/** For screen readers: what asks for attention, or else how the last turn ended. */
function announcement(transcript, approvals) {
  if (approvals.length) return "Codex waits for your answer";
  const ended = transcript.blocks.findLast(({ kind }) => kind === "end");
  return ended && !transcript.running ? `The turn is ${ended.turn.status}` : "";
}
