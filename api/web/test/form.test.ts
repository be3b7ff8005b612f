// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkDraft, draftBody, fieldOfError, move, type RuleDraft } from "../src/lib/form";

function draft(targets: [string, string][], more: Partial<RuleDraft> = {}): RuleDraft {
	return {
		edge: "edge-01",
		protocol: "tcp",
		listenPort: "8443",
		targets: targets.map(([host, port], key) => ({
			key,
			host,
			port,
			proxy: "",
			weight: "",
			tied: false,
		})),
		options: {},
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

test("a target's own settings are checked, sent, and called by their names", () => {
	const d = draft([
		["a", "1"],
		["b", "2"],
	]);
	d.targets = d.targets.map(x => ({
		...x,
		more: { health_check_port: x.host === "a" ? "65536" : " 9001 ", same_port: "1" },
	}));
	assert.deepEqual(fields(d), ["targets.0.health_check_port"]);
	assert.deepEqual(draftBody(d).targets, [
		{ host: "a", port: 1, priority: 0, health_check_port: 65536 },
		{ host: "b", port: 2, priority: 1, health_check_port: 9001 },
	]);
	assert.deepEqual((draftBody({ ...d, listenPort: "10-12" }).targets as object[])[1], {
		host: "b",
		port: 2,
		priority: 1,
		health_check_port: 9001,
		same_port: true,
	});
	for (const [message, field] of [
		["targets[1].health_check_port: must be 1..65535", "targets.1.health_check_port"],
		["targets[0].proxy_protocol_tlvs: needs proxy_protocol", "targets.0.proxy"],
		["targets[1].same_port: is of a range", "targets.1.same_port"],
	] as const)
		assert.equal(fieldOfError("option_conflict", message), field);
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
	const two: [string, string][] = [
		["a", "1"],
		["b", "1"],
	];
	const with_ = (options: Record<string, string>) => fields(draft(two, { options }));
	assert.deepEqual(with_({ health_check_interval_secs: "0", hedge_delay_ms: "60001" }), [
		"health_check_interval_secs",
		"hedge_delay_ms",
	]);
	assert.deepEqual(with_({ health_check_interval_secs: "3600", hedge_delay_ms: "0" }), []);
});

test("what means nothing for the protocol is neither checked nor sent", () => {
	const d = draft([["a", "53"]], {
		protocol: "udp",
		options: { hedge_delay_ms: "x", udp_flow_idle_secs: " 010 ", prefer_ipv6: "1" },
	});
	d.targets = d.targets.map(x => ({ ...x, proxy: "v2" }));
	assert.deepEqual(checkDraft(d), []);
	assert.deepEqual(draftBody(d), {
		client: "edge-01",
		listen_port: 8443,
		protocol: "udp",
		targets: [{ host: "a", port: 53, priority: 0 }],
		udp_flow_idle_secs: 10,
		prefer_ipv6: true,
	});
	const tcp = draftBody({ ...d, protocol: "tcp", options: { udp_flow_idle_secs: "10" } });
	assert.deepEqual(tcp.targets, [{ host: "a", port: 53, priority: 0, proxy_protocol: "v2" }]);
	assert.equal("udp_flow_idle_secs" in tcp, false);
});

test("a port, or a range of them", () => {
	const body = (listenPort: string) => draftBody(draft([["a", "1"]], { listenPort }));
	const { listen_port, listen_port_end } = body(" 30000 - 30099 ");
	assert.deepEqual([listen_port, listen_port_end], [30000, 30099]);
	assert.equal("listen_port_end" in body("8443-8443"), false);
	for (const text of ["2-1", "1-2-3", "1-", "-2", "1-65536", "a-b"])
		assert.deepEqual(
			fields(draft([["a", "1"]], { listenPort: text })),
			["listen_port"],
			text,
		);
});

test("the body has priorities by row and only what was set", () => {
	const two: [string, string][] = [
		["a", "1"],
		[" b ", "2"],
	];
	assert.deepEqual(
		draftBody(
			draft(two, {
				options: { health_check_interval_secs: "5", hedge_delay_ms: "0" },
			}),
		),
		{
			client: "edge-01",
			listen_port: 8443,
			protocol: "tcp",
			targets: [
				{ host: "a", port: 1, priority: 0 },
				{ host: "b", port: 2, priority: 1 },
			],
			health_check_interval_secs: 5,
			hedge_delay_ms: 0,
		},
	);
	const single = draftBody(
		draft([["a", "1"]], { options: { health_check_interval_secs: "5" } }),
	);
	assert.equal("health_check_interval_secs" in single, false);
});

test("rows that are tied have one priority, and weights count where they share", () => {
	const rows: [string, string][] = [
		["a", "1"],
		["b", "1"],
		["c", "1"],
	];
	const d = draft(rows, { options: { balance: "round_robin" } });
	d.targets = d.targets.map((x, i) => ({ ...x, tied: i === 1, weight: i === 0 ? "4" : "1" }));
	const targets = (x: RuleDraft) => draftBody(x).targets;
	assert.deepEqual(targets(d), [
		{ host: "a", port: 1, priority: 0, weight: 4 },
		{ host: "b", port: 1, priority: 0 },
		{ host: "c", port: 1, priority: 1 },
	]);
	assert.equal(draftBody(d).balance, "round_robin");
	const order = { ...d, options: { balance: "order" } };
	assert.deepEqual(
		(targets(order) as { priority: number; weight?: number }[]).map(x => [
			x.priority,
			x.weight,
		]),
		[
			[0, undefined],
			[1, undefined],
			[2, undefined],
		],
	);
	assert.equal("balance" in draftBody(order), false);
	d.targets = d.targets.map(x => ({ ...x, weight: "257" }));
	assert.deepEqual(fields(d), ["targets.0.weight", "targets.1.weight", "targets.2.weight"]);
});

test("the server's errors find their field", () => {
	const cases: [string, string, string][] = [
		["port_in_use", "8443 is taken", "listen_port"],
		["activation_failed", "activation_failed: port_in_use", "listen_port"],
		["target_invalid_host", "targets[1].host: has an underscore", "targets.1.host"],
		["target_invalid_port", "targets[0].port: must be 1..65535", "targets.0.port"],
		["targets_duplicate", "targets[2]: the same as targets[0]", "targets.2.host"],
		["invalid_body", "listen_address: is no address", "listen_address"],
		["option_out_of_range", "udp_max_flows: must be 1..1048576", "udp_max_flows"],
		["option_out_of_range", "allow[1]: has bits set behind its prefix", "allow"],
		[
			"validation.rate_limit_cap_zero",
			"rate_limit.bandwidth_in_bps: must be at least 1",
			"rate_limit.bandwidth_in_bps",
		],
		["proxy_protocol_invalid", "targets[1].proxy_protocol: must be", "targets.1.proxy"],
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
