// Keyboard shortcuts: single keys, sequences ("g w") and chords ("mod+enter", where mod is Ctrl, on a Mac ⌘).

import { ask } from "./dialogs.js";
import { el } from "./dom.js";

const SEQUENCE_MS = 1000;
const MAC = /Mac|iPhone|iPad/.test(navigator.platform);
const NAMES = { mod: MAC ? "⌘" : "Ctrl", shift: "Shift", enter: "Enter", escape: "Esc", up: "↑", down: "↓" };
const KEYS = { arrowup: "up", arrowdown: "down", " ": "space" };

const known = new Map();
let pressed = { keys: "", at: 0 };

/**
 * `action(event)` runs when `keys` are pressed, and `?` lists it as `label`. While somebody types only chords with mod
 * and Escape count. Returns what takes it away again.
 */
export function shortcut(keys, label, action) {
  known.set(keys, { label, action });
  return () => known.delete(keys);
}

document.addEventListener("keydown", (event) => {
  if (event.isComposing || event.repeat || document.querySelector("dialog[open]")) return;
  const key = named(event);
  if (typing(event.target) && !key.startsWith("mod+") && key !== "escape") return;
  const sequence = event.timeStamp - pressed.at < SEQUENCE_MS ? `${pressed.keys} ${key}`.trim() : key;
  const found = known.get(sequence) ?? known.get(key);
  pressed = found ? { keys: "", at: 0 } : { keys: key, at: event.timeStamp };
  if (!found) return;
  event.preventDefault();
  found.action(event);
});

function named(event) {
  const key = event.key.toLowerCase();
  const chord = [(event.ctrlKey || event.metaKey) && "mod", event.altKey && "alt", event.shiftKey && key.length > 1 && "shift"];
  return [...chord.filter(Boolean), KEYS[key] ?? key].join("+");
}

function typing(element) {
  return element instanceof HTMLElement && (element.isContentEditable || element.matches("input, textarea, select"));
}

function shown(keys) {
  return keys.split(/([ +])/).map((part) => {
    if (part === " ") return el("span", { class: "faint" }, " then ");
    return part === "+" ? " " : el("kbd", {}, NAMES[part] ?? part.toUpperCase());
  });
}

/** Shows them all. */
export function listShortcuts() {
  const rows = [...known].map(([keys, { label }]) => [el("dt", {}, label), el("dd", {}, shown(keys))]);
  ask({ title: "Keyboard shortcuts", body: el("dl", { class: "shortcuts" }, rows), buttons: [{ label: "Close", value: "" }] });
}

shortcut("?", "Keyboard shortcuts", listShortcuts);
