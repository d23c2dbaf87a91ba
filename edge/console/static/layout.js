// What every page has: theme switch, sign-out, shortcuts for the navigation.

import { api } from "./api.js";
import { forgetHere } from "./device.js";
import { confirmed } from "./dialogs.js";
import { listShortcuts, shortcut } from "./shortcuts.js";
import { setTheme, theme } from "./theme.js";
import { toast } from "./toast.js";

for (const choice of document.querySelectorAll("input[name=theme]")) {
  choice.checked = choice.value === theme();
  choice.addEventListener("change", () => setTheme(choice.value));
}

for (const link of document.querySelectorAll("#nav a")) {
  const name = link.textContent.trim();
  shortcut(`g ${name[0].toLowerCase()}`, `Go to ${name}`, () => link.click());
}

document.getElementById("shortcuts")?.addEventListener("click", listShortcuts);

const signOut = document.querySelector("form[action='/logout']");
signOut?.addEventListener("submit", async (event) => {
  event.preventDefault();
  await forgetHere().catch(() => {}); // whatever comes of it, who signs out is signed out
  signOut.submit();
});

document.getElementById("sign-out-everywhere")?.addEventListener("click", async () => {
  const text = "Every browser that is signed in as you has to sign in again, this one too, and none is told anything more. Tokens go on working.";
  if (!(await confirmed({ title: "Sign out everywhere?", text, action: "Sign out everywhere", kind: "danger" }))) return;
  try {
    await forgetHere();
    await api.remove("/api/sessions");
    location.assign("/login");
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
});
