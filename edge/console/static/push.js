// Web Push on this device, and the list of the viewer's devices.

import { api } from "./api.js";
import { confirmed } from "./dialogs.js";
import { el, icon, keyed, replace } from "./dom.js";
import { busily } from "./forms.js";
import { time } from "./times.js";
import { toast } from "./toast.js";

const THIS_DEVICE = "oa.push-subscription";
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
  disable.addEventListener("click", () => busy(disable, disableHere));
  const subscription = await present();
  if (subscription) await busy(disable, () => tell(subscription));
  await refresh();
}

async function refresh() {
  const subscription = await present();
  const reason = await obstacle();
  enable.hidden = Boolean(subscription || reason);
  disable.hidden = !subscription;
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

async function present() {
  const registration = await navigator.serviceWorker?.getRegistration("/");
  return (await registration?.pushManager?.getSubscription()) ?? null;
}

async function enableHere() {
  if ((await Notification.requestPermission()) !== "granted") return;
  const registration = await navigator.serviceWorker.register("/sw.js", { scope: "/" });
  await navigator.serviceWorker.ready;
  const applicationServerKey = await key();
  await tell(await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey }));
  toast("This device is told from now on.", { kind: "good" });
}

async function disableHere() {
  const id = localStorage.getItem(THIS_DEVICE);
  await (await present())?.unsubscribe();
  if (id) await forget(id);
  localStorage.removeItem(THIS_DEVICE);
}

/** Whoever is signed in here now is who this browser is for. */
async function tell(subscription) {
  const { endpoint, keys } = subscription.toJSON();
  const { data } = await api.post("/api/push-subscriptions", { endpoint, keys, name: deviceName() });
  localStorage.setItem(THIS_DEVICE, String(data.id));
}

function deviceName() {
  const system = navigator.userAgentData?.platform ?? /iPhone|iPad|Android|Mac|Windows|Linux/.exec(navigator.userAgent)?.[0];
  const browser = /Firefox|Edg|OPR|Chrome|Safari/.exec(navigator.userAgent)?.[0].replace("Edg", "Edge").replace("OPR", "Opera");
  return [browser, system].filter(Boolean).join(" on ");
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
  const isThis = String(device.id) === localStorage.getItem(THIS_DEVICE);
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
  await busy(list, () => (isThis ? disableHere() : forget(device.id)));
}

/** It may be gone already. */
async function forget(id) {
  try {
    await api.remove(`/api/push-subscriptions/${id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

async function busy(element, work) {
  try {
    await busily(element, work);
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
  await refresh();
}
