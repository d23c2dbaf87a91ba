// What every page has: theme switch, sign-out, shortcuts for the navigation.

import { api } from "./api.js";
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

document.getElementById("sign-out-everywhere")?.addEventListener("click", async () => {
  const text = "Every browser that is signed in as you has to sign in again, this one too. Tokens go on working.";
  if (!(await confirmed({ title: "Sign out everywhere?", text, action: "Sign out everywhere", kind: "danger" }))) return;
  try {
    await api.remove("/api/sessions");
    location.assign("/login");
  } catch (error) {
    toast(error.message, { kind: "bad" });
  }
});
