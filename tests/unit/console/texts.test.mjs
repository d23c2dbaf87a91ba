// Diffs, terminal output and what agents write, as the transcript reads them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { countsOf, linesOf } from "./static/diffs.js";
import { blocksOf, spansOf } from "./static/markdown.js";
import { plain, runsOf } from "./static/terminal.js";

test("a unified diff is read from its first hunk", () => {
  const diff = "--- a/x\n+++ b/x\n@@ -1,2 +1,2 @@ def f\n same\n-old\n+new\n\\ No newline at end of file\n";
  const lines = linesOf({ kind: "update", diff });
  assert.deepEqual(lines.map(({ kind, text }) => [kind, text]), [
    ["hunk", "@@ -1,2 +1,2 @@ def f"],
    ["same", "same"],
    ["removed", "old"],
    ["added", "new"],
    ["same", "\\ No newline at end of file"],
  ]);
  assert.deepEqual(countsOf(lines), { added: 1, removed: 1 });
});

test("a new or removed file is all added or all removed", () => {
  assert.deepEqual(linesOf({ kind: "add", diff: "one\n+two\n" }), [{ kind: "added", text: "one" }, { kind: "added", text: "+two" }]);
  assert.deepEqual(countsOf(linesOf({ kind: "delete", diff: "one\n" })), { added: 0, removed: 1 });
  assert.deepEqual(linesOf({ kind: "add", diff: "" }), []);
});

test("colours become classes, other sequences nothing", () => {
  assert.deepEqual(runsOf("a\x1b[1;31mred\x1b[0m\x1b[2K b\x1b]0;title\x07\x1b[92mgreen\x1b[39m!"), [
    { text: "a", classes: "" },
    { text: "red", classes: "ansi-red ansi-bold" },
    { text: " b", classes: "" },
    { text: "green", classes: "ansi-green" },
    { text: "!", classes: "" },
  ]);
  assert.equal(plain("50%\r100%\r\nend\x08\x00\x1b[?25h"), "100%\nend");
  assert.equal(plain("\x1b[38;5;200mx"), "x");
});

test("paragraphs, headings, fences, quotes and lists", () => {
  const text = "# Title\nOne\ntwo\n\n```js\nlet a;\n\n```\n- x\n  more\n  - y\n1. z\n> said\n> so";
  assert.deepEqual(blocksOf(text).map(({ kind, text: code, items, level, language }) => [kind, code ?? items?.map(({ depth }) => depth) ?? level, language].filter((part) => part !== undefined)), [
    ["heading", 1],
    ["paragraph"],
    ["code", "let a;\n", "js"],
    ["list", [0, 1, 0]],
    ["quote"],
  ]);
});

test("code and links in a line; only what leads to the web or to mail is a link", () => {
  assert.deepEqual(spansOf("see `a*b*` **now** [docs](https://x.test/a) or [no](javascript:alert(1)), https://y.test/b."), [
    { kind: "text", text: "see " },
    { kind: "code", text: "a*b*" },
    { kind: "text", text: " " },
    { kind: "strong", text: "now" },
    { kind: "text", text: " " },
    { kind: "link", text: "docs", href: "https://x.test/a" },
    { kind: "text", text: " or [no](javascript:alert(1)), " },
    { kind: "link", text: "https://y.test/b", href: "https://y.test/b" },
    { kind: "text", text: "." },
  ]);
  assert.deepEqual(spansOf("[x](JavaScript:y)"), [{ kind: "text", text: "[x](JavaScript:y)" }]);
  assert.deepEqual(spansOf("2 * 3 * 4 and snake_case_name"), [{ kind: "text", text: "2 * 3 * 4 and snake_case_name" }]);
});

test("while a text grows, only its last two blocks change", () => {
  const text = "Intro\n\n- one\n- two\n\n```py\nx = 1\n```\nEnd";
  for (let length = 1; length < text.length; length += 1) {
    const before = blocksOf(text.slice(0, length));
    const after = blocksOf(text.slice(0, length + 1));
    assert.deepEqual(after.slice(0, Math.max(before.length - 2, 0)), before.slice(0, -2));
  }
});
