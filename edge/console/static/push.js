// The list of the viewer's devices, and the switch of this one.

import { api } from "./api.js";
import { forget, forgetHere, isHere, subscription, tell } from "./device.js";
import { confirmed } from "./dialogs.js";
import { el, icon, keyed, replace } from "./dom.js";
import { busily } from "./forms.js";
import { time } from "./times.js";
import { toast } from "./toast.js";

const WHY = {
  unsupported: "This browser cannot be woken while no page is open. On an iPhone or iPad, add the console to the home screen first.",
  unavailable: "This server pushes nothing: its operator has set no key.",
  denied: "This browser was told not to show notifications of this site. Allow them in its settings for this site, then come back.",
};

const list = document.getElementById("devices");
const rows = el("ul", { class: "rows" });
const enable = document.getElementById("enable");
const disable = document.getElementById("disable");
const permission = document.getElementById("permission");

/** Shows how it stands; a device that is enabled is told to the server once more, which may have forgotten it. */
export async function startDevices() {
  enable.addEventListener("click", () => busy(enable, enableHere));
  disable.addEventListener("click", () => busy(disable, forgetHere));
  const subscribed = await subscription();
  if (subscribed) await busy(disable, () => tell(subscribed));
  await refresh();
}

async function refresh() {
  const subscribed = await subscription();
  const reason = await obstacle();
  enable.hidden = Boolean(subscribed || reason);
  disable.hidden = !subscribed;
  permission.hidden = !reason;
  replace(permission, icon("info"), el("span", {}, WHY[reason] ?? ""));
  await load();
}

/** Why this device cannot be enabled; null when it can. */
async function obstacle() {
  if (!("serviceWorker" in navigator && "PushManager" in window)) return "unsupported";
  if (Notification.permission === "denied") return "denied";
  return (await key()) ? null : "unavailable";
}

async function key() {
  try {
    return (await api.get("/api/push/key")).data.key;
  } catch (error) {
    if (error.code === "push_unavailable") return null;
    throw error;
  }
}

async function enableHere() {
  if ((await Notification.requestPermission()) !== "granted") return;
  const registration = await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  await navigator.serviceWorker.ready;
  const applicationServerKey = await key();
  await tell(await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }));
  toast("This device is told from now on.", { kind: "good" });
}

async function load() {
  try {
    const devices = (await api.get("/api/push-subscriptions")).data;
    keyed(rows, devices, (device) => device.id, row);
    replace(list, devices.length ? rows : el("p", { class: "soft small" }, "No device is told yet."));
  } catch (error) {
    replace(list, el("p", { class: "notice bad", role: "alert" }, icon("warning"), error.message));
  }
  list.ariaBusy = "false";
}

function row(device) {
  const isThis = isHere(device);
  return el(
    "li",
    { class: "row" },
    el(
      "div",
      { class: "row-main" },
      el("div", { class: "row-title" }, device.name || "A browser", isThis && el("span", { class: "badge good" }, "this device")),
      el("div", { class: "row-sub" }, "enabled ", time(device.createdAt), device.lastError ? ` · ${device.lastError}` : told(device)),
    ),
    el("button", { class: "button danger small", type: "button", "aria-label": `Remove ${device.name}`, onclick: () => remove(device, isThis) }, "Remove"),
  );
}

function told({ lastDeliveredAt }) {
  return lastDeliveredAt ? [" · told ", time(lastDeliveredAt)] : null;
}

async function remove(device, isThis) {
  const text = "It is not told any more until it is enabled there again.";
  if (!(await confirmed({ title: `Remove ${device.name}?`, text, action: "Remove", kind: "danger" }))) return;
  await busy(list, () => (isThis ? forgetHere() : forget(device.id)));
}

async function busy(element, work) {
  try {
    await busily(element, work);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  await refresh();
}
