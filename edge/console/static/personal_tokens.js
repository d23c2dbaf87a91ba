// Personal tokens: list, make, show once, revoke (edge §2.2).

import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { el, icon, keyed, replace } from "./dom.js";
import { complain, formDialog, onSubmit } from "./forms.js";
import { shortcut } from "./shortcuts.js";
import { time } from "./times.js";
import { toast } from "./toast.js";

const DAY_MS = 86_400_000;

const list = document.getElementById("tokens");
const rows = el("ul", { class: "rows" });
const [maker, form] = formDialog("maker");
const made = document.getElementById("made");
const secret = document.getElementById("secret");
const revokeAll = document.getElementById("revoke-all");
const { name, days } = form.elements;

async function load() {
  try {
    show((await api.get("/api/tokens")).data);
  } catch (error) {
    replace(list, failed(error));
  }
  list.ariaBusy = "false";
}

function show(tokens) {
  revokeAll.hidden = tokens.length < 2;
  keyed(rows, tokens, (token) => token.id, row);
  replace(list, tokens.length ? rows : nothing());
}

function row(token) {
  return el(
    "li",
    { class: "row" },
    el(
      "div",
      { class: "row-main" },
      el("div", { class: "row-title" }, el("span", { class: "clip" }, token.name), expiry(token)),
      el("div", { class: "row-sub" }, "made ", time(token.createdAt), " · ", used(token)),
    ),
    el("button", { class: "button danger small", type: "button", "aria-label": `Revoke ${token.name}`, onclick: () => revoke(token) }, "Revoke"),
  );
}

function used({ lastUsedAt }) {
  return lastUsedAt ? ["used ", time(lastUsedAt)] : "never used";
}

function expiry({ expiresAt }) {
  if (!expiresAt) return null;
  const isOver = Date.parse(expiresAt) <= Date.now();
  return el("span", { class: isOver ? "badge bad" : "badge" }, isOver ? "expired " : "expires ", time(expiresAt));
}

function nothing() {
  const make = el("button", { class: "button", type: "button", onclick: open }, "New token");
  return el("div", { class: "empty" }, icon("key"), el("h2", {}, "No tokens"), el("p", {}, "Make one for whatever acts as you without a browser."), make);
}

function failed(error) {
  const again = el("button", { class: "button", type: "button", onclick: load }, "Try again");
  return el("div", { class: "empty", role: "alert" }, icon("warning"), el("h2", {}, "The tokens cannot be read"), el("p", {}, error.message), again);
}

async function revoke(token) {
  const text = `Whatever uses “${token.name}” stops working at once.`;
  if (!(await confirmed({ title: "Revoke this token?", text, action: "Revoke", kind: "danger" }))) return;
  await changing(() => api.remove(`/api/tokens/${token.id}`), `Revoked “${token.name}”.`);
}

async function revokeEvery() {
  const text = "Whatever uses any of your tokens stops working at once: the phone, daemons, scripts.";
  if (!(await confirmed({ title: "Revoke all tokens?", text, action: "Revoke all", kind: "danger" }))) return;
  await changing(() => api.remove("/api/tokens"), "All tokens are revoked.");
}

async function changing(work, done) {
  try {
    await work();
    toast(done, { kind: "good" });
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  await load();
}

function open() {
  form.reset();
  complain(name, "");
  maker.showModal();
  name.focus();
}

async function make() {
  try {
    present((await api.post("/api/tokens", { name: name.value, expires_at: end() })).data);
    maker.close();
    await load();
  } catch (error) {
    complain(name, error.errors?.name?.[0] ?? error.message);
    name.focus();
  }
}

function end() {
  return days.value ? new Date(Date.now() + Number(days.value) * DAY_MS).toISOString() : null;
}

/** Shows the token's text, which is known only now. */
function present(token) {
  document.getElementById("made-title").textContent = `“${token.name}” is ready`;
  secret.textContent = token.token;
  made.hidden = false;
}

function putAway() {
  secret.textContent = "";
  made.hidden = true;
}

async function copy() {
  try {
    await navigator.clipboard.writeText(secret.textContent);
    toast("Copied.", { kind: "good" });
  } catch {
    getSelection().selectAllChildren(secret);
    toast("It is selected: copy it with your keyboard.");
  }
}

document.getElementById("new").addEventListener("click", open);
document.getElementById("copy").addEventListener("click", copy);
document.getElementById("put-away").addEventListener("click", putAway);
revokeAll.addEventListener("click", revokeEvery);
maker.addEventListener("close", () => made.hidden || made.focus());
onSubmit(form, make);
shortcut("n", "New token", open);

load();
