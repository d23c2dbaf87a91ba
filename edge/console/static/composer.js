/** Where people write to the agent: the draft is kept, and what is sent goes through the outbox. */

const DRAFT_EVERY_MS = 200;
const EXPIRIES_S = { "": null, 300: 300, 3600: 3600, 86400: 86400 };

/**
 * `form` has a textarea, `[name=expires]`, `[name=mode]` and a submit button; `storage` keeps the draft under `key`.
 * `send({text, mode, expiresAt})` is called for what is not empty.
 */
export class Composer {
  #form;
  #storage;
  #key;
  #timer = null;

  constructor(form, { storage, key, send }) {
    this.#form = form;
    this.#storage = storage;
    this.#key = key;
    this.#text.value ||= storage.getItem(key) ?? ""; // whoever is quick has begun already
    this.#text.addEventListener("input", () => this.#typed());
    addEventListener("pagehide", () => this.#keep());
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      this.submit(send);
    });
    this.#fit();
  }

  get #text() {
    return this.#form.elements.text;
  }

  /** Puts text into the draft, before what is there. */
  edit(text) {
    this.#text.value = [text, this.#text.value].filter(Boolean).join("\n");
    this.#typed();
    this.#text.focus();
  }

  focus() {
    this.#text.focus();
  }

  submit(send) {
    const text = this.#text.value;
    if (!text.trim() || this.#form.elements.submit.disabled) return;
    const { expires, mode } = this.#form.elements;
    const seconds = EXPIRIES_S[expires.value];
    const expiresAt = seconds ? new Date(Date.now() + seconds * 1000).toISOString() : null;
    this.#text.value = "";
    this.#typed();
    this.#keep();
    send({ text, mode: !mode.closest("[hidden]") && mode.checked ? "steer" : null, expiresAt });
  }

  /** `state` is {disabled, busy, hint}: why nothing can be sent, or that a turn runs, in words. */
  show({ disabled, busy, hint }) {
    const { submit, mode } = this.#form.elements;
    submit.disabled = disabled;
    mode.closest("label").hidden = !busy;
    const told = this.#form.querySelector(".composer-hint");
    if (told.textContent !== hint) told.textContent = hint;
  }

  #typed() {
    this.#fit();
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#keep(), DRAFT_EVERY_MS);
  }

  #keep() {
    clearTimeout(this.#timer);
    if (this.#text.value) this.#storage.setItem(this.#key, this.#text.value);
    else this.#storage.removeItem(this.#key);
  }

  #fit() {
    this.#text.rows = Math.min(Math.max(this.#text.value.split("\n").length, 1), 8);
  }
}
