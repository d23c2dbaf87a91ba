// What this browser is woken by: its push subscription, and what the server knows of it.

import { api } from "./api.js";

const KNOWN_AS = "oa.push-subscription";

export async function subscription() {
  const registration = await navigator.serviceWorker?.getRegistration("/");
  return (await registration?.pushManager?.getSubscription()) ?? null;
}

/** Whoever is signed in here now is who this browser is for. */
export async function tell(subscribed) {
  const { endpoint, keys } = subscribed.toJSON();
  const { data } = await api.post("/api/push-subscriptions", { endpoint, keys, name: deviceName() });
  localStorage.setItem(KNOWN_AS, String(data.id));
}

export function isHere(device) {
  return String(device.id) === localStorage.getItem(KNOWN_AS);
}

/** This browser is woken no more. */
export async function forgetHere() {
  const id = localStorage.getItem(KNOWN_AS);
  if (id) await forget(id);
  localStorage.removeItem(KNOWN_AS);
  await (await subscription())?.unsubscribe();
}

/** It may be gone already. */
export async function forget(id) {
  try {
    await api.remove(`/api/push-subscriptions/${id}`);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

function deviceName() {
  const system = navigator.userAgentData?.platform ?? /iPhone|iPad|Android|Mac|Windows|Linux/.exec(navigator.userAgent)?.[0];
  const browser = /Firefox|Edg|OPR|Chrome|Safari/.exec(navigator.userAgent)?.[0].replace("Edg", "Edge").replace("OPR", "Opera");
  return [browser, system].filter(Boolean).join(" on ");
}
