// The system page: looks every two seconds while somebody can see it (`sync:v1` has no topic for it), and releases what is parked.

import { span } from "./amounts.js";
import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { complain, formDialog, onSubmit } from "./forms.js";
import { shortcut } from "./shortcuts.js";
import { show } from "./system_view.js";
import { toast } from "./toast.js";

const LOOK_MS = 2000;

const old = document.getElementById("old");
const [dialog, form] = formDialog("dropping");
const why = form.elements.why;

let looking = null;
let timer = 0;
let lookedAt = null;
let dropping = null;

/** One look at a time; whoever asks meanwhile gets that one. */
function look() {
  looking ??= looked().finally(() => {
    looking = null;
    clearTimeout(timer);
    if (!document.hidden) timer = setTimeout(look, LOOK_MS);
  });
  return looking;
}

async function looked() {
  try {
    show((await api.get("/api/system")).data, act);
    lookedAt = Date.now();
    old.hidden = true;
    document.getElementById("seen").hidden = false;
  } catch (error) {
    failed(error);
  }
}

/** What was seen stays, with its age. */
function failed(error) {
  const age = lookedAt === null ? "Nothing could be seen yet" : `This is ${span((Date.now() - lookedAt) / 1000)} old`;
  old.querySelector("span").textContent = `${age}: ${error.message}`;
  old.hidden = false;
}

function act(name, parked) {
  if (name === "drop") askWhy(parked);
  else retry(parked);
}

async function retry(parked) {
  const text = `${parked.view} tries ${parked.doc_key} again, from position ${parked.position}.`;
  if (await confirmed({ title: "Try it again?", text, action: "Retry" })) await release(parked, "retry", {});
}

function askWhy(parked) {
  dropping = parked;
  form.reset();
  complain(why, "");
  const { view, doc_key: key, position } = parked;
  document.getElementById("dropping-what").textContent = `${view} goes on with ${key} as if position ${position} had never been written.`;
  dialog.showModal();
  why.focus();
}

async function drop() {
  if (!why.value.trim()) {
    complain(why, "Say why: whoever looks at it later wants to know.");
    why.focus();
    return;
  }
  dialog.close();
  await release(dropping, "drop", { why: why.value });
}

async function release({ id, doc_key: key }, how, body) {
  try {
    const { again } = (await api.post(`/api/system/quarantine/${encodeURIComponent(id)}/${how}`, body)).data;
    if (again) toast(`${key} is parked again at position ${again.position}: ${again.error}`, { kind: "bad" });
    else toast(`${key} goes on.`, { kind: "good" });
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  await look();
}

onSubmit(form, drop);
document.addEventListener("visibilitychange", () => document.hidden || look());
shortcut("r", "Look again now", look);

look();
