// What a browser would refuse before it runs anything: no syntax error, no name twice, no import of what is not there.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { test } from "node:test";
import { SourceTextModule } from "node:vm";

const MODULES = new URL("static/", import.meta.url);
const parsed = new Map();

function module(url) {
  if (!parsed.has(url)) parsed.set(url, new SourceTextModule(readFileSync(new URL(url), "utf8"), { identifier: url }));
  return parsed.get(url);
}

for (const name of readdirSync(MODULES).filter((file) => file.endsWith(".js"))) {
  test(`${name} links`, async () => {
    const linked = module(new URL(name, MODULES).href);
    if (linked.status === "unlinked") await linked.link((wanted, from) => module(new URL(wanted, from.identifier).href));
    assert.equal(linked.status, "linked");
  });
}
