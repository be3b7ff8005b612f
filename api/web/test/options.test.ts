// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { en } from "../src/i18n/en";
import {
	GROUPS,
	INTERVAL,
	isWrong,
	OPTIONS,
	type Option,
	plain,
	setOptions,
	sizeOf,
	valuesOf,
} from "../src/lib/options";

const option = (path: string) => OPTIONS.find(o => o.path === path) as Option;
const two = { protocol: "tcp" as const, targets: [1, 2] };

test("every option and group has its texts", () => {
	const texts = en as Record<string, string>;
	for (const o of OPTIONS) {
		assert.ok(texts[`option.${o.path}`], o.path);
		assert.ok(o.kind === "flag" || o.words || texts[`option_hint.${o.path}`], o.path);
		for (const w of o.words ?? []) assert.ok(texts[`option_word.${o.path}.${w}`], w);
	}
	for (const g of GROUPS) assert.ok(g === INTERVAL.group || texts[`option_group.${g}`], g);
});

test("sizes are read as the command line reads them", () => {
	const cases: [string, number][] = [
		["4096", 4096],
		["64K", 65536],
		["1.5M", 1572864],
		["1 GiB", 1 << 30],
		["2g", 2 ** 31],
		["1MB", 1 << 20],
	];
	for (const [text, bytes] of cases) assert.equal(sizeOf(text), bytes, text);
	for (const text of ["", "K", "1.5.2M", "-1", "1e6", "10X", "1 000"])
		assert.ok(Number.isNaN(sizeOf(text)), text);
	const rate = option("rate_limit.bandwidth_in_bps");
	assert.equal(isWrong(rate, "0"), true);
	assert.equal(isWrong(rate, "ten"), true);
	assert.equal(isWrong(rate, "10M"), false);
});

test("one spelling of each value", () => {
	assert.equal(plain(option("rate_limit.bandwidth_in_bps"), "1024K"), "1M");
	assert.equal(plain(option("allow"), " 10.0.0.0/8,\n192.0.2.1 "), "10.0.0.0/8, 192.0.2.1");
	assert.equal(plain(option("udp_max_flows"), "007"), "7");
});

test("what a rule says comes back as it was", () => {
	const rule = {
		allow: ["10.0.0.0/8", "192.0.2.1"],
		rate_limit: { bandwidth_in_bps: 10485760, concurrent_connections: 5 },
		prefer_ipv6: true,
		source_interface: "eth1",
	};
	const values = valuesOf(rule);
	assert.deepEqual(values, {
		allow: "10.0.0.0/8, 192.0.2.1",
		"rate_limit.bandwidth_in_bps": "10M",
		"rate_limit.concurrent_connections": "5",
		prefer_ipv6: "1",
		source_interface: "eth1",
	});
	const body = {};
	setOptions(body, values, two);
	assert.deepEqual(body, rule);
});
