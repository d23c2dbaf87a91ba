/**
 * When to read budgets again. No topic tells of budgets: what changes one is a run or a worker that spends, so their
 * summaries are what to listen to, at most once a second; and time itself, for what expires and grows stale.
 */

import { live } from "./live.js";

const PATIENCE_MS = 1000;
const AT_LEAST_EVERY_MS = 10_000;
const TOPICS = ["runtime.run_summaries", "runtime.codex_worker_summaries"];

/** Calls `load` at first and whenever there may be news; a `load` that rejects is called again. */
export function followBudgets(load) {
  let waiting = null;
  function soon() {
    waiting ??= setTimeout(again, PATIENCE_MS);
  }
  async function again() {
    waiting = null;
    try {
      await load();
    } catch {
      setTimeout(soon, 5 * PATIENCE_MS);
    }
  }
  const [first, ...others] = TOPICS;
  live().follow(first, { load, change: soon });
  for (const topic of others) live().follow(topic, { load: async () => soon(), change: soon });
  setInterval(() => document.hidden || soon(), AT_LEAST_EVERY_MS);
  document.addEventListener("visibilitychange", () => document.hidden || soon());
  return soon;
}
