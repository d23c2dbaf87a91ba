// A run's events as blocks, amounts of money, and refusals in plain words.
import assert from "node:assert/strict";
import { test } from "node:test";
import { asked, firedRule, why } from "./static/denials.js";
import { folded, OWN_FRAMES } from "./static/run_transcript.js";
import { grouped, limit, sats } from "./static/sats.js";

const AT = "2026-02-25T12:00:00.000000Z";

function events(...told) {
  return told.map(([event_type, payload], place) => ({ seq: place + 1, event_type, payload, occurred_at: AT }));
}

function kinds(transcript) {
  return transcript.blocks.map(({ kind }) => kind);
}

test("words that follow one another are one text, and what a person said stands by itself", () => {
  const own = (delta) => ["run.delta", { delta, frame_id: `${OWN_FRAMES}1` }];
  const { blocks } = folded(events(["run.delta", { delta: "Bon" }], ["text.delta", { text: "jour" }], own("hi"), own("there"), ["run.delta", { delta: "!" }]));
  assert.deepEqual(blocks.map(({ kind, text }) => [kind, text]), [
    ["words", "Bonjour"],
    ["said", "hi"],
    ["said", "there"],
    ["words", "!"],
  ]);
});

test("a tool call has its progress and result, whatever comes between", () => {
  const transcript = folded(
    events(
      ["tool.call", { tool_call_id: "a", tool_name: "shell", input: { command: "ls" } }],
      ["tool.call", { tool_call_id: "b", tool_name: "fetch" }],
      ["tool.progress", { tool_call_id: "a", progress: 0.5 }],
      ["tool.result", { tool_call_id: "a", status: "succeeded" }],
    ),
  );
  const [a, b] = transcript.blocks;
  assert.deepEqual([a.name, a.input, a.progress, a.result.status], ["shell", { command: "ls" }, 0.5, "succeeded"]);
  assert.deepEqual([b.name, b.result], ["fetch", undefined]);
  assert.deepEqual([a.revision, transcript.blockAt(3)], [4, a]);
});

test("a spend request has its answer and why it was refused; other decisions stand by themselves", () => {
  const request = (frame_id, tool_call_id) => ["run.frame_consumed", { frame_id, frame_type: "spend_request", payload: { operation: "reserve", tool_call_id, amount_sats: 5 } }];
  const decision = (id, tool_call_id) => [["policy.decision", { policy_decision_id: id, tool_call_id }], ["policy.budget_exhausted", { policy_decision_id: id, tool_call_id }]];
  const { blocks } = folded(
    events(
      request("f1", "a"),
      request("f2", "b"),
      ...decision("d1", "a"),
      ["spend.answered", { frame_id: "f1", tool_call_id: "a", operation: "reserve", ok: false }],
      ["spend.answered", { frame_id: "f2", tool_call_id: "b", operation: "reserve", ok: true }],
      ...decision("d2", "a"),
    ),
  );
  assert.deepEqual(blocks.map(({ kind, told, answer }) => [kind, told?.policy_decision_id, answer?.ok]), [
    ["spend", "d1", false],
    ["spend", undefined, true],
    ["denial", "d2", undefined],
  ]);
});

test("nothing is lost: what is unknown, erased or of another shape has its place, and twice is once", () => {
  const told = events(["note", { n: 1 }], ["run.frame_consumed", { frame_id: "f", frame_type: "x" }], ["toString", {}], ["run.delta", { delta: 5 }], ["spend.answered", {}], ["run.finished", {}]);
  const erased = [7, 8].map((seq) => ({ seq, event_type: "run.delta", payload: {}, erased: true, occurred_at: AT }));
  const transcript = folded([...told, ...erased, told[0]]);
  assert.deepEqual(kinds(transcript), ["raw", "raw", "raw", "words", "spend", "note", "erased"]);
  assert.equal(transcript.blocks.at(-1).count, 2);
  for (const { seq } of [...told, ...erased]) assert.ok(transcript.blockAt(seq));
});

test("the same events give the same blocks, however they arrive", () => {
  const told = events(["run.started", {}], ["run.delta", { delta: "a" }], ["run.delta", { delta: "b" }], ["run.finished", { status: "succeeded", reason: "done" }]);
  const transcript = folded(told.slice(0, 2));
  for (const event of told.slice(1)) transcript.add(event);
  assert.deepEqual(transcript.blocks, folded(told).blocks);
});

test("sats are whole, and grouped by threes", () => {
  assert.deepEqual([0, 1, 999, 1000, 1234567, 2_100_000_000_000_000].map(grouped), ["0", "1", "999", "1\u202f000", "1\u202f234\u202f567", "2\u202f100\u202f000\u202f000\u202f000\u202f000"]);
  assert.deepEqual([sats(1), sats(2), limit(null), limit(0)], ["1\u202fsat", "2\u202fsats", "no limit", "0\u202fsats"]);
});

test("a refusal says which budget of the path it was, and which rule", () => {
  const denial = { authorization_id: "leaf", tool_call_id: "a", amount_sats: 5, detail: "over_budget", inputs: { refused_by: { authorization_id: "root" } } };
  assert.equal(why(denial), "More than what is left of the budget root above it.");
  assert.equal(why(denial, "root"), "More than what is left of this budget.");
  assert.equal(firedRule(denial), "ledger › max_total_sats");
  assert.equal(asked(denial), "5\u202fsats for tool call a");
  const ruled = { detail: "careful v2, rule no-shell: nobody watches", rule: { set: "careful", version: 2, rule: "no-shell" } };
  assert.equal(why(ruled), "Your rule “no-shell” refuses it: nobody watches.");
  assert.equal(firedRule(ruled), "careful v2 › no-shell");
  assert.equal(why({ reason_code: "ssrf_block.private_address" }), "The address is one that nobody may reach.");
  assert.equal(why({ detail: "constructor" }), "It was refused.");
});
