// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMetrics, total } from "../src/lib/metrics";
import { polyline, Series } from "../src/lib/series";

test("rates come from differences of counters", () => {
	const s = new Series();
	s.add(1000, 100, 0);
	assert.equal(s.latest, null);
	s.add(6000, 600, 50);
	assert.deepEqual(s.latest, { t: 6, in: 100, out: 10 });
	s.add(6000, 900, 50);
	assert.equal(s.points.length, 1, "the same report twice is one point");
});

test("a counter that begins anew makes no negative rate", () => {
	const s = new Series();
	s.add(0, 1000, 1000);
	s.add(5000, 10, 10);
	assert.deepEqual(s.latest, { t: 5, in: 0, out: 0 });
	s.add(10000, 60, 10);
	assert.deepEqual(s.latest, { t: 10, in: 10, out: 0 });
});

test("old points are forgotten", () => {
	const s = new Series(3);
	for (let i = 0; i < 10; i++) s.add(i * 1000, i, i);
	assert.deepEqual(
		s.points.map(p => p.t),
		[7, 8, 9],
	);
});

test("a line ends at the right edge and scales to its maximum", () => {
	assert.equal(polyline([0, 10], 90, 20, 10, 10), "80.0,19.0 90.0,1.0");
	assert.equal(polyline([0, 0], 90, 20, 0, 10), "80.0,19.0 90.0,19.0");
});

test("Prometheus text, labels with escapes included", () => {
	const text = [
		"# HELP a b",
		"# TYPE a counter",
		'a{client="e\\"1\\\\",rule="3"} 5',
		'a{client="x",rule="4"} 1e3',
		"b 2.5",
		"nonsense",
	].join("\n");
	const samples = parseMetrics(text);
	assert.deepEqual(samples[0], {
		name: "a",
		labels: { client: 'e"1\\', rule: "3" },
		value: 5,
	});
	assert.equal(total(samples, "a"), 1005);
	assert.equal(total(samples, "b"), 2.5);
	assert.equal(total(samples, "c"), null);
});
