// What a page knows of its user's workers, from lists over HTTP and summaries over the socket, and how it sorts them.

const GROUPS = ["waiting", "running", "stopped"];

/** Objects are never changed, so one that is the same as before says the same. */
export class Roster {
  #workers = new Map();

  get size() {
    return this.#workers.size;
  }

  get(id) {
    return this.#workers.get(id);
  }

  /** Forget everything but these; the answer of the API, from which summaries go on. */
  begin(workers) {
    this.#workers = new Map();
    this.learn(workers);
  }

  /** Items or snapshots of the API, which know everything up to their `latest_seq`. */
  learn(workers) {
    for (const worker of workers) {
      const known = this.get(worker.worker_id);
      const behind = worker.khala_projection?.lag_events ?? 0;
      if (known?.latest_seq > worker.latest_seq) continue;
      this.#keep({ ...known, ...worker, daemon_off: worker.daemon_state === "off", behind });
    }
  }

  /** A row of the summaries' topic; an older one than what is known only says how far behind they are. */
  hear({ payload }) {
    const known = this.get(payload.worker_id);
    const behind = Math.max(0, (known?.latest_seq ?? 0) - payload.latest_seq);
    if (behind) this.#keep({ ...known, behind });
    else this.#keep({ ...known, ...payload, behind });
  }

  /** By group, those that fit; inside a group those that were made last come first. */
  shown({ status = "", text = "" } = {}) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    const fitting = [...this.#workers.values()].filter((worker) => fits(worker, status, words)).sort(newestFirst);
    return Object.fromEntries(GROUPS.map((group) => [group, fitting.filter((worker) => groupOf(worker) === group)]));
  }

  /** How many there are of each group, and in all. */
  counts() {
    const counts = { "": this.size, ...Object.fromEntries(GROUPS.map((group) => [group, 0])) };
    for (const worker of this.#workers.values()) counts[groupOf(worker)] += 1;
    return counts;
  }

  #keep(worker) {
    this.#workers.set(worker.worker_id, worker);
  }
}

/** Where it stands: "waiting" for an answer of its user, "running" or "stopped". */
export function groupOf({ status, open_approvals: approvals }) {
  if (status !== "running") return "stopped";
  return approvals?.length ? "waiting" : "running";
}

function fits(worker, status, words) {
  if (status && groupOf(worker) !== status) return false;
  const { worker_id: id, workspace_ref: folder, adapter, busy, last_words: last } = worker;
  const about = [id, folder, adapter, busy?.what, last?.text].join(" ").toLowerCase();
  return words.every((word) => about.includes(word));
}

function newestFirst(one, other) {
  return other.started_at.localeCompare(one.started_at) || one.worker_id.localeCompare(other.worker_id);
}
