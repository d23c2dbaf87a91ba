/** Blocks of a transcript as elements. A block that goes on says its words into the element that it has. */
import { countsOf, linesOf } from "./diffs.js";
import { el, icon, replace } from "./dom.js";
import { folding } from "./folding.js";
import { diff, output, prose } from "./prose.js";
import { clock, full } from "./times.js";

const TAIL_LINES = 14;
const HEAD_LINES = 40;
const SHELL = /^(?:\/usr)?(?:\/bin\/)?(?:ba|z|da)?sh -l?c (?:'((?:[^']|'\\'')*)'|"((?:[^"\\]|\\.)*)")$/s;

/**
 * The element of a block. `page` is what blocks need of the page: `opened` (keys of what the reader unfolded), `redraw(block)`,
 * `answer(approval, decision)` and, for messages that are on their way, `again(id)` and `discard(id)`.
 */
export function blockElement(block, before, page) {
  const element = before ?? el("article", { class: `block ${block.kind}`, tabindex: -1, "data-seq": block.seq, "data-key": block.key });
  element.classList.toggle("running", block.running === true);
  const [label, ...content] = BLOCKS[block.kind](block, page, element);
  element.setAttribute("aria-label", label);
  if (content[0].parentElement !== element) replace(element, content, anchor(block));
  return element;
}

/** Each block has an address of its own. */
function anchor(block) {
  if (!block.at) return null;
  return el("a", { class: "at num", href: `?at=${block.seq}`, title: full(block.at), "aria-label": `Link to this, ${clock(block.at)}` }, clock(block.at));
}

const BLOCKS = { user, pending, assistant, reasoning, command, changes, tool, plan, request, turn, end, note, error, raw: lines, erased };

// --- what people and agents say --------------------------------------------------------------------------------------

const STATES = {
  queued: ["Queued", ""],
  delivered: ["Delivered", "info"],
  running: ["Running", "accent"],
  done: ["Done", "good"],
  interrupted: ["Interrupted", "warn"],
  failed: ["Failed", "bad"],
  lost: ["Lost with its desktop", "bad"],
  expired: ["Expired", "warn"],
};

function user(block) {
  const [label, tone] = STATES[block.state];
  const who = block.from ? `from ${block.from}` : "at the desk";
  const head = el("p", { class: "block-head" }, el("strong", {}, "You"), el("span", {}, who), block.steers && el("span", {}, "· steers"), badge(label, tone));
  return [`Message ${who}: ${label}`, head, el("p", { class: "said" }, block.text), block.error && el("p", { class: "bad-text" }, block.error)];
}

/** On its way: it is in the log only when its own block takes this one's place. */
function pending(block, page) {
  const failed = block.error !== "";
  const buttons = el(
    "span",
    { class: "cluster" },
    el("button", { class: "button small", type: "button", onclick: () => page.again(block.messageId) }, "Edit"),
    el("button", { class: "button small quiet", type: "button", onclick: () => page.discard(block.messageId) }, "Discard"),
  );
  const label = failed ? "Not sent" : "Sending";
  const head = el("p", { class: "block-head" }, el("strong", {}, "You"), badge(label, failed ? "bad" : ""));
  return [`Message: ${label}`, head, el("p", { class: "said" }, block.text), failed && el("p", { class: "bad-text" }, block.error), failed && buttons];
}

function assistant(block, _, element) {
  const text = element.querySelector(":scope > .prose") ?? el("div", { class: "prose" });
  return ["Answer", prose(text, (block.partial && block.running ? "… " : "") + block.text)];
}

function reasoning(block, page) {
  const text = [...block.summary, ...block.content].filter(Boolean).join("\n\n");
  const first = text.split("\n", 1)[0].replace(/[*#]/g, "").trim();
  const summary = [el("span", {}, "Thought"), el("span", { class: "clip faint" }, first)];
  return ["Reasoning", folding(block.key, page, { summary, content: () => prose(el("div", { class: "prose soft" }), text) })];
}

function plan(block) {
  const steps = block.steps.map(({ text, status }) => el("li", { class: status }, el("span", { class: "hidden" }, `${status}: `), text));
  return ["Plan", head("check", "Plan"), block.text && prose(el("div", { class: "prose" }), block.text), steps.length > 0 && el("ul", { class: "steps" }, steps)];
}

// --- what agents do --------------------------------------------------------------------------------------------------

function command(block, page) {
  const shown = unwrapped(block.command);
  const title = el("code", { class: "command-line", title: block.command }, shown || "a command");
  const facts = [outcomeOf(block), block.durationMs > 0 && seconds(block.durationMs), block.cwd && folder(block.cwd)];
  const text = block.output.replace(/\n$/, "");
  return [
    `Command ${shown}`,
    el("p", { class: "block-head" }, icon("terminal"), title),
    el("p", { class: "facts" }, facts),
    ...asked(block, page),
    text && folded(block, page, text.split("\n"), (all) => el("pre", { class: "code output", tabindex: 0 }, output(all.join("\n"))), { tail: true }),
  ];
}

/** What the shell is given, without the shell. */
function unwrapped(command) {
  const [, single, double] = SHELL.exec(command) ?? [];
  return single?.replaceAll("'\\''", "'") ?? double?.replace(/\\([$`"\\])/g, "$1") ?? command;
}

function outcomeOf({ approvals, running, status, exitCode }) {
  if (running && approvals.some(({ decision }) => decision === null)) return badge("Waits for you", "warn");
  if (running) return badge("Running", "accent");
  if (status === "declined") return badge("Denied", "warn");
  if (typeof exitCode === "number") return badge(`exit ${exitCode}`, exitCode === 0 ? "good" : "bad");
  return { completed: badge("Done", "good"), failed: badge("Failed", "bad") }[status] ?? badge("Interrupted", "warn");
}

function changes(block, page) {
  const count = block.changes.length;
  const title = block.status === "completed" ? `Changed ${files(count)}` : `Change to ${files(count)}`;
  const state = block.status === "completed" && !block.running ? null : outcomeOf(block);
  return [
    title,
    el("p", { class: "block-head" }, icon("file"), el("strong", {}, title), state),
    ...asked(block, page),
    ...block.changes.map((change, place) => fileChange(change, `${block.key}/${place}`, block, page)),
    block.output && block.status === "failed" && el("pre", { class: "code output", tabindex: 0 }, output(block.output)),
  ];
}

function fileChange(change, key, block, page) {
  const told = linesOf(change);
  const { added, removed } = countsOf(told);
  const name = change.movedTo ? `${change.path} → ${change.movedTo}` : change.path;
  const counts = el("span", { class: "counts num" }, added > 0 && el("span", { class: "plus" }, `+${added}`), removed > 0 && el("span", { class: "minus" }, `−${removed}`));
  const kind = el("span", { class: "faint" }, { add: "new", delete: "removed", update: "" }[change.kind] ?? change.kind);
  const shown = told.length > 0 && folded({ ...block, key }, page, told, (some) => el("div", { class: "diff", tabindex: 0, role: "group", "aria-label": `Changes of ${name}` }, diff(some)), { tail: false, block });
  return el("div", { class: "file" }, el("p", { class: "code-head" }, el("code", { class: "clip path" }, name), kind, counts), shown);
}

function tool(block, page) {
  const title = block.title || block.name || "Tool";
  const detail = { arguments: block.input ?? undefined, result: block.result ?? undefined };
  const summary = [icon("tool"), el("span", {}, title), el("span", { class: "clip faint" }, block.running ? block.progress : ""), outcomeOf(block)];
  return [
    `Tool ${title}`,
    folding(block.key, page, { summary, content: () => json(detail) }),
    block.error && el("p", { class: "bad-text" }, block.error),
  ];
}

function asked(block, page) {
  return block.approvals.map((approval) => (approval.decision === null ? question(approval, page) : answer(approval)));
}

const CHOICES = { accept: ["Approve once", "primary"], accept_for_thread: ["Approve in this thread", ""], deny: ["Deny", "danger"] };

/** What is asked stands above and below it: command, folder and diff. */
function question(approval, page) {
  const offered = Object.keys(CHOICES).filter((choice) => approval.choices.includes(choice));
  const buttons = offered.map((choice) => {
    const [label, kind] = CHOICES[choice];
    return el("button", { class: `button ${kind}`, type: "button", "data-decision": choice, onclick: (event) => page.answer(approval, choice, event.currentTarget) }, label);
  });
  const what = approval.kind === "command" ? "Codex asks to run this command" : "Codex asks to change these files";
  return el(
    "div",
    { class: "question", role: "group", "aria-label": what, "data-approval": approval.approvalId },
    el("p", {}, icon("question"), el("strong", {}, what), approval.kind !== "command" && approval.cwd && folder(approval.cwd)),
    approval.reason && el("p", { class: "soft" }, approval.reason),
    el("div", { class: "cluster" }, buttons),
  );
}

const CAUSES = { silence: "nobody answered in time", interrupted: "the turn ended first", daemon_restarted: "the desktop started anew", stopped: "the worker was stopped" };

function answer({ decision, cause, by }) {
  const word = decision === "deny" ? "Denied" : decision === "accept" ? "Approved once" : "Approved in this thread";
  const why = CAUSES[cause] ?? (by ? `by ${by}` : "");
  return el("p", { class: "facts" }, badge(word, decision === "deny" ? "warn" : "good"), why);
}

// --- what happens around them ----------------------------------------------------------------------------------------

function turn(block) {
  const prompt = block.prompt && el("span", { class: "clip" }, block.prompt);
  return ["A turn begins", el("p", { class: "rule" }, el("span", {}, "Turn"), prompt)];
}

const ENDS = { completed: ["Done", "good"], interrupted: ["Interrupted", "warn"], failed: ["Failed", "bad"], lost: ["Lost", "bad"], over_limit: ["Over its limit", "bad"] };

function end({ turn: told }) {
  const outcome = told.usage?.outcome === "over_limit" ? "over_limit" : told.status;
  const [label, tone] = ENDS[outcome] ?? ["Running", "accent"];
  const took = told.durationMs ?? (told.endedAt && told.startedAt ? Date.parse(told.endedAt) - Date.parse(told.startedAt) : 0);
  const { total_tokens: total, input_tokens: input, output_tokens: made } = told.usage ?? {};
  const used = total !== undefined && el("span", { title: `${input} in, ${made} out` }, `${Number(total).toLocaleString()} tokens`);
  return [`The turn ended: ${label}`, el("p", { class: "facts num" }, badge(label, tone), took > 0 && seconds(took), used), told.error && !told.isReported && el("p", { class: "bad-text" }, told.error)];
}

function note({ text, detail, tone, seqs }) {
  const often = seqs.length > 1 && el("span", { class: "faint num" }, `${seqs.length} times`);
  return [text, el("p", { class: tone === "warn" ? "facts told warn-text" : "facts told" }, tone === "warn" && icon("warning"), el("span", {}, text), detail && el("span", { class: "faint" }, detail), often)];
}

function error({ text, detail, willRetry }) {
  return [`Error: ${text}`, el("div", { class: "notice bad" }, icon("warning"), el("div", {}, el("p", {}, text), detail && el("p", { class: "soft" }, detail), willRetry && el("p", { class: "soft" }, "It is tried again.")))];
}

const ASKED = { sent: ["Sent", ""], taken: ["Taken", "info"], answered: ["Answered", "good"], failed: ["Failed", "bad"] };

function request(block, page) {
  const [label, tone] = ASKED[block.state];
  const summary = [el("span", {}, block.by || "A client", " asked "), el("code", { class: "clip" }, block.method), badge(label, tone)];
  const detail = { params: block.params, ...(block.response !== null && { result: block.response }) };
  const shown = folding(block.key, page, { summary, content: () => json(detail) });
  return [`Request ${block.method}: ${label}`, shown, block.error && el("p", { class: "bad-text" }, block.error)];
}

function lines({ lines: told }) {
  const shown = told.map(({ seq, name, gist }) => el("li", {}, el("a", { href: `?at=${seq}&raw`, class: "num" }, seq), el("code", {}, name), el("span", { class: "clip" }, gist)));
  return [`${told.length} other events`, el("ul", { class: "raw-lines" }, shown)];
}

function erased({ lines: told }) {
  return ["Erased", el("p", { class: "facts warn-text" }, icon("trash"), `${told.length} ${told.length === 1 ? "event was" : "events were"} erased`)];
}

// --- parts -----------------------------------------------------------------------------------------------------------

function head(symbol, ...content) {
  return el("p", { class: "block-head" }, icon(symbol), content);
}

function json(value) {
  return el("pre", { class: "code", tabindex: 0 }, JSON.stringify(value, null, 2));
}

function badge(label, tone) {
  return el("span", { class: `badge ${tone}` }, label);
}

function folder(path) {
  return el("span", { class: "path" }, icon("folder"), el("code", {}, path));
}

function files(count) {
  return count === 1 ? "1 file" : `${count} files`;
}

/** "0.4 s", "12 s", "3 min 5 s". */
export function seconds(ms) {
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  const whole = Math.round(ms / 1000);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** Much output is shown in part, until the reader wants all of it. */
function folded(block, page, all, render, { tail, block: owner = block }) {
  const most = tail ? TAIL_LINES : HEAD_LINES;
  if (all.length <= most + 4 || page.opened.has(block.key)) return render(all);
  const shown = render(tail ? all.slice(-most) : all.slice(0, most));
  const open = () => {
    page.toggle(block.key);
    page.redraw(owner);
  };
  const more = el("button", { class: "button small quiet more", type: "button", onclick: open }, `Show all ${all.length} lines`);
  return tail ? [more, shown] : [shown, more];
}
