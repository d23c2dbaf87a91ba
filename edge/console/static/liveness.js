// How a worker is, in words: by what the program behind it tells, and for how long it has said nothing (clients.md).

const ASLEEP_AFTER_MS = 120_000;
const GONE_AFTER_MS = 86_400_000;
const UNITS = [
  [86_400_000, "d"],
  [3_600_000, "h"],
  [60_000, "min"],
  [1_000, "s"],
];

/**
 * `{tone, text, beats, away}` of a worker's snapshot or summary: `tone` is a class of `.dot`, what beats is at work, and
 * of who is away nobody knows when he comes back.
 */
export function liveness(worker, now = Date.now()) {
  if (worker.status === "failed") return said("bad", `Failed${ago(worker.stopped_at, now)}`);
  if (worker.status !== "running") return said("", `Stopped${ago(worker.stopped_at, now)}`);
  if (!worker.daemon_seen_at) return said("", "No program has connected yet");
  const silent = now - Date.parse(worker.daemon_seen_at);
  if (worker.daemon_off ?? worker.daemon_state === "off") return away("", `Desktop signed off${ago(worker.daemon_seen_at, now)}`);
  if (silent > GONE_AFTER_MS) return away("", `Desktop gone for ${span(silent)}`);
  if (silent > (worker.heartbeat_stale_after_ms ?? ASLEEP_AFTER_MS)) return away("warn", `Desktop asleep for ${span(silent)}`);
  return worker.busy ? { ...said("accent", working(worker.busy, now)), beats: true } : said("good", "Ready");
}

/** "40 s", "4 min", "3 h", "2 d": of the largest unit that there are two of. */
export function span(ms) {
  const [size, unit] = UNITS.find(([size]) => ms >= 2 * size) ?? UNITS.at(-1);
  return `${Math.max(0, Math.floor(ms / size))} ${unit}`;
}

function working({ what, since }, now) {
  const began = Date.parse(since);
  const task = what && what !== "turn" ? `“${what}”` : "a turn";
  return `Codex working on ${task}${Number.isNaN(began) ? "" : ` for ${span(now - began)}`}`;
}

function ago(iso, now) {
  return iso ? ` ${span(now - Date.parse(iso))} ago` : "";
}

function away(tone, text) {
  return { ...said(tone, text), away: true };
}

function said(tone, text) {
  return { tone, text, beats: false, away: false };
}
