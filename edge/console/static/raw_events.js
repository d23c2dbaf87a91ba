/** Events as they are in the log: one line each, and all of it when the reader opens it. */
import { el, icon } from "./dom.js";
import { folding } from "./folding.js";
import { clock, full } from "./times.js";
import { toast } from "./toast.js";
import { nameOf } from "./transcript.js";
import { gist } from "./transcript_raw.js";

/** As the virtual list wants them. */
export function rawItems(events) {
  return events.map((event) => ({ key: `event:${event.seq}`, kind: "event", seq: event.seq, revision: 0, event }));
}

/** `page` as for folding. */
export function rawElement({ event, key }, page) {
  const summary = [
    el("span", { class: "seq num" }, event.seq),
    el("span", { class: "num faint", title: event.at && full(event.at) }, event.at && clock(event.at)),
    el("code", {}, nameOf(event)),
    el("span", { class: "clip faint" }, event.erased ? "erased" : gist(event)),
  ];
  const details = folding(key, page, { className: "raw-event", summary, content: () => opened(event) });
  return el("article", { class: "block event", tabindex: -1, "aria-label": `Event ${event.seq}`, "data-seq": event.seq, "data-key": key }, details);
}

function opened(event) {
  const { seq, type, at, payload } = event;
  const text = JSON.stringify({ seq, event_type: type, occurred_at: at, payload }, null, 2);
  const copy = async () => {
    await navigator.clipboard.writeText(text);
    toast("Copied");
  };
  const actions = el(
    "p",
    { class: "code-head" },
    el("a", { href: `?at=${seq}&raw` }, icon("link"), " Link"),
    navigator.clipboard && el("button", { class: "button small quiet", type: "button", onclick: copy }, icon("copy"), "Copy"),
  );
  return [actions, el("pre", { class: "code json", tabindex: 0 }, text)];
}
