// How a run is, in one word and one colour.

import { el } from "./dom.js";

const TONES = { running: "info", canceling: "warn", succeeded: "good", failed: "bad" };
const WORDS = { created: "waiting", canceling: "stopping" };

/** Whether nothing more comes. */
export function isOver(status) {
  return ["succeeded", "failed", "canceled"].includes(status);
}

/** What a run did that ended so. */
export function ended(status) {
  return status === "canceled" ? "was canceled" : (status ?? "ended");
}

/** "running", for people. */
export function statusWord(status) {
  return WORDS[status] ?? status;
}

/** The badge of a status. */
export function statusBadge(status) {
  const tone = TONES[status] ?? "";
  return el("span", { class: `badge ${tone}` }, status === "running" && el("span", { class: "dot info live" }), statusWord(status));
}
