// Webhooks: make one and show its secret once, try it, see what was sent, send again, remove.

import { api } from "./api.js";
import { ask, confirmed } from "./dialogs.js";
import { el, icon, keyed, replace } from "./dom.js";
import { complain, formDialog, onSubmit } from "./forms.js";
import { shortcut } from "./shortcuts.js";
import { time } from "./times.js";
import { toast } from "./toast.js";

const PATIENCE_MS = 12_000; // a message is given 10 s
const POLL_MS = 1000;

const list = document.getElementById("webhooks");
const rows = el("ul", { class: "rows" });
const [maker, form] = formDialog("maker");
const { url, name } = form.elements;
const shown = new Map(); // webhooks whose deliveries are open, and those

export async function startWebhooks() {
  document.getElementById("new").addEventListener("click", open);
  onSubmit(form, make);
  shortcut("n", "New webhook", open);
  await load();
}

async function load() {
  try {
    const webhooks = (await api.get("/api/webhooks")).data;
    keyed(rows, webhooks, (webhook) => webhook.id, row);
    replace(list, webhooks.length ? rows : el("p", { class: "soft small" }, "No webhook yet."));
  } catch (error) {
    const again = el("button", { class: "button small", type: "button", onclick: load }, "Try again");
    replace(list, el("p", { class: "notice bad", role: "alert" }, icon("warning"), error.message, " ", again));
  }
  list.ariaBusy = "false";
}

function row(webhook) {
  const title = webhook.name || new URL(webhook.url).host;
  return el(
    "li",
    { class: "hook" },
    el(
      "div",
      { class: "hook-head" },
      el(
        "div",
        { class: "row-main" },
        el("div", { class: "row-title" }, el("span", { class: "clip" }, title), standing(webhook)),
        el("div", { class: "row-sub mono" }, webhook.url),
        el("div", { class: "row-sub" }, lately(webhook)),
      ),
      el(
        "div",
        { class: "cluster" },
        action("Test", title, () => test(webhook)),
        action(webhook.pausedAt ? "Resume" : "Replay", title, () => (webhook.pausedAt ? resume(webhook) : replay(webhook))),
        action("Delete", title, () => remove(webhook, title), "danger"),
      ),
    ),
    deliveries(webhook),
  );
}

function action(label, title, onclick, kind = "") {
  return el("button", { class: `button small ${kind}`, type: "button", "aria-label": `${label} ${title}`, onclick }, label);
}

function standing({ pausedAt, failures }) {
  if (pausedAt) return el("span", { class: "badge bad" }, "paused");
  if (failures) return el("span", { class: "badge warn" }, `failed ${failures}×`);
  return el("span", { class: "badge good" }, "delivering");
}

function lately({ lastError, pausedAt, nextAttemptAt, lastDeliveredAt }) {
  if (pausedAt) return ["paused ", time(pausedAt), ` · ${lastError}`];
  if (nextAttemptAt) return [`${lastError} · again `, time(nextAttemptAt)];
  return lastDeliveredAt ? ["delivered ", time(lastDeliveredAt)] : "nothing sent yet";
}

function deliveries(webhook) {
  const body = el("div", {});
  const details = el("details", { class: "details", open: shown.has(webhook.id) }, el("summary", {}, "Last deliveries"), body);
  details.addEventListener("toggle", () => (details.open ? fill(webhook, body) : shown.delete(webhook.id)));
  if (shown.has(webhook.id)) replace(body, attempts(shown.get(webhook.id)));
  return details;
}

async function fill(webhook, body) {
  try {
    shown.set(webhook.id, (await api.get(`/api/webhooks/${webhook.id}/deliveries`)).data);
    replace(body, attempts(shown.get(webhook.id)));
  } catch (error) {
    replace(body, el("p", { class: "field-error", role: "alert" }, error.message));
  }
}

function attempts(told) {
  if (!told.length) return el("p", { class: "soft small" }, "Nothing was sent lately.");
  return el("ul", { class: "deliveries" }, told.map(attempt));
}

function attempt({ messageId, watermark, attempt: nth, attemptedAt, durationMs, status, error }) {
  return el(
    "li",
    {},
    el("span", { class: error ? "badge bad" : "badge good" }, status ?? "no answer"),
    el("span", { class: "mono" }, messageId),
    watermark !== null && el("span", { class: "faint num" }, `at ${watermark}`),
    nth > 1 && el("span", { class: "faint num" }, `attempt ${nth}`),
    error && el("span", { class: "soft" }, error),
    el("span", { class: "faint num" }, `${durationMs} ms`),
    el("span", { class: "faint" }, time(attemptedAt)),
  );
}

async function test(webhook) {
  await changing(async () => {
    const { messageId } = (await api.post(`/api/webhooks/${webhook.id}/test`)).data;
    const told = await outcome(webhook, messageId);
    if (!told) toast("It is on its way: see the last deliveries.");
    else if (told.error) toast(`The test failed: ${told.error}.`, { kind: "bad" });
    else toast(`The test was taken: ${told.status} in ${told.durationMs} ms.`, { kind: "good" });
  });
}

/** What became of a message; null when that is not known in time. */
async function outcome(webhook, messageId) {
  const until = Date.now() + PATIENCE_MS;
  while (Date.now() < until) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const told = (await api.get(`/api/webhooks/${webhook.id}/deliveries`)).data;
    if (shown.has(webhook.id)) shown.set(webhook.id, told);
    const found = told.find((one) => one.messageId === messageId);
    if (found) return found;
  }
  return null;
}

async function replay(webhook) {
  const after = el("input", { id: "after", class: "input num", type: "number", min: 0, max: webhook.head, value: webhook.cursor });
  const hint = el("p", { class: "hint" }, `It is at ${webhook.cursor} of ${webhook.head}. 0 is everything.`);
  const field = el("div", { class: "field" }, el("label", { for: "after" }, "Send again what follows"), after, hint);
  const buttons = [{ label: "Cancel", value: "" }, { label: "Replay", value: "yes", kind: "primary" }];
  if ((await ask({ title: "Replay", body: field, buttons })) !== "yes") return;
  await changing(() => api.post(`/api/webhooks/${webhook.id}/replay`, { after: Number(after.value) }), "It is sent again.");
}

function resume(webhook) {
  return changing(() => api.post(`/api/webhooks/${webhook.id}/replay`), "It goes on where it stopped.");
}

async function remove(webhook, title) {
  const text = "Nothing more is sent there, and its secret is forgotten.";
  if (!(await confirmed({ title: `Delete ${title}?`, text, action: "Delete", kind: "danger" }))) return;
  await changing(() => api.remove(`/api/webhooks/${webhook.id}`), "Deleted.");
}

async function changing(work, done) {
  try {
    await work();
    if (done) toast(done, { kind: "good" });
  } catch (error) {
    toast(error.errors?.after?.[0] ?? error.message, { kind: "bad" });
  }
  await load();
}

function open() {
  form.reset();
  complain(url, "");
  maker.showModal();
  url.focus();
}

async function make() {
  try {
    const { data } = await api.post("/api/webhooks", { url: url.value, name: name.value });
    maker.close();
    await load();
    await present(data);
  } catch (error) {
    complain(url, error.errors?.url?.[0] ?? error.message);
    url.focus();
  }
}

/** The secret is known only now. */
function present({ secret }) {
  const text = el("code", { id: "secret", class: "code", tabindex: "0" }, secret);
  const copied = () => navigator.clipboard.writeText(secret).then(() => toast("Copied.", { kind: "good" }), () => getSelection().selectAllChildren(text));
  const copy = el("button", { class: "button", type: "button", onclick: copied }, icon("copy"), " Copy");
  const body = el("div", { class: "secret-once" }, el("p", {}, "Your server verifies messages with this secret. Copy it now: it is not shown again."), text, copy);
  return ask({ title: "The webhook's secret", body, buttons: [{ label: "Done", value: "yes", kind: "primary" }] });
}
