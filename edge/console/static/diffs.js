/** A change of a file, line by line. */

/**
 * Lines of a unified diff, or of a whole new or removed file: [{kind: "added"|"removed"|"same"|"hunk", text}].
 * `change` is {kind, diff} of an item; what stands before the first hunk repeats the file's name and is left out.
 */
export function linesOf({ kind, diff }) {
  const lines = diff.replace(/\n$/, "").split("\n");
  if (diff === "") return [];
  const first = lines.findIndex((line) => line.startsWith("@@"));
  if (first === -1) return lines.map((text) => ({ kind: WHOLE[kind] ?? "same", text }));
  return lines.slice(first).map(lineOf);
}

/** How many lines a change adds and removes. */
export function countsOf(lines) {
  const count = (kind) => lines.filter((line) => line.kind === kind).length;
  return { added: count("added"), removed: count("removed") };
}

/** The sign that a line is shown with, so that its colour says nothing that words do not. */
export const SIGNS = { added: "+", removed: "−", same: " ", hunk: "" };

const WHOLE = { add: "added", delete: "removed" };
const MARKS = { "+": "added", "-": "removed", " ": "same" };

function lineOf(line) {
  if (line.startsWith("@@")) return { kind: "hunk", text: line };
  const kind = MARKS[line[0]];
  return kind ? { kind, text: line.slice(1) } : { kind: "same", text: line };
}
