/**
 * What agents write, as paragraphs, headings, lists, quotes and code: a small part of Markdown, read into plain values.
 *
 * Blocks are {kind: "paragraph"|"heading"|"quote", spans}, {kind: "code", language, text} and {kind: "list", ordered, start, items}, where an
 * item is {depth, spans}. Spans are {kind: "text"|"code"|"strong"|"emphasis", text} and {kind: "link", text, href}. Text that is
 * still streaming is read the same way: what was read stays, but for the last two blocks.
 */

const FENCE = /^ {0,3}(`{3,}|~{3,})\s*([\w+#.-]*)/;
const HEADING = /^(#{1,6})\s+(.*?)\s*#*$/;
const ITEM = /^(\s*)([-*+]|\d{1,9}[.)])\s+(.*)$/;
const QUOTE = /^>\s?(.*)$/;
const SPAN = /(`+)(.+?)\1(?!`)|\*\*(\S(?:.*?\S)?)\*\*|(?<![\w*])\*(\S(?:[^*]*?\S)?)\*(?![\w*])|\[([^\]\n]+)\]\(([^()\s]+)\)|(https?:\/\/[^\s<>"'`)\]]+[^\s<>"'`)\].,;:!?])/g;

/** The blocks of a text, each with its `source`. */
export function blocksOf(text) {
  const blocks = [];
  const lines = text.split("\n");
  for (let at = 0; at < lines.length; ) {
    const [block, next] = lines[at].trim() === "" ? [null, at + 1] : blockAt(lines, at);
    if (block) blocks.push({ ...block, source: lines.slice(at, next).join("\n") });
    at = next;
  }
  return blocks;
}

function blockAt(lines, at) {
  const fence = FENCE.exec(lines[at]);
  if (fence) return code(lines, at, fence);
  const heading = HEADING.exec(lines[at]);
  if (heading) return [{ kind: "heading", level: heading[1].length, spans: spansOf(heading[2]) }, at + 1];
  if (ITEM.test(lines[at])) return list(lines, at);
  if (QUOTE.test(lines[at])) return quote(lines, at);
  const next = until(lines, at + 1, beginsBlock);
  return [{ kind: "paragraph", spans: spansOf(lines.slice(at, next).join("\n")) }, next];
}

function code(lines, at, [, mark, language]) {
  const end = until(lines, at + 1, (line) => line.trim().startsWith(mark) && line.trim().replaceAll(mark[0], "") === "");
  return [{ kind: "code", language, text: lines.slice(at + 1, end).join("\n") }, end + 1];
}

function list(lines, at) {
  const items = [];
  const [, , mark] = ITEM.exec(lines[at]);
  let next = at;
  for (; next < lines.length; next += 1) {
    const item = ITEM.exec(lines[next]);
    const goesOn = !item && /^\s+\S/.test(lines[next]) && !FENCE.test(lines[next].trimStart());
    if (item) items.push({ depth: Math.min(Math.floor(item[1].length / 2), 3), text: item[3] });
    else if (goesOn) items.at(-1).text += `\n${lines[next].trim()}`;
    else break;
  }
  const ordered = /\d/.test(mark);
  const told = items.map(({ depth, text }) => ({ depth, spans: spansOf(text) }));
  return [{ kind: "list", ordered, start: ordered ? Number.parseInt(mark, 10) : 1, items: told }, next];
}

function quote(lines, at) {
  const next = until(lines, at, (line) => !QUOTE.test(line));
  return [{ kind: "quote", spans: spansOf(lines.slice(at, next).map((line) => QUOTE.exec(line)[1]).join("\n")) }, next];
}

function beginsBlock(line) {
  return line.trim() === "" || FENCE.test(line) || HEADING.test(line) || ITEM.test(line) || QUOTE.test(line);
}

function until(lines, from, holds) {
  const found = lines.slice(from).findIndex(holds);
  return found === -1 ? lines.length : from + found;
}

/** Only http and mail addresses become links. */
export function spansOf(text) {
  const spans = [];
  let from = 0;
  for (const found of text.matchAll(SPAN)) {
    if (found.index > from) spans.push({ kind: "text", text: text.slice(from, found.index) });
    spans.push(spanOf(found));
    from = found.index + found[0].length;
  }
  if (from < text.length) spans.push({ kind: "text", text: text.slice(from) });
  return spans;
}

function spanOf([whole, , code, strong, emphasis, label, href, address]) {
  if (code !== undefined) return { kind: "code", text: code.replace(/^ (.*) $/, "$1") };
  if (strong !== undefined) return { kind: "strong", text: strong };
  if (emphasis !== undefined) return { kind: "emphasis", text: emphasis };
  if (address !== undefined) return { kind: "link", text: address, href: address };
  return /^(https?:|mailto:)/i.test(href) ? { kind: "link", text: label, href } : { kind: "text", text: whole };
}
