// Sign-in: an address, then the code that was sent to it (edge §2.1).

import { api } from "./api.js";
import { busily, complain, onSubmit } from "./forms.js";

const RESEND_AFTER_S = 30;
const CODE = /^\d{6}$/;

const page = document.querySelector(".login");
const emailStep = document.getElementById("email-step");
const codeStep = document.getElementById("code-step");
const { email } = emailStep.elements;
const { code } = codeStep.elements;
const resend = document.getElementById("resend");
let countdown = 0;

/** What goes wrong with `work` is said beside the field. */
async function trying(field, work) {
  complain(field, "");
  try {
    await work();
  } catch (error) {
    complain(field, reason(error, field.name));
    field.focus();
    field.select();
  }
}

function reason(error, name) {
  if (error.status === 429) return `Too many attempts. Try again in ${error.retryAfter ?? 60} s.`;
  return error.errors?.[name]?.[0] ?? error.message;
}

async function sendCode() {
  await api.post("/api/auth/email", { email: email.value });
  document.getElementById("sent-to").textContent = email.value.trim();
  waitToResend(RESEND_AFTER_S);
}

async function signIn() {
  await api.post("/api/auth/verify", { code: digits() });
  location.replace(page.dataset.then + location.hash);
}

function digits() {
  return code.value.replace(/\s/g, "");
}

function show(step, field) {
  emailStep.hidden = step !== emailStep;
  codeStep.hidden = step !== codeStep;
  complain(field, "");
  field.focus();
}

function waitToResend(seconds) {
  clearInterval(countdown);
  const until = Date.now() + seconds * 1000;
  function tick() {
    const left = Math.ceil((until - Date.now()) / 1000);
    resend.disabled = left > 0;
    resend.textContent = left > 0 ? `Send again in ${left} s` : "Send again";
    if (left <= 0) clearInterval(countdown);
  }
  countdown = setInterval(tick, 250);
  tick();
}

async function ask() {
  await sendCode();
  code.value = "";
  show(codeStep, code);
}

onSubmit(emailStep, () => trying(email, ask));
onSubmit(codeStep, () => trying(code, signIn));

code.addEventListener("input", () => {
  complain(code, "");
  if (CODE.test(digits())) codeStep.requestSubmit();
});

// a code may be pasted anywhere on the page, with blanks or a sentence around it
document.addEventListener("paste", (event) => {
  const found = event.clipboardData.getData("text").match(/(?<!\d)\d{3}[ -]?\d{3}(?!\d)/);
  if (codeStep.hidden || !found) return;
  event.preventDefault();
  code.value = found[0].replace(/\D/g, "");
  codeStep.requestSubmit();
});

resend.addEventListener("click", () => busily(resend, () => trying(code, ask)));

document.getElementById("other-address").addEventListener("click", () => show(emailStep, email));
