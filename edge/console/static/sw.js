// Notifications for a closed tab: shows what is pushed, sends the answer of a button, opens the page that it is about.

const ICON = "/static/latest/icon-192.png";
const ACTIONS = [
  { action: "approve", title: "Approve once" },
  { action: "deny", title: "Deny" },
];
const PAGES = {
  approval_waiting: ({ worker_id }) => `/workers/${encodeURIComponent(worker_id)}`,
  worker_lost: ({ worker_id }) => `/workers/${encodeURIComponent(worker_id)}`,
  turn_unpaid: ({ worker_id }) => `/workers/${encodeURIComponent(worker_id)}`,
  budget_nearly_spent: ({ authorization_id }) => `/budgets/${encodeURIComponent(authorization_id)}`,
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("push", (event) => event.waitUntil(show(event.data.json())));
self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil(clicked(event.action, event.notification.data));
});

function show({ id, notification, approval, answers }) {
  return self.registration.showNotification(approval ? question(approval) : notification.title, {
    body: approval ? about(approval) : subject(notification.subject),
    tag: notification.notification_id,
    icon: ICON,
    actions: answers ? ACTIONS : [],
    requireInteraction: Boolean(answers),
    data: { id, answers, page: page(notification) },
  });
}

function question({ kind, command }) {
  return kind === "command" && command ? "Run this command?" : "Change these files?";
}

function about({ command, paths = [], cwd, reason }) {
  return [command ?? paths.join("\n"), cwd, reason].filter(Boolean).join("\n");
}

function subject({ worker_id, authorization_id }) {
  return worker_id ?? authorization_id ?? "";
}

function page({ cause, subject: ids }) {
  return PAGES[cause]?.(ids) ?? "/notifications";
}

async function clicked(action, { id, answers, page: address }) {
  if (!answers?.[action]) return open(address);
  const path = new URL(answers[action]).pathname;
  if (!(await answered(path, id))) await tryAgain(path, id);
}

/** The link is the credential, so nothing else goes along. The same message answers once, however often it is tried. */
async function answered(path, attempt) {
  const headers = { accept: "application/json", "content-type": "application/json" };
  const body = JSON.stringify({ attempt });
  try {
    const response = await fetch(path, { method: "POST", headers, body, credentials: "omit", referrerPolicy: "no-referrer" });
    return response.ok;
  } catch {
    return false;
  }
}

/** The link's own page says why, and has the button again. */
function tryAgain(path, id) {
  return self.registration.showNotification("The answer did not get through", {
    body: "Open to see why, and to try again.",
    tag: `answer/${id}`,
    icon: ICON,
    data: { id, answers: null, page: path },
  });
}

async function open(address) {
  const url = new URL(address, self.location.origin).href;
  const windows = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
  const shown = windows.find((client) => client.url === url);
  return shown ? shown.focus() : self.clients.openWindow(url);
}
