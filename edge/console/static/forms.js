// Forms: sent once however often they are pressed, and what is wrong with a field said beside it.

/** The dialog of a `form_dialog` (templates/macros.html) and its form; whatever has the value "close" closes it. */
export function formDialog(id) {
  const dialog = document.getElementById(id);
  dialog.addEventListener("click", (event) => event.target.value === "close" && dialog.close());
  return [dialog, dialog.querySelector("form")];
}

/** Does `work` and shows that `element` is busy with it; nothing when it is busy already. */
export async function busily(element, work) {
  if (element.ariaBusy === "true") return undefined;
  element.ariaBusy = "true";
  try {
    return await work();
  } finally {
    element.ariaBusy = "false";
  }
}

/** Says beside `field` what is wrong with it; with "" that nothing is. */
export function complain(field, text) {
  field.setAttribute("aria-invalid", String(text !== ""));
  document.getElementById(`${field.id}-error`).textContent = text;
}

/** Does `work` when `form` is sent, unless it is at it already; a form in sight has a disabled button until then. */
export function onSubmit(form, work) {
  const button = form.querySelector("button:not([type=button])");
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    busily(button, work);
  });
  button.disabled = false;
}
