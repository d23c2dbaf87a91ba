/** What a worker's page says of it in a few words, from what is known of worker, transcript and connection. */
import { liveness, span } from "./liveness.js";

/** {tone, text, beats, away, turn, usage, approvals, composer, announced}; `worker` null: not known yet. */
export function ofWorker(worker, transcript, connection, now) {
  const turn = transcript.running ?? null;
  const approvals = openApprovals(transcript, worker);
  const status = statusOf(worker, turn, approvals, now);
  return { ...status, turn, approvals, usage: usageOf(worker), composer: composerOf(worker, status, turn, connection), announced: announcement(transcript, approvals) };
}

/** In the transcript, or so long ago that only the worker's own list has them. */
function openApprovals(transcript, worker) {
  const asked = transcript.blocks.flatMap(({ approvals = [] }) => approvals);
  const open = asked.filter(({ decision }) => decision === null).map(({ approvalId }) => approvalId);
  const known = new Set(asked.map(({ approvalId }) => approvalId));
  return [...open, ...(worker?.open_approvals ?? []).filter((id) => !known.has(id))];
}

/** As the list of workers says, but that the transcript knows sooner what goes on. */
function statusOf(worker, turn, approvals, now) {
  if (!worker) return { tone: "", text: "Loading", beats: false, away: false };
  const said = liveness(worker, now);
  if (worker.status !== "running" || said.away) return said;
  if (approvals.length) return { ...said, tone: "warn", text: "Waits for your answer", beats: true };
  return turn ? { ...said, tone: "accent", text: working(turn, now), beats: true } : said;
}

function working({ startedAt }, now) {
  return startedAt ? `Working for ${span(now - Date.parse(startedAt))}` : "Working";
}

function usageOf(worker) {
  const total = worker?.usage?.total_tokens;
  return total ? `${total.toLocaleString()} tokens in ${worker.usage.turns} turns` : "";
}

function composerOf(worker, { away }, turn, connection) {
  const busy = turn !== null;
  if (connection?.phase === "offline") return { disabled: true, busy, hint: "You are offline. The draft is kept." };
  if (worker && worker.status !== "running") return { disabled: true, busy, hint: "The worker is stopped. Reattach it to write to it." };
  return { disabled: false, busy, hint: away && !busy ? "The desktop is away: the message waits for it." : "" };
}

/** For screen readers: what asks for attention, or else how the last turn ended. */
function announcement(transcript, approvals) {
  if (approvals.length) return "Codex waits for your answer";
  const ended = transcript.blocks.findLast(({ kind }) => kind === "end");
  return ended && !transcript.running ? `The turn is ${ended.turn.status}` : "";
}
