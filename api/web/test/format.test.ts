// SPDX-License-Identifier: MIT
import assert from "node:assert/strict";
import { test } from "node:test";
import * as f from "../src/lib/format";

test("bytes have binary units and three digits", () => {
	const cases: [number, string][] = [
		[0, "0 B"],
		[1023, "1023 B"],
		[1024, "1.00 KiB"],
		[1536, "1.50 KiB"],
		[15 * 1024, "15.0 KiB"],
		[1023.9 * 1024, "1.00 MiB"],
		[5 * 1024 ** 3, "5.00 GiB"],
		[2 ** 60, "1024 PiB"],
		[-1, "0 B"],
	];
	for (const [n, want] of cases) assert.equal(f.bytes(n), want);
});

test("rates are bits a second, decimal", () => {
	assert.equal(f.bitRate(0), "0 b/s");
	assert.equal(f.bitRate(125), "1.00 kb/s");
	assert.equal(f.bitRate(12.5e6), "100 Mb/s");
	assert.equal(f.bitRate(1.25e9), "10.0 Gb/s");
	assert.equal(f.axisRate(0), "0");
	assert.equal(f.axisRate(6e6), "6 Mb/s");
	assert.equal(f.axisRate(2.5e6), "2.5 Mb/s");
	assert.equal(f.axisRate(400), "400 b/s");
});

test("times of the kernel", () => {
	assert.equal(f.micros(310), "310 µs");
	assert.equal(f.micros(1200), "1.20 ms");
	assert.equal(f.micros(2_100_000), "2.10 s");
});

test("a share that is there is never 0 %", () => {
	assert.equal(f.percent(0, 10), "0 %");
	assert.equal(f.percent(1, 1000), "< 1 %");
	assert.equal(f.percent(1, 3), "33 %");
	assert.equal(f.percent(3, 0), "0 %");
});

test("relative times, both ways and in both languages", () => {
	const now = 1_800_000_000_000;
	assert.equal(f.ago(now, now, "en"), "now");
	assert.equal(f.ago(now - 999, now, "en"), "now");
	assert.equal(f.ago(now - 5000, now, "en"), "5 sec. ago");
	assert.equal(f.ago(now + 4000, now, "en"), "in 4 sec.");
	assert.equal(f.ago(now - 3 * 3_600_000, now, "en"), "3 hr. ago");
	assert.match(f.ago(now - 120_000, now, "zh-CN"), /2\s?分钟前/);
});

test("durations have their two largest units", () => {
	assert.equal(f.duration(0, "en"), "0s");
	assert.equal(f.duration(4000, "en"), "4s");
	assert.equal(f.duration(200_000, "en"), "3m 20s");
	assert.equal(f.duration(3_600_000, "en"), "1h");
	assert.equal(f.duration(3_600_000 + 59_000, "en"), "1h");
	assert.equal(f.duration(7_500_000, "en"), "2h 5m");
	assert.equal(f.duration(-5, "en"), "0s");
	assert.match(f.duration(200_000, "zh-CN"), /^3\s?分钟? 20\s?秒$/);
});

test("countdown", () => {
	assert.equal(f.clock(599_001), "10:00");
	assert.equal(f.clock(65_000), "1:05");
	assert.equal(f.clock(3_661_000), "1:01:01");
	assert.equal(f.clock(-1), "0:00");
});

test("exact times carry their zone", () => {
	assert.match(f.exact(1_800_000_000_123, "en"), /2027.*\.123.*(UTC|GMT|[A-Z]{3,})/);
});
