// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { movesOf } from "../src/lib/moves";
import type { HealthKind } from "../src/lib/rule";
import type { HealthChange } from "../src/lib/types";

const NAMES = ["a:1", "b:1", "c:1"];

/** "a-" is a failure of a, "a+" its return; a number before it is the time. Oldest first. */
function changes(...words: string[]): HealthChange[] {
	return words
		.map((w, seq) => {
			const [, at, host = "", sign] = /^(\d*)(\w)([-+])$/.exec(w) ?? [];
			return {
				seq,
				at_unix_ms: Number(at || seq + 100),
				rule_id: 1,
				index: NAMES.indexOf(`${host}:1`),
				host,
				port: 1,
				failed: sign === "-",
			};
		})
		.reverse();
}

const all = (k: HealthKind): HealthKind[] => [k, k, k];
const seen = (health: HealthKind[], ...words: string[]) =>
	movesOf(NAMES, health, [], changes(...words))
		.reverse()
		.map(m => m.to);
const count = (health: HealthKind[], ...words: string[]) =>
	movesOf(NAMES, health, [], changes(...words)).filter(m => m.counts).length;

test("the preferred target's failure and return move connections", () => {
	assert.deepEqual(seen(all("healthy"), "a-", "a+"), [1, 0]);
	assert.equal(count(all("healthy"), "a-", "a+"), 2);
});

test("a spare target that fails and returns moves nothing", () => {
	assert.deepEqual(seen(all("healthy"), "b-", "c-", "b+", "c+"), [null, null, null, null]);
	assert.equal(count(all("healthy"), "b-", "c-", "b+", "c+"), 0);
});

test("nobody left is told, and the same target coming back is no move", () => {
	const health: HealthKind[] = ["healthy", "failed", "failed"];
	assert.deepEqual(seen(health, "b-", "c-", "a-", "a+"), [null, null, -1, 0]);
	assert.equal(count(health, "b-", "c-", "a-", "a+"), 0);
	assert.equal(count(["failed", "healthy", "failed"], "b-", "c-", "a-", "b+"), 1);
});

test("what one report says happened at once", () => {
	assert.deepEqual(seen(all("failed"), "5a-", "5b-", "5c-"), [null, null, -1]);
	assert.equal(count(all("failed"), "5a-", "5b-", "5c-"), 0);
});

test("a drained target and one that is gone carry nothing", () => {
	const of = changes("a-", "x-", "a+");
	assert.deepEqual(
		movesOf(NAMES, all("healthy"), [0], of).map(m => m.to),
		[null, null, null],
	);
});

test("within a group nothing moves", () => {
	const groups = (row: number) => (row < 2 ? 0 : row);
	const health: HealthKind[] = ["failed", "failed", "healthy"];
	const moves = movesOf(NAMES, health, [], changes("a-", "b-"), { groupOf: groups });
	assert.deepEqual(
		moves.map(m => m.to),
		[2, null],
	);
});

test("who took over keeps new connections where failing back is done by hand", () => {
	const health: HealthKind[] = ["healthy", "healthy", "healthy"];
	const moves = movesOf(NAMES, health, [], changes("a-", "a+"), { manual: true });
	assert.deepEqual(
		moves.map(m => m.to),
		[null, 1],
	);
});
