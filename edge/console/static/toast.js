// Short news at the edge of the page, read out by screen readers.

import { el, icon } from "./dom.js";

const SHOWN_MS = 6000;
const ICONS = { good: "check", bad: "warning", info: "info" };

/** Says `text`; `kind` is "info", "good" or "bad", and what is bad stays until it is closed. */
export function toast(text, { kind = "info" } = {}) {
  const close = el("button", { class: "button quiet icon-only", type: "button", "aria-label": "Close", onclick: gone }, icon("close"));
  const note = el("div", { class: `toast ${kind}` }, icon(ICONS[kind]), el("p", {}, text), close);
  function gone() {
    note.remove();
  }
  document.getElementById("toasts").append(note);
  if (kind !== "bad") setTimeout(gone, SHOWN_MS);
}
