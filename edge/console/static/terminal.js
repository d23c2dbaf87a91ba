/** What programs write to a terminal, as text with colours: of the control sequences only colours and returns mean something here. */

const SEQUENCE = /\x1b\[([0-9;:]*)m|\x1b\[[0-9;:?<=>]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[@-Z\\-_]|\x1b[()][0-9A-Za-z]|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]/g;
const COLOURS = ["black", "red", "green", "yellow", "blue", "magenta", "cyan", "white"];

/** Runs of text: [{text, classes}], with the names of the console's own colours. */
export function runsOf(output) {
  const runs = [];
  let style = { colour: "", bold: false, dim: false };
  let from = 0;
  const text = lastWritten(output);
  for (const found of text.matchAll(SEQUENCE)) {
    push(runs, text.slice(from, found.index), style);
    from = found.index + found[0].length;
    if (found[1] !== undefined) style = found[1].split(";").reduce(styled, style);
  }
  push(runs, text.slice(from), style);
  return runs;
}

/** The text alone. */
export function plain(output) {
  return runsOf(output).map(({ text }) => text).join("");
}

/** A return without a new line writes over the line, as progress bars do. */
function lastWritten(output) {
  const lines = output.replace(/\r+\n/g, "\n").split("\n");
  return lines.map((line) => (line.includes("\r") ? line.replace(/\r+$/, "").split("\r").at(-1) : line)).join("\n");
}

function push(runs, text, style) {
  if (!text) return;
  const classes = classesOf(style);
  const last = runs.at(-1);
  if (last?.classes === classes) last.text += text;
  else runs.push({ text, classes });
}

function classesOf({ colour, bold, dim }) {
  return [colour && `ansi-${colour}`, bold && "ansi-bold", dim && "ansi-dim"].filter(Boolean).join(" ");
}

function styled(style, code) {
  const number = Number(code);
  if (number === 0) return { colour: "", bold: false, dim: false };
  if (number === 1) return { ...style, bold: true };
  if (number === 2) return { ...style, dim: true };
  if (number === 22) return { ...style, bold: false, dim: false };
  if (number === 39) return { ...style, colour: "" };
  const colour = COLOURS[number >= 90 ? number - 90 : number - 30];
  return colour ? { ...style, colour } : style;
}
