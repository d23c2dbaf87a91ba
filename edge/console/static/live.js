// The page's one connection to `sync:v1`, and what the layout says of it.

import { api } from "./api.js";
import { el, replace } from "./dom.js";
import { Sync } from "./sync.js";

const PATIENCE_MS = 500; // what is caught up with sooner is not worth a word
const NUMBER = new Intl.NumberFormat();
const HOURS = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

let shared = null;

/** The `Sync` that all parts of this page share. */
export function live() {
  shared ??= connected();
  return shared;
}

function connected() {
  const sync = new Sync({ user: document.body.dataset.user, url: "/sync/socket", storage: localStorage, token: mint });
  const wake = () => document.hidden || sync.wake();
  for (const event of ["online", "offline", "pageshow"]) addEventListener(event, wake);
  for (const event of ["visibilitychange", "resume"]) document.addEventListener(event, wake);
  indicate(sync, document.getElementById("connection"));
  return sync;
}

async function mint(topics) {
  return (await api.post("/api/sync/token", { scopes: topics })).data;
}

/** Screen readers are told of each phase once; what counts on is for the eyes only. */
function indicate(sync, place) {
  const dot = el("span", { class: "dot" });
  const phase = el("span", { class: "connection-phase" });
  const detail = el("span", { class: "connection-detail num", "aria-hidden": "true" });
  replace(place, dot, phase, detail);

  function show() {
    const { state } = sync;
    const brief = state.phase === "catching-up" && Date.now() - state.since < PATIENCE_MS;
    if (brief) return;
    place.dataset.phase = state.phase;
    dot.className = `dot ${TONES[state.phase]}`;
    say(phase, WORDS[state.phase](state));
    say(detail, DETAILS[state.phase](state));
  }
  sync.addEventListener("state", show);
  setInterval(show, PATIENCE_MS);
}

function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

const TONES = { live: "good", "catching-up": "info live", offline: "bad" };
const WORDS = {
  live: () => "Live",
  "catching-up": () => "Catching up",
  offline: ({ since }) => `Offline since ${HOURS.format(since)}`,
};
const DETAILS = {
  live: () => "",
  "catching-up": ({ behind }) => (behind ? `${NUMBER.format(behind)} to go` : ""),
  offline: ({ retryAt }) =>
    retryAt ? `reconnecting in ${Math.max(0, Math.ceil((retryAt - Date.now()) / 1000))} s` : "reconnecting",
};
