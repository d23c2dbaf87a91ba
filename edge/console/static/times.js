// Times in the viewer's zone and language; those made by `time` grow older on the page by themselves.

import { el } from "./dom.js";

const UNITS = [
  [60, 1, "s"],
  [3600, 60, "min"],
  [86400, 3600, "h"],
  [30 * 86400, 86400, "d"],
];
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long" });
const REFRESH_MS = 5000;

/** "now", "40 s ago", "4 min ago", "in 3 h"; a date when it is more than a month away. */
export function ago(iso, now = Date.now()) {
  const seconds = Math.round((now - Date.parse(iso)) / 1000);
  const unit = UNITS.find(([below]) => Math.abs(seconds) < below);
  if (!unit) return DAY.format(new Date(iso));
  if (Math.abs(seconds) < 3) return "now";
  return seconds < 0 ? `in ${Math.round(-seconds / unit[1])} ${unit[2]}` : `${Math.floor(seconds / unit[1])} ${unit[2]} ago`;
}

/** "14:03:22". */
export function clock(iso) {
  return CLOCK.format(new Date(iso));
}

/** "23 Nov 2026, 14:03:22 CET", in the viewer's own way. */
export function full(iso) {
  return FULL.format(new Date(iso));
}

/** A `<time>` that says how long ago it was, and on hovering exactly when. */
export function time(iso) {
  return el("time", { datetime: iso, title: full(iso), "data-ago": true }, ago(iso));
}

function refresh() {
  if (document.hidden) return;
  for (const element of document.querySelectorAll("time[data-ago]")) {
    const text = ago(element.dateTime);
    if (element.textContent !== text) element.textContent = text;
  }
}

setInterval(refresh, REFRESH_MS);
document.addEventListener("visibilitychange", refresh);
