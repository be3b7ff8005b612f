// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import * as r from "../src/lib/rule";
import type { Rule, Stats, TargetStats } from "../src/lib/types";

function rule(more: Partial<Rule> = {}): Rule {
	return {
		id: 7,
		client_id: "x",
		client_name: "edge-01",
		listen_port: 8443,
		protocol: "tcp",
		prefer_ipv6: false,
		state: { kind: "active" },
		created_at: "",
		last_state_change_at: "",
		owner_user_id: "_legacy",
		targets: [target("a.example", true), target("b.example", true)],
		...more,
	};
}

function target(host: string, healthy: boolean | null) {
	const health = {
		consecutive_failures: 0,
		last_failure_at_unix_ms: 0,
		last_success_at_unix_ms: 0,
	};
	return {
		host,
		port: 443,
		priority: 0,
		health: healthy === null ? null : { healthy, ...health },
	};
}

const live = (rows: Partial<TargetStats>[]) =>
	({ per_target: rows.map((x, index) => ({ index, health: 0, ...x })) }) as unknown as Stats;

test("states in every spelling", () => {
	for (const s of ["active", "Active", { kind: "active" }, { active: {} }])
		assert.deepEqual(r.parseState(s), { kind: "active", reason: "" });
	for (const s of [
		"Failed: port_in_use",
		{ kind: "failed", reason: "port_in_use" },
		{ failed: { reason: "port_in_use" } },
		{ failed: "port_in_use" },
	])
		assert.deepEqual(r.parseState(s), { kind: "failed", reason: "port_in_use" });
	for (const s of [null, 3, "odd", {}, { kind: 1 }])
		assert.equal(r.parseState(s).kind, "unknown");
});

test("new connections go to the first healthy target", () => {
	assert.deepEqual(r.choose(["healthy"]), { index: 0, why: "single" });
	assert.deepEqual(r.choose(["failed"]), { index: 0, why: "single" });
	assert.deepEqual(r.choose(["healthy", "healthy"]), { index: 0, why: "preferred" });
	assert.deepEqual(r.choose(["failed", "failed", "healthy"]), { index: 2, why: "fallback" });
	assert.deepEqual(r.choose(["failed", "failed"]), { index: 0, why: "all-failed" });
	assert.deepEqual(r.choose(["unknown", "unknown"]), { index: 0, why: "unknown" });
});

test("a drained target takes none", () => {
	assert.deepEqual(r.choose(["healthy", "healthy"], [0]), { index: 1, why: "fallback" });
	assert.deepEqual(r.choose(["healthy", "failed"], [0]), { index: 1, why: "all-failed" });
	assert.deepEqual(r.choose(["healthy", "healthy"], [0, 1]), { index: -1, why: "drained" });
});

test("the stream's word counts more than the list's", () => {
	assert.equal(r.choiceOf(rule(), live([{ health: 1 }, {}])).index, 1);
	const listed = rule({ targets: [target("a", false), target("b", true)] });
	assert.equal(r.choiceOf(listed).index, 1);
	assert.equal(r.choiceOf(listed, live([{}, {}])).index, 0);
	assert.equal(r.choiceOf(rule(), live([{ drained: true }, {}])).index, 1);
	assert.equal(r.failedTargets(listed), 1);
});

test("before the first report nothing is known", () => {
	const none = { ...live([{}, {}]), stale: true, report_age_ms: 0 };
	const fresh = rule({ targets: [target("a", null), target("b", null)] });
	assert.deepEqual(r.choiceOf(fresh, none), { index: 0, why: "unknown" });
	const lost = { ...live([{ health: 1 }, {}]), stale: true, report_age_ms: 60_000 };
	assert.deepEqual(r.choiceOf(fresh, lost), { index: 1, why: "fallback" });
});

test("addresses as people write them", () => {
	assert.equal(r.endpoint("::1", 80), "[::1]:80");
	assert.equal(r.endpoint("[::1]", 80), "[::1]:80");
	assert.equal(r.endpoint("a.example", 80), "a.example:80");
	assert.equal(r.listenText(rule({ listen_port_end: 8450 })), ":8443–8450");
	assert.equal(r.listenText(rule({ listen_address: "192.0.2.1" })), "192.0.2.1:8443");
});

test("filters by text, edge and state", () => {
	const bad = rule({
		id: 8,
		client_name: "edge-02",
		targets: [target("c", false), target("d", true)],
	});
	const failed = rule({ id: 9, state: { kind: "failed", reason: "x" } });
	const all = [rule(), bad, failed];
	const ids = (f: Partial<r.RuleFilter>) =>
		r.filterRules(all, { text: "", edge: "", state: "", ...f }).map(x => x.id);
	assert.deepEqual(ids({}), [7, 8, 9]);
	assert.deepEqual(ids({ text: "EDGE-02 443" }), [8]);
	assert.deepEqual(ids({ text: "#9" }), [9]);
	assert.deepEqual(ids({ text: "nothing" }), []);
	assert.deepEqual(ids({ edge: "edge-01" }), [7, 9]);
	assert.deepEqual(ids({ state: "failed" }), [9]);
	assert.deepEqual(ids({ state: "trouble" }), [8, 9]);
});
