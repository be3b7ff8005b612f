// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { below, within } from "../src/lib/base";
import { causeOf } from "../src/lib/cause";
import { splitReason } from "../src/lib/reason";

test("a reason's code and its words", () => {
	assert.deepEqual(splitReason("port_in_use"), { code: "port_in_use", rest: "" });
	assert.deepEqual(splitReason("port_in_use: held by nginx"), {
		code: "port_in_use",
		rest: "held by nginx",
	});
	assert.deepEqual(splitReason("validation.sni_pattern_malformed: x"), {
		code: "validation.sni_pattern_malformed",
		rest: "x",
	});
	assert.deepEqual(splitReason("the disk is full"), { code: "", rest: "the disk is full" });
	assert.deepEqual(splitReason("targets[1].host: must be a name").code, "");
});

test("why a target cannot be reached", () => {
	assert.equal(causeOf(null), "unknown");
	assert.equal(causeOf({ last_errno: 111, connects_failed: 1 }), "refused");
	assert.equal(causeOf({ last_errno: 110 }), "silent");
	assert.equal(causeOf({ last_errno: 113 }), "no_route");
	assert.equal(
		causeOf({ last_errno: 0, connects_failed: 3, connects_timed_out: 1 }),
		"failed_or_refused",
	);
	assert.equal(
		causeOf({ last_errno: 0, connects_failed: 1, connects_timed_out: 9 }),
		"silent",
	);
	assert.equal(causeOf({ last_errno: 0 }), "unknown");
});

test("paths below a base path, and back", () => {
	assert.equal(below("/", "/v1/rules"), "/v1/rules");
	assert.equal(below("/portunus/", "/v1/rules"), "/portunus/v1/rules");
	assert.equal(within("/", "/rules/7"), "/rules/7");
	assert.equal(within("/portunus/", "/portunus/rules/7/"), "/rules/7");
	assert.equal(within("/portunus/", "/portunus/"), "/");
	assert.equal(within("/portunus/", "/portunus"), "/");
});
