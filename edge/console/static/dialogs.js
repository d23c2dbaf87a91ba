// Questions that have to be answered first, in the browser's own modal dialog: Escape and a click beside it say no.

import { el } from "./dom.js";

/**
 * Shows a modal dialog and resolves with the `value` of the button it was closed by, or with "" when it was dismissed.
 * `buttons` are `{label, value, kind}`; the last one is the main one, `kind` is "primary" or "danger".
 */
export function ask({ title, body = [], buttons }) {
  return new Promise((resolve) => {
    const dialog = el(
      "dialog",
      { class: "dialog", "aria-labelledby": "dialog-title", onclose: closed, onclick: dismissedBeside },
      el("form", { method: "dialog" }, heading(title), el("div", { class: "dialog-body" }, body), actions(buttons)),
    );
    function closed() {
      dialog.remove();
      resolve(dialog.returnValue);
    }
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Whether the viewer says yes to `action` ("Stop worker"); `kind` "danger" when it cannot be undone. */
export async function confirmed({ title, text, action, kind = "primary" }) {
  const buttons = [{ label: "Cancel", value: "" }, { label: action, value: "yes", kind }];
  return (await ask({ title, body: el("p", {}, text), buttons })) === "yes";
}

function heading(title) {
  return el("h2", { id: "dialog-title", class: "dialog-title" }, title);
}

function actions(buttons) {
  const made = buttons.map(({ label, value, kind }, place) =>
    el("button", { class: kind ? `button ${kind}` : "button", value, autofocus: place === buttons.length - 1 }, label),
  );
  return el("div", { class: "dialog-actions" }, made);
}

function dismissedBeside(event) {
  if (event.target === event.currentTarget) event.currentTarget.close("");
}
