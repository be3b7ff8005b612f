// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { en } from "../src/i18n/en";
import { zh } from "../src/i18n/zh-CN";

const SRC = process.env.WEB_SRC ?? "api/web/src";

const holes = (text: string) => [...text.matchAll(/\{(\w+)\}/g)].map(m => m[1]).sort();

function files(folder: string): string[] {
	return readdirSync(folder, { withFileTypes: true }).flatMap(d =>
		d.isDirectory() ? files(join(folder, d.name)) : [join(folder, d.name)],
	);
}

function sources(): string {
	return files(SRC)
		.filter(f => /\.tsx?$/.test(f) && !f.includes("i18n/"))
		.map(f => readFileSync(f, "utf8"))
		.join("\n");
}

test("both languages have the same keys", () => {
	assert.deepEqual(Object.keys(zh).sort(), Object.keys(en).sort());
});

test("no text is empty, and each has the same holes in both languages", () => {
	for (const [key, text] of Object.entries(en)) {
		const other = (zh as Record<string, string>)[key] ?? "";
		assert.ok(text.trim() && other.trim(), key);
		assert.deepEqual(holes(other), holes(text), key);
	}
});

test("Chinese texts are Chinese", () => {
	for (const [key, text] of Object.entries(zh))
		if (/[a-z]{2}/i.test(text.replace(/\{\w+\}/g, "")) && key !== "detail.rtt")
			assert.match(text, /\p{Script=Han}/u, key);
});

test("plurals come in pairs", () => {
	const keys = Object.keys(en);
	for (const key of keys.filter(k => /\.(one|other)$/.test(k))) {
		const stem = key.replace(/\.\w+$/, "");
		assert.ok(keys.includes(`${stem}.one`) && keys.includes(`${stem}.other`), key);
	}
});

test("every key is used, and what is used exists", () => {
	const text = sources();
	const literals = [...text.matchAll(/["'`]([a-z_]+(?:\.[a-z0-9_]+)+)["'`]/g)].map(
		m => m[1] ?? "",
	);
	// Why a rule is not served comes from the edge, and is looked up by what it says.
	const looked = /^reason\./;
	const stems = [...text.matchAll(/`([a-z_]+\.(?:[a-z_]+\.)?)\$\{/g)].map(m => m[1] ?? "");
	const used = (key: string) =>
		looked.test(key) ||
		literals.includes(key) ||
		literals.includes(key.replace(/\.(one|other)$/, "")) ||
		stems.some(s => key.startsWith(s));
	assert.deepEqual(
		Object.keys(en).filter(k => !used(k)),
		[],
	);
	const asked = [...text.matchAll(/\btn?\(\s*"([a-z0-9_.]+)"/g)].map(m => m[1] ?? "");
	const known = (k: string) => k in en || `${k}.other` in en;
	assert.deepEqual(
		asked.filter(k => !known(k)),
		[],
	);
});
