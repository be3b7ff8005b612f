// SPDX-License-Identifier: MIT
// Every code that the server or an edge says, and every action of the audit trail, has its sentence. The
// program's sources and documentation are what is compared with.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { en } from "../src/i18n/en";

const ROOT = join(process.env.WEB_SRC ?? "api/web/src", "../../..");

function read(folder: string): string {
	return readdirSync(join(ROOT, folder), { withFileTypes: true })
		.map(d => {
			const path = join(folder, d.name);
			if (d.isDirectory()) return path === "api/web" ? "" : read(path);
			return d.name.endsWith(".c") ? readFileSync(join(ROOT, path), "utf8") : "";
		})
		.join("\n");
}

const all = (text: string, pattern: RegExp) =>
	[...new Set([...text.matchAll(pattern)].map(m => m[1] ?? ""))].sort();
const lacking = (kind: string, codes: string[]) =>
	codes.filter(c => !(`${kind}.${c}` in en) || c === "");

test("the codes of the API and of rules", () => {
	const source = read("api") + read("userspace/server") + read("userspace/lib/rule");
	const codes = all(
		source,
		/\b(?:call_error|api_deny|fleet_error_set|rule_refuse|refuse|refuse_target)\(\s*(?:&?[\w>.-]+,\s*)?(?:\d+,\s*)?"([a-z]+(?:[._][a-z]+)+)",/g,
	);
	assert.ok(codes.length > 50, `${codes.length} codes found`);
	assert.deepEqual(lacking("code", codes), []);
});

test("the codes that api.md documents", () => {
	const text = readFileSync(join(ROOT, "Documentation/api.md"), "utf8");
	const table = text.slice(text.indexOf("## Errors"), text.indexOf("## Limits"));
	const rows = table.split("\n").filter(l => /^\| \d{3}/.test(l));
	const codes = all(rows.join("\n"), /`((?:validation\.)?[a-z]+(?:_[a-z]+)+)`/g);
	assert.ok(codes.length > 50, `${codes.length} codes found`);
	assert.deepEqual(lacking("code", codes), []);
});

test("why an edge does not serve a rule", () => {
	const source = read("userspace/edge/rules");
	const bind = source.slice(source.indexOf("bind_reason"), source.indexOf("bind_hint"));
	const reasons = all(bind, /return "([a-z_]+)"/g);
	assert.ok(reasons.length >= 3);
	assert.deepEqual(lacking("reason", reasons), []);
});

test("the actions of the audit trail", () => {
	const source = read("api");
	const actions = all(source, /"((?:rule|client|token)\.[a-z_]+)"/g);
	assert.ok(actions.length > 9);
	assert.deepEqual(lacking("action", actions), []);
});
