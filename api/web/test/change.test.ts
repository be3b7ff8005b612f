// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { changeBody, changesOf, draftOf, dropped } from "../src/lib/change";
import type { Rule } from "../src/lib/types";

const target = (host: string, more = {}) => ({
	host,
	port: 443,
	priority: 0,
	health: null,
	proxy_protocol: null,
	...more,
});

function rule(more = {}): Rule {
	return {
		id: 7,
		client_id: "01X",
		client_name: "edge-01",
		listen_port: 8443,
		target_host: "a",
		target_port: 443,
		protocol: "tcp",
		prefer_ipv6: false,
		state: { kind: "active" },
		created_at: "x",
		last_state_change_at: "x",
		owner_user_id: "ops",
		health_check_interval_secs: 5,
		targets: [target("a"), target("b", { priority: 3 })],
		...more,
	} as Rule;
}

test("a form that nobody touched changes nothing and sends the rule as it is", () => {
	const r = rule({
		of_tomorrow: "x",
		targets: [target("a", { weight: 9 }), target("b", { priority: 3 })],
	});
	assert.deepEqual(changesOf(r, draftOf(r)), []);
	assert.deepEqual(changeBody(r, draftOf(r)), {
		client: "edge-01",
		listen_port: 8443,
		protocol: "tcp",
		of_tomorrow: "x",
		health_check_interval_secs: 5,
		targets: [
			{ host: "a", port: 443, priority: 0, weight: 9 },
			{ host: "b", port: 443, priority: 3 },
		],
	});
});

test("a new order makes new priorities and keeps what else a target has", () => {
	const r = rule({ targets: [target("a", { weight: 9 }), target("b")] });
	const d = draftOf(r);
	d.targets.reverse();
	assert.deepEqual(changeBody(r, d).targets, [
		{ host: "b", port: 443, priority: 0 },
		{ host: "a", port: 443, priority: 1, weight: 9 },
	]);
	assert.deepEqual(changesOf(r, d), [
		{ field: "targets", from: ["a:443", "b:443"], to: ["b:443", "a:443"] },
	]);
});

test("what is blank goes back to the default, and is not sent", () => {
	const r = rule({ hedge_delay_ms: 0 });
	const d = { ...draftOf(r), options: { hedge_delay_ms: " ", idle_timeout_secs: "060" } };
	assert.deepEqual(changesOf(r, d), [
		{ field: "health_check_interval_secs", from: ["5"], to: [""] },
		{ field: "hedge_delay_ms", from: ["0"], to: [""] },
		{ field: "idle_timeout_secs", from: [""], to: ["60"] },
	]);
	const body = changeBody(r, d);
	assert.equal("health_check_interval_secs" in body, false);
	assert.equal("hedge_delay_ms" in body, false);
	assert.equal(body.idle_timeout_secs, 60);
});

test("IPv6 can be preferred, and no longer", () => {
	const r = rule({ prefer_ipv6: true });
	const d = draftOf(r);
	delete d.options.prefer_ipv6;
	assert.deepEqual(changesOf(r, d), [{ field: "prefer_ipv6", from: ["1"], to: [""] }]);
	assert.notEqual(changeBody(r, d).prefer_ipv6, true);
});

test("another PROXY header is a change of its target, and keeps its priority", () => {
	const r = rule({
		targets: [target("a", { proxy_protocol: "v1" }), target("b", { priority: 3 })],
	});
	const d = draftOf(r);
	assert.deepEqual(changesOf(r, d), []);
	d.targets = d.targets.map(x => ({ ...x, proxy: x.host === "a" ? "" : "v2" }));
	assert.deepEqual(changesOf(r, d), [
		{ field: "targets", from: ["a:443 +v1", "b:443"], to: ["a:443", "b:443 +v2"] },
	]);
	assert.deepEqual(changeBody(r, d).targets, [
		{ host: "a", port: 443, priority: 0 },
		{ host: "b", port: 443, priority: 3, proxy_protocol: "v2" },
	]);
});

test("what a header says besides goes with the header", () => {
	const r = rule({
		targets: [
			target("a", { proxy_protocol: "v2", proxy_protocol_tlvs: ["unique_id"] }),
			target("b", { priority: 3 }),
		],
	});
	const d = draftOf(r);
	assert.deepEqual(changesOf(r, d), []);
	assert.deepEqual(changeBody(r, d).targets, [
		{
			host: "a",
			port: 443,
			priority: 0,
			proxy_protocol: "v2",
			proxy_protocol_tlvs: ["unique_id"],
		},
		{ host: "b", port: 443, priority: 3 },
	]);
	const [a, b] = d.targets;
	if (!a || !b) throw new Error("two targets");
	d.targets = [
		{ ...a, proxy: "" },
		{ ...b, proxy: "v2+unique_id" },
	];
	assert.deepEqual(changesOf(r, d), [
		{
			field: "targets",
			from: ["a:443 +v2+unique_id", "b:443"],
			to: ["a:443", "b:443 +v2+unique_id"],
		},
	]);
	assert.deepEqual(changeBody(r, d).targets, [
		{ host: "a", port: 443, priority: 0 },
		{
			host: "b",
			port: 443,
			priority: 3,
			proxy_protocol: "v2",
			proxy_protocol_tlvs: ["unique_id"],
		},
	]);
	assert.deepEqual(
		(changeBody(r, { ...draftOf(r), protocol: "udp" }).targets as object[])[0],
		{ host: "a", port: 443, priority: 0 },
	);
});

test("a target's own settings are shown, changed and taken away", () => {
	const r = rule({
		listen_port_end: 8445,
		targets: [
			target("a", { health_check_port: 9000, same_port: true }),
			target("b", { priority: 3, health_check_port: null }),
		],
	});
	const d = draftOf(r);
	assert.deepEqual(
		d.targets.map(x => x.more),
		[{ health_check_port: "9000", same_port: "1" }, {}],
	);
	assert.deepEqual(changesOf(r, d), []);
	assert.deepEqual((changeBody(r, d).targets as object[])[0], {
		host: "a",
		port: 443,
		priority: 0,
		health_check_port: 9000,
		same_port: true,
	});
	d.targets = d.targets.map(x => ({
		...x,
		more: { health_check_port: x.host === "a" ? " " : "09001" },
	}));
	assert.deepEqual(changesOf(r, d), [
		{
			field: "targets",
			from: ["a:443 +check=9000 +same-port", "b:443"],
			to: ["a:443", "b:443 +check=9001"],
		},
	]);
	assert.deepEqual(changeBody(r, d).targets, [
		{ host: "a", port: 443, priority: 0 },
		{ host: "b", port: 443, priority: 3, health_check_port: 9001 },
	]);
});

test("what does not concern a lone target or a single port is kept, or goes with the range", () => {
	const lone = rule({ targets: [target("a", { health_check_port: 9000 })] });
	assert.deepEqual(changeBody(lone, draftOf(lone)).targets, [
		{ host: "a", port: 443, priority: 0, health_check_port: 9000 },
	]);
	const range = rule({ listen_port_end: 8445, targets: [target("a", { same_port: true })] });
	const d = { ...draftOf(range), listenPort: "8443" };
	assert.deepEqual(changeBody(range, d).targets, [{ host: "a", port: 443, priority: 0 }]);
});

test("equal priorities are ties, and stay as they were", () => {
	const r = rule({
		balance: "round_robin",
		targets: [
			target("a", { priority: 5 }),
			target("b", { priority: 5, weight: 3 }),
			target("c", { priority: 9 }),
		],
	});
	const d = draftOf(r);
	assert.deepEqual(changesOf(r, d), []);
	assert.deepEqual(changeBody(r, d).targets, [
		{ host: "a", port: 443, priority: 5 },
		{ host: "b", port: 443, priority: 5, weight: 3 },
		{ host: "c", port: 443, priority: 9 },
	]);
	d.targets = d.targets.map(x => ({ ...x, tied: x.host === "c" }));
	assert.deepEqual(changesOf(r, d), [
		{
			field: "targets",
			from: ["a:443", "= b:443 ×3", "c:443"],
			to: ["a:443", "b:443 ×3", "= c:443"],
		},
	]);
	assert.deepEqual(
		(changeBody(r, d).targets as { priority: number }[]).map(x => x.priority),
		[0, 1, 1],
	);
});

test("a UDP rule stays one", () => {
	const r = rule({ protocol: "udp", udp_max_flows: 9 });
	assert.deepEqual(changesOf(r, draftOf(r)), []);
	const body = changeBody(r, draftOf(r));
	assert.deepEqual([body.protocol, body.udp_max_flows], ["udp", 9]);
});

test("targets that go are named", () => {
	const r = rule();
	const d = draftOf(r);
	d.targets = d.targets.slice(1);
	assert.deepEqual(dropped(r, d), ["a:443"]);
	assert.deepEqual(dropped(r, draftOf(r)), []);
});
