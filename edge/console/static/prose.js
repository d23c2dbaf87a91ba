/** Text of agents and programs as elements: Markdown, coloured output, diffs. Nothing here is ever read as markup. */
import { SIGNS } from "./diffs.js";
import { el } from "./dom.js";
import { blocksOf } from "./markdown.js";
import { runsOf } from "./terminal.js";

const sources = new WeakMap();

/** Makes `parent` show the text; what did not change is left alone, so that a growing text does not flicker. */
export function prose(parent, text) {
  blocksOf(text).forEach((block, place) => {
    const there = parent.children[place];
    if (there && sources.get(there) === block.source) return;
    const fresh = MADE[block.kind](block);
    sources.set(fresh, block.source);
    if (there) there.replaceWith(fresh);
    else parent.append(fresh);
  });
  const count = blocksOf(text).length;
  while (parent.children.length > count) parent.lastElementChild.remove();
  return parent;
}

const MADE = {
  paragraph: ({ spans }) => el("p", {}, spans.map(spanned)),
  heading: ({ spans }) => el("p", { class: "prose-heading" }, spans.map(spanned)),
  quote: ({ spans }) => el("blockquote", {}, spans.map(spanned)),
  code: ({ text, language }) => el("pre", { class: "code", "data-language": language || null, tabindex: 0 }, el("code", {}, text)),
  list: ({ ordered, start, items }) =>
    el(ordered ? "ol" : "ul", ordered && start !== 1 ? { start } : {}, items.map(({ depth, spans }) => el("li", { class: depth ? `depth-${depth}` : null }, spans.map(spanned)))),
};

function spanned({ kind, text, href }) {
  if (kind === "code") return el("code", {}, text);
  if (kind === "strong") return el("strong", {}, text);
  if (kind === "emphasis") return el("em", {}, text);
  if (kind === "link") return el("a", { href, target: "_blank", rel: "noopener noreferrer nofollow" }, text);
  return text;
}

/** What a program wrote, with its colours. */
export function output(text) {
  return runsOf(text).map((run) => (run.classes ? el("span", { class: run.classes }, run.text) : run.text));
}

/** Lines of `linesOf`, each with its sign. */
export function diff(lines) {
  return lines.map(({ kind, text }) => el("span", { class: kind }, kind === "hunk" ? text : `${SIGNS[kind]} ${text}`));
}
