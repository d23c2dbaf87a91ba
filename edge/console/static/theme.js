// Light, dark, or as the system has it: a cookie, so that the server renders the page in the right one at once.

const COOKIE = "oa_theme";
const YEAR_S = 31536000;

/** "light", "dark", or "" for the system's. */
export function theme() {
  return document.documentElement.dataset.theme ?? "";
}

/** From now on, on all pages of this browser. */
export function setTheme(chosen) {
  if (chosen) document.documentElement.dataset.theme = chosen;
  else delete document.documentElement.dataset.theme;
  document.cookie = `${COOKIE}=${chosen}; path=/; max-age=${chosen ? YEAR_S : 0}; samesite=lax`;
}
