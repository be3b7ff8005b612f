// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDraft, draftBody, fieldOfError, move, type RuleDraft } from "../src/lib/form";

function draft(targets: [string, string][], more: Partial<RuleDraft> = {}): RuleDraft {
	return {
		edge: "edge-01",
		listenPort: "8443",
		listenAddress: "",
		targets: targets.map(([host, port], key) => ({ key, host, port })),
		interval: "",
		connectTimeout: "",
		hedgeDelay: "",
		idleTimeout: "",
		preferIpv6: false,
		...more,
	};
}

const fields = (d: RuleDraft) => checkDraft(d).map(e => e.field);

test("a good form has no errors", () => {
	assert.deepEqual(fields(draft([["a.example", "443"]])), []);
	const eight = Array.from({ length: 8 }, (_, i) => [`h${i}`, "1"] as [string, string]);
	assert.deepEqual(fields(draft(eight)), []);
});

test("what is wrong is said at its field", () => {
	assert.deepEqual(fields(draft([["", ""]], { edge: "", listenPort: "0" })), [
		"edge",
		"listen_port",
		"targets.0.host",
		"targets.0.port",
	]);
	for (const host of ["a b", "a/b", "a:80", "::1"])
		assert.deepEqual(fields(draft([[host, "1"]])), ["targets.0.host"], host);
	for (const port of ["-1", "1.5", "65536", "x", "1e3"])
		assert.deepEqual(fields(draft([["a", port]])), ["targets.0.port"], port);
	assert.deepEqual(fields(draft([["[::1]", "1"]])), []);
});

test("the same target twice, whatever its spelling", () => {
	const errors = checkDraft(
		draft([
			["A.example.", "443"],
			["b", "443"],
			["a.example", "0443"],
		]),
	);
	assert.deepEqual(
		errors.map(e => [e.field, e.params?.row]),
		[["targets.2.host", 1]],
	);
});

test("nine targets and numbers out of range", () => {
	const nine = Array.from({ length: 9 }, (_, i) => [`h${i}`, "1"] as [string, string]);
	assert.deepEqual(fields(draft(nine)), ["targets"]);
	assert.deepEqual(fields(draft([["a", "1"]], { interval: "0", hedgeDelay: "60001" })), [
		"health_check_interval_secs",
		"hedge_delay_ms",
	]);
	assert.deepEqual(fields(draft([["a", "1"]], { interval: "3600", hedgeDelay: "0" })), []);
});

test("the body has priorities by row and only what was set", () => {
	const two: [string, string][] = [
		["a", "1"],
		[" b ", "2"],
	];
	assert.deepEqual(draftBody(draft(two, { interval: "5", hedgeDelay: "0" })), {
		client: "edge-01",
		listen_port: 8443,
		protocol: "tcp",
		targets: [
			{ host: "a", port: 1, priority: 0 },
			{ host: "b", port: 2, priority: 1 },
		],
		health_check_interval_secs: 5,
		hedge_delay_ms: 0,
	});
	const single = draftBody(draft([["a", "1"]], { interval: "5" }));
	assert.equal("health_check_interval_secs" in single, false);
});

test("the server's errors find their field", () => {
	const cases: [string, string, string][] = [
		["port_in_use", "8443 is taken", "listen_port"],
		["activation_failed", "activation_failed: port_in_use", "listen_port"],
		["target_invalid_host", "targets[1].host: has an underscore", "targets.1.host"],
		["target_invalid_port", "targets[0].port: must be 1..65535", "targets.0.port"],
		["targets_duplicate", "targets[2]: the same as targets[0]", "targets.2.host"],
		["invalid_body", "listen_address: is no address", "listen_address"],
		["health_check_interval_out_of_range", "", "health_check_interval_secs"],
		["client_not_connected", "edge-01", "edge"],
		["ack_timeout", "no answer", ""],
	];
	for (const [code, message, want] of cases)
		assert.equal(fieldOfError(code, message), want, code);
});

test("rows move and stay within the list", () => {
	assert.deepEqual(move([1, 2, 3], 0, 2), [2, 3, 1]);
	assert.deepEqual(move([1, 2, 3], 2, 0), [3, 1, 2]);
	assert.deepEqual(move([1, 2, 3], 0, 3), [1, 2, 3]);
	assert.deepEqual(move([1, 2, 3], -1, 0), [1, 2, 3]);
});
