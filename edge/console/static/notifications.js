// What waits for the viewer, live; the devices and the webhooks that hear of it.

import { api } from "./api.js";
import { el, icon, keyed, replace } from "./dom.js";
import { live } from "./live.js";
import { startDevices } from "./push.js";
import { time } from "./times.js";
import { startWebhooks } from "./webhooks.js";

const TOPIC = "runtime.notifications";
const worker = ({ worker_id: id }) => ({ href: `/workers/${encodeURIComponent(id)}`, name: id });
const CAUSES = {
  approval_waiting: { tone: "warn", about: worker },
  worker_lost: { tone: "bad", about: worker },
  turn_unpaid: { tone: "bad", about: worker },
  budget_nearly_spent: {
    tone: "warn",
    about: ({ authorization_id: id }) => ({ href: `/budgets/${encodeURIComponent(id)}`, name: id }),
  },
  webhook_paused: { tone: "bad", about: () => ({ href: "#webhooks-title", name: "see below" }) },
};

const place = document.getElementById("open");
const rows = el("ul", { class: "rows" });
const open = new Map();

async function load() {
  const { data } = await api.get("/api/notifications");
  open.clear();
  for (const notice of data) open.set(notice.document_id, notice);
  show();
}

function change({ doc_key: key, payload }) {
  if (payload?.status === "open") open.set(key, payload);
  else open.delete(key);
  show();
}

function show() {
  const newest = [...open.values()].sort((one, other) => other.raised_at.localeCompare(one.raised_at));
  keyed(rows, newest, (notice) => notice.document_id, row);
  replace(place, newest.length ? rows : nothing());
  place.ariaBusy = "false";
}

function row({ cause, title, subject, raised_at: at }) {
  const { tone, about } = CAUSES[cause] ?? { tone: "info", about: () => ({ href: "/", name: cause }) };
  const { href, name } = about(subject);
  return el(
    "li",
    {},
    el(
      "a",
      { class: "row", href },
      el("span", { class: `dot ${tone}` }),
      el("div", { class: "row-main" }, el("span", { class: "row-title" }, title), el("span", { class: "row-sub clip" }, name)),
      el("span", { class: "row-side" }, time(at)),
    ),
  );
}

function nothing() {
  return el("div", { class: "empty" }, icon("check"), el("h3", {}, "Nothing waits for you"));
}

live().follow(TOPIC, { load, change });
startDevices();
startWebhooks();
