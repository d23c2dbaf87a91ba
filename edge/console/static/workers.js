// The list of workers: over HTTP at first, by their summaries from then on.

import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { keyed, replace } from "./dom.js";
import { busily, complain, formDialog, onSubmit } from "./forms.js";
import { live } from "./live.js";
import { Roster } from "./roster.js";
import { shortcut } from "./shortcuts.js";
import { toast } from "./toast.js";
import { address, refresh, workerRow } from "./worker_row.js";

const WORKERS = "/api/runtime/codex/workers";
const PAGE = 200;
const REFRESH_MS = 5000;

const roster = new Roster();
const filter = document.getElementById("filter");
const problem = document.getElementById("problem");
const [create, createForm] = formDialog("create");
const [created] = formDialog("created");
const sections = [...document.querySelectorAll("[data-group]")];
let loaded = false;
let drawing = false;

// --- what there is ------------------------------------------------------------------------------

/** Page by page; the first one is shown at once. */
async function load() {
  try {
    let page = await list();
    roster.begin(page);
    while (page.length === PAGE) {
      ready();
      page = await list(page.at(-1).worker_id);
      roster.learn(page);
    }
  } catch (error) {
    warn(`The workers could not be loaded: ${error.message} Trying again.`);
    throw error;
  }
  warn("");
  ready();
}

async function list(before) {
  const query = new URLSearchParams({ limit: PAGE, ...(before && { before }) });
  return (await api.get(`${WORKERS}?${query}`)).data;
}

function ready() {
  loaded = true;
  draw();
}

/** A summary that was too large for the socket is asked for. */
async function change(row) {
  if (row.payload) roster.hear(row);
  else await learn(row.doc_key.slice(row.doc_key.indexOf(":") + 1));
  draw();
}

async function learn(id) {
  roster.learn([(await api.get(`${WORKERS}/${encodeURIComponent(id)}`)).data]);
  draw();
}

function warn(text) {
  problem.hidden = !text;
  problem.querySelector("span").textContent = text;
}

// --- what is shown ------------------------------------------------------------------------------

/** Once for all that changes before the next frame. */
function draw() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    show();
  });
}

function show() {
  const wanted = Object.fromEntries(new FormData(filter));
  const shown = roster.shown(wanted);
  const found = sections.reduce((sum, { dataset }) => sum + shown[dataset.group].length, 0);
  for (const section of sections) {
    const workers = shown[section.dataset.group];
    section.hidden = workers.length === 0;
    keyed(section.querySelector("ul"), workers, nameOf, (worker, row) => workerRow(worker, row, act));
  }
  document.getElementById("loading").hidden = loaded;
  document.getElementById("none").hidden = !loaded || roster.size > 0;
  document.getElementById("no-match").hidden = roster.size === 0 || found > 0;
  filter.hidden = loaded && roster.size === 0;
  count(wanted, found);
}

function count(wanted, found) {
  const counts = roster.counts();
  for (const place of filter.querySelectorAll("[data-count]")) place.textContent = counts[place.dataset.count] || "";
  document.getElementById("found").textContent = wanted.text || wanted.status ? `${found} found` : "";
  document.title = document.title.replace(/^(\(\d+\) )?/, counts.waiting ? `(${counts.waiting}) ` : "");
}

function nameOf(worker) {
  return worker.worker_id;
}

function rows() {
  return [...document.querySelectorAll(".worker")];
}

setInterval(() => document.hidden || rows().forEach(refresh), REFRESH_MS);
document.addEventListener("visibilitychange", () => rows().forEach(refresh));

// --- search and keyboard ------------------------------------------------------------------------

function filtered() {
  const given = [...new FormData(filter)].filter(([, value]) => value);
  const query = new URLSearchParams(given).toString();
  history.replaceState(null, "", query ? `?${query}` : location.pathname);
  draw();
}

/** As the address says. */
function restore() {
  const asked = new URLSearchParams(location.search);
  filter.elements.text.value = asked.get("text") ?? "";
  filter.elements.status.value = asked.get("status") ?? "";
}

function clear() {
  filter.reset();
  filtered();
}

function move(by) {
  const links = rows().map((row) => row.parts.link);
  const at = links.indexOf(document.activeElement);
  const next = at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + by));
  links[next]?.focus();
}

function selected() {
  return document.activeElement?.closest(".worker");
}

filter.addEventListener("input", filtered);
filter.addEventListener("submit", (event) => {
  event.preventDefault();
  move(1);
});
filter.elements.text.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  clear();
  event.target.blur();
});
document.getElementById("clear").addEventListener("click", () => {
  clear();
  filter.elements.text.focus();
});

shortcut("/", "Search workers", () => filter.elements.text.focus());
shortcut("j", "Next worker", () => move(1));
shortcut("k", "Previous worker", () => move(-1));
shortcut("n", "New worker", begin);
shortcut("s", "Stop the selected worker, or start it again", () => selected()?.parts.action.click());

// --- stop, start again, create ------------------------------------------------------------------

async function act(action, worker, button) {
  const id = worker.worker_id;
  if (action === "stop" && !(await wantsToStop(worker))) return;
  try {
    await busily(button, async () => {
      await (action === "stop" ? stop(id) : start(worker));
      await learn(id);
    });
  } catch (error) {
    toast(`${id}: ${error.message}`, { kind: "bad" });
  }
}

function wantsToStop({ worker_id: id, busy }) {
  const text = busy
    ? "It is working. What it is doing ends, and its program ends with it."
    : "Its program ends. Messages that are sent to it wait until it is started again.";
  return confirmed({ title: `Stop ${id}?`, text, action: "Stop worker", kind: "danger" });
}

function stop(id) {
  return api.post(`${WORKERS}/${encodeURIComponent(id)}/stop`, { reason: "console" });
}

/** As it was described before: creating a stopped worker describes it anew. */
function start({ worker_id, workspace_ref, codex_home_ref, adapter, metadata }) {
  return api.post(WORKERS, { worker_id, workspace_ref, codex_home_ref, adapter, metadata });
}

function begin() {
  createForm.reset();
  complainOf({});
  create.showModal();
}

function complainOf(errors) {
  for (const field of create.querySelectorAll("input")) {
    const [text = ""] = errors[field.name] ?? [];
    complain(field, text);
  }
}

async function submit() {
  const given = Object.fromEntries([...new FormData(createForm)].filter(([, value]) => value.trim()));
  try {
    const { workerId } = (await api.post(WORKERS, { ...given, adapter: "desktop_bridge" })).data;
    await learn(workerId);
    showCreated(workerId);
  } catch (error) {
    complainOf(Object.keys(error.errors ?? {}).length ? error.errors : { worker_id: [error.message] });
  }
}

function showCreated(id) {
  create.close();
  replace(created.querySelector("pre"), `oa worker --id ${id}`);
  created.querySelector("a").href = address(id);
  created.showModal();
  created.querySelector("a").focus();
}

document.getElementById("new").addEventListener("click", begin);
onSubmit(createForm, submit);

restore();
live().follow("runtime.codex_worker_summaries", { load, change });
